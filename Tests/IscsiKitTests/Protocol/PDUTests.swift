// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("PDU codec")
struct PDUTests {
  @Test("A PDU has the octets that RFC 7143 draws", arguments: pduVectors)
  func encodes(vector: PDUVector) {
    #expect(vector.pdu.encoded().header == vector.headerOctets)
  }

  @Test("The octets that RFC 7143 draws are read as the PDU", arguments: pduVectors)
  func decodes(vector: PDUVector) throws {
    let pdu = try PDU(header: vector.headerOctets, data: vector.pdu.encoded().data)
    #expect(pdu == vector.pdu)
  }

  @Test("Reserved bits are ignored on receipt and zero when sent", arguments: pduVectors)
  func reservedBits(vector: PDUVector) throws {
    var noisy = vector.headerOctets
    noisy[0] |= 0x80
    for index in 44..<48 where reservedTail.contains(vector.pdu.opcode) { noisy[index] = 0xFF }
    if vector.pdu.opcode == .loginRequest { noisy[1] |= 0x30 }
    let pdu = try PDU(header: noisy, data: vector.pdu.encoded().data)
    #expect(pdu == vector.pdu)
    #expect(pdu.encoded().header == vector.headerOctets)
  }

  /// PDUs whose last word is reserved.
  private var reservedTail: Set<PDUOpcode> {
    [
      .loginRequest, .loginResponse, .textRequest, .textResponse, .logoutRequest, .logoutResponse, .nopOut, .nopIn,
      .asyncMessage, .reject, .taskManagementRequest, .taskManagementResponse,
    ]
  }

  @Test("In a stream, data is padded with zeros to four octets", arguments: [0, 1, 2, 3, 4, 5])
  func padding(count: Int) {
    let octets = PDU.textRequest(TextRequestPDU(initiatorTaskTag: 1, data: Array(repeating: 7, count: count)))
      .encoded().streamOctets
    #expect(octets.count == 48 + (count + 3) / 4 * 4)
    #expect(octets[5..<8].elementsEqual([0, 0, UInt8(count)]))
    #expect(octets.dropFirst(48 + count).allSatisfy { $0 == 0 })
  }

  @Test("A header of another length than 48 octets is refused", arguments: [0, 1, 47, 49, 96])
  func headerLength(count: Int) {
    #expect(throws: PDUError.headerLength(count)) {
      try PDU(header: Array(repeating: 0, count: count), data: [])
    }
  }

  @Test("Data may come with its padding, which is cut off", arguments: [5, 6, 7, 8])
  func dataWithPadding(given: Int) throws {
    let encoded = PDU.textResponse(TextResponsePDU(initiatorTaskTag: 1, data: [1, 2, 3, 4, 5])).encoded()
    let pdu = try PDU(header: encoded.header, data: Array(([1, 2, 3, 4, 5, 0, 0, 0] as [UInt8]).prefix(given)))
    #expect(pdu == .textResponse(TextResponsePDU(initiatorTaskTag: 1, data: [1, 2, 3, 4, 5])))
  }

  @Test("Data of another length than announced is refused", arguments: [0, 4, 9, 100])
  func dataLength(given: Int) {
    let encoded = PDU.textResponse(TextResponsePDU(initiatorTaskTag: 1, data: [1, 2, 3, 4, 5])).encoded()
    #expect(throws: PDUError.dataLength(declared: 5, given: given)) {
      try PDU(header: encoded.header, data: Array(repeating: 0, count: given))
    }
  }

  @Test("The reserved login stage 2 is refused", arguments: [UInt8(0x08), 0x88, 0x82, 0x8A])
  func reservedStage(flags: UInt8) {
    for var header in [PDU.loginRequest(LoginRequestPDU(isid: testISID)), .loginResponse(.init(isid: testISID))]
      .map({ $0.encoded().header })
    {
      header[1] = flags
      #expect(throws: PDUError.reservedStage) { try PDU(header: header, data: []) }
    }
  }

  @Test("NSG means nothing without T, and no stage means anything beside a refusal")
  func ignoredStage() throws {
    var header = PDU.loginResponse(LoginResponsePDU(isid: testISID)).encoded().header
    header[1] = 0x02
    #expect(try PDU(header: header, data: []) == .loginResponse(LoginResponsePDU(isid: testISID)))
    header[1] = 0x8A
    header[36] = 2
    header[37] = 1
    guard case .loginResponse(let response) = try PDU(header: header, data: []) else {
      Issue.record("not a Login Response")
      return
    }
    #expect(response.status == .authenticationFailure)
  }

  @Test("A PDU with an unknown opcode keeps its octets")
  func unknown() throws {
    var header = (0..<48).map { UInt8($0) }
    header[0] = 0x1C
    header[4] = 0
    header.replaceSubrange(5..<8, with: [0, 0, 3])
    let pdu = try PDU(header: header, data: [1, 2, 3])
    guard case .unknown(let content) = pdu else {
      Issue.record("\(pdu.opcode) is not unknown")
      return
    }
    #expect(content.header == header)
    #expect(pdu.encoded().header == header)
    #expect(pdu.encoded().data == [1, 2, 3])
    #expect(pdu.opcode.description == "opcode 0x1c")
  }

  @Test("No header of random octets traps, and what is read is written back as something that reads the same")
  func fuzz() throws {
    var generator = SplitMix(state: 1)
    for round in 0..<20_000 {
      var header = (0..<48).map { _ in UInt8.random(in: 0...255, using: &generator) }
      header[0] = UInt8(round % 64)
      header.replaceSubrange(4..<7, with: [0, 0, 0])
      let data = (0..<Int(header[7])).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let pdu: PDU
      do throws(PDUError) {
        pdu = try PDU(header: header, data: data)
      } catch {
        #expect(error == .reservedStage)
        continue
      }
      let encoded = pdu.encoded()
      #expect(try PDU(header: encoded.header, data: encoded.data) == pdu)
    }
  }

  @Test("The rejected PDU's task tag is read from the header that came back, if it came")
  func rejectedTag() {
    var reject = RejectPDU(reason: .protocolError)
    #expect(reject.rejectedTaskTag == nil)
    reject.data = PDU.textRequest(TextRequestPDU(initiatorTaskTag: 0x77, data: [])).encoded().header
    #expect(reject.rejectedTaskTag == 0x77)
  }
}

/// A small generator with a fixed seed, so that a failing round can be found again.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
