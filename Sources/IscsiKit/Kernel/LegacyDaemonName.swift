// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import SystemPackage

/// Why open-iscsi's socket name could not be had.
public enum LegacyDaemonNameError: DiagnosableError, Hashable {
  /// Who has the name.
  public enum Holder: Hashable, Sendable {
    /// open-iscsi's daemon.
    case openISCSI(process: Int32)
    /// A service manager that starts a daemon when somebody connects (`iscsid.socket`).
    case socketUnit(process: Int32)
    /// A daemon of this program.
    case iscsiAdmin(process: Int32)
    /// Another program, or one that cannot be looked at; its name, if it has one.
    case other(process: Int32?, name: String?)
    /// A user who may not drive sessions, so that this is no daemon: everybody can take the name.
    case stranger(user: UInt32, process: Int32?)
    /// Somebody of whom nothing can be told, since they take no connections.
    case silent
  }

  /// Another process has it.
  case taken(by: Holder)
  /// The system refused the socket.
  case system(Errno)

  /// Who has it.
  public var description: String {
    switch self {
    case .taken(by: .openISCSI(let process)): "open-iscsi's iscsid is running (process \(process))"
    case .taken(by: .socketUnit(let process)):
      "open-iscsi's iscsid.socket is active (process \(process)), which starts iscsid when it is asked for"
    case .taken(by: .iscsiAdmin(let process)): "another iscsi-admin daemon is running (process \(process))"
    case .taken(by: .other(let process?, let name?)):
      "the socket name of an iSCSI daemon is taken by \(name) (process \(process))"
    case .taken(by: .stranger(let user, let process)):
      "the socket name of an iSCSI daemon is taken by user \(user)" + (process.map { " (process \($0))" } ?? "")
    case .taken(by: .other), .taken(by: .silent): "the socket name of an iSCSI daemon is taken by another process"
    case .system(let errno): "the socket by which iSCSI daemons exclude each other cannot be made: \(errno.label)"
    }
  }

  /// Busy, unless the system is to blame.
  public var exitStatus: ExitStatus {
    switch self {
    case .taken: .busy
    case .system: .internal
    }
  }

  /// How to get it.
  public var advice: String? {
    switch self {
    case .taken(by: .openISCSI), .taken(by: .socketUnit):
      "stop it: systemctl disable --now iscsid.socket iscsid.service (sessions stay in the kernel)"
    case .taken(by: .iscsiAdmin): "use that one, or stop it first"
    case .taken(by: .stranger), .taken(by: .silent): "end that process"
    case .taken(by: .other), .system: nil
    }
  }
}

/// The socket name by which daemons of the kernel's initiator exclude each other: open-iscsi's own.
///
/// Two daemons that recover the same sessions fight until the kernel hangs. While this process has the name, open-iscsi's
/// iscsid cannot start, nor can another daemon of ours in this network namespace. The name is given back with the object,
/// and by the kernel should the process end in any way.
///
/// Everybody can take the name. Who has it without the right to drive sessions keeps no daemon from its work: daemons of
/// ours exclude each other by a `DaemonLock` besides.
public final class LegacyDaemonName: Sendable {
  /// open-iscsi's name in the abstract namespace of unix sockets.
  public static let standard = "ISCSIADM_ABSTRACT_NAMESPACE"
  /// The names of programs that are this one.
  private static let ownNames: Set<String> = ["iscsi-admin"]
  /// How many connections wait to be accepted, as open-iscsi has it.
  private static let backlog: Int32 = 32

  let descriptor: Int32

  /// The users whose processes may drive sessions: root, and this process' own.
  static var daemonUsers: Set<UInt32> { [0, UnixPeer.current.userID] }

  /// Takes the name, which is open-iscsi's unless a test uses another one.
  public static func acquire(_ name: String = standard) throws(LegacyDaemonNameError) -> LegacyDaemonName {
    try acquire(name, besides: daemonUsers)
  }

  /// The same, where the processes of these users count as daemons.
  static func acquire(
    _ name: String, besides users: Set<UInt32>
  ) throws(LegacyDaemonNameError) -> LegacyDaemonName {
    let descriptor: Int32
    do throws(Errno) { descriptor = try LocalSocket.makeDescriptor() } catch { throw .system(error) }
    let owner = LegacyDaemonName(descriptor)
    // NUL and name without a NUL at the end, 30 octets with the family for open-iscsi's: to the kernel the length is a
    // part of the name. The kernel copies the address.
    let address = UnixAddress(abstract: name)
    guard unsafe address.withSocketAddress({ unsafe bind(descriptor, $0, $1) }) == 0 else {
      let failure = Errno(rawValue: errno)
      throw failure == .addressInUse ? .taken(by: holder(of: name, among: users)) : .system(failure)
    }
    guard listen(descriptor, backlog) == 0 else { throw .system(Errno(rawValue: errno)) }
    return owner
  }

