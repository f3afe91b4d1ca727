// SPDX-License-Identifier: Apache-2.0
import Glibc
public import IscsiKit
public import SystemPackage

/// A made-up sysfs in a temporary directory, laid out as the kernel lays out its own, with relative links.
///
/// It holds what ``SessionSnapshot`` can tell and no more, and lives as long as the value:
///
///     let tree = try SysfsTree()
///     try tree.add(.example(1))
///     try tree.set("state", of: SessionID(rawValue: 1), to: .text("FAILED"))
///     let sessions = try Sysfs(root: tree.root).sessions()
public struct SysfsTree: ~Copyable {
  /// What one attribute is.
  public enum Attribute: Hashable, Sendable {
    /// This text and a line end.
    case text(String)
    /// A string that was never set: the kernel shows `(null)`.
    case null
    /// It can be opened but not read, as the address of a connection without a socket (ENOTCONN).
    case unreadable
    /// This kernel has no such file.
    case absent
  }

  /// The directory that stands for `/sys`.
  public var root: FilePath { FilePath(base) }

  /// The same as text: large trees are made much faster without taking paths apart and together.
  private let base: String

  /// An empty tree, as before the module `scsi_transport_iscsi` is loaded.
  public init() throws(Errno) {
    // Thousands of small files are much faster in memory; not every system lets us have them there.
    if let base = Self.makeTemporaryDirectory(in: "/dev/shm") ?? Self.makeTemporaryDirectory(in: "/tmp") {
      self.base = base
    } else {
      throw Errno(rawValue: errno)
    }
  }

  deinit { Self.removeAll(base) }

  /// Adds a transport (`/sys/class/iscsi_transport/NAME`), without its `handle`.
  public func add(_ transport: TransportSnapshot) throws(Errno) {
    let directory = "devices/virtual/iscsi_transport/\(transport.name)"
    try makeDirectory(directory)
    if let capabilities = transport.capabilities {
      try write(.text("0x" + String(capabilities, radix: 16)), to: "\(directory)/caps")
    }
    try link("class/iscsi_transport", transport.name, to: directory)
  }

  /// Adds a session with its host, connection and devices; what is nil is shown as the kernel shows what is not set.
  ///
  /// A session without `host` gets the host of its own number. The files `password` and `password_in` are there too,
  /// with a secret that must not be read.
  public func add(_ session: SessionSnapshot) throws(Errno) {
    var host = session.host ?? HostSnapshot(number: HostNumber(rawValue: session.id.rawValue))
    host.driver = host.driver ?? session.transport.map { $0 == "tcp" || $0 == "iser" ? "iscsi_\($0)" : $0 }
    let device = "devices/platform/host\(host.number)/session\(session.id)"
    try add(host)
    try addEntry("iscsi_session", "session\(session.id)", under: device, Self.attributes(of: session))
    if let connection = session.connection {
      let name = "connection\(session.id):\(connection.id)"
      let attributes = Self.attributes(of: connection, session.negotiated)
      try addEntry("iscsi_connection", name, under: "\(device)/\(name)", attributes)
    }
    for lun in session.devices { try add(lun, device) }
  }

  /// Adds a block device (`/sys/class/block/NAME`) that is not a session's, or completes one that is; what was there
  /// stays.
  ///
  /// - Parameters:
  ///   - name: The kernel's name.
  ///   - number: `major:minor`.
  ///   - disk: The disk of which it is a partition.
  ///   - mapping: The name of a mapped device.
  ///   - mappingUUID: Its UUID, which begins with what has made it: `mpath-`, `LVM-`, ...
  ///   - holders: The names of devices that are made of it.
  /// - Throws: What the file system says.
  public func addBlockDevice(
    _ name: String, number: String, partitionOf disk: String? = nil, mapping: String? = nil,
    mappingUUID: String? = nil, holders: [String] = []
  ) throws(Errno) {
    let directory = disk.map { "class/block/\($0)/\(name)" } ?? "class/block/\(name)"
    // A session's disk is a link already, and so is a device that is added again.
    if !(try SysfsDirectory(path: root).exists(directory)) {
      let place = disk.map { "class/block/\($0)/\(name)" } ?? "devices/virtual/block/\(name)"
      try makeDirectory(place)
      try link("class/block", name, to: place)
    }
    try set("\(directory)/dev", to: .text(number))
    if disk != nil { try set("\(directory)/partition", to: .text("1")) }
    if let mapping {
      try makeDirectory("\(directory)/dm")
      try set("\(directory)/dm/name", to: .text(mapping))
      try set("\(directory)/dm/uuid", to: mappingUUID.map { .text($0) } ?? .absent)
    }
    try makeDirectory("\(directory)/holders")
    for holder in holders { try makeDirectory("\(directory)/holders/\(holder)") }
  }

  /// Replaces one attribute. The path starts at the session's entry of its class and may go on through its `device`.
  public func set(_ path: String, of session: SessionID, to attribute: Attribute) throws(Errno) {
    try set("class/iscsi_session/session\(session)/\(path)", to: attribute)
  }

  /// Replaces one attribute; the path starts at the root.
  public func set(_ path: String, to attribute: Attribute) throws(Errno) {
    remove(path)
    try write(attribute, to: path)
  }

