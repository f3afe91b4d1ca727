// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Logouts that the target asks for, through the kernel", .timeLimit(.minutes(2)))
struct KernelGoodbyeTests {
  /// A target that answers no Logout Request.
  private struct MuteAtLogout: PDUNode {
    var base: InMemoryTarget
    var isClosed: Bool { base.isClosed }

    mutating func respond(to pdu: PDU) -> [PDU] {
      if case .logoutRequest = pdu { [] } else { base.respond(to: pdu) }
    }
  }

  private func fixture() async throws -> SupervisedFixture {
    let target = try testTarget()
    return try await SupervisedFixture { _ in MuteAtLogout(base: target) }
  }

  @Test("The outage is on record when the Logout Request is sent")
  func record() async throws {
    let fixture = try await fixture()
    let session = try await fixture.logIn()
    let count = fixture.kernel.requests.count
    fixture.deliver(AsyncMessagePDU(event: .logoutRequested), to: session)
    #expect(await eventually { fixture.requests(after: count) == ["19 46"] })
    #expect(fixture.base.registry.read(session)?.outage?.cause == .message(.logoutRequested))
    #expect(fixture.supervision(session)?.phase == .recovering)
  }

  @Test("The next manager stops such a session, which looks as if it were up, and logs in again")
  func nextManager() async throws {
    let fixture = try await fixture()
    let id = fixture.kernel.addSession(connection: .up)
    var snapshot = SessionSnapshot.example(id.rawValue)
    snapshot.host = .example(HostNumber(rawValue: id.rawValue + 1))
    snapshot.targetName = "iqn.2001-04.com.example:disk"
    snapshot.connection?.persistentAddress = "127.0.0.1"
    snapshot.connection?.persistentPort = fixture.base.portal.port
    snapshot.devices = []
    try fixture.base.tree.add(snapshot)
    var record = SessionRecord(
      session: id, request: try fixture.base.request(), isid: ISID(session: id), stage: .established)
    record.outage = Outage(cause: .message(.logoutRequested), since: .now - .seconds(2))
    fixture.base.registry.write(record)
    let count = fixture.kernel.requests.count
    let adoption = try await fixture.manager.adoptSessions()
    #expect(adoption.recovering == [id] && adoption.healthy == [])
    #expect(await fixture.recoveries(id))
    #expect(fixture.requests(after: count) == ["18 flag 3", "15", "19 43", "17"])
    #expect(await fixture.happened(.recovered))
    #expect(fixture.kinds == [.adopted, .lost, .recovered])
    #expect(await eventually { fixture.base.registry.read(id)?.outage == nil })
  }

  @Test("A logout that is asked for before the end of the login is known is made")
  func duringLogin() async throws {
    let fixture = try await fixture()
    fixture.kernel.inject(.lateReply, into: .startConnection)
    let (manager, request) = (fixture.manager, try fixture.base.request())
    let login = Task { await manager.login([request]) }
    #expect(await eventually { fixture.kernel.sessions.values.first?.connection == .up })
    let session = try #require(fixture.kernel.sessions.keys.first)
    fixture.deliver(AsyncMessagePDU(event: .logoutRequested), to: session)
    #expect(await fixture.happened(.messageReceived))
    fixture.kernel.releaseReplies()
    let report = try #require(await login.value.first).get()
    #expect(report.session == session)
    #expect(await eventually { fixture.requests(after: 0).contains("19 46") })
    #expect(fixture.supervision(session)?.phase == .recovering)
  }
}
