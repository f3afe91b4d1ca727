// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage

/// The octets of a small file, and who may read it.
struct FileContents {
  /// The octets, up to the limit.
  let octets: [UInt8]
  /// Whether others than the owner and the group may read the file.
  let isReadableByOthers: Bool

  /// Reads at most `limit` octets of the file at `path`.
  ///
  /// - Parameters:
  ///   - path: Where the file is.
  ///   - limit: The most octets to read.
  ///   - isPlain: Whether a symbolic link is refused, and what is no file is not waited for.
  /// - Throws: What the system says.
  init(of path: FilePath, limit: Int, isPlain: Bool = false) throws(Errno) {
    do {
      let options: FileDescriptor.OpenOptions = isPlain ? [.closeOnExec, .noFollow, .nonBlocking] : .closeOnExec
      let file = try FileDescriptor.open(path, .readOnly, options: options)
      defer { try? file.close() }
      try self.init(of: file, limit: limit)
    } catch {
      throw error as? Errno ?? .ioError
    }
  }

  /// Reads from an open descriptor until its end, or `limit` octets.
  init(of file: FileDescriptor, limit: Int) throws(Errno) {
    octets = try Self.octets(of: file, limit: limit)
    isReadableByOthers = try Self.isReadableByOthers(file)
  }

  /// Whether others than the owner and the group may read an open file.
  ///
  /// - Throws: What the system says.
  static func isReadableByOthers(_ file: FileDescriptor) throws(Errno) -> Bool {
    var status = stat()
    // The kernel fills the structure.
    guard unsafe fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
    return status.st_mode & S_IROTH != 0
  }

  /// The octets from where an open descriptor is until its end, or `limit` of them.
  ///
  /// - Parameters:
  ///   - file: The descriptor.
  ///   - limit: The most octets to read.
  ///   - endsShort: Whether a read of less than was asked for is the end, as with files on a disk; not with those of the
  ///     kernel's own.
  /// - Returns: The octets.
  /// - Throws: What the system says.
  static func octets(of file: FileDescriptor, limit: Int, endsShort: Bool = false) throws(Errno) -> [UInt8] {
    do {
      var octets: [UInt8] = []
      // A record of open-iscsi's is read at once.
      var size = 4096
      while octets.count < limit {
        // The read fills the new array's storage from its start and says how far.
        let chunk = unsafe try [UInt8](unsafeUninitializedCapacity: min(size, limit - octets.count)) { buffer, count in
          count = unsafe try file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        if chunk.isEmpty { break }
        let isShort = chunk.count < min(size, limit - octets.count)
        octets = octets.isEmpty ? chunk : octets + chunk
        if isShort, endsShort { break }
        size *= 2
      }
      return octets
    } catch {
      throw error as? Errno ?? .ioError
    }
  }
}
