// SPDX-License-Identifier: Apache-2.0

/// What kind of device a logical unit is (SPC-4, table 148).
public struct PeripheralType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// PERIPHERAL DEVICE TYPE, 0 to 31.
  public let rawValue: UInt8

  /// A type as INQUIRY tells it.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// 0: a disk.
  public static let disk = PeripheralType(rawValue: 0x00)
  /// 5: a CD or DVD drive.
  public static let cdrom = PeripheralType(rawValue: 0x05)
  /// 12: the controller of a storage array.
  public static let controller = PeripheralType(rawValue: 0x0C)
  /// 20: a zoned disk.
  public static let zonedDisk = PeripheralType(rawValue: 0x14)
  /// 31: unknown, or no device.
  public static let unknown = PeripheralType(rawValue: 0x1F)

  /// Whether READ CAPACITY and READ work on it.
  public var hasBlocks: Bool { [.disk, .cdrom, .zonedDisk, PeripheralType(rawValue: 0x07)].contains(self) }

  /// One word: `disk`, `tape`, `controller`...
  public var description: String {
    switch rawValue {
    case 0x00: "disk"
    case 0x01: "tape"
    case 0x03: "processor"
    case 0x05: "cdrom"
    case 0x07: "optical"
    case 0x08: "changer"
    case 0x0C: "controller"
    case 0x0D: "enclosure"
    case 0x0E: "rbc"
    case 0x11: "osd"
    case 0x14: "zoned-disk"
    case 0x1E: "well-known"
    case 0x1F: "unknown"
    default: "type-\(rawValue)"
    }
  }
}

/// The identity of a logical unit, the same over every path (VPD page 0x83).
public enum DeviceIdentifier: Hashable, Sendable, CustomStringConvertible {
  /// An NAA identifier: 16 or 32 hexadecimal digits.
  case naa(String)
  /// An EUI-64 based identifier: 16, 24 or 32 hexadecimal digits.
  case eui(String)
  /// A SCSI name string.
  case name(String)
  /// A T10 vendor identification, the weakest.
  case vendor(String)

  /// `naa.…`, `eui.…`, `t10.…`, or the name itself, which has its own prefix.
  public var description: String {
    switch self {
    case .naa(let digits): "naa.\(digits)"
    case .eui(let digits): "eui.\(digits)"
    case .name(let name): name
    case .vendor(let name): "t10.\(name)"
    }
  }

  /// The order in which Linux prefers them.
  var rank: Int {
    switch self {
    case .naa: 0
    case .eui: 1
    case .name: 2
    case .vendor: 3
    }
  }
}

/// ASYMMETRIC ACCESS STATE of a target port group (SPC-4, 5.15.2.4).
public enum AccessState: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// Full speed.
  case optimized = 0x0
  /// Works, but another path is better.
  case nonOptimized = 0x1
  /// Only a few commands work.
  case standby = 0x2
  /// No path at the moment.
  case unavailable = 0x3
  /// Works for some blocks.
  case dependent = 0x4
  /// Taken out of service.
  case offline = 0xE
  /// On its way to another state.
  case transitioning = 0xF

  /// The words that Linux shows in sysfs (`access_state`).
  public var description: String {
    switch self {
    case .optimized: "active/optimized"
    case .nonOptimized: "active/non-optimized"
    case .standby: "standby"
    case .unavailable: "unavailable"
    case .dependent: "lba-dependent"
    case .offline: "offline"
    case .transitioning: "transitioning"
    }
  }
}

/// Asymmetric logical unit access, as seen through the port that was asked.
public struct AsymmetricAccess: Hashable, Sendable {
  /// The target changes states by itself.
  public var isImplicit: Bool
  /// The initiator can change states (SET TARGET PORT GROUPS).
  public var isExplicit: Bool
  /// The target port group of the port that was asked; nil if the target does not tell.
  public var portGroup: UInt16?
  /// The state of that group; nil if the target does not tell.
  public var state: AccessState?
  /// Whether the target prefers this group.
  public var isPreferred: Bool
}

