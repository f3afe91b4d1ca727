// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension DeviceUsers {
  /// File systems of which the kernel shows each that is mounted by its device's name, whoever sees the mount.
  private static let fileSystems = ["ext4", "xfs", "f2fs"]

  /// What has disks among some devices, also where it does not show that anybody uses them: every device that is made of
  /// one, multipath's and LVM's among them, and every file system, also one that only a container has mounted.
  ///
  /// It is for who may take a disk away only if nobody can miss it. Not seen is who has opened the disk itself, such as a
  /// virtual machine; ``DiskActivity`` shows what that one does.
  ///
  /// - Parameter devices: The devices of a session.
  /// - Returns: A description of each claim, in the order of the devices; none for disks that are free or gone.
  /// - Throws: `SysfsError.unreadable` if the process has no descriptors or no memory left to look.
  func claims(of devices: [DeviceSnapshot]) throws(SysfsError) -> [String] {
    let path = sysfs.appending("class/block")
    do throws(Errno) {
      let blocks = try SysfsDirectory(path: path)
      var claims: [String] = []
      for disk in devices.compactMap(\.blockDevice) where Self.isName(disk) {
        guard let directory = try blocks.directory(disk) else { continue }
        let partitions = try directory.names().sorted().filter { directory.exists("\($0)/partition") }
        for name in [disk] + partitions { claims += try self.claims(of: name, in: blocks) }
      }
      return claims
    } catch {
      if error == .noSuchFileOrDirectory { return [] }
      throw .unreadable(path: path.string, error)
    }
  }

  private func claims(of name: String, in blocks: borrowing SysfsDirectory) throws(Errno) -> [String] {
    var claims: [String] = []
    for holder in try blocks.names(in: "\(name)/holders").sorted() {
      let mapping = Self.isName(holder) ? try blocks.text("\(holder)/dm/name") : nil
      claims.append("\(name) is held by \(DeviceUse.Step(holder, mapping: mapping))")
    }
    // Not every kernel has file systems to show.
    guard let systems = try? SysfsDirectory(path: sysfs.appending("fs")) else { return claims }
    var kinds = Self.fileSystems.filter { systems.exists("\($0)/\(name)") }
    if try systems.names(in: "btrfs").contains(where: { systems.exists("btrfs/\($0)/devices/\(name)") }) {
      kinds.append("btrfs")
    }
    return claims + kinds.map { "\(name) has a file system (\($0)) that is mounted somewhere" }
  }
}

/// What was done with disks so far.
enum DiskActivity {
  /// The kernel's counters of a session's disks, as a text that changes with each read and write.
  ///
  /// Questions to a device, such as those of multipathd for whether a path is alive, are not counted by the kernel.
  ///
  /// - Parameters:
  ///   - devices: The session's devices. What is gone has no counters.
  ///   - sysfs: Where sysfs is.
  /// - Returns: The names and counters (kernel: `Documentation/block/stat.rst`).
  static func text(of devices: [DeviceSnapshot], sysfs: FilePath) -> String {
    guard let blocks = try? SysfsDirectory(path: sysfs.appending("class/block")) else { return "" }
    let disks = devices.compactMap(\.blockDevice).filter { !$0.contains("/") }
    return disks.map { "\($0): \((try? blocks.contents("\($0)/stat")) ?? "")" }.joined(separator: "\n")
  }
}
