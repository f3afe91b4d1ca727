// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

@Suite("Logout")
struct LogoutExchangeTests {
  private let start = LogoutExchange(initiatorTaskTag: 7, commandSN: 8, expStatSN: 9)

  @Test("The request closes the session and carries the sequence numbers")
  func request() {
    let request = changed(LogoutRequestPDU(reason: .closeSession, initiatorTaskTag: 7)) {
      $0.commandSN = 8
      $0.expStatSN = 9
    }
    #expect(start.start() == [.send(.logoutRequest(request))])
  }

  @Test("A closed session ends the logout with the target's times, late answers before it notwithstanding")
  func closed() {
    var logout = start
    let late = PDU.textResponse(TextResponsePDU(initiatorTaskTag: 3, data: []))
    #expect(logout.receive(late) == [])
    #expect(logout.receive(.nopIn(NOPInPDU())) == [])
    let response = changed(LogoutResponsePDU(initiatorTaskTag: 7)) {
      $0.time2Wait = 2
      $0.time2Retain = 20
    }
    guard case .done(let outcome)? = logout.receive(.logoutResponse(response)).first else {
      Issue.record("the logout is not done")
      return
    }
    #expect(outcome.time2Wait == 2)
    #expect(outcome.time2Retain == 20)
    #expect(logout.receive(.logoutResponse(response)) == [])
  }

  @Test("Every other response code is a failure that names it", arguments: [UInt8(1), 2, 3, 200])
  func refused(code: UInt8) {
    var logout = start
    let response = changed(LogoutResponsePDU(initiatorTaskTag: 7)) { $0.response = LogoutResponseCode(rawValue: code) }
    #expect(logout.receive(.logoutResponse(response)) == [.failed(.refused(LogoutResponseCode(rawValue: code)))])
  }

  @Test("A target that drops the connection has logged us out")
  func dropped() {
    var logout = start
    guard case .done? = logout.receive(.asyncMessage(AsyncMessagePDU(event: .sessionDropped))).first else {
      Issue.record("the logout is not done")
      return
    }
  }

  @Test("A target that sends everything but the answer is given up")
  func endless() {
    var logout = start
    var actions: [LogoutExchange.Action] = []
    for _ in 0..<1000 where actions.isEmpty {
      actions = logout.receive(.textResponse(TextResponsePDU(initiatorTaskTag: 3, data: [])))
    }
    #expect(actions == [.failed(.noAnswer)])
  }

  @Test(
    "Every misbehaviour of a target fails the logout or leaves it waiting",
    arguments: HostileTarget.Case.cases(in: .logout))
  func hostile(misbehaviour: HostileTarget.Case) throws {
    var target = HostileTarget(misbehaviour, base: try loggedInTarget())
    var logout = start
    guard case .send(let request)? = logout.start().first else {
      Issue.record("no request")
      return
    }
    let actions = target.respond(to: request).flatMap { logout.receive($0) }
    switch (misbehaviour, actions.first) {
    case (.logoutRefused, .failed(.refused(.cleanupFailed))): break
    case (.logoutWrongTaskTag, .failed(.wrongTaskTag(expected: 7, received: 6))): break
    case (.logoutReject, .failed(.rejected(.protocolError))): break
    case (.logoutNoAnswer, nil): break
    default: Issue.record("\(misbehaviour): \(actions)")
    }
  }
}
