// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

@Suite("Text exchange")
struct TextExchangeTests {
  private func exchange(limit: Int = TextExchange.defaultLimit) -> TextExchange {
    TextExchange(
      text: Array("SendTargets=All\0".utf8), initiatorTaskTag: 7, commandSN: 100, expStatSN: 0xFFFF_FFFF, limit: limit)
  }

  private func response(
    _ text: String, statSN: UInt32 = 0xFFFF_FFFF, isFinal: Bool = true, isContinued: Bool = false,
    tag: UInt32 = PDU.reservedTag
  ) -> PDU {
    .textResponse(
      changed(TextResponsePDU(initiatorTaskTag: 7, data: Array(text.utf8))) {
        $0.isFinal = isFinal
        $0.isContinued = isContinued
        $0.targetTransferTag = tag
        $0.statSN = statSN
        $0.lun = LUN(rawValue: UInt64(tag))
      })
  }

  @Test("One final response is all the text; the request is immediate and carries the sequence numbers")
  func single() {
    var exchange = exchange()
    let request = changed(TextRequestPDU(initiatorTaskTag: 7, data: Array("SendTargets=All\0".utf8))) {
      $0.commandSN = 100
      $0.expStatSN = 0xFFFF_FFFF
    }
    #expect(exchange.start() == [.send(.textRequest(request))])
    #expect(exchange.receive(response("TargetName=a\0")) == [.done(Array("TargetName=a\0".utf8))])
    #expect(exchange.expStatSN == 0)
    #expect(exchange.commandSN == 100)
    #expect(exchange.receive(response("more")) == [])
  }

  @Test("A response that is not the last one is answered with an empty request and its tag", arguments: [true, false])
  func continuation(isContinued: Bool) {
    var exchange = exchange()
    _ = exchange.start()
    for (index, part) in ["Target", "Name", "=a"].enumerated() {
      let actions = exchange.receive(
        response(part, statSN: 0xFFFF_FFFF &+ UInt32(index), isFinal: false, isContinued: isContinued, tag: 5))
      let request = changed(TextRequestPDU(initiatorTaskTag: 7, data: [])) {
        $0.commandSN = 100
        $0.expStatSN = UInt32(index)
        $0.targetTransferTag = 5
        $0.lun = LUN(rawValue: 5)
      }
      #expect(actions == [.send(.textRequest(request))])
    }
    #expect(exchange.receive(response("\0", statSN: 2)) == [.done(Array("TargetName=a\0".utf8))])
    #expect(exchange.expStatSN == 3)
  }

  @Test("Pings are answered and messages passed over while the answer is awaited")
  func unsolicited() {
    var exchange = exchange()
    _ = exchange.start()
    let ping = changed(NOPInPDU()) {
      $0.targetTransferTag = 9
      $0.lun = LUN(rawValue: 3)
    }
    let pong = changed(NOPOutPDU()) {
      $0.targetTransferTag = 9
      $0.lun = LUN(rawValue: 3)
      $0.commandSN = 100
      $0.expStatSN = 0
    }
    let message = changed(AsyncMessagePDU(event: .logoutRequested)) { $0.statSN = 0xFFFF_FFFF }
    #expect(exchange.receive(.asyncMessage(message)) == [])
    #expect(exchange.receive(.nopIn(ping)) == [.send(.nopOut(pong))])
    #expect(exchange.receive(.nopIn(NOPInPDU())) == [])
    #expect(exchange.receive(response("a=b\0", statSN: 0)) == [.done(Array("a=b\0".utf8))])
  }

