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

  /// The name of the device with this MAC address; the first by name, should several (a bond and its members) have it.
  public func name(of address: HardwareAddress) -> String? {
    guard let devices = try? SysfsDirectory(path: root.appending("class/net")) else { return nil }
    let names = (try? devices.names()) ?? []
    return names.sorted().first { name in
      guard let text = try? devices.contents("\(name)/address") else { return false }
      return HardwareAddress(text) == address
    }
  }
}
