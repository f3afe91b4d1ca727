// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("iSNS messages")
struct ISNSMessageTests {
  private static let long = ISNSMessage(
    .query.response, transactionID: 7, payload: (0..<1000).flatMap { UInt32($0).bigEndianOctets })

  private func messages(_ pieces: [ArraySlice<UInt8>], maxLength: Int = 1 << 20) throws(ISNSError) -> [ISNSMessage] {
    var assembler = ISNSAssembler(maxLength: maxLength)
    var messages: [ISNSMessage] = []
    for piece in pieces {
      assembler.feed(piece)
      while let message = try assembler.next() { messages.append(message) }
    }
    return messages
  }

  @Test("What others have sent comes back octet by octet", arguments: ISNSVectors.all)
  func vectors(octets: [UInt8]) throws {
    let message = try #require(try messages([octets[...]]).first)
    #expect(message.payload == Array(octets.dropFirst(12)))
    #expect(message.octets(from: message.function.isResponse ? .server : .client) == octets)
    #expect(message.transactionID == 1)
  }

  @Test(
    "A header is read and written",
    arguments: [(ISNSFunction.register, "DevAttrReg"), (.query.response, "DevAttrQryRsp")])
  func header(function: ISNSFunction, name: String) throws {
    let header = ISNSHeader(
      function, payloadLength: 0x1234, flags: [.client, .first, .replace], transactionID: 0x5678, sequenceID: 0x9ABC)
    let octets = header.octets
    #expect(try ISNSHeader(octets[...]) == header)
    #expect(function.description == name)
    for count in 0..<12 { #expect(try ISNSHeader(octets.prefix(count)) == nil) }
  }

  @Test("A message in PDUs of any size, cut anywhere, is put together again", arguments: [4, 8, 100, 4000, 65_532])
  func reassembly(size: Int) throws {
    let octets = Self.long.octets(from: .server, maxPayload: size)
    #expect(octets.count == 4000 + 12 * ((4000 + size - 1) / size))
    #expect(try messages([octets[...]]) == [Self.long])
    #expect(try messages(octets.indices.map { octets[$0...$0] }) == [Self.long])
    let cut = octets.count / 3
    #expect(try messages([octets[..<cut], octets[cut...]]) == [Self.long])
  }

  @Test("Messages come one behind the other, also empty ones")
  func stream() throws {
    let empty = ISNSMessage(.deregister.response, transactionID: 3, payload: [])
    let octets = empty.octets(from: .server) + Self.long.octets(from: .server, maxPayload: 400) + empty.octets()
    #expect(try messages([octets[...]]) == [empty, Self.long, empty])
  }

  @Test("The end of a stream anywhere in it gives no message and no error")
  func truncated() throws {
    for octets in ISNSVectors.all + [Self.long.octets(from: .server, maxPayload: 16)] {
      for count in octets.indices { #expect(try messages([octets.prefix(count)]) == []) }
    }
  }

  @Test("A lone PDU need not say that it is the first")
  func withoutFirst() throws {
    #expect(try messages([octets("00018001 00044800 00010000 00000000")[...]]).count == 1)
  }

  @Test(
    "What breaks the rules is refused, and the stream with it",
    arguments: [
      ("00028001 00044c00 00010000", ISNSError.version(2)), ("00018001 00054c00 00010000", .payloadLength(5)),
      ("00018001 00046c00 00010000", .authenticationBlock),
      ("00018001 00044c00 00010001", .sequence(expected: 0, received: 1)),
      ("00018001 00004400 00010000 00018001 00044c00 00010001", .misplacedFirst),
      ("00018001 00004400 00010000 00018001 00044800 00010002", .sequence(expected: 1, received: 2)),
      ("00018001 00004400 00010000 00018002 00044800 00010001", .mixedMessages),
      ("00018001 00004400 00010000 00018001 00044800 00020001", .mixedMessages),
    ])
  func refused(hexadecimal: String, error: ISNSError) {
    var assembler = ISNSAssembler()
    assembler.feed(octets(hexadecimal))
    #expect(throws: error) { while try assembler.next() != nil {} }
    assembler.feed(ISNSVectors.emptyAnswer)
    #expect(throws: error) { try assembler.next() }
    #expect(!error.description.isEmpty)
  }

  @Test("A message that grows beyond the limit is refused by its header, before it is there")
  func tooLong() throws {
    let octets = Self.long.octets(from: .server, maxPayload: 400)
    #expect(try messages([octets[...]], maxLength: 4000) == [Self.long])
    #expect(throws: ISNSError.messageTooLong(limit: 3999)) {
      try messages([octets.prefix(octets.count - 400)], maxLength: 3999)
    }
  }

  @Test("A message without an end is refused when its PDUs cannot be numbered any more")
  func endless() throws {
    var assembler = ISNSAssembler()
    var error: ISNSError?
    for number in 0...UInt32(UInt16.max) + 1 where error == nil {
      let header = ISNSHeader(
        .query.response, payloadLength: 0, flags: number == 0 ? [.server, .first] : .server, transactionID: 1,
        sequenceID: UInt16(truncatingIfNeeded: number))
      assembler.feed(header.octets)
      do throws(ISNSError) { #expect(try assembler.next() == nil) } catch let failure { error = failure }
    }
    #expect(error == .sequence(expected: 65_536, received: 0))
  }

  @Test("Octets that were changed at random neither trap nor give more than they have", arguments: 0..<8)
  func mutated(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed + 1)
    for _ in 0..<500 {
      var octets = ISNSVectors.answer
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        let index =
          Bool.random(using: &generator)
          ? Int.random(in: 0..<16, using: &generator) : octets.indices.randomElement(using: &generator) ?? 0
        octets[index] = .random(in: 0...255, using: &generator)
      }
      if Bool.random(using: &generator) { octets.removeLast(.random(in: 0..<octets.count, using: &generator)) }
      guard let messages = try? messages([octets[...]]) else { continue }
      for message in messages {
        var exchange = ISNSExchange(
          initiator: try InitiatorName("iqn.2001-04.com.example:host"), server: try Portal("192.0.2.1:3205"))
        _ = exchange.start()
        if case .done(let targets)? = exchange.receive(message) {
          #expect(targets.targets.count + targets.refusedCount <= octets.count / 8)
        }
      }
    }
  }
}

