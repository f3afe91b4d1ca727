// SPDX-License-Identifier: Apache-2.0

/// How long the segments of one PDU are, as its basic header segment says (RFC 7143, section 11.2).
///
/// A reader of a stream needs no more than this to know where the PDU ends. Digests are not counted: nothing that user
/// space reads from a stream has any, because the login phase and discovery sessions run without them.
public struct PDUSegmentLengths: Hashable, Sendable {
  /// Octets of a basic header segment.
  public static let basicHeader = 48
  /// The largest data segment that a header can announce, in octets.
  public static let maximumData = 0xFF_FFFF

  /// What kind of PDU it is.
  public let opcode: PDUOpcode
  /// Octets of additional header segments, 0 to 1020 (TotalAHSLength counts words of four).
  public let additionalHeader: Int
  /// Octets of data, without padding (DataSegmentLength).
  public let data: Int

  /// Reads the lengths from a basic header segment.
  ///
  /// - Parameters:
  ///   - header: The 48 octets.
  ///   - maxDataLength: The most octets of data that the caller is ready to take.
  /// - Throws: `headerLength` if these are not 48 octets, `dataTooLong` above the limit.
  public init(header: some Collection<UInt8>, maxDataLength: Int) throws(PDUError) {
    let fields = try HeaderFields(header)
    guard fields.dataLength <= maxDataLength else {
      throw .dataTooLong(declared: fields.dataLength, limit: maxDataLength)
    }
    opcode = fields.opcode
    additionalHeader = 4 * Int(fields[4])
    data = fields.dataLength
  }

  /// Octets between the data and the next PDU: 0 to 3.
  public var padding: Int { Self.padding(after: data) }

  /// Octets of the whole PDU in a stream.
  public var total: Int { Self.basicHeader + additionalHeader + data + padding }

  /// How many octets fill a segment of `length` octets up to a multiple of four.
  static func padding(after length: Int) -> Int { (4 - length % 4) % 4 }
}

/// The octets of one PDU, in the two parts that the kernel's interface wants (RFC 7143, section 11.2).
public struct EncodedPDU: Hashable, Sendable {
  /// The basic header segment: 48 octets, DataSegmentLength set, no additional header segments.
  public let header: [UInt8]
  /// The data segment without padding.
  public let data: [UInt8]

  /// The PDU as it goes into a stream without digests: header, data and padding to a multiple of four octets.
  public var streamOctets: [UInt8] {
    header + data + Array(repeating: 0, count: PDUSegmentLengths.padding(after: data.count))
  }
}

/// The 48 octets of a basic header segment with access to its big-endian fields by offset.
struct HeaderFields: Hashable, Sendable {
  /// The final bit of octet 1, which RFC 7143 wants set in most PDUs; T in a Login PDU.
  static let final: UInt8 = 0x80
  /// The continue bit of octet 1 in Login and Text PDUs.
  static let `continue`: UInt8 = 0x40
  /// The immediate bit of octet 0 in requests.
  static let immediate: UInt8 = 0x40

  /// Always 48 octets.
  private(set) var octets: [UInt8]

  init(_ octets: some Collection<UInt8>) throws(PDUError) {
    guard octets.count == PDUSegmentLengths.basicHeader else { throw .headerLength(octets.count) }
    self.octets = Array(octets)
  }

  /// A header with nothing but an opcode, the immediate bit and the flags of octet 1.
  init(_ opcode: PDUOpcode, isImmediate: Bool = false, flags: UInt8 = HeaderFields.final) {
    octets = Array(repeating: 0, count: PDUSegmentLengths.basicHeader)
    octets[0] = opcode.rawValue | (isImmediate ? Self.immediate : 0)
    octets[1] = flags
  }

  var opcode: PDUOpcode { PDUOpcode(rawValue: octets[0]) }
  var isImmediate: Bool { octets[0] & Self.immediate != 0 }

  /// Whether all bits of `mask` are set in octet 1.
  func flags(_ mask: UInt8) -> Bool { octets[1] & mask == mask }

  /// DataSegmentLength: three octets.
  var dataLength: Int {
    get { Int(octets[5]) << 16 | Int(octets[6]) << 8 | Int(octets[7]) }
    set {
      for index in 0..<3 { octets[5 + index] = UInt8(truncatingIfNeeded: newValue >> (16 - 8 * index)) }
    }
  }

  subscript(offset: Int) -> UInt8 {
    get { octets[offset] }
    set { octets[offset] = newValue }
  }

  func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type = Value.self) -> Value {
    octets[offset..<offset + Value.bitWidth / 8].reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
  }

  mutating func store(_ value: some FixedWidthInteger, at offset: Int) {
    let width = value.bitWidth
    for index in 0..<width / 8 {
      octets[offset + index] = UInt8(truncatingIfNeeded: value >> (width - 8 - 8 * index))
    }
  }

  /// Bytes 8 to 15, where most PDUs have a LUN.
  var lun: LUN {
    get { LUN(rawValue: load(8)) }
    set { store(newValue.rawValue, at: 8) }
  }

  /// The three 32-bit numbers at offset 24 that every PDU of a target has: StatSN, ExpCmdSN, MaxCmdSN.
  mutating func storeNumbers(_ statSN: UInt32, _ expCommandSN: UInt32, _ maxCommandSN: UInt32) {
    store(statSN, at: 24)
    store(expCommandSN, at: 28)
    store(maxCommandSN, at: 32)
  }

  /// Starts a header as all requests share it: Initiator Task Tag, CmdSN and ExpStatSN.
  mutating func storeRequest(tag: UInt32, commandSN: UInt32, expStatSN: UInt32) {
    store(tag, at: 16)
    store(commandSN, at: 24)
    store(expStatSN, at: 28)
  }
}

/// A PDU that is read from and written to a basic header segment and a data segment.
protocol PDUCodable: Hashable, Sendable {
  /// Reads the fields; reserved bits are ignored. The data has the length that the header announces.
  init(fields: HeaderFields, data: [UInt8]) throws(PDUError)
  /// The header with reserved bits zero; DataSegmentLength is set by the caller.
  var fields: HeaderFields { get }
  /// The data segment, unpadded.
  var data: [UInt8] { get }
}
