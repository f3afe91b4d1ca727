// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// That a disk is in use, and by what.
public struct DeviceUse: Hashable, Sendable, CustomStringConvertible {
  /// What is done with the device at the end of the row.
  public enum Kind: Hashable, Sendable {
    /// A file system on it is mounted here.
    case mounted(at: String)
    /// It is swap space.
    case swap
  }

  /// A device between the disk and the use: a partition, or a device made of others.
  public struct Step: Hashable, Sendable, CustomStringConvertible {
    /// The kernel's name: `sda1`, `dm-0`, `md0`.
    public let name: String
    /// The name that a mapped device was given: `vg-root`, `mpatha`.
    public let mapping: String?

    /// A device by its names.
    public init(_ name: String, mapping: String? = nil) {
      self.name = name
      self.mapping = mapping
    }

    /// Both names.
    public var description: String { mapping.map { "\(name) (\($0))" } ?? name }
  }

  /// The disk's name: `sda`.
  public let disk: String
  /// The devices between, from the disk to the use; none if the disk itself is used.
  public let steps: [Step]
  /// What it is used for.
  public let kind: Kind

  /// A use from its parts.
  public init(disk: String, through steps: [Step] = [], _ kind: Kind) {
    self.disk = disk
    self.steps = steps
    self.kind = kind
  }

  /// One line: `sda is mounted at /srv through sda1, dm-0 (vg-srv)`.
  public var description: String {
    let use =
      switch kind {
      case .mounted(let path): "mounted at \(path)"
      case .swap: "swap space"
      }
    let through = steps.isEmpty ? "" : " through " + steps.map(\.description).joined(separator: ", ")
    return "\(disk) is \(use)\(through)"
  }
}

/// Which disks of this machine are in use, as of one moment.
///
/// In use, as open-iscsi's `safe_logout` has it, is a disk that is mounted or swap, or of which a partition or a device
/// made of it (device mapper, md), or one made of that, is. A device made of a disk that is itself neither mounted nor
/// swap does not count: multipath and LVM take each disk that they see, which says nothing about a user. So a database
/// that uses a logical volume without a file system is not seen, nor is what only a container has mounted; `claims(of:)`
/// sees them.
public struct DeviceUsers: Sendable {
  /// The most octets that are read of a file: some hundred thousand mounts.
  private static let sizeLimit = 32 << 20
  /// The longest row of devices that is followed.
  private static let depthLimit = 16

  let sysfs: FilePath
  private var mountsByNumber: [String: [String]] = [:]
  private var mountsByName: [String: [String]] = [:]
  private var swaps: Set<String> = []

  /// Reads mounts and swaps, each once; other roots are for tests.
  ///
  /// - Throws: `SysfsError.unreadable` for what must be known and is not: no disk may pass for unused then. Of the mounts
  ///   of the first process and those of this one, one list is enough.
  public init(proc: FilePath = "/proc", sysfs: FilePath = "/sys") throws(SysfsError) {
    self.sysfs = sysfs
    let mounts = Set(try Self.mountLines(proc).compactMap(MountLine.init)).sorted { $0.path < $1.path }
    // A kernel without swap has no such file. The first line is a heading.
    let swapPath = proc.appending("swaps")
    let swapLines: [Substring]
    do throws(SysfsError) { swapLines = Array(try Self.lines(of: swapPath).dropFirst()) } catch {
      guard error == .unreadable(path: swapPath.string, .noSuchFileOrDirectory) else { throw error }
      swapLines = []
    }
    let swapPaths = swapLines.compactMap { $0.split(whereSeparator: { $0 == " " || $0 == "\t" }).first?.unescaped }
    let names = try DeviceNames(
      sysfs: sysfs, isMapperNeeded: (mounts.map(\.source) + swapPaths).contains { $0.isMapped })

    for mount in mounts {
      mountsByNumber[mount.number, default: []].append(mount.path)
      // A file system with a device number of its own, such as btrfs, is found by the device that it names.
      if mount.number.hasPrefix("0:"), let name = names.name(of: mount.source) {
        mountsByName[name, default: []].append(mount.path)
      }
    }
    try addMembersOfFileSystems()
    swaps = Set(swapPaths.compactMap(names.name))
  }

