// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import Testing

@testable import IscsiKit

@Suite("Recovery of many sessions at once", .timeLimit(.minutes(2)))
struct RecoveryScaleTests {
  /// Logins of sessions that have been up, kept from the target until they are let go on.
  private final class HeldLogins: Sendable {
    private let waiting = Mutex<[(SessionID, ScriptedPDU)]>([])
    var count: Int { waiting.withLock(\.count) }
    func add(_ session: SessionID, _ pdu: ScriptedPDU) { waiting.withLock { $0.append((session, pdu)) } }
    func takeFirst() -> (SessionID, ScriptedPDU)? { waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
  }

  /// What the target answers to a login, as the kernel would deliver it.
  private static func answers(_ request: ScriptedPDU) -> [ScriptedPDU] {
    guard let pdu = try? PDU(header: request.header, data: request.data), var target = try? testTarget() else {
      return []
    }
    return target.respond(to: pdu).map {
      let encoded = $0.encoded()
      return ScriptedPDU(header: encoded.header, data: encoded.data)
    }
  }

  /// A fixture with 64 sessions at one portal that are up, whose later logins are held.
  private func many(_ held: HeldLogins) async throws -> (SupervisedFixture, [SessionID]) {
    let fixture = try await SupervisedFixture(connections: 96) { _ in SilentNode() }
    fixture.kernel.answerPDUs { [weak kernel = fixture.kernel] session, pdu in
      guard kernel?.sessions[session]?.bindCount == 1 else {
        held.add(session, pdu)
        return []
      }
      return Self.answers(pdu)
    }
    var request = try fixture.base.request()
    request.options.sessionCount = 64
    let results = await fixture.manager.login(Array(repeating: request, count: 64))
    let sessions = try results.map { try $0.get().session }
    for session in sessions { try fixture.show(session) }
    return (fixture, sessions)
  }

  @Test("64 sessions that lose their connections at once all come back, a few at a time")
  func together() async throws {
    let held = HeldLogins()
    let (fixture, sessions) = try await many(held)
    let limit = SessionManager.recoveriesPerPortal
    for session in sessions { fixture.kernel.failConnection(of: session) }
    #expect(await fixture.happened(.lost, 64))
    var remaining = 64
    while remaining > 0 {
      // As many as may are under way, and no more: each has a socket and waits for the target.
      #expect(await eventually { held.count == min(limit, remaining) })
      let bound = fixture.kernel.sessions.values.count { $0.bindCount == 2 && $0.connection == .bound }
      #expect(bound <= limit)
      guard let (session, pdu) = held.takeFirst() else { break }
      for answer in Self.answers(pdu) { fixture.kernel.deliver(answer, to: session) }
      remaining -= 1
    }
    #expect(await fixture.happened(.recovered, 64))
    #expect(fixture.manager.supervisions().values.allSatisfy { $0.0.phase == .up && $0.0.recoveries == 1 })
    #expect(fixture.manager.supervisions().values.allSatisfy { $0.0.lastOutage?.attempts == 1 })
    #expect(fixture.kernel.sessions.count == 64 && fixture.kernel.violations == [])
    #expect(fixture.loginRequests.count == 128)
  }

  @Test("Sessions that wait for their turn can be logged out")
  func logoutInQueue() async throws {
    let held = HeldLogins()
    let (fixture, sessions) = try await many(held)
    for session in sessions { fixture.kernel.failConnection(of: session) }
    #expect(await eventually { held.count == SessionManager.recoveriesPerPortal })
    let reports = try await fixture.manager.logOut(sessions).map { try $0.get() }
    #expect(reports.allSatisfy { $0.problems == [.notConnected] })
    await fixture.base.expectNothingLeft()
  }
}

@Suite("The gate of recoveries", .timeLimit(.minutes(1)))
struct RecoveryGateTests {
  private final class Order: Sendable {
    private let passed = Mutex<[Int]>([])
    var all: [Int] { passed.withLock(\.self) }
    func note(_ number: Int) { passed.withLock { $0.append(number) } }
  }

  @Test("So many pass as may, the others in the order of their coming; other portals are not held up")
  func limit() async throws {
    let gate = RecoveryGate(limit: 2)
    let first = try #require(await gate.enter("a"))
    let second = try #require(await gate.enter("a"))
    #expect(await gate.enter("b") != nil)
    let order = Order()
    var waiting: [Task<RecoveryGate.Pass?, Never>] = []
    for number in 0..<4 {
      waiting.append(
        Task {
          let pass = await gate.enter("a")
          order.note(number)
          return pass
        })
      #expect(await eventually { gate.waitingCount("a") == number + 1 })
    }
    #expect(order.all == [])
    first.leave()
    #expect(await eventually { order.all == [0] })
    second.leave()
    #expect(await eventually { order.all == [0, 1] })
    for task in waiting { (await task.value)?.leave() }
    #expect(order.all == [0, 1, 2, 3])
    #expect(gate.waitingCount("a") == 0)
  }

  @Test("Who is cancelled while waiting does not pass, and takes no place from others")
  func cancelled() async throws {
    let gate = RecoveryGate(limit: 1)
    let pass = try #require(await gate.enter("a"))
    let waiting = Task { await gate.enter("a") }
    #expect(await eventually { gate.waitingCount("a") == 1 })
    waiting.cancel()
    #expect(await waiting.value == nil)
    pass.leave()
    #expect(await gate.enter("a") != nil)
  }

  @Test("Cancellations and turns at the same time lose no place")
  func race() async throws {
    let gate = RecoveryGate(limit: 1)
    for _ in 0..<200 {
      let pass = try #require(await gate.enter("a"))
      let waiting = Task { await gate.enter("a") }
      #expect(await eventually { gate.waitingCount("a") == 1 })
      async let left: Void = Task.detached { pass.leave() }.value
      waiting.cancel()
      await left
      (await waiting.value)?.leave()
    }
    #expect(await gate.enter("a") != nil)
  }
}
