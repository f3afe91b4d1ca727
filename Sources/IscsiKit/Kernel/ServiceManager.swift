// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import SystemPackage

/// What systemd, or a service manager that does as it does, tells this process and is told by it (sd_notify(3),
/// sd_listen_fds(3)).
///
/// Made once, by the main thread before others are started: it takes the variables out of the environment, which no
/// thread may read meanwhile, so that child processes do not take them for theirs. Without a manager every call does
/// nothing. Nothing here blocks a thread.
public struct ServiceManager: Sendable {
  /// What the manager is told.
  public enum State: Hashable, Sendable {
    /// The start is complete.
    case ready
    /// One line for `systemctl status`.
    case status(String)
    /// The process is about to end.
    case stopping
    /// The process is alive; due before the watchdog's interval is over.
    case watchdog
    /// Another process is the main one now.
    case mainProcess(Int32)
  }

  /// A socket that the manager made and listens on.
  public struct Listener: Hashable, Sendable {
    /// The descriptor, which belongs to the process; close-on-exec is set.
    public let descriptor: FileDescriptor
    /// `FileDescriptorName=` of the socket unit, by default the unit's own name; nil if the manager gave none.
    public let name: String?
  }

  /// The first descriptor that a manager passes (`SD_LISTEN_FDS_START`).
  private static let firstListener: Int32 = 3
  /// More sockets than any unit of ours has: a number that is nonsense is not believed.
  private static let listenerLimit: Int32 = 64

  /// How often the manager wants to hear ``State/watchdog`` at least; nil if there is no watchdog. Tell it twice as often.
  public let watchdogInterval: Duration?
  /// The sockets that the manager made for this process, in its order.
  public let listeners: [Listener]

  /// Where to send to: the octets of `sun_path`; nil without a manager that listens.
  private let address: [UInt8]?

  /// Takes what the environment has for this process, and removes it there.
  public static func takeFromEnvironment() -> ServiceManager {
    let names = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]
    var variables: [String: String] = [:]
    for name in names {
      // The text belongs to the environment and is copied before the environment is changed.
      guard let value = unsafe getenv(name) else { continue }
      variables[name] = unsafe String(cString: value)
      unsafe unsetenv(name)
    }
    let manager = ServiceManager(variables, process: getpid())
    for listener in manager.listeners { _ = fcntl(listener.descriptor.rawValue, F_SETFD, FD_CLOEXEC) }
    return manager
  }

  /// What a set of variables says to the process of this number.
  init(_ variables: [String: String], process: Int32) {
    address = variables["NOTIFY_SOCKET"].flatMap(Self.socketPath)
    let isWatched = variables["WATCHDOG_PID"].map { Int32($0) == process } ?? true
    let microseconds = variables["WATCHDOG_USEC"].flatMap { Int64($0) }
    watchdogInterval = isWatched ? microseconds.flatMap { $0 > 0 ? .microseconds($0) : nil } : nil
    listeners = Self.listeners(variables, process)
  }

  /// Tells the manager, in one message; false if there is none or it cannot be told now.
  @discardableResult
  public func notify(_ states: State...) -> Bool { address.map { Self.send(states, to: $0) == nil } ?? false }

  /// How long a manager whose queue is full is given before it is told again.
  private static let pause = Duration.milliseconds(100)

  /// Tells the manager, in one message, as often as it takes: one that never hears of the end of a start ends the process.
  /// Returns when it is told, or never will be, and when the task is cancelled.
  public func tell(_ states: State...) async {
    guard let address else { return }
    while let errno = Self.send(states, to: address), errno == .wouldBlock || errno == .noBufferSpace {
      guard (try? await Reactor.shared.sleep(until: .now + Self.pause)) != nil else { return }
    }
  }

  /// Sends a message; nil if it went, else why not.
  private static func send(_ states: [State], to address: [UInt8]) -> Errno? {
    let text = states.map(\.line).joined(separator: "\n")
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return Errno(rawValue: errno) }
    defer { close(descriptor) }
    return UnixAddress(octets: address).send(Array(text.utf8), from: descriptor)
  }

  /// The octets of `sun_path` for `/path` or `@name`; nil for another kind, such as vsock, or one that is too long.
  private static func socketPath(_ text: String) -> [UInt8]? {
    var octets = Array(text.utf8)
    guard octets.count > 1, octets.count < UnixAddress.limit else { return nil }
    switch octets[0] {
    case UInt8(ascii: "/"): return octets
    case UInt8(ascii: "@"):
      octets[0] = 0
      return octets
    default: return nil
    }
  }

  private static func listeners(_ variables: [String: String], _ process: Int32) -> [Listener] {
    guard variables["LISTEN_PID"].flatMap({ Int32($0) }) == process,
      let count = variables["LISTEN_FDS"].flatMap({ Int32($0) }), (1...listenerLimit).contains(count)
    else { return [] }
    let names = variables["LISTEN_FDNAMES"].map { $0.split(separator: ":", omittingEmptySubsequences: false) } ?? []
    return (0..<count).map { index in
      let name = Int(index) < names.count ? String(names[Int(index)]) : ""
      return Listener(
        descriptor: FileDescriptor(rawValue: firstListener + index), name: name.isEmpty ? nil : name)
    }
  }
}

extension ServiceManager.State {
  /// The assignment that says it. A status is one line: what would end it becomes a blank.
  fileprivate var line: String {
    switch self {
    case .ready: "READY=1"
    case .status(let text): "STATUS=" + text.split(whereSeparator: \.isNewline).joined(separator: " ")
    case .stopping: "STOPPING=1"
    case .watchdog: "WATCHDOG=1"
    case .mainProcess(let number): "MAINPID=\(number)"
    }
  }
}
