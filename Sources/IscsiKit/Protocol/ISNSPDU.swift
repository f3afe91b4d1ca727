// SPDX-License-Identifier: Apache-2.0

/// What octets of an iSNS server have that no message may have (RFC 4171, sections 5.1 to 5.3).
public enum ISNSError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A PDU of this version; only 1 is known.
  case version(UInt16)
  /// The payload of a PDU has this many octets, which is no multiple of four.
  case payloadLength(Int)
  /// A PDU carries an authentication block, which was not asked for.
  case authenticationBlock
  /// The PDU with this number should have had number `expected`.
  case sequence(expected: Int, received: UInt16)
  /// A later PDU of a message says that it is the first.
  case misplacedFirst
  /// A PDU is of another function or transaction than the ones of the same message before it.
  case mixedMessages
  /// A message has more than `limit` octets.
  case messageTooLong(limit: Int)
  /// An attribute is cut off by the end of the message.
  case truncatedAttribute
  /// The value of an attribute has this many octets, which is no multiple of four.
  case attributeLength(ISNSTag, Int)
  /// A response has no status.
  case noStatus
  /// A response to a query has no delimiter behind its message key.
  case noDelimiter

  /// The reason in words.
  public var description: String {
    switch self {
    case .version(let version): "a PDU is of iSNS version \(version)"
    case .payloadLength(let count): "a PDU has \(count) octets of payload, no multiple of four"
    case .authenticationBlock: "a PDU has an authentication block"
    case .sequence(let expected, let received): "PDU \(received) of the message came instead of PDU \(expected)"
    case .misplacedFirst: "a message begins before the one before it has ended"
    case .mixedMessages: "PDUs of two messages are mixed"
    case .messageTooLong(let limit): "the message has more than \(limit) octets"
    case .truncatedAttribute: "the message ends within an attribute"
    case .attributeLength(let tag, let count): "attribute \(tag) has \(count) octets, no multiple of four"
    case .noStatus: "the response has no status"
    case .noDelimiter: "the response has no delimiter"
    }
  }
}

/// FUNCTION ID: what a message asks or answers (RFC 4171, section 5.1.2).
public struct ISNSFunction: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The number as it stands in the header.
  public let rawValue: UInt16

  /// A function as it came.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// DevAttrReg: registers a node (section 5.6.5.1).
  public static let register = ISNSFunction(rawValue: 0x0001)
  /// DevAttrQry: asks for attributes (section 5.6.5.2).
  public static let query = ISNSFunction(rawValue: 0x0002)
  /// DevDereg: takes a node out again (section 5.6.5.4).
  public static let deregister = ISNSFunction(rawValue: 0x0004)

  /// Whether the message answers another one.
  public var isResponse: Bool { rawValue & 0x8000 != 0 }
  /// The function of the response to this one.
  public var response: ISNSFunction { ISNSFunction(rawValue: rawValue | 0x8000) }

  /// The name that RFC 4171 gives it, or the number.
  public var description: String {
    switch rawValue & 0x7FFF {
    case 1: "DevAttrReg" + suffix
    case 2: "DevAttrQry" + suffix
    case 4: "DevDereg" + suffix
    default: "function 0x\(String(rawValue, radix: 16))"
    }
  }

  private var suffix: String { isResponse ? "Rsp" : "" }
}

/// FLAGS of a PDU (RFC 4171, section 5.1.4).
public struct ISNSFlags: OptionSet, Hashable, Sendable {
  /// The bits.
  public let rawValue: UInt16

  /// Flags from their bits.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The sender is the client.
  public static let client = ISNSFlags(rawValue: 0x8000)
  /// The sender is the server.
  public static let server = ISNSFlags(rawValue: 0x4000)
  /// An authentication block follows the payload.
  public static let authenticationBlock = ISNSFlags(rawValue: 0x2000)
  /// A registration replaces what there is.
  public static let replace = ISNSFlags(rawValue: 0x1000)
  /// The last PDU of its message.
  public static let last = ISNSFlags(rawValue: 0x0800)
  /// The first PDU of its message.
  public static let first = ISNSFlags(rawValue: 0x0400)
}

/// The header of a PDU (RFC 4171, section 5.1).
public struct ISNSHeader: Hashable, Sendable {
  /// Octets of a header.
  public static let length = 12
  /// The longest payload of a PDU in octets: the largest multiple of four that its length field can tell.
  public static let maxPayload = 65_532
  /// The version of RFC 4171.
  static let version: UInt16 = 1

  /// FUNCTION ID.
  public var function: ISNSFunction
  /// Octets of the payload; a multiple of four.
  public var payloadLength: UInt16
  /// FLAGS.
  public var flags: ISNSFlags
  /// TRANSACTION ID: that of the request.
  public var transactionID: UInt16
  /// SEQUENCE ID: the number of the PDU in its message, from 0.
  public var sequenceID: UInt16

  /// A header from its fields.
  public init(
    _ function: ISNSFunction, payloadLength: UInt16, flags: ISNSFlags, transactionID: UInt16, sequenceID: UInt16 = 0
  ) {
    self.function = function
    self.payloadLength = payloadLength
    self.flags = flags
    self.transactionID = transactionID
    self.sequenceID = sequenceID
  }

  /// Reads the header at the beginning of `octets`; nil if there are fewer than 12.
  ///
  /// - Throws: `version`, `payloadLength` or `authenticationBlock`.
  public init?(_ octets: ArraySlice<UInt8>) throws(ISNSError) {
    guard let version: UInt16 = octets.number(at: 0), let function: UInt16 = octets.number(at: 2),
      let length: UInt16 = octets.number(at: 4), let flags: UInt16 = octets.number(at: 6),
      let transaction: UInt16 = octets.number(at: 8), let sequence: UInt16 = octets.number(at: 10)
    else { return nil }
    guard version == Self.version else { throw .version(version) }
    guard length.isMultiple(of: 4) else { throw .payloadLength(Int(length)) }
    self.init(
      ISNSFunction(rawValue: function), payloadLength: length, flags: ISNSFlags(rawValue: flags),
      transactionID: transaction, sequenceID: sequence)
    guard !self.flags.contains(.authenticationBlock) else { throw .authenticationBlock }
  }

  /// The 12 octets.
  public var octets: [UInt8] {
    [Self.version, function.rawValue, payloadLength, flags.rawValue, transactionID, sequenceID]
      .flatMap(\.bigEndianOctets)
  }
}
