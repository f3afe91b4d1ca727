// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
public import SystemPackage

/// What went wrong with sysfs. That an object is gone is no error when reading.
public enum SysfsError: DiagnosableError, Hashable {
  /// A directory that must be read cannot be, or the process has no descriptors or no memory left for it.
  case unreadable(path: String, Errno)
  /// An attribute cannot be written.
  case unwritable(path: String, value: String, Errno)
  /// There is no session of this number.
  case noSession(SessionID)
  /// The session has no such device (`H:C:T:L`).
  case noDevice(address: String, SessionID)
  /// The session's target is unbound, so that there is nothing to scan.
  case unbound(SessionID)

  /// The code of open-iscsi's table.
  public var exitStatus: ExitStatus {
    switch self {
    case .noSession: .sessionNotFound
    case .noDevice: .sysfsLookup
    case .unbound: .sessionNotConnected
    case .unreadable(_, let error), .unwritable(_, _, let error):
      switch error {
      case .permissionDenied, .notPermitted, .readOnlyFileSystem: .access
      case .noMemory: .noMemory
      case .resourceBusy: .busy
      case .noSuchFileOrDirectory, .noSuchAddressOrDevice, .operationNotSupportedByDevice: .sysfsLookup
      default: .failure
      }
    }
  }

  /// Why, in words.
  public var description: String {
    switch self {
    case .unreadable(let path, let error): "\(path) cannot be read: \(error)"
    case .unwritable(let path, let value, let error): "writing \(value.debugDescription) to \(path) failed: \(error)"
    case .noSession(let id): "there is no session \(id)"
    case .noDevice(let address, let id): "session \(id) has no device \(address)"
    case .unbound(let id): "the target of session \(id) is unbound"
    }
  }

  /// What the user can do.
  public var advice: String? {
    switch self {
    case .unreadable(_, .permissionDenied), .unreadable(_, .notPermitted), .unwritable(_, _, .permissionDenied),
      .unwritable(_, _, .notPermitted):
      "run as root"
    case .unreadable(_, .tooManyOpenFiles): "raise the limit of open files (RLIMIT_NOFILE)"
    default: nil
    }
  }
}

/// Reads the kernel's iSCSI objects from sysfs.
///
/// Each answer is one pass that reads a file at most once. What a file says is never trusted: a number that does not
/// parse, a word that is not known and a string that the kernel shows as `(null)` are nil. A session, connection or
/// device that vanishes during the pass is left out. Files that hold secrets are opened by ``secrets(of:)`` alone. Reading
/// does not block on I/O, and it needs no privilege for what is read here.
public struct Sysfs: Sendable {
  /// How much of a session to read.
  public enum Detail: Int, Comparable, Sendable {
    /// What tells sessions apart: transport, target, tag, interface, creator, portals, and the session's own state.
    case identity
    /// What a listing shows besides: the other states, and the devices' numbers, states and names.
    case summary
    /// What is agreed on and set besides, without the state of the protocol and what the devices are: what the trees of
    /// `iscsiadm` show.
    case parameters
    /// What the devices are besides: type, vendor, product, revision and size.
    case devices
    /// All of ``SessionSnapshot`` that the kernel tells without waiting for I/O: all but the schedulers of disks.
    case full
    /// The schedulers too. Before Linux 6.11 whoever reads one waits as long as somebody changes it, and that is until all I/O
    /// of the disk has ended; so nothing that brings a session back may ask for them.
    case complete

    /// Whether one tells less than another.
    public static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
  }

  /// Where sysfs is mounted.
  public let root: FilePath

  /// Whether many sessions are read by several threads, on all processors that the process may use: for programs that do nothing
  /// else. What sessions share, the host of an offload card, may be read more than once then.
  public var usesAllProcessors: Bool

  /// A reader of the sysfs at `root`; another one than `/sys` is for tests and captured trees.
  public init(root: FilePath = "/sys", usingAllProcessors: Bool = false) {
    self.root = root
    usesAllProcessors = usingAllProcessors
  }

  /// The transports whose modules are loaded, by name; none without the module `scsi_transport_iscsi`.
  public func transports() throws(SysfsError) -> [TransportSnapshot] {
    try reading("iscsi_transport") { (transports) throws(Errno) in
      var found: [TransportSnapshot] = []
      for name in try transports.names().sorted() {
        guard let directory = try transports.directory(name) else { continue }
        var transport = TransportSnapshot(name: name)
        if let caps = try directory.text("caps"), caps.hasPrefix("0x") {
          transport.capabilities = UInt32(caps.dropFirst(2), radix: 16)
        }
        found.append(transport)
      }
      return found
    } ?? []
  }

  /// All sessions by number; none without the module `scsi_transport_iscsi`.
  public func sessions(_ detail: Detail = .full) throws(SysfsError) -> [SessionSnapshot] {
    try sessions(detail, of: nil)
  }

  /// Those sessions of some numbers that are there, by number; all for nil.
  func sessions(_ detail: Detail, of numbers: [SessionID]?) throws(SysfsError) -> [SessionSnapshot] {
    let found = Mutex<[SessionSnapshot]>([])
    try readSessions(detail, of: numbers) { sessions in found.withLock { $0 += sessions } }
    return found.withLock { $0.sorted { $0.id < $1.id } }
  }

