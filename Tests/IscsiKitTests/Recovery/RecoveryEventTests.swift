// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Recovery: what target, kernel and users do meanwhile", .timeLimit(.minutes(2)))
struct RecoveryEventTests {
  /// A target that wants no pause after a logout.
  private struct PatientTarget: PDUNode {
    var base: InMemoryTarget
    var isClosed: Bool { base.isClosed }

    mutating func respond(to pdu: PDU) -> [PDU] {
      base.respond(to: pdu).map { answer in
        guard case .logoutResponse(var response) = answer else { return answer }
        response.time2Wait = 0
        return .logoutResponse(response)
      }
    }
  }

  private func patient() async throws -> SupervisedFixture {
    let target = try testTarget()
    return try await SupervisedFixture { _ in PatientTarget(base: target) }
  }

  private func message(_ event: AsyncEvent, _ parameter1: UInt16 = 0, _ parameter2: UInt16 = 0) -> AsyncMessagePDU {
    var message = AsyncMessagePDU(event: event)
    (message.parameter1, message.parameter2) = (parameter1, parameter2)
    return message
  }

  @Test("A target that asks for a logout gets one, and the session is logged in again")
  func logoutRequested() async throws {
    let fixture = try await patient()
    let session = try await fixture.logIn()
    let count = fixture.kernel.requests.count
    fixture.deliver(message(.logoutRequested), to: session)
    #expect(await fixture.recoveries(session))
    #expect(fixture.requests(after: count) == ["19 46", "18 flag 3", "15", "19 43", "17"])
    #expect(fixture.supervision(session)?.lastOutage?.cause == .message(.logoutRequested))
    #expect(await fixture.happened(.recovered))
    #expect(fixture.kinds == [.loggedIn, .messageReceived, .lost, .recovered], "\(fixture.events.map(\.message))")
    #expect(fixture.kernel.violations == [])
  }