  /// Takes over a socket that a service manager listens on by the name, as for open-iscsi's `iscsid.socket`.
  ///
  /// While the manager's unit is active the name is not free, so that nobody but a service of the manager's gets it.
  ///
  /// - Parameters:
  ///   - listener: The socket, which belongs to the object from now on.
  ///   - name: The name, which is open-iscsi's unless a test uses another one.
  /// - Returns: The name.
  /// - Throws: `system` with `invalidArgument` if the socket does not listen by this name.
  public static func adopt(
    _ listener: FileDescriptor, name: String = standard
  ) throws(LegacyDaemonNameError) -> LegacyDaemonName {
    guard listens(listener, name: name) else { throw .system(.invalidArgument) }
    let flags = fcntl(listener.rawValue, F_GETFL)
    guard flags >= 0, fcntl(listener.rawValue, F_SETFL, flags | O_NONBLOCK) == 0,
      fcntl(listener.rawValue, F_SETFD, FD_CLOEXEC) == 0
    else { throw .system(Errno(rawValue: errno)) }
    return LegacyDaemonName(listener.rawValue)
  }

  /// Whether a socket is one that listens by the name.
  public static func listens(_ descriptor: FileDescriptor, name: String = standard) -> Bool {
    guard UnixAddress(of: descriptor.rawValue) == UnixAddress(abstract: name) else { return false }
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // Four octets are asked for and `value` has four.
    let status = unsafe getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ACCEPTCONN, &value, &length)
    return status == 0 && value == 1
  }

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Finds out who listens by a name: the kernel tells a client which process that is.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - users: Whose processes may be daemons.
  /// - Returns: Who it is; `silent` if a connection cannot be made at once.
  private static func holder(of name: String, among users: Set<UInt32>) -> LegacyDaemonNameError.Holder {
    // A service manager takes a connection for a reason to start open-iscsi's daemon, which logs all sessions in again.
    if hasSocket(name, process: serviceManager) { return .socketUnit(process: serviceManager) }
    guard let peer = try? LocalSocket.connect(to: UnixAddress(abstract: name)).peer() else { return .silent }
    let process = peer.processID > 0 ? peer.processID : nil
    guard users.contains(peer.userID) else { return .stranger(user: peer.userID, process: process) }
    guard let process else { return .other(process: nil, name: nil) }
    return holder(process: process, program: program(of: process))
  }

  /// The first process, which is the service manager where there is one.
  private static let serviceManager: Int32 = 1

  /// Whether a process has a socket of a name in the abstract namespace, as far as can be seen. Nobody is connected to.
  static func hasSocket(_ name: String, process: Int32) -> Bool {
    guard let sockets = try? FileContents(of: "/proc/net/unix", limit: 16 << 20),
      let files = try? SysfsDirectory(path: FilePath("/proc/\(process)/fd")), let descriptors = try? files.names()
    else { return false }
    // Number, references, protocol, flags, type, state, inode, path.
    let lines = String(decoding: sockets.octets, as: UTF8.self).split(separator: "\n")
    let inodes = lines.compactMap { line -> Substring? in
      let words = line.split(separator: " ", maxSplits: 7)
      return words.count == 8 && words[7] == "@" + name ? words[6] : nil
    }
    let links = Set(inodes.map { "socket:[\($0)]" })
    return descriptors.contains { files.linkTarget($0).map(links.contains) ?? false }
  }

  /// Whether a process of a daemon's user runs open-iscsi's daemon, whatever sockets it has.
  static func isOpenISCSIRunning(as users: Set<UInt32> = daemonUsers, processes: FilePath = "/proc") -> Bool {
    // What cannot be seen may be there.
    guard let proc = try? SysfsDirectory(path: processes), let names = try? proc.names() else { return true }
    return names.contains { name in
      guard let number = Int32(name), number != getpid(), program(name, in: proc) == "iscsid" else { return false }
      return userID(of: name, in: proc).map(users.contains) ?? true
    }
  }

  /// The effective user of a process; nil if it is not told.
  private static func userID(of process: String, in proc: borrowing SysfsDirectory) -> UInt32? {
    guard let status = try? proc.contents("\(process)/status"),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Uid:") })
    else { return nil }
    // Real, effective, saved, of the file system.
    let words = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
    return words.count > 2 ? UInt32(words[2]) : nil
  }

  /// Tells programs apart by the names of their files: every one of them is called `iscsid` by somebody, but a link to
  /// this program leads to its own file.
  static func holder(process: Int32, program: String?) -> LegacyDaemonNameError.Holder {
    switch program {
    case let name? where ownNames.contains(name): .iscsiAdmin(process: process)
    case "iscsid"?: .openISCSI(process: process)
    case "systemd"?, "init"?: .socketUnit(process: process)
    default: .other(process: process, name: program)
    }
  }

  /// The name of the file that a process runs, or else the name that the process has.
  static func program(of process: Int32) -> String? {
    guard let proc = try? SysfsDirectory(path: "/proc") else { return nil }
    return program("\(process)", in: proc)
  }

  private static func program(_ process: String, in proc: borrowing SysfsDirectory) -> String? {
    if let path = proc.linkTarget("\(process)/exe"), let name = path.split(separator: "/").last {
      // An upgrade replaces the file of a running program.
      let deleted = " (deleted)"
      return name.hasSuffix(deleted) ? String(name.dropLast(deleted.count)) : String(name)
    }
    return try? proc.text("\(process)/comm")
  }
}