  @Test(
    "An answer that breaks the protocol ends the exchange with its reason",
    arguments: [
      (
        PDU.textResponse(TextResponsePDU(initiatorTaskTag: 8, data: [])),
        TextExchangeError.wrongTaskTag(expected: 7, received: 8)
      ),
      (.reject(RejectPDU(reason: .protocolError)), .rejected(.protocolError)),
      (.logoutResponse(LogoutResponsePDU(initiatorTaskTag: 7)), .unexpected(.logoutResponse)),
      (.nopIn(changed(NOPInPDU()) { $0.initiatorTaskTag = 7 }), .unexpected(.nopIn)),
      (.asyncMessage(AsyncMessagePDU(event: .connectionDropped)), .dropped(.connectionDropped)),
      (.asyncMessage(AsyncMessagePDU(event: .sessionDropped)), .dropped(.sessionDropped)),
    ])
  func broken(pdu: PDU, error: TextExchangeError) {
    var exchange = exchange()
    _ = exchange.start()
    #expect(exchange.receive(pdu) == [.failed(error)])
    #expect(exchange.receive(response("")) == [])
    #expect(!error.description.isEmpty)
  }

  @Test("F with C, and no tag to go on with, are refused")
  func flags() {
    var first = exchange()
    #expect(first.receive(response("a", isContinued: true)) == [.failed(.finalButContinued)])
    var second = exchange()
    #expect(second.receive(response("a", isFinal: false, isContinued: true)) == [.failed(.noTargetTransferTag)])
  }

  @Test("Text up to the limit is taken, one octet more is not")
  func limit() {
    var exact = exchange(limit: 4)
    _ = exact.receive(response("ab", isFinal: false, tag: 1))
    #expect(exact.receive(response("cd")) == [.done(Array("abcd".utf8))])
    var more = exchange(limit: 4)
    _ = more.receive(response("ab", isFinal: false, tag: 1))
    #expect(more.receive(response("cde")) == [.failed(.tooMuchText(limit: 4))])
  }

  @Test("A request that does not fit in one PDU is not sent")
  func requestTooLong() {
    var exchange = TextExchange(
      text: Array(repeating: 1, count: 8193), initiatorTaskTag: 7, commandSN: 0, expStatSN: 0)
    #expect(exchange.start() == [.failed(.requestTooLong(8193))])
  }

  @Test("Every misbehaviour of a target ends the exchange", arguments: HostileTarget.Case.cases(in: .text))
  func hostile(misbehaviour: HostileTarget.Case) throws {
    var target = HostileTarget(misbehaviour, base: try loggedInTarget())
    let outcome = run(exchange(), with: { target.respond(to: $0) })
    switch (misbehaviour, outcome) {
    case (.textHostileNames, .done(let text)):
      let answer = SendTargetsResponse(text: text, discoveryPortal: try Portal("192.0.2.9"))
      #expect(answer.targets.map(\.name.description) == ["iqn.2001-04.com.example:good"])
      #expect(answer.targets.first?.portals.map(\.description) == ["192.0.2.3:3260,1"])
      #expect(answer.refused.allSatisfy { $0.text.utf8.allSatisfy { (0x20..<0x7F).contains($0) } })
    case (.textHostileNames, _): Issue.record("the hostile names were not read: \(outcome)")
    case (_, .failed): break
    default: Issue.record("\(misbehaviour) went unnoticed: \(outcome)")
    }
  }

  @Test("An honest target's text arrives whole, however it is cut", arguments: [1, 7, 100, 8192], [true, false])
  func honest(length: Int, setsContinueBit: Bool) throws {
    var target = try loggedInTarget()
    target.maxTextLength = length
    target.setsContinueBit = setsContinueBit
    target.unsolicited = [
      .asyncMessage(AsyncMessagePDU(event: .scsi)), .nopIn(changed(NOPInPDU()) { $0.targetTransferTag = 1 }),
    ]
    let outcome = run(exchange(), with: { target.respond(to: $0) })
    let expected = "TargetName=iqn.2001-04.com.example:disk\0TargetAddress=192.0.2.1:3260,1\0"
    #expect(outcome == .done(Array(expected.utf8)))
  }
}

/// Runs an exchange against a target until it ends.
private func run(_ exchange: TextExchange, with respond: (PDU) -> [PDU]) -> TextExchange.Action {
  var exchange = exchange
  var actions = exchange.start()
  while !actions.isEmpty {
    switch actions.removeFirst() {
    case .send(let pdu):
      for answer in respond(pdu) { actions += exchange.receive(answer) }
    case let end: return end
    }
  }
  return .failed(.endless(count: 0))
}
