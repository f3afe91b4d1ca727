// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// The network devices of this network namespace, as `/sys/class/net` shows them.
public struct NetworkDevices: Sendable {
  private let root: FilePath

  /// The devices below a sysfs; another root is for tests.
  public init(sysfs root: FilePath = "/sys") { self.root = root }

  /// The kernel's number of a device; nil if there is none of this name.
  ///
  /// Not by `if_nametoindex`, for which the kernel looks for a module of the device's name, perhaps on a disk that hangs.
  public func index(of name: String) -> UInt32? {
    guard PortalHost.isInterfaceName(name), let devices = try? SysfsDirectory(path: root.appending("class/net")),
      let index: UInt32 = try? devices.number("\(name)/ifindex")
    else { return nil }
    return index
  }

  /// The MTU of a device in octets; nil if there is none of this name.
  func mtu(of name: String) -> UInt32? {
    guard PortalHost.isInterfaceName(name), let devices = try? SysfsDirectory(path: root.appending("class/net")),
      let mtu: UInt32 = try? devices.number("\(name)/mtu")
    else { return nil }
    return mtu
  }

  /// The MAC address of a device; nil if there is none of this name, or it has none.
  func hardwareAddress(of name: String) -> HardwareAddress? {
    guard PortalHost.isInterfaceName(name), let devices = try? SysfsDirectory(path: root.appending("class/net")),
      let text = try? devices.contents("\(name)/address")
    else { return nil }
    return HardwareAddress(text)
  }

  /// The names of all devices by the kernel's numbers.
  ///
  /// Not by `if_nameindex`, which waits for a lock that a driver may hold for long.
  func namesByIndex() -> [UInt32: String] {
    guard let devices = try? SysfsDirectory(path: root.appending("class/net")), let names = try? devices.names() else {
      return [:]
    }
    var found: [UInt32: String] = [:]
    for name in names {
      if let index: UInt32 = try? devices.number("\(name)/ifindex") { found[index] = name }
    }
    return found
  }

  /// The names of the devices that a machine can be booted over: Ethernet's, those of hardware first if there are any.
  func bootable() -> [String] {
    guard let devices = try? SysfsDirectory(path: root.appending("class/net")), let names = try? devices.names() else {
      return []
    }
    let ethernet = names.sorted().filter { name in
      // ARPHRD_ETHER.
      let kind: UInt32? = (try? devices.number("\(name)/type")) ?? nil
      return kind == 1
    }
    let hardware = ethernet.filter { devices.exists("\($0)/device") }
    return hardware.isEmpty ? ethernet : hardware
  }

  /// The names of the devices that are made on another one, by its number.
  func namesAbove(_ link: UInt32) -> [String] {
    guard let devices = try? SysfsDirectory(path: root.appending("class/net")) else { return [] }
    let names = (try? devices.names()) ?? []
    return names.sorted().filter { name in
      // Of what is made on nothing, both are the same.
      guard let below: UInt32 = try? devices.number("\(name)/iflink"), below == link else { return false }
      let own: UInt32? = (try? devices.number("\(name)/ifindex")) ?? nil
      return own != link
    }
  }

  /// The name of the device with this MAC address. Should several have it, it is the card rather than a VLAN on it, but a bond or a
  /// bridge rather than a card that is a part of it; and of equals the first by name.
  public func name(of address: HardwareAddress) -> String? {
    guard let devices = try? SysfsDirectory(path: root.appending("class/net")) else { return nil }
    let names = ((try? devices.names()) ?? []).sorted().filter { name in
      guard let text = try? devices.contents("\(name)/address") else { return false }
      return HardwareAddress(text) == address
    }
    let whole = names.filter { !devices.exists("\($0)/master") }
    return whole.first { devices.exists("\($0)/device") } ?? whole.first ?? names.first
  }

  /// Whether a device is switched on; false if there is none of this name.
  func isUp(_ name: String) -> Bool {
    guard PortalHost.isInterfaceName(name), let devices = try? SysfsDirectory(path: root.appending("class/net")),
      let text = try? devices.contents("\(name)/flags"), let flags = UInt32(text.dropFirst("0x".count), radix: 16)
    else { return false }
    // IFF_UP.
    return flags & 1 != 0
  }

  /// A device and those that it is made of, such as a VLAN and its card: itself first.
  public func parts(of name: String) -> [String] {
    guard let devices = try? SysfsDirectory(path: root.appending("class/net")) else { return [] }
    var found: [String] = []
    var pending = [name]
    while let next = pending.popLast(), found.count < 16 {
      guard PortalHost.isInterfaceName(next), !found.contains(next), devices.exists(next) else { continue }
      found.append(next)
      let below = ((try? devices.names(in: next)) ?? []).filter { $0.hasPrefix("lower_") }.sorted()
      pending += below.map { String($0.dropFirst("lower_".count)) }
    }
    return found
  }

  /// The MAC address of a device that is hardware; nil for another one.
  func addressOfHardware(_ name: String) -> HardwareAddress? {
    guard PortalHost.isInterfaceName(name), let devices = try? SysfsDirectory(path: root.appending("class/net")),
      devices.exists("\(name)/device")
    else { return nil }
    return hardwareAddress(of: name)
  }
}