  /// How a disk is used. A disk that is gone is not used.
  ///
  /// - Parameter disk: The name of a block device, as ``DeviceSnapshot/blockDevice`` has it.
  /// - Returns: The uses in the order of the devices' names; none for a disk that is not used.
  /// - Throws: `SysfsError.unreadable` if the process has no descriptors or no memory left to look.
  public func uses(of disk: String) throws(SysfsError) -> [DeviceUse] { try walk(from: disk).uses }

  /// What is made of a disk and how it is used, for ``DiskInventory``.
  func walk(from disk: String) throws(SysfsError) -> Walk {
    let path = sysfs.appending("class/block")
    do throws(Errno) {
      var walk = Walk(disk: disk)
      try visit(disk, [], try SysfsDirectory(path: path), &walk)
      return walk
    } catch {
      if error == .noSuchFileOrDirectory { return Walk(disk: disk) }
      throw .unreadable(path: path.string, error)
    }
  }

  /// How the disks of a session are used.
  public func uses(of session: SessionSnapshot) throws(SysfsError) -> [DeviceUse] { try uses(of: session.devices) }

  /// How the disks among some devices are used.
  func uses(of devices: [DeviceSnapshot]) throws(SysfsError) -> [DeviceUse] {
    var uses: [DeviceUse] = []
    for device in devices {
      if let disk = device.blockDevice { uses += try self.uses(of: disk) }
    }
    return uses
  }

  /// What is found on the way from a disk through all that is made of it.
  struct Walk {
    let disk: String
    fileprivate var visited: Set<String> = []
    /// The uses.
    fileprivate(set) var uses: [DeviceUse] = []
    /// The devices that are made of it, in the order of the way.
    fileprivate(set) var holders: [DeviceUse.Step] = []
    /// The multipath map that it is a path of.
    fileprivate(set) var multipathMap: DeviceUse.Step?

    fileprivate init(disk: String) { self.disk = disk }
  }

  private func visit(
    _ name: String, _ steps: [DeviceUse.Step], _ blocks: borrowing SysfsDirectory, _ walk: inout Walk
  ) throws(Errno) {
    // Two paths may lead to one device, as to a mirror of two partitions: it is told once.
    guard steps.count <= Self.depthLimit, Self.isName(name), walk.visited.insert(name).inserted,
      let directory = try blocks.directory(name)
    else { return }
    var paths = mountsByName[name] ?? []
    if let number = try directory.text("dev") { paths += mountsByNumber[number] ?? [] }
    for path in paths { walk.uses.append(DeviceUse(disk: walk.disk, through: steps, .mounted(at: path))) }
    if swaps.contains(name) { walk.uses.append(DeviceUse(disk: walk.disk, through: steps, .swap)) }
    for entry in try directory.names().sorted() where directory.exists("\(entry)/partition") {
      try visit(entry, steps + [DeviceUse.Step(entry)], blocks, &walk)
    }
    for holder in try directory.names(in: "holders").sorted() {
      guard Self.isName(holder), !walk.visited.contains(holder) else { continue }
      let step = DeviceUse.Step(holder, mapping: try blocks.text("\(holder)/dm/name"))
      walk.holders.append(step)
      // multipathd's own mark; a partition of a map has another one.
      if walk.multipathMap == nil, try blocks.text("\(holder)/dm/uuid")?.hasPrefix("mpath-") == true {
        walk.multipathMap = step
      }
      try visit(holder, steps + [step], blocks, &walk)
    }
  }

  /// A mounted btrfs shows one device in the list of mounts, and all of them in sysfs.
  private mutating func addMembersOfFileSystems() throws(SysfsError) {
    guard !mountsByName.isEmpty else { return }
    let path = sysfs.appending("fs/btrfs")
    do throws(Errno) {
      let systems = try SysfsDirectory(path: path)
      for system in try systems.names() {
        let members = try systems.names(in: "\(system)/devices")
        let paths = members.flatMap { mountsByName[$0] ?? [] }
        guard !paths.isEmpty else { continue }
        for member in members { mountsByName[member] = paths }
      }
    } catch {
      // A kernel without this file system has no mount of it.
      guard error == .noSuchFileOrDirectory else { throw .unreadable(path: path.string, error) }
    }
  }

