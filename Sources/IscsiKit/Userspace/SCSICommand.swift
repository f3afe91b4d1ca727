// SPDX-License-Identifier: Apache-2.0

/// A SCSI command that reads data or moves none, as it goes to a logical unit.
struct SCSICommand: Hashable, Sendable {
  /// Its name in the standard, for errors.
  let name: String
  /// The command descriptor block: 6, 10, 12 or 16 octets.
  let descriptor: [UInt8]
  /// The most octets that the answer may have.
  let allocation: Int32

  /// TEST UNIT READY (SPC-4, 6.47).
  static let testUnitReady = SCSICommand(
    name: "TEST UNIT READY", descriptor: Array(repeating: 0, count: 6), allocation: 0)

  /// INQUIRY for the standard data (SPC-4, 6.4).
  static let inquiry = SCSICommand(name: "INQUIRY", descriptor: [0x12, 0, 0, 0, 0xFF, 0], allocation: 0xFF)

  /// INQUIRY for a page of vital product data (SPC-4, 6.4).
  static func inquiry(page: UInt8) -> SCSICommand {
    // 1 KiB holds every page that we read; devices older than SPC-3 see an allocation length of 0 in octet 4 only if
    // it is a multiple of 256, hence 1020.
    let allocation: UInt16 = 1020
    return SCSICommand(
      name: "INQUIRY page 0x\(page.hexadecimal)", descriptor: [0x12, 1, page] + allocation.bigEndianOctets + [0],
      allocation: Int32(clamping: allocation))
  }

  /// REPORT LUNS for all but well known ones (SPC-4, 6.33).
  static func reportLUNs(allocation: UInt32) -> SCSICommand {
    SCSICommand(
      name: "REPORT LUNS", descriptor: [0xA0, 0, 0, 0, 0, 0] + allocation.bigEndianOctets + [0, 0],
      allocation: Int32(clamping: allocation))
  }

  /// READ CAPACITY (10) (SBC-3, 5.15).
  static let readCapacity10 = SCSICommand(
    name: "READ CAPACITY (10)", descriptor: [0x25] + Array(repeating: 0, count: 9), allocation: 8)

  /// READ CAPACITY (16) (SBC-3, 5.16).
  static let readCapacity16 = SCSICommand(
    name: "READ CAPACITY (16)",
    descriptor: [0x9E, 0x10] + Array(repeating: 0, count: 8) + UInt32(32).bigEndianOctets + [0, 0], allocation: 32)

  /// MODE SENSE (6) for all pages, of which only the header is read (SPC-4, 6.11).
  static let modeSense6 = SCSICommand(name: "MODE SENSE (6)", descriptor: [0x1A, 0, 0x3F, 0, 4, 0], allocation: 4)

  /// REPORT TARGET PORT GROUPS (SPC-4, 6.37).
  static let reportTargetPortGroups: SCSICommand = {
    let allocation: UInt32 = 4096
    return SCSICommand(
      name: "REPORT TARGET PORT GROUPS", descriptor: [0xA3, 0x0A, 0, 0, 0, 0] + allocation.bigEndianOctets + [0, 0],
      allocation: Int32(clamping: allocation))
  }()

  /// READ (16) of one logical block (SBC-3, 5.14); READ (10) below 2^32, which every disk knows.
  static func read(block: UInt64, blockSize: UInt32) -> SCSICommand {
    if let short = UInt32(exactly: block) {
      return SCSICommand(
        name: "READ (10)", descriptor: [0x28, 0] + short.bigEndianOctets + [0, 0, 1, 0],
        allocation: Int32(clamping: blockSize))
    }
    return SCSICommand(
      name: "READ (16)", descriptor: [0x88, 0] + block.bigEndianOctets + UInt32(1).bigEndianOctets + [0, 0],
      allocation: Int32(clamping: blockSize))
  }
}

/// What a logical unit answered to a command.
struct SCSIAnswer: Hashable, Sendable {
  /// The SCSI status octet (SAM-5, 5.3.1).
  var status: UInt8
  /// The octets that came: data, or with CHECK CONDITION a two-octet length and the sense data (RFC 7143, 11.4.7.2).
  var data: [UInt8]

  static let good: UInt8 = 0x00
  static let checkCondition: UInt8 = 0x02
  static let conditionMet: UInt8 = 0x04
  static let busy: UInt8 = 0x08
  static let reservationConflict: UInt8 = 0x18
  static let taskSetFull: UInt8 = 0x28

  /// The most octets that are taken of sense data and its length; SPC-4 allows 252.
  static let senseLimit = 256

  /// The sense data of a CHECK CONDITION; nil for another status or if it makes no sense.
  var sense: SCSISense? {
    guard status == Self.checkCondition, let length = data.number(at: 0, as: UInt16.self) else { return nil }
    return SCSISense(Array(data.dropFirst(2).prefix(Int(length))))
  }
}

/// Sense data: why a logical unit ended a command with CHECK CONDITION (SPC-4, 4.5).
public struct SCSISense: Hashable, Sendable, CustomStringConvertible {
  /// The sense key, 0 to 15.
  public let key: UInt8
  /// ASC, the additional sense code.
  public let code: UInt8
  /// ASCQ, its qualifier.
  public let qualifier: UInt8

  /// The sense key of a unit that cannot work at the moment.
  public static let notReady: UInt8 = 2
  /// The sense key of a command or a field that the unit does not know.
  public static let illegalRequest: UInt8 = 5
  /// The sense key of news that the unit must tell before it does the next command.
  public static let unitAttention: UInt8 = 6

  /// Sense data from its parts.
  public init(key: UInt8, code: UInt8, qualifier: UInt8) {
    self.key = key
    self.code = code
    self.qualifier = qualifier
  }

  /// Reads fixed (0x70, 0x71) and descriptor format (0x72, 0x73); nil if it is neither or too short for a key.
  init?(_ octets: [UInt8]) {
    guard let first = octets.first else { return nil }
    switch first & 0x7F {
    case 0x70, 0x71:
      guard let key = octets.number(at: 2, as: UInt8.self) else { return nil }
      // A target may end fixed sense data before the code: zero is "no additional sense information".
      let (code, qualifier) = (octets.number(at: 12, as: UInt8.self), octets.number(at: 13, as: UInt8.self))
      self.init(key: key & 0x0F, code: code ?? 0, qualifier: qualifier ?? 0)
    case 0x72, 0x73:
      guard octets.count >= 4 else { return nil }
      self.init(key: octets[1] & 0x0F, code: octets[2], qualifier: octets[3])
    default:
      return nil
    }
  }

  /// Whether the unit does not know the command or a field of it: it lacks a feature, it is not broken.
  var isUnsupported: Bool { key == Self.illegalRequest }

  /// The key in words with the codes as `asc/ascq`: `not ready (04/01)`.
  public var description: String {
    let words = [
      "no sense", "recovered error", "not ready", "medium error", "hardware error", "illegal request", "unit attention",
      "data protect", "blank check", "vendor specific", "copy aborted", "aborted command", "reserved",
      "volume overflow", "miscompare", "completed",
    ]
    return "\(words[Int(key & 0x0F)]) (\(code.hexadecimal)/\(qualifier.hexadecimal))"
  }
}
