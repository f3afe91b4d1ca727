// SPDX-License-Identifier: Apache-2.0

/// Where a network device gets its address from.
public enum BootAddressing: Hashable, Sendable {
  /// This address, with so many bits for the network, and what is at the other end of a point-to-point link.
  case fixed(IPAddress, prefixLength: UInt8, peer: IPAddress?)
  /// A DHCP server.
  case dhcp(isIPv6: Bool)
  /// The advertisements of IPv6 routers.
  case routerAdvertisement
  /// The boot firmware.
  case firmware
  /// Nowhere: the device is switched on, no more.
  case linkOnly
}

/// How a network device is to be set up, as the kernel's parameter `ip=` says it (kernel:
/// `Documentation/admin-guide/nfs/nfsroot.rst`) in dracut's wider form.
public struct BootInterface: Hashable, Sendable {
  /// The device; nil is the one that has been booted from, or else any.
  public var device: String?
  /// Where its address is from.
  public var addressing: BootAddressing
  /// The router.
  public var gateway: IPAddress?
  /// The MTU in octets.
  public var mtu: UInt32?
  /// The MAC address that it is given.
  public var hardwareAddress: HardwareAddress?
  /// The name servers.
  public var nameServers: [IPAddress] = []
  /// The device where nobody names one, and it is not known from which one has been booted.
  var usualDevice: String?
  /// Where this was read; nil if that is not known.
  var origin: String?

  /// An interface with an address from somewhere.
  public init(device: String? = nil, addressing: BootAddressing) {
    self.device = device
    self.addressing = addressing
  }

  /// Reads the value of `ip=`: `method`, `device:method[:mtu[:mac]]` or
  /// `client:peer:gateway:netmask:host:device:method[:mtu[:mac]]`, with one or two name servers in the place of MTU and MAC
  /// address, and IPv6 addresses in brackets.
  init(parameter text: String) throws(BootParameterFault) {
    let fields = text.fieldsOutsideBrackets
    if fields.count == 1, let addressing = try Self.addressing(fields[0]) {
      self.init(addressing: addressing)
    } else if (2...9).contains(fields.count), IPAddress(fields[0].withoutBrackets) == nil, !fields[0].isEmpty,
      let addressing = try Self.addressing(fields[1])
    {
      self.init(device: try Self.device(fields[0]), addressing: addressing)
      try take(fields.dropFirst(2))
    } else if let word = Self.mistakenMethod(fields) {
      throw Self.noMethod(word)
    } else {
      try self.init(fields: fields)
    }
  }

  /// What stands where a method would, behind a device or alone; nil in the long form, which begins with an address or with nothing.
  private static func mistakenMethod(_ fields: [Substring]) -> Substring? {
    let first = fields.first ?? ""
    guard !first.isEmpty, IPAddress((first.split(separator: "/").first ?? "").withoutBrackets) == nil else {
      return nil
    }
    guard fields.count > 1 else {
      return first.utf8.allSatisfy({ $0.isDigit || $0 == UInt8(ascii: ".") }) ? nil : first
    }
    let isLong = fields[1].isEmpty ? fields.count > 2 : IPAddress(fields[1].withoutBrackets) != nil
    return isLong || !PortalHost.isInterfaceName(first) ? nil : fields[1]
  }

  /// Reads what a user gives in place of the parameter.
  ///
  /// - Throws: What is wrong with it.
  public init(argument text: String) throws(BootProblem) {
    do throws(BootParameterFault) { try self.init(parameter: text) } catch {
      throw BootProblem(parameter: "ip", reason: error.reason)
    }
  }