  @Test(
    "A target that drops its connections or wants to negotiate is logged in to again",
    arguments: [AsyncEvent.connectionDropped, .sessionDropped, .negotiationRequested])
  func dropped(event: AsyncEvent) async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    let count = fixture.kernel.requests.count
    fixture.deliver(message(event), to: session)
    #expect(await fixture.recoveries(session))
    #expect(fixture.requests(after: count) == ["18 flag 3", "15", "19 43", "17"])
    #expect(fixture.supervision(session)?.lastOutage?.cause == .message(event))
  }

  @Test("A pause that a target wants is kept, whatever the network tells")
  func pause() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    fixture.deliver(message(.sessionDropped, 0, 1), to: session)
    // On a busy machine the pause may be over before it is seen.
    #expect(
      await eventually {
        let supervision = fixture.supervision(session)
        return supervision?.outage?.nextAttempt != nil || supervision?.lastOutage != nil
      })
    fixture.manager.networkRestored()
    #expect(await fixture.recoveries(session))
    let outage = try #require(fixture.supervision(session)?.lastOutage)
    #expect(try #require(outage.end) - outage.since >= .seconds(1))
  }

  @Test("A message about another connection, or of a vendor, is told and changes nothing")
  func otherMessages() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    let count = fixture.kernel.requests.count
    fixture.deliver(message(.connectionDropped, 1), to: session)
    fixture.deliver(message(.vendorSpecific), to: session)
    #expect(await fixture.happened(.messageReceived, 2))
    #expect(fixture.supervision(session)?.phase == .up && fixture.kernel.requests.count == count)
  }

  // MARK: - Lost events

  /// Loses events, and returns when the link has noticed.
  private func overflow(_ fixture: SupervisedFixture, _ session: SessionID) async throws {
    fixture.kernel.overflow()
    _ = try? await fixture.manager.statistics(of: session)
    _ = try await fixture.manager.statistics(of: session)
  }

  @Test("Lost events of a session that sysfs shows up change nothing")
  func overflowUp() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    try await overflow(fixture, session)
    fixture.deliver(message(.vendorSpecific), to: session)
    #expect(await fixture.happened(.messageReceived))
    #expect(fixture.kinds == [.loggedIn, .messageReceived])
    #expect(fixture.supervision(session)?.phase == .up)
  }

  @Test("Events that were lost long ago fail neither a later recovery nor a later logout")
  func staleOverflow() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    try await overflow(fixture, session)
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.recoveries(session))
    #expect(fixture.supervision(session)?.lastOutage?.lastFailure == nil)
    try await overflow(fixture, session)
    let report = try #require(await fixture.manager.logOut([session]).first).get()
    #expect(report.problems == [])
    await fixture.base.expectNothingLeft()
  }

  @Test("Lost events of a session that sysfs shows down begin a recovery, whose first attempt succeeds")
  func overflowDown() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    try fixture.show(session) { $0.connection?.state = .failed }
    fixture.kernel.overflow()
    #expect(await fixture.recoveries(session))
    let outage = try #require(fixture.supervision(session)?.lastOutage)
    #expect(outage.cause == .unseen && outage.attempts == 1 && outage.lastFailure == nil)
    #expect(fixture.kernel.violations == [])
  }

  @Test("Lost events of a session that sysfs does not show any more end its supervision")
  func overflowGone() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    fixture.base.tree.remove("class/iscsi_session/session\(session)")
    fixture.kernel.overflow()
    #expect(await fixture.happened(.vanished))
    #expect(fixture.manager.supervisions().isEmpty && fixture.base.registry.read(session) == nil)
  }

  // MARK: - Ends

  @Test("A session that somebody else destroys is let go of, and can be made again")
  func destroyed() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    let host = try #require(fixture.kernel.sessions[session]?.host)
    fixture.base.tree.remove("class/iscsi_session/session\(session)")
    let count = fixture.kernel.requests.count
    fixture.kernel.multicast(.sessionDestroyed, words: [host.rawValue, session.rawValue])
    #expect(await fixture.happened(.vanished))
    #expect(fixture.kernel.requests.count == count)
    #expect(fixture.base.registry.read(session) == nil)
    #expect(try await fixture.logIn() != session)
  }

  @Test("A session that is destroyed while it is logged in again is let go of")
  func destroyedInRecovery() async throws {
    let target = try testTarget()
    let fixture = try await SupervisedFixture { $0.bindCount == 1 ? target as any PDUNode : SilentNode() }
    let session = try await fixture.logIn()
    let host = try #require(fixture.kernel.sessions[session]?.host)
    fixture.kernel.failConnection(of: session)
    #expect(await eventually { fixture.loginRequests.count == 2 })
    fixture.kernel.multicast(.sessionDestroyed, words: [host.rawValue, session.rawValue])
    #expect(await fixture.happened(.vanished))
    #expect(fixture.manager.supervisions().isEmpty)
  }

  @Test("A logout ends a recovery that waits for its next attempt")
  func logoutInWait() async throws {
    let fixture = try await SupervisedFixture(refusing: .serviceUnavailable, upTo: 99)
    let session = try await fixture.logIn()
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.happened(.attemptFailed))
    let report = try #require(await fixture.manager.logOut([session]).first).get()
    #expect(report.problems == [.notConnected])
    await fixture.base.expectNothingLeft()
    #expect(fixture.manager.supervisions().isEmpty && fixture.base.registry.read(session) == nil)
  }

  @Test("A logout breaks off an attempt whose target is silent")
  func logoutInAttempt() async throws {
    let target = try testTarget()
    let fixture = try await SupervisedFixture { $0.bindCount == 1 ? target as any PDUNode : SilentNode() }
    let session = try await fixture.logIn()
    fixture.kernel.failConnection(of: session)
    #expect(await eventually { fixture.loginRequests.count == 2 })
    let report = try #require(await fixture.manager.logOut([session]).first).get()
    #expect(report.problems == [.notConnected] && report.session == session)
    await fixture.base.expectNothingLeft()
  }

  @Test("Many logouts of one session at a time are one, and all are answered")
  func manyLogouts() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    let count = fixture.kernel.requests.count
    let results = await fixture.manager.logOut(Array(repeating: session, count: 20))
    #expect(results.count == 20)
    #expect(results.contains { if case .success = $0 { true } else { false } })
    for case .failure(let error) in results { #expect(error.cause == .noSession) }
    #expect(fixture.requests(after: count) == ["27", "19 46", "18 flag 3", "18 flag 1", "14", "43"])
    await fixture.base.expectNothingLeft()
  }
}
