// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage

/// A directory of its own, which goes with the object.
final class SocketDirectory: Sendable {
  let path = FilePath("/tmp/iscsikit-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
  var socket: FilePath { path.appending("control.sock") }

  init() throws {
    guard unsafe mkdir(path.string, 0o700) == 0 else { throw Errno(rawValue: errno) }
  }

  deinit {
    _ = unsafe unlink(socket.string)
    _ = unsafe rmdir(path.string)
  }
}

extension ContinuousClock.Instant {
  /// When a test gives up.
  static var soon: ContinuousClock.Instant { .now + .seconds(60) }
}