  private init(fields: [Substring]) throws(BootParameterFault) {
    func field(_ index: Int) -> Substring { index < fields.count ? fields[index] : "" }
    func address(_ index: Int) throws(BootParameterFault) -> IPAddress? {
      guard !field(index).isEmpty else { return nil }
      let address = try Self.address(field(index))
      return address.isUnspecified ? nil : address
    }
    let method = field(6).isEmpty ? nil : try Self.addressing(field(6))
    if !field(6).isEmpty, method == nil { throw Self.noMethod(field(6)) }
    let device = field(5).isEmpty ? nil : try Self.device(field(5))
    // What is all zero is not known, for the kernel.
    if field(0).isEmpty || IPAddress(field(0).withoutBrackets)?.isUnspecified == true {
      // The kernel asks all around where it is told nothing.
      guard let method = method ?? (fields.count > 1 ? .dhcp(isIPv6: false) : nil) else {
        throw BootParameterFault("it is empty")
      }
      self.init(device: device, addressing: method)
    } else if case .dhcp? = method {
      // The address is what is asked for, not what is.
      self.init(device: device, addressing: method ?? .dhcp(isIPv6: false))
    } else {
      let parts = field(0).split(separator: "/", maxSplits: 1)
      let own = try Self.address(parts.first ?? "")
      let mask = IPAddress(field(3).withoutBrackets)?.isUnspecified == true ? "" : field(3)
      let prefixText = parts.count == 2 ? parts[1] : mask
      let prefix = try prefixText.isEmpty ? own.usualPrefixLength : Self.prefixLength(prefixText, of: own)
      // For the kernel it is the server that the machine has booted from, for dracut the other end of the wire: where a wire has
      // but two ends.
      let other = try address(1)
      let peer = Int(prefix) + 1 >= 8 * own.octets.count ? other : nil
      self.init(device: device, addressing: .fixed(own, prefixLength: prefix, peer: peer))
    }
    gateway = try address(2)
    try take(fields.dropFirst(7))
  }

  /// Takes what follows the method: MTU and MAC address, or name servers.
  private mutating func take(_ fields: ArraySlice<Substring>) throws(BootParameterFault) {
    // A MAC address has colons too.
    let rest = Array(fields)
    if rest.count >= 6, let address = HardwareAddress(rest.suffix(6).joined(separator: ":")) {
      hardwareAddress = address
      return try take(rest.dropLast(6))
    }
    for field in rest.prefix(2) where !field.isEmpty {
      if let address = IPAddress(field.withoutBrackets) {
        if !address.isUnspecified { nameServers.append(address) }
      } else if field.utf8.allSatisfy(\.isDigit), let octets = UInt32(field), (68...65_535).contains(octets) {
        mtu = octets
      } else {
        throw BootParameterFault("\(field.debugDescription) is neither an MTU nor the address of a name server")
      }
    }
  }

  /// The meaning of a method's word; nil for another word.
  private static func addressing(_ word: Substring) throws(BootParameterFault) -> BootAddressing? {
    switch word {
    case "dhcp", "dhcp4", "on", "any", "both", "single-dhcp", "dhcp,dhcp6", "dhcp4,dhcp6": .dhcp(isIPv6: false)
    case "dhcp6": .dhcp(isIPv6: true)
    case "auto6", "either6": .routerAdvertisement
    case "ibft": .firmware
    case "none", "off", "static", "link-local", "link6", "link-ip6", "link4": .linkOnly
    case "bootp", "rarp": throw BootParameterFault("\(word) is not supported; dhcp is")
    default: nil
    }
  }

  private static func noMethod(_ word: Substring) -> BootParameterFault {
    BootParameterFault("\(word.debugDescription) is none of dhcp, dhcp6, auto6, ibft, none and off")
  }

  static func device(_ text: some StringProtocol) throws(BootParameterFault) -> String {
    guard PortalHost.isInterfaceName(text) else {
      throw BootParameterFault("\(String(text).debugDescription) can be the name of no network device")
    }
    return String(text)
  }

  static func address(_ text: some StringProtocol) throws(BootParameterFault) -> IPAddress {
    guard let address = IPAddress(text.withoutBrackets) else {
      throw BootParameterFault("\(String(text).debugDescription) is no IP address")
    }
    return address
  }

  /// Reads a netmask or the length of a prefix.
  static func prefixLength(
    _ text: some StringProtocol, of address: IPAddress
  ) throws(BootParameterFault) -> UInt8 {
    let longest = UInt8(8 * address.octets.count)
    if text.utf8.allSatisfy(\.isDigit), let length = UInt8(text), length <= longest { return length }
    guard let mask = IPAddress(text.withoutBrackets), mask.isIPv6 == address.isIPv6, let length = mask.maskLength else {
      throw BootParameterFault("\(String(text).debugDescription) is neither a netmask nor the length of a prefix")
    }
    return length
  }
}

extension IPAddress {
  /// Whether it is the address of no host.
  var isUnspecified: Bool { octets.allSatisfy { $0 == 0 } }

