// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("iSNS exchange")
struct ISNSExchangeTests {
  private static let name = "iqn.2026-11.org.example:initiator"

  private func makeExchange() throws -> ISNSExchange {
    ISNSExchange(initiator: try InitiatorName(Self.name), server: try Portal("10.0.0.1:3205"))
  }

  /// A response with a status and, behind it, attributes.
  private func response(
    _ function: ISNSFunction, _ transaction: UInt16, _ status: ISNSStatus = .successful,
    _ attributes: [ISNSAttribute] = []
  ) -> ISNSMessage {
    ISNSMessage(
      function.response, transactionID: transaction,
      payload: status.rawValue.bigEndianOctets + attributes.flatMap(\.octets))
  }

  private static let nothing = [ISNSAttribute(.nodeType, 1), ISNSAttribute(.delimiter)]

  /// The one message in octets.
  private func message(_ octets: [UInt8]) throws -> ISNSMessage {
    var assembler = ISNSAssembler()
    assembler.feed(octets)
    return try #require(try assembler.next())
  }

  @Test("The query is open-iscsi's, octet by octet, and the answer of open-isns is read")
  func recorded() throws {
    var exchange = try makeExchange()
    #expect(exchange.start() == .send(ISNSVectors.query))
    #expect(exchange.pending == .query && exchange.conclusion == nil && exchange.farewell == nil)
    guard case .done(let answer)? = exchange.receive(try message(ISNSVectors.answer)) else {
      Issue.record("no targets")
      return
    }
    #expect(
      answer.targets.map(\.name.description) == [
        "iqn.2026-11.org.example:disk", "iqn.2026-11.org.example:two", "iqn.2026-11.org.example:three",
      ])
    #expect(
      answer.targets.map { $0.portals.map(\.description) } == [
        ["10.0.0.1:3260,1"], ["10.0.1.1:3260,1", "[fd00:1::1]:3260,2", "10.0.1.1:3261,1"], ["10.0.1.1:3270,1"],
      ])
    #expect(answer.refusedCount == 0 && answer.targets.allSatisfy { $0.warnings.isEmpty })
    #expect(exchange.receive(try message(ISNSVectors.answer)) == .failed(.unexpected(.query.response)))
  }

  @Test("A server that knows no target and says so is no error")
  func empty() throws {
    var exchange = try makeExchange()
    _ = exchange.start()
    #expect(exchange.receive(try message(ISNSVectors.emptyAnswer)) == .done(ISNSTargets()))
  }

  @Test("Who is unknown to the server registers, asks again and takes itself out again")
  func registration() throws {
    var exchange = try makeExchange()
    _ = exchange.start()
    let named = ISNSAttribute(.nodeName, Self.name).octets, delimiter = ISNSAttribute(.delimiter).octets
    let type = ISNSAttribute(.nodeType, ISNSNodeType.initiator.rawValue).octets
    let register = ISNSMessage(.register, transactionID: 2, payload: named + delimiter + named + type)
    #expect(exchange.receive(response(.query, 1, .sourceUnknown)) == .send(register.octets()))
    #expect(exchange.pending == .register && exchange.farewell != nil)
    guard case .send(let again)? = exchange.receive(response(.register, 2)) else {
      Issue.record("nothing is asked")
      return
    }
    #expect(again.dropFirst(12) == ISNSVectors.query.dropFirst(12))
    #expect(exchange.farewell != nil && exchange.conclusion == nil)
    let deregister = ISNSMessage(.deregister, transactionID: 4, payload: named + delimiter + named)
    #expect(exchange.receive(response(.query, 3, .successful, Self.nothing)) == .send(deregister.octets()))
    #expect(exchange.conclusion == .done(ISNSTargets()) && exchange.farewell == nil)
    #expect(exchange.receive(response(.deregister, 4, .sourceUnauthorized)) == .done(ISNSTargets()))
  }

  @Test("Each refusal is told with the server's status and has open-iscsi's code")
  func refusals() throws {
    var exchange = try makeExchange()
    _ = exchange.start()
    #expect(exchange.receive(response(.query, 1, .sourceUnauthorized)) == .failed(.query(.sourceUnauthorized)))

    exchange = try makeExchange()
    _ = exchange.start()
    _ = exchange.receive(response(.query, 1, .sourceUnknown))
    let invalid = ISNSStatus(rawValue: 3)
    #expect(exchange.receive(response(.register, 2, invalid)) == .failed(.registration(invalid)))
    #expect(exchange.farewell == nil)

    exchange = try makeExchange()
    _ = exchange.start()
    _ = exchange.receive(response(.query, 1, .sourceUnknown))
    _ = exchange.receive(response(.register, 2))
    _ = exchange.receive(response(.query, 3, .sourceUnknown))
    #expect(exchange.receive(response(.deregister, 4)) == .failed(.registration(.sourceUnknown)))
  }

  @Test("A registration is taken back after an answer that makes no sense, to it or to what is asked then")
  func registeredNonsense() throws {
    let named = ISNSAttribute(.nodeName, Self.name).octets, delimiter = ISNSAttribute(.delimiter).octets
    let farewell = { (number: UInt16) in
      ISNSMessage(.deregister, transactionID: number, payload: named + delimiter + named).octets()
    }
    var registering = try makeExchange()
    _ = registering.start()
    _ = registering.receive(response(.query, 1, .sourceUnknown))
    var asking = registering
    #expect(registering.receive(response(.register, 9)) == .failed(.unexpected(.register.response)))
    #expect(registering.farewell == farewell(3))

    _ = asking.receive(response(.register, 2))
    #expect(asking.receive(response(.query, 9)) == .failed(.unexpected(.query.response)))
    #expect(asking.farewell == farewell(4))
  }

  @Test("An answer to another question is refused, whatever it says")
  func unexpected() throws {
    for message in [response(.register, 1), response(.query, 2), response(ISNSFunction(rawValue: 3), 1)] {
      var exchange = try makeExchange()
      _ = exchange.start()
      #expect(exchange.receive(message) == .failed(.unexpected(message.function)))
    }
  }

  @Test("Once there is an answer, nonsense after it does not take it away")
  func nonsenseAtTheEnd() throws {
    var exchange = try makeExchange()
    _ = exchange.start()
    _ = exchange.receive(response(.query, 1, .sourceUnknown))
    _ = exchange.receive(response(.register, 2))
    _ = exchange.receive(response(.query, 3, .successful, Self.nothing))
    #expect(exchange.receive(response(.register, 9)) == .done(ISNSTargets()))
  }

  @Test("What the server says of its own accord is passed over, as long as there is not too much of it")
  func notices() throws {
    let notice = ISNSMessage(ISNSFunction(rawValue: 8), transactionID: 1, payload: [])
    var exchange = try makeExchange()
    _ = exchange.start()
    for _ in 0..<ISNSExchange.maxNotices { #expect(exchange.receive(notice) == nil) }
    #expect(exchange.receive(notice) == .failed(.noAnswer(afterMessages: ISNSExchange.maxNotices + 1)))
  }

  @Test("An answer cut anywhere in its attributes is refused and does no harm")
  func truncated() throws {
    let whole = try message(ISNSVectors.answer)
    for count in whole.payload.indices {
      var exchange = try makeExchange()
      _ = exchange.start()
      var cut = whole
      cut.payload = Array(whole.payload.prefix(count))
      switch exchange.receive(cut) {
      case .failed(.malformed)?: break
      // The end of an attribute is the end of a shorter answer.
      case .done(let answer)?: #expect(answer.targets.count <= 3 && count % 4 == 0)
      default: Issue.record("\(count) octets")
      }
    }
  }

  @Test("Every failure has words, and its code")
  func texts() {
    let failures: [(ISNSFailure, IscsiKit.ExitStatus)] = [
      (.malformed(.noStatus), .isnsQuery), (.unexpected(.query), .isnsQuery),
      (.noAnswer(afterMessages: 17), .isnsQuery),
      (.timedOut(.query), .pduTimeout), (.query(.busy), .isnsQuery), (.query(.noSuchEntry), .noObjectsFound),
      (.registration(.sourceUnauthorized), .isnsRegistration),
    ]
    for (failure, status) in failures {
      #expect(failure.exitStatus == status)
      #expect(failure.description.hasPrefix("the iSNS server") && failure.advice != nil)
    }
    #expect((0..<24).allSatisfy { !ISNSStatus(rawValue: $0).description.hasPrefix("status") })
    #expect(ISNSStatus(rawValue: .max).description == "status 4294967295")
  }
}

