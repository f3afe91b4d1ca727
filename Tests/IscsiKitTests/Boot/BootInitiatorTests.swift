// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Logins without a daemon", .timeLimit(.minutes(1)))
struct BootInitiatorTests {
  private func initiator(_ fixture: SessionFixture, _ directory: FilePath) async -> BootInitiator {
    var machine = BootInitiator.Machine()
    machine.sysfs = Sysfs(root: fixture.tree.root)
    machine.runtimeDirectory = directory
    return await BootInitiator(machine, link: fixture.link)
  }

  private func results(
    _ requests: [LoginRequest], by initiator: BootInitiator
  ) async -> [Result<LoginReport, OperationError>] {
    var results: [Result<LoginReport, OperationError>] = []
    await initiator.logIn(
      requests, report: { _ in },
      finished: { index, result in
        #expect(index == results.count)
        results.append(result)
      })
    return results
  }

  @Test("What a daemon needs is left where it looks, with the boot as the owner")
  func record() async throws {
    let (fixture, place) = (try await SessionFixture(), try TemporaryDatabase())
    let initiator = await initiator(fixture, place.root)
    let report = try #require(await results([try fixture.request()], by: initiator).first).get()
    let registry = SessionRegistry(directory: place.root.appending("sessions"))
    let record = try #require(registry.read(report.session))
    #expect(record.stage == .established && record.owner?.label == "boot")
    #expect(fixture.kernel.sessions[report.session]?.connection == .up && fixture.kernel.violations == [])
  }

  @Test("Where nothing can be written, all that a later daemon needs is in the kernel")
  func unwritable() async throws {
    let fixture = try await SessionFixture(try testTarget(authentication: try TestAccounts.chap()))
    let initiator = await initiator(fixture, "/proc/none")
    let request = try fixture.request(try TestAccounts.authentication(mutual: true))
    let report = try #require(await results([request], by: initiator).first).get()
    let session = try #require(fixture.kernel.sessions[report.session])
    #expect(session.connection == .up && fixture.kernel.violations == [])
    #expect(session.parameters[24] == TestAccounts.secrets[0] && session.parameters[25] == TestAccounts.secrets[1])
  }

  @Test("Targets are logged in to at the same time, and told in their order")
  func together() async throws {
    let fixture = try await SessionFixture()
    var dead = try fixture.request()
    dead.target = try TargetName("iqn.2001-04.com.example:dead")
    // Nothing listens there.
    dead.portal.port = 1
    let initiator = await initiator(fixture, "/proc/none")
    let ends = await results([dead, try fixture.request(), try fixture.request()], by: initiator)
    #expect(throws: OperationError.self) { try ends[0].get() }
    // Of two that are the same, one is made.
    #expect([ends[1], ends[2]].count { if case .success = $0 { true } else { false } } == 1)
    #expect(fixture.kernel.sessions.count == 1)
  }

  @Test("Logins that still run when enough have ended are given up at the moment that is told")
  func enough() async throws {
    let fixture = try await SessionFixture()
    var dead = try fixture.request()
    dead.target = try TargetName("iqn.2001-04.com.example:dead")
    // Nothing listens there, and it would be tried for long.
    dead.portal.port = 1
    dead.options.timeouts.loginRetryWindow = .seconds(900)
    let initiator = await initiator(fixture, "/proc/none")
    var ends: [(index: Int, result: Result<LoginReport, OperationError>)] = []
    await initiator.logIn([dead, try fixture.request()], report: { _ in }) { index, result in
      ends.append((index, result))
      return .now + .milliseconds(10)
    }
    #expect(ends.map(\.index) == [1, 0] && fixture.kernel.sessions.count == 1)
    guard case .failure(let error)? = ends.last?.result else { return #expect(Bool(false)) }
    #expect(error.cause == .cancelled)
  }
}