  /// An attribute's text, to see what was written to it; the path starts at the root.
  public func contents(_ path: String) throws(Errno) -> String? {
    try SysfsDirectory(path: root).contents(path)
  }

  /// Removes a file or a directory with all that is in it; the path starts at the root.
  public func remove(_ path: String) {
    Self.removeAll("\(base)/\(path)")
  }

  private func add(_ host: HostSnapshot) throws(Errno) {
    let name = "host\(host.number)"
    let device = "devices/platform/\(name)"
    try addEntry(
      "scsi_host", name, under: device,
      [
        ("proc_name", .text(host.driver ?? "iscsi_tcp")), ("scan", .text("")),
        ("state", .text(host.state ?? "running")),
        ("eh_deadline", host.errorHandlingDeadline.map { .text($0 == -1 ? "off" : String($0)) } ?? .absent),
      ])
    try addEntry(
      "iscsi_host", name, under: device,
      [
        ("hwaddress", host.hardwareAddress.map(Attribute.text) ?? .null),
        ("initiatorname", host.initiatorName.map(Attribute.text) ?? .null),
        ("ipaddress", host.ipAddress.map(Attribute.text) ?? .unreadable),
        ("netdev", host.networkDevice.map(Attribute.text) ?? .null),
      ])
  }

  private func add(_ device: DeviceSnapshot, _ session: String) throws(Errno) {
    let target = "target\(device.host):\(device.channel):\(device.target)"
    let directory = "\(session)/\(target)/\(device.address)"
    try makeDirectory(directory)
    for (name, attribute) in Self.attributes(of: device) { try write(attribute, to: "\(directory)/\(name)") }
    if let block = device.blockDevice {
      try addEntry("block", block, under: directory, [("size", .text(String((device.size ?? 0) / 512)))])
      if let scheduler = device.scheduler {
        let queue = "\(directory)/block/\(block)/queue"
        try makeDirectory(queue)
        try write(.text(scheduler == "none" ? "[none] mq-deadline" : "[\(scheduler)] none"), to: "\(queue)/scheduler")
      }
    }
    try link("bus/scsi/devices", device.address, to: directory)
  }

  /// Adds `device/CLASS/NAME` with its link back to the device, and the link `class/CLASS/NAME` to it.
  private func addEntry(
    _ className: String, _ name: String, under device: String, _ attributes: [(String, Attribute)]
  ) throws(Errno) {
    let entry = "\(device)/\(className)/\(name)"
    try makeDirectory(entry)
    for (name, attribute) in attributes { try write(attribute, to: "\(entry)/\(name)") }
    let last = device.split(separator: "/").last ?? ""
    try symbolicLink(at: "\(entry)/device", to: "../../../\(last)")
    try link("class/\(className)", name, to: entry)
  }
}

/// The files themselves. Each call below that takes a string lends it to C as a C string.
extension SysfsTree {
  /// Makes a directory and those above it, unless it exists; the path starts at the root.
  public func makeDirectory(_ path: String) throws(Errno) {
    if unsafe mkdir("\(base)/\(path)", 0o755) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/") else { throw Errno(rawValue: errno) }
    try makeDirectory(String(path[..<slash]))
    guard unsafe mkdir("\(base)/\(path)", 0o755) == 0 else { throw Errno(rawValue: errno) }
  }

  private static func makeTemporaryDirectory(in parent: String) -> String? {
    var template = Array("\(parent)/sysfs-tree.XXXXXX".utf8CString)
    // mkdtemp writes the name into the array, which ends in NUL before and after.
    return unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress, let path = unsafe mkdtemp(start) else { return nil }
      return unsafe String(cString: path)
    }
  }

  private func write(_ attribute: Attribute, to path: String) throws(Errno) {
    let text: String
    switch attribute {
    case .text(let value): text = value + "\n"
    case .null: text = "(null)\n"
    // A directory can be opened for reading, and the read fails (EISDIR), for root too.
    case .unreadable: return try makeDirectory(path)
    case .absent: return
    }
    let file = unsafe open("\(base)/\(path)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw Errno(rawValue: errno) }
    defer { close(file) }
    let octets = Array(text.utf8)
    // The array's storage is lent to the call, which reads no more than its count.
    let count = unsafe octets.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
    guard count == octets.count else { throw .ioError }
  }

  /// Makes the link `directory/name`, relative, to `target`; both start at the root.
  public func link(_ directory: String, _ name: String, to target: String) throws(Errno) {
    try makeDirectory(directory)
    let up = directory.split(separator: "/").map { _ in "../" }.joined()
    try symbolicLink(at: "\(directory)/\(name)", to: up + target)
  }

  private func symbolicLink(at path: String, to target: String) throws(Errno) {
    guard unsafe symlink(target, "\(base)/\(path)") == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
  }

  /// Removes a tree without following links; what cannot be removed stays.
  private static func removeAll(_ path: String) {
    // remove() deletes files, links and empty directories.
    guard unsafe Glibc.remove(path) != 0, errno == ENOTEMPTY || errno == EEXIST else { return }
    let names = (try? SysfsDirectory(path: FilePath(path)).names()) ?? []
    for name in names { removeAll("\(path)/\(name)") }
    _ = unsafe Glibc.remove(path)
  }
}
