// SPDX-License-Identifier: Apache-2.0

// Parsers of what logical units answer. Lengths inside the data are the target's word only: each is cut to what came.

/// Standard INQUIRY data (SPC-4, 6.4.2).
struct InquiryData: Hashable, Sendable {
  /// PERIPHERAL QUALIFIER: 0 a unit is there, 1 it can be but is not, 3 there can be none.
  var qualifier: UInt8
  /// PERIPHERAL DEVICE TYPE.
  var type: UInt8
  /// RMB: the medium is removable.
  var isRemovable: Bool
  /// TPGS: bit 0 implicit, bit 1 explicit asymmetric access.
  var portGroupSupport: UInt8
  /// T10 VENDOR IDENTIFICATION, blanks stripped.
  var vendor: String?
  /// PRODUCT IDENTIFICATION, blanks stripped.
  var product: String?
  /// PRODUCT REVISION LEVEL, blanks stripped.
  var revision: String?

  /// Nil if the four octets that every device sends are not there.
  init?(_ data: [UInt8]) {
    guard data.count >= 5 else { return nil }
    let body = Array(data.prefix(5 + Int(data[4])))
    qualifier = data[0] >> 5
    type = data[0] & 0x1F
    isRemovable = data[1] & 0x80 != 0
    portGroupSupport = body.count > 5 ? (body[5] >> 4) & 0x03 : 0
    vendor = body.text(8..<16)
    product = body.text(16..<32)
    revision = body.text(32..<36)
  }
}

/// A page of vital product data: code and body, cut to what came (SPC-4, 7.8).
struct ProductDataPage: Hashable, Sendable {
  /// PAGE CODE.
  var code: UInt8
  /// What follows the four-octet header.
  var body: [UInt8]

  /// Nil if this is not the page `code`: old devices answer standard data whatever was asked.
  init?(_ data: [UInt8], code: UInt8) {
    guard data.count >= 4, data[1] == code, let length = data.number(at: 2, as: UInt16.self) else { return nil }
    self.code = code
    body = Array(data.dropFirst(4).prefix(Int(length)))
  }

  /// Page 0x00: the codes of all pages.
  var supportedPages: Set<UInt8> { Set(body) }

  /// Page 0x80: the serial number, blanks stripped.
  var serialNumber: String? { body.text(0..<body.count) }

  /// Page 0x83: the identifiers, in the order of the page.
  var designators: [Designator] {
    var found: [Designator] = []
    var offset = 0
    while offset + 4 <= body.count {
      let end = offset + 4 + Int(body[offset + 3])
      // A designator that is longer than the page ends the list.
      guard end <= body.count else { break }
      found.append(
        Designator(
          codeSet: body[offset] & 0x0F, association: (body[offset + 1] >> 4) & 0x03, type: body[offset + 1] & 0x0F,
          value: Array(body[offset + 4..<end])))
      offset = end
    }
    return found
  }

  /// Page 0xB0: the limits of transfers and of UNMAP (SBC-3, 6.5.3); zero in the page is nil: no limit given.
  var blockLimits: BlockLimits {
    let limit = { (offset: Int) in body.number(at: offset - 4, as: UInt32.self).flatMap { $0 == 0 ? nil : $0 } }
    return BlockLimits(maximumTransfer: limit(8), optimalTransfer: limit(12), maximumUnmap: limit(20))
  }

  /// Page 0xB2: PROVISIONING TYPE (SBC-3, 6.5.4): 1 fully provisioned ("resource"), 2 thin; nil where not reported.
  var provisioningType: UInt8? {
    guard body.count > 2, body[2] & 0x07 != 0 else { return nil }
    return body[2] & 0x07
  }
}

/// A designator of VPD page 0x83 (SPC-4, 7.8.6).
struct Designator: Hashable, Sendable {
  /// CODE SET: 1 binary, 2 ASCII, 3 UTF-8.
  var codeSet: UInt8
  /// ASSOCIATION: 0 the logical unit, 1 a target port, 2 the target.
  var association: UInt8
  /// DESIGNATOR TYPE: 1 T10 vendor, 2 EUI-64, 3 NAA, 5 target port group, 8 SCSI name.
  var type: UInt8
  /// The identifier.
  var value: [UInt8]

  /// The target port group that the answering port is in, if this designator tells it.
  var targetPortGroup: UInt16? {
    guard association == 1, type == 5, value.count == 4 else { return nil }
    return value.number(at: 2, as: UInt16.self)
  }