/// The limits of VPD page 0xB0, in logical blocks; nil where the target gives none.
public struct BlockLimits: Hashable, Sendable {
  /// MAXIMUM TRANSFER LENGTH.
  public var maximumTransfer: UInt32?
  /// OPTIMAL TRANSFER LENGTH.
  public var optimalTransfer: UInt32?
  /// MAXIMUM UNMAP LBA COUNT.
  public var maximumUnmap: UInt32?
}

/// Whether a logical unit takes commands that reach its medium.
public enum Readiness: Hashable, Sendable, CustomStringConvertible {
  /// TEST UNIT READY succeeded.
  case ready
  /// The unit says why it is not.
  case notReady(SCSISense)
  /// Another initiator has reserved the unit.
  case reserved
  /// The unit has too much to do.
  case busy

  /// `ready`, or why not.
  public var description: String {
    switch self {
    case .ready: "ready"
    case .notReady(let sense): sense.description
    case .reserved: "reserved"
    case .busy: "busy"
    }
  }
}

/// What a logical unit tells about itself; what it does not tell is nil, never guessed.
public struct LogicalUnitDescription: Hashable, Sendable {
  /// Its number.
  public var lun: LUN
  /// Disk, tape, controller...
  public var type: PeripheralType
  /// Whether there is a unit behind the number (PERIPHERAL QUALIFIER 0).
  public var isConnected: Bool
  /// Whether it takes commands now.
  public var readiness = Readiness.ready
  /// INQUIRY vendor, blanks stripped.
  public var vendor: String?
  /// INQUIRY product, blanks stripped.
  public var product: String?
  /// INQUIRY revision, blanks stripped.
  public var revision: String?
  /// VPD page 0x80.
  public var serialNumber: String?
  /// The best identifier of VPD page 0x83: NAA before EUI before name before vendor.
  public var identifier: DeviceIdentifier?
  /// Size in octets.
  public var size: UInt64?
  /// Octets a logical block.
  public var logicalBlockSize: UInt32?
  /// Octets a physical block.
  public var physicalBlockSize: UInt32?
  /// Whether blocks get space only when they are written (VPD page 0xB2, else LBPME of READ CAPACITY (16)).
  public var isThinProvisioned: Bool?
  /// Whether writes are refused (WP of MODE SENSE).
  public var isWriteProtected: Bool?
  /// Whether the medium can be taken out (RMB of INQUIRY).
  public var isRemovable: Bool
  /// Asymmetric access; nil if the unit has none (TPGS of INQUIRY is 0).
  public var access: AsymmetricAccess?
  /// VPD page 0xB0.
  public var limits: BlockLimits?

  /// A unit of which only the standard INQUIRY data is known.
  init(lun: LUN, inquiry: InquiryData) {
    self.lun = lun
    type = PeripheralType(rawValue: inquiry.type)
    isConnected = inquiry.qualifier == 0
    vendor = inquiry.vendor
    product = inquiry.product
    revision = inquiry.revision
    isRemovable = inquiry.isRemovable
    if inquiry.portGroupSupport != 0 {
      access = AsymmetricAccess(
        isImplicit: inquiry.portGroupSupport & 1 != 0, isExplicit: inquiry.portGroupSupport & 2 != 0, isPreferred: false
      )
    }
  }

  /// Takes in READ CAPACITY.
  mutating func apply(_ capacity: CapacityData, isLong: Bool) {
    size = capacity.size
    logicalBlockSize = capacity.blockSize
    physicalBlockSize = isLong ? capacity.physicalBlockSize : nil
    if isLong { isThinProvisioned = capacity.isThin }
  }

  /// Takes in a page of vital product data.
  mutating func apply(_ page: ProductDataPage) {
    switch page.code {
    case 0x80: serialNumber = page.serialNumber
    case 0x83:
      identifier = page.designators.compactMap(\.deviceIdentifier).min { $0.rank < $1.rank }
      access?.portGroup = page.designators.lazy.compactMap(\.targetPortGroup).first
    case 0xB0: limits = page.blockLimits
    case 0xB2: if let type = page.provisioningType { isThinProvisioned = type == 2 }
    default: break
    }
  }

  /// Takes in REPORT TARGET PORT GROUPS.
  mutating func apply(_ groups: TargetPortGroups) {
    guard let group = access?.portGroup else { return }
    access?.state = groups.states[group]
    access?.isPreferred = groups.preferred.contains(group)
  }
}
