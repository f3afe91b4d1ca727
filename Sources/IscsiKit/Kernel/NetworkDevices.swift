// SPDX-License-Identifier: Apache-2.0
import Glibc
public import SystemPackage

/// The network devices of this network namespace, as `/sys/class/net` shows them.
public struct NetworkDevices: Sendable {
  private let root: FilePath

  /// The devices below a sysfs; another root is for tests.
  public init(sysfs root: FilePath = "/sys") { self.root = root }

  /// The name of the device with this MAC address; the first by name, should several (a bond and its members) have it.
  public func name(of address: HardwareAddress) -> String? {
    names().sorted().first { name in
      self.address(of: name) == address
    }
  }

  private func address(of name: String) -> HardwareAddress? {
    guard let text = Sysfs.read(root.appending("class/net/\(name)/address")) else { return nil }
    return HardwareAddress(text)
  }

  private func names() -> [String] { Sysfs.list(root.appending("class/net")) }
}
struct Sysfs { static func read(_ p: FilePath) -> String? { nil }; static func list(_ p: FilePath) -> [String] { [] } }
