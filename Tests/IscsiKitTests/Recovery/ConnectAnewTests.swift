// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import Testing

@testable import IscsiKit

@Suite("Connections that get no answer", .timeLimit(.minutes(2)))
struct ConnectAnewTests {
  private final class Steps: Sendable {
    private let steps = Mutex<[LoginStep]>([])
    var connects: Int { steps.withLock { $0.count { $0 == .connect } } }
    func add(_ step: LoginStep) { steps.withLock { $0.append(step) } }
  }

  @Test("A connection that has waited for long is begun anew when a link comes, and no failure is told")
  func firstLogin() async throws {
    let fixture = try await SupervisedFixture()
    let silent = try TestListener(backlog: 0)
    let first = try await TCPSocket.connect(to: silent.portal, until: .now + .seconds(10))
    var request = try fixture.base.request()
    request.portal = silent.portal
    let (manager, steps, unanswered) = (fixture.manager, Steps(), request)
    let login = Task { await manager.login([unanswered]) { steps.add($1) } }
    #expect(
      await eventually {
        manager.networkRestored()
        return steps.connects == 2
      })
    #expect(fixture.kinds == [])
    login.cancel()
    _ = await login.value
    await fixture.base.expectNothingLeft()
    _ = consume first
  }

  @Test("An address gets no more time than the limit, whatever is left")
  func addressLimit() async throws {
    let silent = try TestListener(backlog: 0)
    let first = try await TCPSocket.connect(to: silent.portal, until: .now + .seconds(10))
    await #expect(throws: TransportError.timedOut) {
      _ = try await TCPSocket.connect(
        to: silent.portal, until: .now + .seconds(3600), addressLimit: .milliseconds(20))
    }
    _ = consume first
  }

  @Test("How far a login has come with its connection is known while it runs")
  func watch() {
    let watch = ConnectWatch()
    #expect(watch.progress == .notBegun)
    watch.note(.connect)
    guard case .pending(let since) = watch.progress else {
      Issue.record("\(watch.progress)")
      return
    }
    #expect(since <= .now)
    for step in [LoginStep.create, .negotiate, .start] {
      watch.note(step)
      #expect(watch.progress == .connected)
    }
  }
}