  /// Reads sessions, and gives each thread that reads those that it has read, by number: what is to be made of each can be made
  /// at the same time, too.
  ///
  /// - Parameters:
  ///   - detail: How much of each to read.
  ///   - numbers: Which ones, in order; nil for all.
  ///   - meanwhile: What the calling thread does before it reads too, when others have begun to.
  ///   - body: What to do with sessions. It runs in several threads at a time with ``usesAllProcessors``, and not at all if there
  ///     are no sessions.
  /// - Throws: Why sysfs cannot be read. Some sessions may have been given then.
  package func readSessions(
    _ detail: Detail, of numbers: [SessionID]?, meanwhile: () -> Void = {},
    _ body: @escaping @Sendable ([SessionSnapshot]) -> Void
  ) throws(SysfsError) {
    let ids = if let numbers { numbers } else { try sessionNumbers() }
    let failure = Mutex<SysfsError?>(nil)
    let threads = usesAllProcessors ? nil : 1
    ParallelWork.inThreads(ids.count, inPartsOf: Self.partSize, threads: threads, meanwhile: meanwhile) { nextPart in
      do throws(SysfsError) {
        let sessions = try read(detail) { nextPart().map { ids[$0] } }
        // Nothing comes of what some have read if others could not.
        if !sessions.isEmpty, failure.withLock({ $0 == nil }) { body(sessions) }
      } catch {
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if let error = failure.withLock(\.self) { throw error }
  }

  /// How many sessions are worth a part of the work for themselves, where several threads read.
  private static let partSize = 2

  /// Reads sessions as long as there are more of them. They have all been listed before the first one is read, see SysfsSessionReader.
  private func read(
    _ detail: Detail, _ nextNumbers: () -> ArraySlice<SessionID>?
  ) throws(SysfsError) -> [SessionSnapshot] {
    try reading("iscsi_session") { (sessions) throws(Errno) in
      var reader = SysfsSessionReader(detail: detail)
      var found: [SessionSnapshot] = []
      while let numbers = nextNumbers() {
        for id in numbers {
          if let session = try reader.session(id, in: sessions) { found.append(session) }
        }
      }
      return found
    } ?? []
  }

  /// The numbers of all sessions, in order; none without the module `scsi_transport_iscsi`.
  package func sessionNumbers() throws(SysfsError) -> [SessionID] {
    try reading("iscsi_session") { (sessions) throws(Errno) in try Self.numbers(in: sessions) } ?? []
  }

  private static func numbers(in sessions: borrowing SysfsDirectory) throws(Errno) -> [SessionID] {
    try sessions.names().compactMap { number(of: $0, after: "session").map(SessionID.init) }.sorted()
  }

  /// One session; nil if there is none of this number.
  public func session(_ id: SessionID, _ detail: Detail = .full) throws(SysfsError) -> SessionSnapshot? {
    try reading("iscsi_session") { (sessions) throws(Errno) in
      var reader = SysfsSessionReader(detail: detail)
      return try reader.session(id, in: sessions)
    } ?? nil
  }

  /// A session's state and devices, which are a small part of it to read; nil if there is none of this number.
  func devices(
    of id: SessionID, _ detail: Detail = .full
  ) throws(SysfsError) -> (state: KernelSessionState?, devices: [DeviceSnapshot])? {
    try reading("iscsi_session") { (sessions) throws(Errno) in
      try SysfsSessionReader(detail: detail).devices(of: id, in: sessions)
    } ?? nil
  }

  /// A session's state, and which of its disks have no block device yet; nil if there is no session of this number. Of the disks
  /// that had none before only those are looked at, if they are known.
  func unattachedDisks(
    among known: [String]? = nil, of id: SessionID
  ) throws(SysfsError) -> (state: KernelSessionState?, disks: [String])? {
    try reading("iscsi_session") { (sessions) throws(Errno) in
      try SysfsSessionReader(detail: .summary).unattachedDisks(among: known, of: id, in: sessions)
    } ?? nil
  }

  /// All SCSI hosts of iSCSI drivers by number: one a session with `iscsi_tcp`, one a port with an offload card.
  public func hosts() throws(SysfsError) -> [HostSnapshot] {
    try reading("iscsi_host") { (hosts) throws(Errno) in
      var found: [HostSnapshot] = []
      for number in try hosts.names().compactMap({ Self.number(of: $0, after: "host").map(HostNumber.init) }).sorted() {
        guard let directory = try hosts.directory("host\(number)/device") else { continue }
        if let host = try HostSnapshot(number, in: directory, .full) { found.append(host) }
      }
      return found
    } ?? []
  }

  /// Runs `body` on a class directory; nil if the class does not exist.
  func reading<Answer>(
    _ name: String, _ body: (borrowing SysfsDirectory) throws(Errno) -> Answer
  ) throws(SysfsError) -> Answer? {
    let path = root.appending("class").appending(name)
    do {
      return try body(try SysfsDirectory(path: path))
    } catch {
      if error == .noSuchFileOrDirectory { return nil }
      throw .unreadable(path: path.string, error)
    }
  }

  /// The number in names such as `session12`.
  static func number(of name: some StringProtocol, after prefix: String) -> UInt32? {
    guard name.hasPrefix(prefix) else { return nil }
    let digits = name.dropFirst(prefix.count)
    guard digits.utf8.allSatisfy(\.isDigit) else { return nil }
    return UInt32(digits)
  }
}