  /// The bits that are set, if those that are not all follow them: what a netmask means; nil for what is none.
  var maskLength: UInt8? {
    let length = octets.reduce(UInt8(0)) { $0 + UInt8($1.nonzeroBitCount) }
    let isWhole = octets.enumerated().allSatisfy { index, octet in
      let bits = min(max(Int(length) - 8 * index, 0), 8)
      return octet == UInt8(truncatingIfNeeded: 0xFF00 >> bits)
    }
    return isWhole ? length : nil
  }

  /// The prefix where nothing is said of it: by the classes of old, as the kernel's, and for IPv6 that of a link.
  fileprivate var usualPrefixLength: UInt8 {
    guard case .v4(let number) = self else { return 64 }
    return number >> 31 == 0 ? 8 : number >> 30 == 2 ? 16 : 24
  }

  /// Whether the address is in the network of another.
  func isIn(networkOf other: IPAddress, _ prefixLength: UInt8) -> Bool {
    guard isIPv6 == other.isIPv6 else { return false }
    return zip(octets, other.octets).enumerated().allSatisfy { index, pair in
      let bits = min(max(Int(prefixLength) - 8 * index, 0), 8)
      return (pair.0 ^ pair.1) >> (8 - bits) == 0
    }
  }
}

extension StringProtocol {
  /// The text without brackets around it.
  var withoutBrackets: String {
    hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : String(self)
  }
}

/// A VLAN that a boot needs (dracut's `vlan=NAME:DEVICE`).
public struct BootVLAN: Hashable, Sendable {
  /// The number, 1 to 4094.
  public var number: UInt16
  /// The name that its device gets, if there is none for this VLAN; nil is the usual one.
  public var name: String?
  /// The device below; nil where something else tells.
  public var link: String?

  /// A VLAN by its number.
  public init(number: UInt16, name: String? = nil, link: String? = nil) {
    self.number = number
    self.name = name
    self.link = link
  }

  /// Reads the value of `vlan=`; the digits at the name's end are the number.
  init(parameter text: String) throws(BootParameterFault) {
    let fields = text.split(separator: ":", omittingEmptySubsequences: false)
    guard fields.count == 2 else { throw BootParameterFault("it is not NAME:DEVICE") }
    let digits = String(fields[0].reversed().prefix { $0.isASCII && $0.isNumber }.reversed())
    guard let number = UInt16(digits), (1...4094).contains(number) else {
      throw BootParameterFault(
        "the name \(fields[0].debugDescription) does not end with the number of a VLAN (1 to 4094)")
    }
    self.init(
      number: number, name: try BootInterface.device(fields[0]), link: try BootInterface.device(fields[1]))
  }
}

/// A route that a boot needs (dracut's `rd.route=NETWORK:GATEWAY[:DEVICE]`).
public struct BootRoute: Hashable, Sendable {
  /// Where to.
  public var network: IPAddress
  /// How much of it is the network's.
  public var prefixLength: UInt8
  /// Over whom; nil for what is on the link.
  public var gateway: IPAddress?
  /// Through which device; nil if that is plain.
  public var device: String?

  /// A route from its parts.
  public init(network: IPAddress, prefixLength: UInt8, gateway: IPAddress? = nil, device: String? = nil) {
    self.network = network
    self.prefixLength = prefixLength
    self.gateway = gateway
    self.device = device
  }

  /// Whether it is for this address, and not for every one.
  func leads(to address: IPAddress) -> Bool { prefixLength > 0 && address.isIn(networkOf: network, prefixLength) }

  /// Reads the value of `rd.route=`.
  init(parameter text: String) throws(BootParameterFault) {
    let fields = text.fieldsOutsideBrackets
    guard (1...3).contains(fields.count) else { throw BootParameterFault("it is not NETWORK/PREFIX:GATEWAY[:DEVICE]") }
    let parts = fields[0].withoutBrackets.split(separator: "/", maxSplits: 1)
    let network = try BootInterface.address(parts.first ?? "")
    let whole = UInt8(8 * network.octets.count)
    self.init(
      network: network,
      prefixLength: try parts.count == 2 ? BootInterface.prefixLength(parts[1], of: network) : whole)
    if fields.count > 1, !fields[1].isEmpty { gateway = try BootInterface.address(fields[1]) }
    if fields.count > 2, !fields[2].isEmpty { device = try BootInterface.device(fields[2]) }
  }
}
