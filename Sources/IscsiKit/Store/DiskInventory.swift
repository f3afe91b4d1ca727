// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// What this machine makes of a disk: what it is called, what is made of it, and what it is used for.
public struct DiskContext: Hashable, Sendable {
  /// The disk's name: `sda`.
  public let disk: String
  /// Its lasting names in `/dev/disk/by-id`, by name.
  public let idLinks: [String]
  /// Its lasting names in `/dev/disk/by-path`, by name.
  public let pathLinks: [String]
  /// The devices that are made of it or of its partitions (multipath, LVM, md, ...), and those made of them.
  public let holders: [DeviceUse.Step]
  /// The multipath map that it is a path of.
  public let multipathMap: DeviceUse.Step?
  /// Where it is mounted or swap, itself or by what is made of it.
  public let uses: [DeviceUse]
}

/// The disks of this machine in their surroundings, as of one moment: what takes longer to find out than a session's
/// state, and does not depend on it.
///
/// Mounts, swaps and the links of udev are read once, when the value is made; holders are looked up per disk.
public struct DiskInventory: Sendable {
  private let users: DeviceUsers
  private let idLinks: [String: [String]]
  private let pathLinks: [String: [String]]

  /// Reads mounts, swaps and links; other roots are for tests.
  ///
  /// - Throws: `SysfsError.unreadable` for mounts that are there and cannot be read.
  public init(proc: FilePath = "/proc", sysfs: FilePath = "/sys", dev: FilePath = "/dev") throws(SysfsError) {
    users = try DeviceUsers(proc: proc, sysfs: sysfs)
    idLinks = Self.links(in: dev.appending("disk/by-id"))
    pathLinks = Self.links(in: dev.appending("disk/by-path"))
  }

  /// The surroundings of a disk.
  ///
  /// - Parameter disk: The name of a block device, as ``DeviceSnapshot/blockDevice`` has it.
  /// - Returns: What is known of it; a disk that is gone has no holders and no uses.
  /// - Throws: `SysfsError.unreadable` if the process has no descriptors or no memory left to look.
  public func context(of disk: String) throws(SysfsError) -> DiskContext {
    let walk = try users.walk(from: disk)
    return DiskContext(
      disk: disk, idLinks: idLinks[disk] ?? [], pathLinks: pathLinks[disk] ?? [], holders: walk.holders,
      multipathMap: walk.multipathMap, uses: walk.uses)
  }

  /// The surroundings of a session's disks, by their names.
  public func contexts(of session: SessionSnapshot) throws(SysfsError) -> [String: DiskContext] {
    var found: [String: DiskContext] = [:]
    for device in session.devices {
      if let disk = device.blockDevice { found[disk] = try context(of: disk) }
    }
    return found
  }

  /// The links of a directory, by the names of the devices that they point to. A machine without udev has none.
  private static func links(in path: FilePath) -> [String: [String]] {
    guard let directory = try? Directory(path: path), let names = try? directory.names() else { return [:] }
    var found: [String: [String]] = [:]
    for name in names.sorted() {
      guard let device = directory.linkTarget(name)?.split(separator: "/").last else { continue }
      found[String(device), default: []].append(path.appending(name).string)
    }
    return found
  }
}
