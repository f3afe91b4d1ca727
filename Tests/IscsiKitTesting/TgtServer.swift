// SPDX-License-Identifier: Apache-2.0
import Glibc
public import IscsiKit
import Synchronization
import SystemPackage

/// A real iSCSI target on 127.0.0.1 for tests: the `tgtd` of the Debian package `tgt`, which needs root but no kernel
/// module. It ends with the object.
public final class TgtServer: Sendable {
  /// Why the server cannot be used.
  public struct Failure: Error, CustomStringConvertible {
    /// What went wrong.
    public let description: String
  }

  /// A logical unit to make.
  public struct Unit: Hashable, Sendable {
    /// Its number, from 1; 0 is tgtd's controller.
    public var number: UInt64
    /// Octets of its file.
    public var size: UInt64
    /// Parameters of tgtadm: `readonly=1,thin_provisioning=1`.
    public var parameters: String?

    /// A unit from its parts.
    public init(_ number: UInt64, size: UInt64 = 16 << 20, parameters: String? = nil) {
      self.number = number
      self.size = size
      self.parameters = parameters
    }
  }

  private struct State {
    var process: pid_t?
    var targets: [TargetName] = []
    var accounts: Set<String> = []
    var files: [FilePath] = []
  }

  private static let daemon = "/usr/sbin/tgtd"
  private static let tool = "/usr/sbin/tgtadm"

  /// Whether this machine can run it: tgtd is installed and we are root.
  public static var isAvailable: Bool {
    // The path is only read.
    unsafe getuid() == 0 && access(daemon, X_OK) == 0 && access(tool, X_OK) == 0
  }

  /// The TCP port, chosen by the kernel.
  public let port: UInt16
  /// The number of the control socket. tgtd takes 1 to 32767; the kernel's ports of choice (32768 to 60999) stay apart
  /// from each other and from the low numbers that people use.
  private let control: String
  private let state = Mutex(State())

  /// The portal.
  public var portal: Portal { Portal(host: .address(.v4(0x7F00_0001), scope: nil), port: port) }

  private static let blocking = BlockingWork(limit: 4)

  /// The servers that run. A process that ends does not destroy its last objects.
  private static let running = Mutex<Set<pid_t>>([])
  private static let endsThemAll: Void = {
    atexit { TgtServer.running.withLock { $0.forEach { kill($0, SIGKILL) } } }
  }()

  /// Starts a server without targets and waits until it answers.
  public static func start() async throws -> TgtServer {
    let server = TgtServer(port: try freePort())
    try await Self.blocking.run(until: .now + .seconds(20)) { Result { try server.launch() } }.get()
    return server
  }

  private init(port: UInt16) {
    self.port = port
    control = String(1000 + port % 31_000)
  }

  deinit { stop() }

  /// Ends the server at once, so that its connections break, and removes its files.
  public func stop() {
    let (process, files) = state.withLock { state in
      defer { (state.process, state.files) = (nil, []) }
      return (state.process, state.files)
    }
    guard let process else { return }
    _ = Self.running.withLock { $0.remove(process) }
    // tgtd does not end by SIGTERM while it has targets.
    kill(process, SIGKILL)
    _ = waitpid(process, nil, 0)
    let socket = FilePath("/var/run/tgtd/socket.\(control)")
    for file in files + [socket, FilePath(socket.string + ".lock")] {
      // The path is only read.
      _ = unsafe unlink(file.string)
    }
  }

  /// Makes a target that lets every initiator in, or only who knows `account`; `mutual` is what it proves itself with.
  public func addTarget(
    _ name: TargetName, units: [Unit], account: CHAPCredentials? = nil, mutual: CHAPCredentials? = nil
  ) async throws {
    try await Self.blocking.run(until: .now + .seconds(20)) {
      Result { try self.make(name, units, account, mutual) }
    }.get()
  }

  private func make(
    _ name: TargetName, _ units: [Unit], _ account: CHAPCredentials?, _ mutual: CHAPCredentials?
  ) throws {
    let identifier = state.withLock { state in
      state.targets.append(name)
      return String(state.targets.count)
    }
    let target = ["--tid", identifier]
    try administer("target", "new", target + ["-T", name.description])
    for unit in units {
      let file = FilePath("/tmp/iscsikit-\(port)-\(identifier)-\(unit.number).img")
      let descriptor = try FileDescriptor.open(
        file, .readWrite, options: [.create, .truncate], permissions: .ownerReadWrite)
      try descriptor.closeAfter { try descriptor.resize(to: Int64(unit.size)) }
      state.withLock { $0.files.append(file) }
      let number = target + ["--lun", String(unit.number)]
      try administer("logicalunit", "new", number + ["-b", file.string])
      if let parameters = unit.parameters {
        try administer("logicalunit", "update", number + ["--params", parameters])
      }
    }
    for (account, flags) in [(account, [] as [String]), (mutual, ["--outgoing"])] {
      guard let account else { continue }
      let secret = String(decoding: account.secret.octets, as: UTF8.self)
      if state.withLock({ $0.accounts.insert(account.name).inserted }) {
        try administer("account", "new", ["--user", account.name, "--password", secret])
      }
      try administer("account", "bind", target + ["--user", account.name] + flags)
    }
    try administer("target", "bind", target + ["-I", "ALL"])
  }

  private func launch() throws {
    let process = try TestProcess.spawn(
      [Self.daemon, "-f", "-C", control, "--iscsi", "portal=127.0.0.1:\(port)"])
    // Its control socket answers when it is ready; before that tgtadm fails at once.
    let end = ContinuousClock.now + .seconds(15)
    state.withLock { $0.process = process }
    Self.endsThemAll
    _ = Self.running.withLock { $0.insert(process) }
    while true {
      do { return try administer("target", "show", []) } catch {
        var status: Int32 = 0
        // The kernel fills `status`.
        if unsafe waitpid(process, &status, WNOHANG) == process {
          state.withLock { $0.process = nil }
          _ = Self.running.withLock { $0.remove(process) }
          throw Failure(description: "tgtd ended with wait status \(status)")
        }
        guard ContinuousClock.now < end else { throw error }
        usleep(20_000)
      }
    }
  }

  private func administer(_ mode: String, _ operation: String, _ arguments: [String]) throws {
    let command = [Self.tool, "-C", control, "--lld", "iscsi", "--mode", mode, "--op", operation] + arguments
    let status = try TestProcess.run(command)
    guard status == 0 else {
      throw Failure(description: "tgtadm \(mode) \(operation) failed with wait status \(status)")
    }
  }

  /// A TCP port of 127.0.0.1 that was free a moment ago.
  private static func freePort() throws -> UInt16 { try TestListener().port }
}