@Suite("iSNS attributes")
struct ISNSAttributeTests {
  private func attributes(_ octets: [UInt8]) throws(ISNSError) -> [ISNSAttribute] {
    var rest = octets[...]
    var attributes: [ISNSAttribute] = []
    while let attribute = try ISNSAttribute(takenFrom: &rest) { attributes.append(attribute) }
    return attributes
  }

  @Test(
    "An attribute is a tag, a length and a value in fours of octets",
    arguments: [
      (ISNSAttribute(.delimiter), "00000000 00000000"), (ISNSAttribute(.nodeType, 2), "00000021 00000004 00000002"),
      (ISNSAttribute(.nodeName, ""), "00000020 00000004 00000000"),
      (ISNSAttribute(.nodeName, "abc"), "00000020 00000004 61626300"),
      (ISNSAttribute(.nodeName, "abcd"), "00000020 00000008 61626364 00000000"),
      (
        ISNSAttribute(.groupAddress, .v4(0x0A00_0001)), "00000031 00000010 00000000 00000000 0000FFFF 0A000001"
      ),
    ])
  func encoding(attribute: ISNSAttribute, hexadecimal: String) throws {
    #expect(attribute.octets == octets(hexadecimal))
    #expect(try attributes(attribute.octets + attribute.octets) == [attribute, attribute])
  }

  @Test("A list that ends within an attribute is refused, wherever that is")
  func truncated() throws {
    let list = ISNSAttribute(.nodeName, "iqn").octets + ISNSAttribute(.groupTag, 1).octets
    for count in list.indices where count != 0 && count != 12 {
      #expect(throws: ISNSError.truncatedAttribute) { try attributes(Array(list.prefix(count))) }
    }
    #expect(throws: ISNSError.truncatedAttribute) { try attributes(octets("00000020 FFFFFFFC 00000000")) }
    #expect(throws: ISNSError.attributeLength(.nodeName, 3)) { try attributes(octets("00000020 00000003 61626300")) }
  }

  @Test(
    "An address is of IPv6, or of IPv4 in one of the two ways to write it",
    arguments: [
      ("fd00:1::1", "fd000001 00000000 00000000 00000001"), ("10.0.0.1", "00000000 00000000 0000FFFF 0A000001"),
      ("10.0.0.1", "00000000 00000000 00000000 0A000001"), ("::1", "00000000 00000000 00000000 00000001"),
      ("::", "00000000 00000000 00000000 00000000"), ("0.0.0.0", "00000000 00000000 0000FFFF 00000000"),
      ("::1:a00:1", "00000000 00000000 00000001 0A000001"),
    ])
  func addresses(text: String, hexadecimal: String) throws {
    let list = try attributes(octets("00000031 00000010" + hexadecimal))
    #expect(list.first?.address == IPAddress(text))
  }

  @Test("A value of another length is no number, port or address")
  func lengths() throws {
    for count in [0, 8, 12, 20] {
      let value = Array(repeating: UInt8(1), count: count)
      let list = try attributes(octets("00000033") + UInt32(count).bigEndianOctets + value)
      #expect(list.first?.number == nil && list.first?.port == nil && list.first?.address == nil)
    }
    #expect(ISNSAttribute(.groupPort, 0xFFFE_0CBC).port == ISNSAttribute(.groupPort, 0x0CBC).port)
    #expect(ISNSAttribute(.groupPort, 0x1_0CBC).port?.isUDP == true)
  }
}
