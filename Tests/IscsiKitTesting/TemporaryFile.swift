// SPDX-License-Identifier: Apache-2.0
import Glibc
public import SystemPackage

/// A file in /tmp with a name of its own, removed with the object.
public final class TemporaryFile: Sendable {
  /// Where it is.
  public let path: FilePath

  /// A file with these octets of UTF-8 and exactly these permissions.
  public init(_ text: String, permissions: FilePermissions = .ownerReadWrite) throws {
    path = FilePath("/tmp/iscsikit-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
    try file.closeAfter {
      try file.writeAll(text.utf8)
      // Not subject to the umask, as the permissions of open are.
      guard fchmod(file.rawValue, permissions.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
  }

  deinit {
    // The path is only read.
    _ = unsafe unlink(path.string)
  }
}
