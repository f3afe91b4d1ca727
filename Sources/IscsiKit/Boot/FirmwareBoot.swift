// SPDX-License-Identifier: Apache-2.0

/// What boot firmware has left for the system: who logs in, through which network card, to which targets.
///
/// The kernel shows the iSCSI Boot Firmware Table as `/sys/firmware/ibft`, and what an iSCSI card was booted with as
/// `/sys/firmware/iscsi_bootN` (kernel: `drivers/scsi/iscsi_boot_sysfs.c`, `drivers/firmware/iscsi_ibft.c`); what the Open Firmware
/// of a PowerPC machine has left is in the device tree. All of it is the firmware's word, and none is trusted.
public struct FirmwareBoot: Hashable, Sendable {
  /// Where it is from.
  public enum Source: Hashable, Sendable, CustomStringConvertible {
    /// The Open Firmware of a PowerPC machine.
    case openFirmware
    /// The iSCSI Boot Firmware Table.
    case ibft
    /// The card that is this SCSI host.
    case card(HostNumber)

    /// The name of the folder below `/sys/firmware`.
    public var description: String {
      switch self {
      case .openFirmware: "devicetree"
      case .ibft: "ibft"
      case .card(let host): "iscsi_boot\(host)"
      }
    }

    /// The source of a field, by the field's path; nil for what is no field of firmware.
    init?(field path: String) {
      guard let folder = path.split(separator: "/").first, folder.utf8.count < path.utf8.count else { return nil }
      self.init(folder: String(folder))
    }

    /// The source of a folder's name; nil for other folders.
    init?(folder name: String) {
      if name == "devicetree" {
        self = .openFirmware
      } else if name == "ibft" {
        self = .ibft
      } else if let number = Sysfs.number(of: name, after: "iscsi_boot") {
        self = .card(HostNumber(rawValue: number))
      } else {
        return nil
      }
    }
  }

  /// Who made the table (`acpi_header`).
  public struct Header: Hashable, Sendable {
    /// `signature`: `iBFT`.
    public var signature: String?
    /// `oem_id`.
    public var oemID: String?
    /// `oem_table_id`.
    public var oemTableID: String?
  }

  /// What holds of an entry (`flags`).
  public struct Flags: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt8

    /// Flags from their bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The entry is valid. Some firmware sets ``bootSelected`` alone, so that any bit counts as this one.
    public static let valid = Flags(rawValue: 1)
    /// The firmware has booted with this entry.
    public static let bootSelected = Flags(rawValue: 2)
  }

  /// Who logs in (`initiator`).
  public struct Initiator: Hashable, Sendable {
    /// `index`.
    public var index: UInt8 = 0
    /// `flags`.
    public var flags = Flags.valid
    /// `initiator-name`.
    public var name: InitiatorName?
    /// `isid`, which only cards tell; any text.
    public var isid: String?
    /// `isns-server`.
    public var isnsServer: FirmwareAddress?
    /// `slp-server`.
    public var slpServer: FirmwareAddress?
    /// `pri-radius-server`.
    public var primaryRadiusServer: FirmwareAddress?
    /// `sec-radius-server`.
    public var secondaryRadiusServer: FirmwareAddress?
  }

  /// A network card and how it is set up (`ethernetN`).
  public struct Ethernet: Hashable, Sendable {
    /// `index`, by which targets name it.
    public var index: UInt8
    /// `flags`.
    public var flags = Flags.valid
    /// `origin`: where the address is from (`IpPrefixOriginDhcp` of Windows and others); 1 is by hand, 3 is DHCP.
    public var origin: UInt8?
    /// `ip-addr`.
    public var address: FirmwareAddress?
    /// `subnet-mask`.
    public var subnetMask: FirmwareAddress?
    /// `prefix-len`: 0 to 128 bits.
    public var prefixLength: UInt8?
    /// `gateway`.
    public var gateway: FirmwareAddress?
    /// `primary-dns`.
    public var primaryDNS: FirmwareAddress?
    /// `secondary-dns`.
    public var secondaryDNS: FirmwareAddress?
    /// `dhcp`: the server that has given the address.
    public var dhcpServer: FirmwareAddress?
    /// `vlan`: 0 is none, else 1 to 4095.
    public var vlan: UInt16?
    /// `mac`.
    public var hardwareAddress: HardwareAddress?
    /// `hostname`; any text.
    public var hostName: String?
    /// The network device that the card is: what the kernel shows below `device/net`, or else what has the MAC address.
    public var device: String?

    /// Whether the address came from a DHCP server.
    public var usesDHCP: Bool { origin == 3 || dhcpServer.map { !$0.isUnspecified } ?? false }
  }

  /// A target (`targetN`).
  public struct Target: Hashable, Sendable {
    /// `index`.
    public var index: UInt8
    /// `flags`.
    public var flags = Flags.valid
    /// `target-name`.
    public var name: TargetName
    /// `ip-addr`.
    public var address: FirmwareAddress
    /// `port`.
    public var port: UInt16 = Portal.defaultPort
    /// `lun`.
    public var lun: FirmwareLUN?
    /// `chap-type`: 0 is none, 1 is CHAP, 2 is mutual CHAP; the names and secrets tell more reliably.
    public var chapType: UInt8?
    /// `nic-assoc`: the ``Ethernet/index`` of its card.
    public var ethernetIndex: UInt8 = 0
    /// `chap-name`.
    public var chapName: String?
    /// `chap-secret`.
    public var chapSecret: Secret?
    /// `rev-chap-name`: the name that the target has to prove.
    public var reverseCHAPName: String?
    /// `rev-chap-name-secret`.
    public var reverseCHAPSecret: Secret?
  }

  /// Where it is from.
  public var source: Source
  /// Who made the table; nil for cards.
  public var header: Header?
  /// Who logs in.
  public var initiator: Initiator?
  /// The network cards that are in use, by number.
  public var ethernets: [Ethernet] = []
  /// The targets that are in use, by number.
  public var targets: [Target] = []
  /// By which of the kernel's initiators the targets are reached: `tcp`, or the driver of the card.
  public var transport = "tcp"
  /// What is wrong: cards and targets of which this is told are not among the others, and such fields of the initiator are
  /// nil.
  public var problems: [FirmwareError] = []

  /// Nothing, from a source.
  init(_ source: Source) { self.source = source }
}

