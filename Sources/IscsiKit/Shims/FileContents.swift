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
    do {
      var octets: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 4096)
      while octets.count < limit {
        // The read fills the array's own storage from its start.
        let count = unsafe try chunk.withUnsafeMutableBytes { buffer in unsafe try file.read(into: buffer) }
        if count == 0 { break }
        octets += chunk.prefix(min(count, limit - octets.count))
      }
      self.octets = octets
    } catch {
      throw error as? Errno ?? .ioError
    }
    var status = stat()
    // The kernel fills the structure.
    guard unsafe fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
    isReadableByOthers = status.st_mode & S_IROTH != 0
  }
}
