// SPDX-License-Identifier: Apache-2.0

/// The tag of an attribute (RFC 4171, section 6.1).
public struct ISNSTag: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The number as it stands in the message.
  public let rawValue: UInt32

  /// A tag as it came.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Ends the message key; has no value.
  public static let delimiter = ISNSTag(rawValue: 0)
  /// Entity Identifier, a text: the machine that nodes and portals belong to.
  public static let entityIdentifier = ISNSTag(rawValue: 1)
  /// Portal IP Address, 16 octets (section 6.3.1).
  public static let portalAddress = ISNSTag(rawValue: 16)
  /// Portal TCP/UDP Port, 4 octets (section 6.3.2).
  public static let portalPort = ISNSTag(rawValue: 17)
  /// iSCSI Name, a text (section 6.4.1).
  public static let nodeName = ISNSTag(rawValue: 32)
  /// iSCSI Node Type, a bitmap of 4 octets (section 6.4.2).
  public static let nodeType = ISNSTag(rawValue: 33)
  /// PG iSCSI Name, a text (section 6.5.1).
  public static let groupNodeName = ISNSTag(rawValue: 48)
  /// PG Portal IP Addr, 16 octets (section 6.5.2).
  public static let groupAddress = ISNSTag(rawValue: 49)
  /// PG Portal TCP/UDP Port, 4 octets (section 6.5.3).
  public static let groupPort = ISNSTag(rawValue: 50)
  /// Portal Group Tag: 4 octets, or none where the node has nothing to do with the portal (section 6.5.4).
  public static let groupTag = ISNSTag(rawValue: 51)

  /// The number.
  public var description: String { String(rawValue) }
}

/// iSCSI Node Type (RFC 4171, section 6.4.2).
public struct ISNSNodeType: OptionSet, Hashable, Sendable {
  /// The bits.
  public let rawValue: UInt32

  /// A type from its bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// A target.
  public static let target = ISNSNodeType(rawValue: 1)
  /// An initiator.
  public static let initiator = ISNSNodeType(rawValue: 2)
  /// A control node, which may manage the server's database.
  public static let control = ISNSNodeType(rawValue: 4)
}

/// Portal TCP/UDP Port (RFC 4171, section 6.3.2).
public struct ISNSPort: Hashable, Sendable {
  /// The number; 0 stands for the protocol's own.
  public let number: UInt16
  /// Whether it is a port of UDP; else of TCP.
  public let isUDP: Bool

  /// A port from the value of the attribute; its reserved bits are ignored.
  init(_ value: UInt32) {
    number = UInt16(truncatingIfNeeded: value)
    isUDP = value & 0x1_0000 != 0
  }
}

/// An attribute of a message: a tag and a value (RFC 4171, section 5.3).
public struct ISNSAttribute: Hashable, Sendable {
  /// What it is.
  public let tag: ISNSTag
  /// The value, padded to a multiple of four octets.
  public let value: ArraySlice<UInt8>

  /// An attribute without a value: a question for it, or the delimiter.
  public init(_ tag: ISNSTag) {
    self.tag = tag
    value = []
  }

  /// An attribute whose value is a number.
  public init(_ tag: ISNSTag, _ number: UInt32) {
    self.tag = tag
    value = number.bigEndianOctets[...]
  }

  /// An attribute whose value is a text, ended by NUL and padded with more of it (section 5.3.1).
  public init(_ tag: ISNSTag, _ text: String) {
    self.tag = tag
    let octets = Array(text.utf8)
    value = (octets + Array(repeating: 0, count: 4 - octets.count % 4))[...]
  }

  /// An attribute whose value is an address; one of IPv4 is written as an IPv4-mapped one (section 6.3.1).
  public init(_ tag: ISNSTag, _ address: IPAddress) {
    self.tag = tag
    let octets = address.octets
    value = (address.isIPv6 ? octets : Array(repeating: 0, count: 10) + [0xFF, 0xFF] + octets)[...]
  }

  /// Takes the first attribute off `octets`; nil if they are empty.
  ///
  /// - Throws: `truncatedAttribute` or `attributeLength`.
  init?(takenFrom octets: inout ArraySlice<UInt8>) throws(ISNSError) {
    guard !octets.isEmpty else { return nil }
    guard let number: UInt32 = octets.number(at: 0), let length: UInt32 = octets.number(at: 4) else {
      throw .truncatedAttribute
    }
    tag = ISNSTag(rawValue: number)
    octets = octets.dropFirst(8)
    guard length <= octets.count else { throw .truncatedAttribute }
    guard length.isMultiple(of: 4) else { throw .attributeLength(tag, Int(length)) }
    value = octets.prefix(Int(length))
    octets = octets.dropFirst(Int(length))
  }

  /// Tag, length and value as they stand in a message.
  public var octets: [UInt8] { tag.rawValue.bigEndianOctets + UInt32(clamping: value.count).bigEndianOctets + value }

  /// The octets of a text without what ends it.
  public var textOctets: ArraySlice<UInt8> { value.prefix { $0 != 0 } }

  /// The value as a number; nil if it has not four octets.
  public var number: UInt32? { value.count == 4 ? value.number(at: 0) : nil }

  /// The value as a port; nil if it has not four octets.
  public var port: ISNSPort? { number.map(ISNSPort.init) }

  /// The value as an address; nil if it has not sixteen octets. An IPv4 address stands in it as an IPv4-mapped one, and some
  /// senders write the older IPv4-compatible form (RFC 4291, section 2.5.5).
  public var address: IPAddress? {
    guard value.count == 16 else { return nil }
    let head = value.prefix(10), middle: UInt16? = value.number(at: 10), last: UInt32? = value.number(at: 12)
    guard head.allSatisfy({ $0 == 0 }), let middle, let last else { return IPAddress(octets: value) }
    // ::0 and ::1 are addresses of IPv6.
    return middle == 0xFFFF || (middle == 0 && last > 1) ? .v4(last) : IPAddress(octets: value)
  }
}