/// An address as firmware has it.
public struct FirmwareAddress: Hashable, Sendable, CustomStringConvertible {
  /// The address.
  public let value: IPAddress
  /// The kernel's text for it, which has all groups of IPv6 in full.
  public let description: String

  /// An address from the kernel's text; nil if that is none.
  public init?(_ text: String) {
    guard let value = IPAddress(text) else { return nil }
    self.value = value
    description = text
  }

  /// Whether it is 0.0.0.0 or ::, which stands for none.
  public var isUnspecified: Bool { value.octets.allSatisfy { $0 == 0 } }
}

/// A LUN as the kernel shows it of firmware: its eight octets in hexadecimal, each without leading zeros.
///
/// So `01000000` is LUN 1, and `011000000` can be LUN 17 or something else.
public struct FirmwareLUN: Hashable, Sendable, CustomStringConvertible {
  /// The kernel's text.
  public let description: String

  /// A LUN from the kernel's text; nil if that cannot be eight octets.
  public init?(_ text: String) {
    guard (8...16).contains(text.utf8.count), text.utf8.allSatisfy(\.isHexDigit) else { return nil }
    description = text
    guard !readings.isEmpty else { return nil }
  }

  /// The LUN, if the text can be read in one way only. Of LUNs with one level and others, the former is meant.
  public var lun: LUN? {
    let all = readings
    let plain = all.filter { $0 & 0xFFFF_FFFF_FFFF == 0 }
    let meant = plain.isEmpty ? all : plain
    return meant.count == 1 ? meant.first.map(LUN.init(rawValue:)) : nil
  }

  /// All ways to read the text.
  private var readings: Set<UInt64> {
    var found: Set<UInt64> = []
    let digits = description.utf8.compactMap { UInt64(String(UnicodeScalar($0)), radix: 16) }
    let pairs = digits.count - 8
    // Which of the octets have two digits: 256 ways at the most.
    for choice in UInt16(0)...255 where choice.nonzeroBitCount == pairs {
      var rest = digits[...]
      var value: UInt64 = 0
      var isReading = true
      for octet in 0..<8 {
        let first = rest.popFirst() ?? 0
        value = value << 8 | first
        guard choice & 1 << octet != 0 else { continue }
        if first == 0 { isReading = false }
        value = value & ~0xFF | first << 4 | (rest.popFirst() ?? 0)
      }
      if isReading { found.insert(value) }
    }
    return found
  }
}

/// Why something of the firmware's cannot be used.
public struct FirmwareError: DiagnosableError, Hashable {
  /// The field, by its path below `/sys/firmware`.
  public let field: String
  /// What is wrong with it. No secret is quoted.
  public let reason: String

  /// Field and reason.
  public var description: String { "\(field): \(reason)" }
  /// 21: there is no such target.
  public var exitStatus: ExitStatus { .noObjectsFound }
}
