// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("PDU assembler")
struct PDUAssemblerTests {
  private static let stream = pduVectors.flatMap { $0.pdu.encoded().streamOctets }

  private func drain(_ assembler: inout PDUAssembler) throws(PDUError) -> [PDU] {
    var pdus: [PDU] = []
    while let pdu = try assembler.next() { pdus.append(pdu) }
    return pdus
  }

  @Test("A stream cut in two at any offset gives the same PDUs")
  func everySplit() throws {
    for offset in 0...Self.stream.count {
      var assembler = PDUAssembler()
      assembler.feed(Self.stream[..<offset])
      var pdus = try drain(&assembler)
      assembler.feed(Self.stream[offset...])
      pdus += try drain(&assembler)
      #expect(pdus == pduVectors.map(\.pdu))
    }
  }

  @Test("A stream in pieces of any one size gives the same PDUs", arguments: [1, 2, 3, 5, 47, 48, 49, 1000])
  func pieces(size: Int) throws {
    var assembler = PDUAssembler()
    var pdus: [PDU] = []
    for start in stride(from: 0, to: Self.stream.count, by: size) {
      assembler.feed(Self.stream[start..<min(start + size, Self.stream.count)])
      pdus += try drain(&assembler)
    }
    #expect(pdus == pduVectors.map(\.pdu))
  }

  @Test("Additional header segments are skipped", arguments: [1, 2, 255])
  func additionalHeader(words: Int) throws {
    let pdu = PDU.textResponse(TextResponsePDU(initiatorTaskTag: 1, data: [1, 2, 3, 4, 5]))
    let encoded = pdu.encoded()
    var header = encoded.header
    header[4] = UInt8(words)
    let lengths = try PDUSegmentLengths(header: header, maxDataLength: 5)
    #expect(lengths.additionalHeader == 4 * words)
    #expect(lengths.total == 48 + 4 * words + 8)
    var assembler = PDUAssembler()
    assembler.feed(header + Array(repeating: 0xEE, count: 4 * words) + encoded.data + [0, 0, 0])
    #expect(try assembler.next() == pdu)
  }

  @Test("More data than allowed is refused as soon as the header is there, and for ever")
  func tooLong() throws {
    var header = PDU.textResponse(TextResponsePDU(initiatorTaskTag: 1, data: [])).encoded().header
    header.replaceSubrange(5..<8, with: [0xFF, 0xFF, 0xFF])
    var assembler = PDUAssembler(maxDataLength: 8192)
    assembler.feed(header.dropLast())
    #expect(try assembler.next() == nil)
    assembler.feed([0])
    let error = PDUError.dataTooLong(declared: 0xFF_FFFF, limit: 8192)
    #expect(throws: error) { try assembler.next() }
    assembler.feed(Self.stream)
    #expect(throws: error) { try assembler.next() }
  }

  @Test("Data of just the allowed length is taken")
  func longest() throws {
    let pdu = PDU.textResponse(TextResponsePDU(initiatorTaskTag: 1, data: Array(repeating: 1, count: 512)))
    var assembler = PDUAssembler(maxDataLength: 512)
    assembler.feed(pdu.encoded().streamOctets)
    #expect(try assembler.next() == pdu)
  }

  @Test("A stream that ends inside a PDU gives none", arguments: [1, 47, 48, 50])
  func unfinished(count: Int) throws {
    var assembler = PDUAssembler()
    assembler.feed(PDU.textRequest(TextRequestPDU(initiatorTaskTag: 1, data: [1, 2])).encoded().streamOctets[..<count])
    #expect(try assembler.next() == nil)
  }

  @Test("Random octets never trap and never give a PDU that is too long")
  func fuzz() {
    var generator = SplitMix(state: 2)
    for _ in 0..<500 {
      var assembler = PDUAssembler(maxDataLength: 256)
      for _ in 0..<20 {
        assembler.feed(
          (0..<Int.random(in: 0...200, using: &generator)).map { _ in UInt8.random(in: 0...3, using: &generator) })
        guard let pdus = try? drain(&assembler) else { break }
        #expect(pdus.allSatisfy { $0.encoded().data.count <= 256 })
      }
    }
  }
}
