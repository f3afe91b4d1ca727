// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import SystemPackage

/// Counts with inotify how often each file below a directory is opened, without a hook in the code under test.
struct OpenWatch: ~Copyable {
  private let descriptor: FileDescriptor
  private var directories: [Int32: String] = [:]

  init(_ root: FilePath) throws {
    descriptor = FileDescriptor(rawValue: inotify_init1(CInt(IN_NONBLOCK | IN_CLOEXEC)))
    var pending = [root]
    while let directory = pending.popLast() {
      let handle = try SysfsDirectory(path: directory)
      for name in try handle.names() where handle.linkTarget(name) == nil {
        if (try? SysfsDirectory(path: directory.appending(name))) != nil { pending.append(directory.appending(name)) }
      }
      // The close event stands between two opens of one file: the kernel merges equal events that follow each other.
      // The string is lent to the call as a C string.
      let watch = unsafe inotify_add_watch(
        descriptor.rawValue, directory.string, UInt32(IN_OPEN | IN_CLOSE_NOWRITE))
      guard watch >= 0 else { throw Errno(rawValue: errno) }
      directories[watch] = directory.string
    }
    _ = try? events()
  }

  deinit { try? descriptor.close() }

  /// How often each file was opened since the watch began.
  func openedFiles() throws -> [String: Int] {
    try events().reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }

  private func events() throws -> [String] {
    var found: [String] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count: Int
      do {
        // The array's storage is lent to the call.
        count = try unsafe buffer.withUnsafeMutableBytes { try unsafe descriptor.read(into: $0) }
      } catch Errno.wouldBlock {
        return found
      }
      let number = { (offset: Int) in (0..<4).reduce(UInt32(0)) { $0 | UInt32(buffer[offset + $1]) << (8 * UInt32($1)) }
      }
      var offset = 0
      while offset < count {
        let mask = number(offset + 4)
        let length = Int(number(offset + 12))
        let name = String(decoding: buffer[(offset + 16)..<(offset + 16 + length)].prefix { $0 != 0 }, as: UTF8.self)
        if mask & UInt32(IN_OPEN) != 0, mask & UInt32(IN_ISDIR) == 0 {
          found.append((directories[Int32(bitPattern: number(offset))] ?? "?") + "/" + name)
        }
        offset += 16 + length
      }
    }
  }
}