  /// The lines of all mounts that are known. A service has mounts of its own, which hide some of the machine's; and a
  /// confined one, or one in a container, is not told those of the first process.
  private static func mountLines(_ proc: FilePath) throws(SysfsError) -> [Substring] {
    let first = try? lines(of: proc.appending("1/mountinfo"))
    do throws(SysfsError) {
      return (first ?? []) + (try lines(of: proc.appending("self/mountinfo")))
    } catch {
      guard let first else { throw error }
      return first
    }
  }

  static func isName(_ name: String) -> Bool { !name.isEmpty && name != ".." && !name.contains("/") }

  private static func lines(of path: FilePath) throws(SysfsError) -> [Substring] {
    let octets: [UInt8]
    do throws(Errno) {
      octets = try FileContents(of: path, limit: sizeLimit).octets
    } catch {
      throw .unreadable(path: path.string, error)
    }
    guard octets.count < sizeLimit else { throw .unreadable(path: path.string, .fileTooLarge) }
    return String(decoding: octets, as: UTF8.self).split(separator: "\n")
  }
}

/// One line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
private struct MountLine: Hashable {
  /// `major:minor` of the file system.
  let number: String
  /// Where it is mounted.
  let path: String
  /// What was mounted: a device, or a word of the file system's own.
  let source: String

  /// Reads `36 35 98:0 /root /mnt options [optional fields] - type source options`; nil for another line.
  init?(_ line: Substring) {
    let fields = line.split(separator: " ")
    guard fields.count >= 6, let dash = fields.dropFirst(6).firstIndex(of: "-"), fields.count > dash + 2 else {
      return nil
    }
    number = String(fields[2])
    path = fields[4].unescaped
    source = fields[dash + 2].unescaped
  }
}

/// The kernel's names of devices behind paths below `/dev`.
private struct DeviceNames {
  private var mapped: [String: String] = [:]

  init(sysfs: FilePath, isMapperNeeded: Bool) throws(SysfsError) {
    guard isMapperNeeded else { return }
    let path = sysfs.appending("class/block")
    do throws(Errno) {
      let blocks = try SysfsDirectory(path: path)
      for name in try blocks.names() where name.hasPrefix("dm-") {
        if let mapping = try blocks.text("\(name)/dm/name") { mapped[mapping] = name }
      }
    } catch {
      guard error == .noSuchFileOrDirectory else { throw .unreadable(path: path.string, error) }
    }
  }

  /// The name; nil for what is no device.
  func name(of path: String) -> String? {
    if path.isMapped { return mapped[String(path.dropFirst("/dev/mapper/".count))] }
    guard path.hasPrefix("/dev/") else { return nil }
    // In sysfs an exclamation mark stands for a slash: cciss!c0d0.
    return path.dropFirst("/dev/".count).split(separator: "/").joined(separator: "!")
  }
}

extension StringProtocol {
  /// Whether it is the path of a mapped device.
  fileprivate var isMapped: Bool { hasPrefix("/dev/mapper/") }
}

extension Substring {
  /// The text with the kernel's octal escapes (`\040` for a blank) resolved.
  fileprivate var unescaped: String {
    guard utf8.contains(UInt8(ascii: "\\")) else { return String(self) }
    var octets: [UInt8] = []
    var rest = Array(utf8)[...]
    while let octet = rest.popFirst() {
      let digits = rest.prefix(3)
      let areDigits = digits.count == 3 && digits.allSatisfy { (0x30...0x37).contains($0) }
      if octet == UInt8(ascii: "\\"), areDigits, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8) {
        octets.append(value)
        rest = rest.dropFirst(3)
      } else {
        octets.append(octet)
      }
    }
    return String(decoding: octets, as: UTF8.self)
  }
}
