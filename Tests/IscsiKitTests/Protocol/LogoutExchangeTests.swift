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

  @Test("A closed session ends the logout, late answers before it and times in it notwithstanding")
  func closed() {
    var logout = start
    let late = PDU.textResponse(TextResponsePDU(initiatorTaskTag: 3, data: []))
    #expect(logout.receive(late) == [])
    #expect(logout.receive(.nopIn(NOPInPDU())) == [])
    let response = changed(LogoutResponsePDU(initiatorTaskTag: 7)) {
      $0.time2Wait = 2
      $0.time2Retain = 20
    }
    #expect(logout.receive(.logoutResponse(response)) == [.done(.closed)])
    #expect(logout.receive(.logoutResponse(response)) == [])
  }

  @Test(
    "Every other response code is a failure that names it, with the time that the target wants where it has one",
    arguments: [(1, 0), (2, 9), (3, 9), (200, 0)] as [(UInt8, UInt16)])
  func refused(code: UInt8, time2Wait: UInt16) {
    var logout = start
    let response = changed(LogoutResponsePDU(initiatorTaskTag: 7)) {
      $0.response = LogoutResponseCode(rawValue: code)
      $0.time2Wait = 9
    }
    #expect(
      logout.receive(.logoutResponse(response))
        == [.failed(.refused(LogoutResponseCode(rawValue: code), time2Wait: time2Wait))])
  }

  @Test("A target that drops the connection has logged us out")
  func dropped() {
    var logout = start
    #expect(logout.receive(.asyncMessage(AsyncMessagePDU(event: .sessionDropped))) == [.done(.dropped)])
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
    case (.logoutRefused, .failed(.refused(.cleanupFailed, _))): break
    case (.logoutWrongTaskTag, .failed(.wrongTaskTag(expected: 7, received: 6))): break
    case (.logoutReject, .failed(.rejected(.protocolError))): break
    case (.logoutNoAnswer, nil): break
    default: Issue.record("\(misbehaviour): \(actions)")
    }
  }
}
