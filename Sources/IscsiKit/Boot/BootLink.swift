// SPDX-License-Identifier: Apache-2.0

/// A network device of a boot, by what is known of it.
public enum BootDevice: Hashable, Sendable, CustomStringConvertible {
  /// The one of this name.
  case named(String)
  /// The one with this MAC address.
  case hardwareAddress(HardwareAddress)
  /// Whichever works.
  case any

  /// Its name or its address.
  public var description: String {
    switch self {
    case .named(let name): name
    case .hardwareAddress(let address): address.description
    case .any: "any network device"
    }
  }
}

/// What has to be set up of the network so that targets can be reached: one device, with all that belongs to it.
public struct BootLink: Hashable, Sendable {
  /// What asks for it: `ip=`, or a folder of the firmware.
  public var source: String
  /// Where that was read, in words: `ip= on the kernel's command line`; nil if there is no more to say than ``source``.
  public var origin: String?
  /// The device.
  public var device: BootDevice
  /// The MAC address by which the device is found, should it have another name than `device` says by then; nil if that is not known.
  public var identity: HardwareAddress?
  /// The name by which parameters speak of it, which the device may not have yet; nil for none.
  public var name: String?
  /// The VLAN on it; nil for none.
  public var vlan: BootVLAN?
  /// The MTU in octets; nil leaves it.
  public var mtu: UInt32?
  /// The MAC address that the device is given; nil leaves it.
  public var hardwareAddress: HardwareAddress?
  /// Where the address is from.
  public var addressing: BootAddressing
  /// Over whom other networks are reached; nil if nobody is known.
  public var gateway: IPAddress?
  /// Who knows names.
  public var nameServers: [IPAddress] = []
  /// The targets that are reached through it.
  public var targets: [IPAddress] = []
  /// Other routes through it.
  public var routes: [BootRoute] = []
  /// Whether it is done only if there is no way to the targets: nobody has asked for it.
  public var isFallback = false
  /// Whether nobody has asked for the device at this boot: another one will do, if it is not there.
  var isUsualDevice = false
  /// Whether its gateway is for all of the world: who names one in `ip=` wants that, as from the kernel.
  public var makesDefaultRoute = false
  /// Whether a DHCP server is to tell where the root file system is.
  public var wantsRootPath = false
  /// Whether the device is known to have no carrier.
  var lacksCarrier = false

  /// A link by its device.
  public init(source: String, device: BootDevice, addressing: BootAddressing) {
    self.source = source
    self.device = device
    self.addressing = addressing
  }

  /// Whether firmware asks for it.
  var isFirmware: Bool { FirmwareBoot.Source(field: source) != nil }

  /// Whether parameters mean this by a device's name.
  func isCalled(_ other: String) -> Bool { device == .named(other) || name == other || vlan?.name == other }

  /// Whether an address is on the network of the device itself.
  func isNear(_ address: IPAddress) -> Bool { network(of: address) != nil }

  /// How many bits the network of the device itself has, if an address is on it.
  func network(of address: IPAddress) -> UInt8? {
    guard case .fixed(let own, let prefixLength, let peer) = addressing else { return nil }
    let isNear =
      address.isIn(networkOf: own, prefixLength) || peer.map { address.isIn(networkOf: $0, prefixLength) } ?? false
    return isNear ? prefixLength : nil
  }

  /// The gateway, if it is for addresses of this kind.
  func gateway(for address: IPAddress) -> IPAddress? { gateway.flatMap { $0.isIPv6 == address.isIPv6 ? $0 : nil } }

  /// Whether a target can be reached through this at all, and how well: less is better.
  func rank(of target: IPAddress, device name: String?) -> Int? {
    if let name { return isCalled(name) ? 0 : nil }
    let rank: Int
    switch addressing {
    case .fixed(let own, _, _):
      guard own.isIPv6 == target.isIPv6 else { return nil }
      let isOnRoute = routes.contains { $0.leads(to: target) }
      rank = isNear(target) ? 0 : isOnRoute ? 1 : gateway(for: target) != nil ? 2 : 4
    case .dhcp(let isIPv6) where isIPv6 == target.isIPv6: rank = 3
    case .routerAdvertisement where target.isIPv6: rank = 3
    case .dhcp, .routerAdvertisement, .firmware, .linkOnly: return nil
    }
    return 2 * rank + (lacksCarrier ? 1 : 0)
  }
}

extension BootLink {
  /// The link that a card of firmware is.
  ///
  /// - Throws: `missing`, with the field that the firmware lacks.
  init(_ ethernet: FirmwareBoot.Ethernet, of source: FirmwareBoot.Source) throws(BootNetworkError) {
    let field = "\(source)/ethernet\(ethernet.index)"
    let device: BootDevice
    if let name = ethernet.device {
      device = .named(name)
    } else if let address = ethernet.hardwareAddress {
      device = .hardwareAddress(address)
    } else {
      throw .missing(field: "\(field)/mac", "card that is here")
    }
    self.init(source: field, device: device, addressing: try Self.addressing(ethernet, field))
    identity = ethernet.hardwareAddress
    vlan = ethernet.vlan.flatMap { $0 == 0 ? nil : BootVLAN(number: $0) }
    gateway = ethernet.gateway.flatMap { $0.isUnspecified ? nil : $0.value }
    nameServers = [ethernet.primaryDNS, ethernet.secondaryDNS].compactMap { $0 }.filter { !$0.isUnspecified }
      .map(\.value)
  }

  /// The same with one target.
  init(_ entry: FirmwareEntry) throws(BootNetworkError) {
    try self.init(entry.ethernet, of: entry.source)
    targets = [entry.target.address.value]
  }

  private static func addressing(
    _ ethernet: FirmwareBoot.Ethernet, _ field: String
  ) throws(BootNetworkError) -> BootAddressing {
    guard let address = ethernet.address, !address.isUnspecified else {
      // The firmware had one from a server, and has not kept it.
      if ethernet.usesDHCP { return .dhcp(isIPv6: ethernet.dhcpServer?.value.isIPv6 ?? false) }
      throw .missing(field: "\(field)/ip-addr", "address")
    }
    // The kernel shows a mask of its own making for IPv6.
    let mask = ethernet.subnetMask.flatMap { $0.value.isIPv6 == address.value.isIPv6 ? $0.value.maskLength : nil }
    guard let prefix = ethernet.prefixLength ?? mask, Int(prefix) <= 8 * address.value.octets.count else {
      throw .missing(field: "\(field)/prefix-len", "netmask")
    }
    return .fixed(address.value, prefixLength: prefix, peer: nil)
  }
}
