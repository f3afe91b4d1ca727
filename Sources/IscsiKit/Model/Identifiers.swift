// SPDX-License-Identifier: Apache-2.0

/// The kernel's number of a session: counts from 1 for each load of the module and is never used again.
public struct SessionID: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The number, as in `/sys/class/iscsi_session/sessionN`.
  public let rawValue: UInt32

  /// A session number as the kernel gave it.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Decimal.
  public var description: String { String(rawValue) }

  /// Orders by number.
  public static func < (left: SessionID, right: SessionID) -> Bool { left.rawValue < right.rawValue }
}

/// The kernel's number of a connection within its session; 0 with `iscsi_tcp`.
public struct ConnectionID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The number, as in `/sys/class/iscsi_connection/connectionS:C`.
  public let rawValue: UInt32

  /// A connection number as the kernel gave it.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The only connection that a session of `iscsi_tcp` has.
  public static let leading = ConnectionID(rawValue: 0)

  /// Decimal.
  public var description: String { String(rawValue) }
}

/// The number of a SCSI host (`/sys/class/scsi_host/hostN`); `iscsi_tcp` makes one a session, and numbers come back.
public struct HostNumber: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The number.
  public let rawValue: UInt32

  /// A host number as the kernel gave it.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Decimal.
  public var description: String { String(rawValue) }

  /// Orders by number.
  public static func < (left: HostNumber, right: HostNumber) -> Bool { left.rawValue < right.rawValue }
}

/// The initiator's half of a session's identifier: 6 octets (RFC 7143, section 11.12.5).
///
/// Target, initiator and ISID together name a session: a login with the same three reinstates the old session.
public struct ISID: Hashable, Sendable, CustomStringConvertible {
  /// The octets as they go on the wire.
  public let octets: [6 of UInt8]

  /// An ISID from its six octets.
  public init(octets: [6 of UInt8]) { self.octets = octets }

  /// The ISID that open-iscsi derives from a kernel session number: its OUI (00023d) and the number's low 24 bits, the highest
  /// first, so that either program can take over the other's sessions. With another one a target would keep the old session,
  /// and its tasks, beside the new one.
  public init(session: SessionID) {
    let number = session.rawValue
    octets = [
      0x00, 0x02, 0x3D, UInt8(truncatingIfNeeded: number >> 16), UInt8(truncatingIfNeeded: number >> 8),
      UInt8(truncatingIfNeeded: number),
    ]
  }

  /// A new ISID in the random format (type 10b), so that two discoveries from one machine never reinstate each other.
  public static func random() -> ISID {
    var generator = SystemRandomNumberGenerator()
    let number = generator.next()
    return ISID(octets: [
      0x80, UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8),
      UInt8(truncatingIfNeeded: number >> 16), UInt8(truncatingIfNeeded: number >> 24),
      UInt8(truncatingIfNeeded: number >> 32),
    ])
  }

  /// An ISID from twelve hexadecimal digits; nil for any other text.
  public init?(hexadecimal text: String) {
    guard text.utf8.count == 12, text.utf8.allSatisfy(\.isHexDigit), let number = UInt64(text, radix: 16) else {
      return nil
    }
    octets = [6 of UInt8] { UInt8(truncatingIfNeeded: number >> (40 - 8 * UInt64($0))) }
  }

  /// Twelve hexadecimal digits.
  public var description: String {
    octets.indices.map { octets[$0].hexadecimal }.joined()
  }

  /// Compares the octets.
  public static func == (left: ISID, right: ISID) -> Bool {
    left.octets.indices.allSatisfy { left.octets[$0] == right.octets[$0] }
  }

  /// Hashes the octets.
  public func hash(into hasher: inout Hasher) {
    for index in octets.indices { hasher.combine(octets[index]) }
  }
}

/// A SCSI logical unit number as SAM's eight-octet structure.
public struct LUN: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The eight octets as a big-endian number: first level in the two most significant octets.
  public let rawValue: UInt64

  /// A LUN from SAM's eight octets, big-endian.
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// A single-level LUN as Linux and admins write it: peripheral addressing below 256, flat space up to 16383.
  public init?(number: UInt64) {
    guard number < 0x4000 else { return nil }
    rawValue = (number < 256 ? number : number | 0x4000) << 48
  }

  /// A LUN from the number that Linux shows for it (kernel: `int_to_scsilun`).
  public init(linuxNumber number: UInt64) {
    rawValue = (0..<4).reduce(UInt64(0)) { $0 | ((number >> (16 * UInt64($1))) & 0xFFFF) << (48 - 16 * UInt64($1)) }
  }

  /// The number that Linux shows for this LUN (kernel: `scsilun_to_int`, address method bits kept).
  public var linuxNumber: UInt64 {
    (0..<4).reduce(UInt64(0)) { $0 | ((rawValue >> (48 - 16 * UInt64($1))) & 0xFFFF) << (16 * UInt64($1)) }
  }

  /// The number that Linux shows.
  public var description: String { String(linuxNumber) }

  /// Orders by the number that Linux shows.
  public static func < (left: LUN, right: LUN) -> Bool { left.linuxNumber < right.linuxNumber }
}

extension UInt8 {
  /// Two lower case hexadecimal digits.
  var hexadecimal: String { (self < 16 ? "0" : "") + String(self, radix: 16) }
}
