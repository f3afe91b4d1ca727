// SPDX-License-Identifier: Apache-2.0

internal import CLinux
// `pollfd` comes by this module, whose headers use it before Glibc's do.
internal import CNetlink
internal import Glibc
internal import SystemPackage

extension TransportHandle {
  /// Reads `class/iscsi_transport/tcp/handle` below a sysfs root. The kernel checks for CAP_SYS_ADMIN at every read.
  static func read(sysfs root: FilePath) throws(KernelError) -> TransportHandle {
    let path = TransportModule.directory(in: root).appending("handle")
    var octets = [UInt8](repeating: 0, count: 32)
    let length: Int
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
      length = try file.closeAfter {
        // The array lives through the call, which writes no more than its length.
        try unsafe octets.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
      }
    } catch {
      switch error as? Errno {
      case .permissionDenied?: throw .notPermitted(.readHandle, .permissionDenied)
      case .notPermitted?: throw .notPermitted(.readHandle, .notPermitted)
      case let errno?: throw .system(.readHandle, errno)
      case nil: throw .malformed(path: path.string)
      }
    }
    let digits = octets.prefix(length).prefix { $0 != 0x0A }
    guard let number = UInt64(String(decoding: digits, as: UTF8.self)) else { throw .malformed(path: path.string) }
    return TransportHandle(rawValue: number)
  }
}

/// The kernel module that makes the transport `tcp`; opening the netlink socket does not load it.
enum TransportModule {
  /// Where modprobe is looked for: not in PATH, since this runs as root.
  static let modprobePaths = ["/sbin/modprobe", "/usr/sbin/modprobe", "/bin/modprobe", "/usr/bin/modprobe"]

  /// The directory that the transport `tcp` has in sysfs.
  static func directory(in root: FilePath) -> FilePath {
    root.appending("class").appending("iscsi_transport").appending("tcp")
  }

  /// Loads the module unless the transport is there already; tells whether it did. Blocks until modprobe ends or the
  /// deadline passes.
  static func load(
    sysfs root: FilePath, modprobe paths: [String] = modprobePaths, until deadline: ContinuousClock.Instant
  ) throws(KernelError) -> Bool {
    try load("iscsi_tcp", making: directory(in: root), modprobe: paths, until: deadline)
  }

  /// Loads a module unless what it makes is there already; tells whether it did. Blocks likewise.
  static func load(
    _ module: String, making path: FilePath, modprobe paths: [String] = modprobePaths,
    until deadline: ContinuousClock.Instant
  ) throws(KernelError) -> Bool {
    guard !exists(path.string) else { return false }
    guard let modprobe = paths.first(where: Program.isThere) else { throw .moduleMissing(.noModprobe) }
    let (status, message) = try run([modprobe, module], until: deadline)
    // Whatever modprobe says: what it makes is there or it is not.
    guard !exists(path.string) else { return true }
    throw .moduleMissing(status == 0 ? .noEffect : .failed(status: status, message: message))
  }

  /// Whether the kernel could load a module, asked for as the kernel asks for it: by its name or by one of its aliases. Blocks
  /// likewise; without an answer it could not.
  static func canLoad(
    _ alias: String, modprobe paths: [String] = modprobePaths, until deadline: ContinuousClock.Instant
  ) -> Bool {
    guard let modprobe = paths.first(where: Program.isThere) else { return false }
    return (try? Program([modprobe, "-n", "-q", alias]).run(until: deadline))?.status == 0
  }

  private static func exists(_ path: String) -> Bool {
    // The string becomes a C string for the call only.
    unsafe access(path, F_OK) == 0
  }

  /// Runs a program without a shell, and returns its status and what it wrote.
  private static func run(
    _ arguments: [String], until deadline: ContinuousClock.Instant
  ) throws(KernelError) -> (status: Int32, message: String) {
    do throws(ProgramError) {
      let outcome = try Program(arguments).run(until: deadline)
      return (outcome.status, lastLine(of: outcome.output))
    } catch {
      switch error {
      case .notStarted(let errno): throw .moduleMissing(.notStarted(errno))
      case .timedOut: throw .moduleMissing(.timedOut)
      }
    }
  }

  private static func lastLine(of octets: [UInt8]) -> String {
    let lines = octets.split { $0 == 0x0A || $0 == 0x0D }
    return String(decoding: lines.last ?? [], as: UTF8.self)
  }
}
