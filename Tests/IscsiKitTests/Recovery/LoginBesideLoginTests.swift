// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import Testing

@testable import IscsiKit

@Suite("Logins while another one makes the same session", .timeLimit(.minutes(2)))
struct LoginBesideLoginTests {
  /// A login that stays where it is until the kernel is let go on or its connection fails.
  private func begun(_ fixture: SupervisedFixture) async throws -> (SessionDriver, Task<LoginReport, any Error>) {
    let (manager, request) = (fixture.manager, try fixture.base.request())
    let login = Task { try await manager.login(request) }
    try #require(await eventually { fixture.loginRequests.count == 1 })
    return (try #require(manager.directory.withLock { $0.all.first?.driver }), login)
  }

  private func login(_ fixture: SupervisedFixture, _ request: LoginRequest) -> Task<OperationError.Cause?, Never> {
    let manager = fixture.manager
    return Task {
      do throws(OperationError) { _ = try await manager.login(request) } catch { return error.cause }
      return nil
    }
  }

  private func count(_ count: Int, waitFor driver: SessionDriver) async -> Bool {
    await eventually { await driver.waiters.count == count }
  }

  @Test("A login waits until the session is made, and then says that it exists; who does not wait is told at once")
  func made() async throws {
    let target = try testTarget()
    let fixture = try await SupervisedFixture { _ in target }
    fixture.kernel.inject(.stuck, into: .startConnection)
    let (manager, request) = (fixture.manager, try fixture.base.request())
    let first = Task { try await manager.login(request) }
    #expect(await eventually { manager.directory.withLock { !$0.all.isEmpty } })
    let driver = try #require(manager.directory.withLock { $0.all.first?.driver })
    let second = login(fixture, request)
    #expect(await count(1, waitFor: driver))
    #expect(await manager.beginLogin([request]).map { $0?.cause } == [.loginUnderWay])
    fixture.kernel.releaseSends()
    let session = try await first.value.session
    #expect(await second.value == .sessionExists(session))
    #expect(fixture.kernel.sessions.count == 1 && fixture.loginRequests.count == 1)
    #expect(await count(0, waitFor: driver))
  }

  @Test("Of a login that fails, equal ones that wait for it fail alike; the target is asked once")
  func equal() async throws {
    let fixture = try await SupervisedFixture { _ in SilentNode() }
    let (driver, first) = try await begun(fixture)
    let others = try (0..<3).map { _ in login(fixture, try fixture.base.request()) }
    #expect(await count(3, waitFor: driver))
    fixture.kernel.failConnection(of: SessionID(rawValue: 1))
    let error = await #expect(throws: OperationError.self) { try await first.value }
    for other in others { #expect(await other.value == error?.cause) }
    #expect(fixture.loginRequests.count == 1)
    await fixture.base.expectNothingLeft()
  }

  @Test("Of a login that fails or is given up, one that is another tries by itself", arguments: [false, true])
  func another(isCancelled: Bool) async throws {
    let target = try testTarget()
    let logins = Mutex(0)
    let fixture = try await SupervisedFixture { _ in
      logins.withLock { logins in
        logins += 1
        return logins == 1 ? SilentNode() : target
      }
    }
    let (driver, first) = try await begun(fixture)
    var request = try fixture.base.request()
    if !isCancelled { request.options.timeouts.noopInterval = .seconds(7) }
    let second = login(fixture, request)
    #expect(await count(1, waitFor: driver))
    if isCancelled { first.cancel() } else { fixture.kernel.failConnection(of: SessionID(rawValue: 1)) }
    await #expect(throws: OperationError.self) { try await first.value }
    #expect(await second.value == nil)
    #expect(fixture.kernel.sessions.count == 1 && fixture.loginRequests.count == 2)
  }

  @Test("A login that is cancelled while it waits says so, and leaves the other one to its end")
  func cancelled() async throws {
    let fixture = try await SupervisedFixture { _ in SilentNode() }
    let (driver, first) = try await begun(fixture)
    let second = login(fixture, try fixture.base.request())
    #expect(await count(1, waitFor: driver))
    second.cancel()
    #expect(await second.value == .cancelled)
    #expect(await count(0, waitFor: driver))
    first.cancel()
    await #expect(throws: OperationError.self) { try await first.value }
    await fixture.base.expectNothingLeft()
  }
}
