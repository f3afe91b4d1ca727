// SPDX-License-Identifier: Apache-2.0

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
    guard !isPresent(in: root) else { return false }
    guard let modprobe = paths.first(where: { isAccessible($0, X_OK) }) else { throw .moduleMissing(.noModprobe) }
    let end: ChildProcess.End
    do throws(ChildProcessError) {
      end = try ChildProcess.run([modprobe, "iscsi_tcp"], until: deadline)
    } catch {
      switch error {
      case .notStarted(let errno): throw .moduleMissing(.notStarted(errno))
      case .timedOut: throw .moduleMissing(.timedOut)
      }
    }
    // Whatever modprobe says: the transport is there or it is not.
    guard !isPresent(in: root) else { return true }
    throw .moduleMissing(end.status == 0 ? .noEffect : .failed(status: end.status, message: end.lastLine))
  }

  private static func isPresent(in root: FilePath) -> Bool {
    isAccessible(directory(in: root).string, F_OK)
  }

  private static func isAccessible(_ path: String, _ mode: Int32) -> Bool {
    // The string becomes a C string for the call only.
    unsafe access(path, mode) == 0
  }
}