  /// The logical unit's identity, if this designator tells it in a form that is unique in the world.
  var deviceIdentifier: DeviceIdentifier? {
    guard association == 0 else { return nil }
    let digits = value.map(\.hexadecimal).joined()
    switch type {
    case 3 where value.count == 8 || value.count == 16: return .naa(digits)
    case 2 where [8, 12, 16].contains(value.count): return .eui(digits)
    case 8:
      guard let name = value.text(0..<value.count) else { return nil }
      return .name(name)
    case 1:
      guard let name = value.text(0..<value.count) else { return nil }
      return .vendor(name)
    default: return nil
    }
  }
}

/// READ CAPACITY, both forms.
struct CapacityData: Hashable, Sendable {
  /// Address of the last logical block.
  var lastBlock: UInt64
  /// Octets a logical block.
  var blockSize: UInt32
  /// Logical blocks a physical one as a power of two; 0 with READ CAPACITY (10).
  var physicalExponent: UInt8 = 0
  /// LBPME: thin provisioning or another management of blocks is on.
  var isThin = false

  /// READ CAPACITY (10); nil if it is short.
  init?(short data: [UInt8]) {
    guard let last = data.number(at: 0, as: UInt32.self), let size = data.number(at: 4, as: UInt32.self) else {
      return nil
    }
    (lastBlock, blockSize) = (UInt64(last), size)
  }

  /// READ CAPACITY (16); nil if it is short.
  init?(long data: [UInt8]) {
    guard let last = data.number(at: 0, as: UInt64.self), let size = data.number(at: 8, as: UInt32.self) else {
      return nil
    }
    (lastBlock, blockSize) = (last, size)
    physicalExponent = data.count > 13 ? data[13] & 0x0F : 0
    isThin = data.count > 14 && data[14] & 0x80 != 0
  }

  /// Whether READ CAPACITY (10) could not say it in 32 bits.
  var needsLongForm: Bool { lastBlock == 0xFFFF_FFFF }

  /// The size in octets; nil if it is no number of 64 bits.
  var size: UInt64? {
    let (blocks, overflow) = lastBlock.addingReportingOverflow(1)
    let (octets, tooLarge) = blocks.multipliedReportingOverflow(by: UInt64(blockSize))
    return overflow || tooLarge ? nil : octets
  }

  /// Octets a physical block; nil if the target tells nonsense.
  var physicalBlockSize: UInt32? {
    let (size, overflow) = blockSize.multipliedReportingOverflow(by: 1 << UInt32(physicalExponent))
    return overflow ? nil : size
  }
}

/// REPORT LUNS (SPC-4, 6.33).
struct LUNList: Hashable, Sendable {
  /// The logical units that came.
  var luns: [LUN]
  /// How many octets the list has at the target.
  var fullLength: UInt32

  /// Nil if the header is not there.
  init?(_ data: [UInt8]) {
    guard data.count >= 8, let length = data.number(at: 0, as: UInt32.self) else { return nil }
    fullLength = length
    let list = Array(data.dropFirst(8).prefix(Int(length)))
    luns = stride(from: 0, to: list.count, by: 8).compactMap { offset in
      list.number(at: offset, as: UInt64.self).map(LUN.init(rawValue:))
    }
  }
}

/// REPORT TARGET PORT GROUPS (SPC-4, 6.37): the state of each group by its number.
struct TargetPortGroups: Hashable, Sendable {
  /// A group and its state.
  var states: [UInt16: AccessState]
  /// Whether a group is the one that the target prefers.
  var preferred: Set<UInt16>

  /// Nil if the header is not there; a group that is cut off ends the list.
  init?(_ data: [UInt8]) {
    guard let length = data.number(at: 0, as: UInt32.self) else { return nil }
    (states, preferred) = ([:], [])
    let body = Array(data.dropFirst(4).prefix(Int(length)))
    var offset = 0
    while offset + 8 <= body.count {
      let group = UInt16(body[offset + 2]) << 8 | UInt16(body[offset + 3])
      states[group] = AccessState(rawValue: body[offset] & 0x0F)
      if body[offset] & 0x80 != 0 { preferred.insert(group) }
      offset += 8 + 4 * Int(body[offset + 7])
    }
  }
}

extension [UInt8] {
  /// ASCII text in the part of `range` that is there, blanks and NULs around it stripped; nil if nothing is left.
  ///
  /// What is not printable ASCII becomes a question mark, so that a target cannot write control characters on a screen.
  func text(_ range: Range<Int>) -> String? {
    let part = self[range.clamped(to: indices)].drop { $0 == 0x20 || $0 == 0 }
    guard let last = part.lastIndex(where: { $0 != 0x20 && $0 != 0 }) else { return nil }
    return String(decoding: part[...last].map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
  }

  /// The WP bit of a MODE SENSE (6) answer for a disk: writes are refused; nil if it is too short.
  var isWriteProtectedByModeHeader: Bool? { count > 2 ? self[2] & 0x80 != 0 : nil }
}
