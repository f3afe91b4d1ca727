// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// The network devices of this network namespace, as `/sys/class/net` shows them.
public struct NetworkDevices: Sendable {
  private let root: FilePath

  /// The devices below a sysfs; another root is for tests.
  public init(sysfs root: FilePath = "/sys") { self.root = root }

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