@Suite("Targets of an iSNS server")
struct ISNSTargetsTests {
  private static let name = "iqn.2001-04.com.example:a"
  private static let address = IPAddress.v4(0xC000_0201)

  private func read(_ attributes: [ISNSAttribute], from server: String = "[fe80::9%eth0]:3205") throws -> ISNSTargets {
    try ISNSTargets(attributes.flatMap(\.octets)[...], from: Portal(server))
  }

  private func group(_ name: String = Self.name, _ rest: ISNSAttribute...) -> [ISNSAttribute] {
    [ISNSAttribute(.groupNodeName, name)] + rest
  }

  private static let whole = [
    ISNSAttribute(.groupAddress, address), ISNSAttribute(.groupPort, 3260), ISNSAttribute(.groupTag, 1),
  ]

  @Test("Targets and portals keep their order, and each comes once")
  func order() throws {
    let list = [ISNSAttribute].isns(
      target: Self.name, at: [(Self.address, 3261, 2), (Self.address, 3260, 1), (Self.address, 3261, 2)])
    let other = [ISNSAttribute].isns(target: "iqn.2001-04.com.example:B_", at: [(Self.address, 3260, 1)])
    let answer = try read(other + list + list)
    #expect(answer.targets.map(\.name.description) == ["iqn.2001-04.com.example:B_", Self.name])
    #expect(
      answer.targets.map { $0.portals.map(\.description) } == [
        ["192.0.2.1:3260,1"], ["192.0.2.1:3261,2", "192.0.2.1:3260,1"],
      ])
    #expect(answer.targets.map(\.warnings.count) == [2, 0] && answer.refused == [])
  }

  @Test("A portal that does not lead to the target is none of it, and a target without portals says so")
  func withoutPortal() throws {
    let answer = try read(.isns(target: Self.name, at: [(Self.address, 3260, nil)]))
    #expect(answer.targets.map(\.portals) == [[]])
    #expect(answer.targets.first?.warnings == [.noUsableAddress])
    #expect(answer.refused == [])
  }

  @Test("A node that is no target is passed over, with its portal groups")
  func initiators() throws {
    let node = [ISNSAttribute(.nodeName, Self.name), ISNSAttribute(.nodeType, ISNSNodeType.initiator.rawValue)]
    #expect(try read(node + group() + Self.whole) == ISNSTargets())
  }

  @Test("A portal group alone is enough, and what else there is does not count")
  func bare() throws {
    let entity = [ISNSAttribute(.entityIdentifier, "host"), ISNSAttribute(ISNSTag(rawValue: 2), 2)]
    let stray = [ISNSAttribute(.groupTag, 9), ISNSAttribute(ISNSTag(rawValue: 4000), "x")]
    let answer = try read(stray + entity + group() + Self.whole + stray + entity)
    #expect(answer.targets.map { $0.portals.map(\.description) } == [["192.0.2.1:3260,1"]])
    #expect(answer.refused == [])
  }

  @Test("Port 0 is that of iSCSI, and the upper half of a tag is nothing")
  func conventions() throws {
    let answer = try read(
      group(
        Self.name, ISNSAttribute(.groupAddress, Self.address), ISNSAttribute(.groupPort, 0),
        ISNSAttribute(.groupTag, 0xABCD_0003)))
    #expect(answer.targets.first?.portals.map(\.description) == ["192.0.2.1:3260,3"])
  }

  @Test("A link-local address has the scope of the server's")
  func scope() throws {
    let address = try #require(IPAddress("fe80::1"))
    let answer = try read(.isns(target: Self.name, at: [(address, 3260, 1)]))
    #expect(answer.targets.first?.portals.map(\.description) == ["[fe80::1%eth0]:3260,1"])
  }

  @Test(
    "A bad object is refused with its reason, on one printable line, and spoils no other",
    arguments: [
      (".disk", whole, ".disk at 192.0.2.1:3260", ISNSTargets.RefusalReason.name(.forbiddenBeginning("."))),
      (
        "iqn.2001-04.com.example:../x", whole, "iqn.2001-04.com.example:../x at 192.0.2.1:3260",
        .name(.forbiddenCharacter("/", offset: 26))
      ),
      ("\u{1B}[2J", [], "\\u{1B}[2J", .name(.forbiddenCharacter("\u{1B}", offset: 0))),
      ("", whole, " at 192.0.2.1:3260", .name(.empty)),
      (name, Array(whole[1...]), name, .missing(.groupAddress)),
      (name, [whole[0], whole[2]], name + " at 192.0.2.1:0", .missing(.groupPort)),
      (name, Array(whole[..<2]), name + " at 192.0.2.1:3260", .missing(.groupTag)),
      (name, whole[..<2] + [ISNSAttribute(.groupTag, "longer")], name + " at 192.0.2.1:3260", .missing(.groupTag)),
      (name, [whole[0], ISNSAttribute(.groupPort, 0x1_0CBC), whole[2]], name + " at 192.0.2.1:3260", .notTCP),
      (
        name, [ISNSAttribute(.groupAddress, .v4(0)), whole[1], whole[2]], name + " at 0.0.0.0:3260", .unspecifiedAddress
      ),
    ])
  func refusals(name: String, rest: [ISNSAttribute], shown: String, reason: ISNSTargets.RefusalReason) throws {
    let good = [ISNSAttribute].isns(target: "iqn.2001-04.com.example:good", at: [(Self.address, 3260, 1)])
    let answer = try read(good + [ISNSAttribute(.groupNodeName, name)] + rest + good)
    #expect(answer.targets.map { $0.portals.count } == [1])
    #expect(answer.refused.map(\.text) == [shown] && answer.refused.map(\.reason) == [reason])
    #expect(answer.refusedCount == 1 && !reason.description.isEmpty)
  }

  @Test("A name that is no UTF-8 is refused, a long one is cut, and many refusals are counted only")
  func bounds() throws {
    let bad = octets("00000030 00000004 FFFE0000")
    let long = ISNSAttribute(.nodeName, String(repeating: "a", count: 300)).octets
    let answer = try ISNSTargets((bad + long)[...], from: try Portal("192.0.2.1"))
    #expect(answer.refused.map(\.reason) == [.notUTF8, .name(.tooLong(octets: 300))])
    #expect(answer.refused.last?.text == String(repeating: "a", count: 256) + "...")
    let many = try read((0..<1000).map { ISNSAttribute(.nodeName, ".disk\($0 / 2 * 2)") } + group(".disk0"))
    #expect(many.refused.count == ISNSTargets.maxRefusals && many.refusedCount == 500)
  }

  @Test("An object of very many attributes is read as far as anything in it matters")
  func wide() throws {
    let padding = Array(repeating: ISNSAttribute(ISNSTag(rawValue: 52), 1), count: 10_000)
    let answer = try read(group() + Self.whole + padding)
    #expect(answer.targets.first?.portals.count == 1)
  }
}
