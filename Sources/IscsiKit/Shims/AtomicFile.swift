// SPDX-License-Identifier: Apache-2.0
import Glibc
package import SystemPackage

/// Files that a reader sees whole or not at all, whenever the writer dies.
package enum AtomicFile {
  /// Puts `octets` in the place of the file at `path`, readable by its owner alone if nothing else is asked for.
  ///
  /// The new file is written beside the old one and renamed over it. It is not forced to a disk: this is for file
  /// systems in memory, whose contents end with the machine.
  package static func write(
    _ octets: [UInt8], to path: FilePath, permissions: FilePermissions = .ownerReadWrite
  ) throws(Errno) {
    let temporary = path.removingLastComponent().appending(".\(path.lastComponent?.string ?? "").new")
    do {
      let file: FileDescriptor
      do {
        file = try create(temporary, permissions)
      } catch Errno.fileExists {
        // What a writer that died has left is of no use.
        remove(temporary)
        file = try create(temporary, permissions)
      }
      try file.closeAfter { _ = try file.writeAll(octets) }
    } catch {
      throw error as? Errno ?? .ioError
    }
    try move(temporary, to: path)
  }

  /// Puts a copy of a file in the place of the file at `path`, in the same way. What is copied does not pass through this
  /// process.
  ///
  /// - Parameters:
  ///   - source: What is copied.
  ///   - path: Where it is to be.
  ///   - permissions: Those of the copy.
  /// - Throws: What a file system says; there is no half a copy then.
  package static func copy(
    _ source: FilePath, to path: FilePath, permissions: FilePermissions
  ) throws(Errno) {
    let temporary = path.removingLastComponent().appending(".\(path.lastComponent?.string ?? "").new")
    remove(temporary)
    do {
      let input = try FileDescriptor.open(source, .readOnly, options: .closeOnExec)
      try input.closeAfter {
        let output = try create(temporary, permissions)
        // The umask does not count: who may run a program is asked for here.
        try output.closeAfter {
          guard fchmod(output.rawValue, permissions.rawValue) == 0 else { throw Errno(rawValue: errno) }
          try send(input, to: output)
        }
      }
    } catch {
      remove(temporary)
      throw error as? Errno ?? .ioError
    }
    try move(temporary, to: path)
  }

  private static func send(_ input: FileDescriptor, to output: FileDescriptor) throws(Errno) {
    while true {
      // No offset is passed, so that the file's own moves on.
      let sent = sendfile(output.rawValue, input.rawValue, nil, 1 << 20)
      guard sent >= 0 else {
        guard errno == EINTR else { throw Errno(rawValue: errno) }
        continue
      }
      if sent == 0 { return }
    }
  }

  private static func create(_ path: FilePath, _ permissions: FilePermissions) throws -> FileDescriptor {
    try FileDescriptor.open(
      path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow], permissions: permissions)
  }

  /// Gives a file another name; one that had it is replaced.
  static func move(_ path: FilePath, to other: FilePath) throws(Errno) {
    // The strings are lent to the call.
    guard unsafe rename(path.string, other.string) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Whether a program can be run: it has the permission, and its file system is not mounted `noexec`.
  static func mayRun(_ path: FilePath) -> Bool {
    // The string is lent to the call.
    unsafe access(path.string, X_OK) == 0
  }

  /// Removes a file, if it is there.
  static func remove(_ path: FilePath) {
    // The string is lent to the call.
    _ = unsafe unlink(path.string)
  }

  /// Makes a directory, for its owner alone if nothing else is asked for, and those above it; one that exists is taken as it is.
  static func makeDirectory(_ path: FilePath, permissions: FilePermissions = .ownerReadWriteExecute) throws(Errno) {
    // The string is lent to the call.
    if unsafe mkdir(path.string, permissions.rawValue) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, path.removingLastComponent() != path else { throw Errno(rawValue: errno) }
    try makeDirectory(path.removingLastComponent(), permissions: permissions)
    guard unsafe mkdir(path.string, permissions.rawValue) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
  }
}
