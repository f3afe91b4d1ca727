// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization
public import SystemPackage

/// A Unix stream socket that takes connections. It is closed, and its file removed, with the object if not before.
public final class UnixListener: Sendable {
  /// The file of a socket that we have made, and how to tell it from one that took its place.
  private struct File {
    let path: FilePath
    let device: UInt64
    let inode: UInt64
  }

  private let descriptor: Mutex<Int32?>
  private let file: File?

  /// Listens at `path`, for the file's owner only (mode 0600). A socket file that nobody listens at is removed first.
  ///
  /// - Parameter path: Where; its directory must exist.
  /// - Throws: `addressInUse` if another process listens there or the file is no socket, `fileNameTooLong` beyond 107
  ///   octets, or what the system says.
  public init(at path: FilePath) throws(Errno) {
    let address = try UnixAddress(checking: path)
    try Self.removeStale(path)
    let socket = try LocalSocket.makeDescriptor()
    do throws(Errno) {
      // Before the bind, which gives the file the socket's mode: nobody finds it with another one. The kernel copies
      // the address.
      guard fchmod(socket, 0o600) == 0, unsafe address.withSocketAddress({ unsafe bind(socket, $0, $1) }) == 0 else {
        throw Errno(rawValue: errno)
      }
      // Until here nobody can connect, so the file is ours to look at.
      guard let status = Self.status(of: path) else { throw Errno(rawValue: errno) }
      file = File(path: path, device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
      guard listen(socket, 128) == 0 else { throw Errno(rawValue: errno) }
      descriptor = Mutex(socket)
    } catch {
      _ = Glibc.close(socket)
      throw error
    }
  }

  /// Takes over a descriptor that listens already, as systemd hands one in. Its file stays when it is closed.
  ///
  /// - Parameter descriptor: The descriptor, which belongs to this object from now on.
  /// - Throws: `invalidArgument` if it is no listening Unix stream socket; then it is still the caller's.
  public init(adopting descriptor: Int32) throws(Errno) {
    guard try Self.option(SO_DOMAIN, of: descriptor) == AF_UNIX,
      try Self.option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue),
      try Self.option(SO_ACCEPTCONN, of: descriptor) == 1
    else { throw .invalidArgument }
    let flags = fcntl(descriptor, F_GETFL)
    guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
      fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
    else { throw Errno(rawValue: errno) }
    file = nil
    self.descriptor = Mutex(descriptor)
  }

  deinit { close() }

  /// Takes no more connections and removes the file. No task may be in `accept` then.
  func close() {
    let taken = descriptor.withLock { descriptor in
      defer { descriptor = nil }
      return descriptor
    }
    guard let taken else { return }
    if let file, let status = Self.status(of: file.path), status.st_dev == file.device, status.st_ino == file.inode {
      // The string is lent to the call.
      _ = unsafe unlink(file.path.string)
    }
    _ = Glibc.close(taken)
  }

  /// The next connection, as soon as there is one.
  func accept() async throws(LocalSocketError) -> LocalSocket {
    guard let descriptor = descriptor.withLock(\.self) else { throw .failed(.badFileDescriptor) }
    return try await LocalSocket.accept(from: descriptor)
  }

  /// Whether there is a file, of whatever kind.
  static func hasFile(at path: FilePath) -> Bool { status(of: path) != nil }

  private static func removeStale(_ path: FilePath) throws(Errno) {
    guard let status = status(of: path), status.st_mode & S_IFMT == S_IFSOCK else { return }
    do throws(Errno) {
      _ = try LocalSocket.connect(to: path)
    } catch .connectionRefused {
      // The string is lent to the call. If the file is gone meanwhile, all the better.
      _ = unsafe unlink(path.string)
    } catch {
      // Somebody listens, or there is no telling: the bind will fail.
    }
  }

  private static func status(of path: FilePath) -> stat? {
    var status = stat()
    // The kernel fills the structure; the string is lent to the call.
    return unsafe lstat(path.string, &status) == 0 ? status : nil
  }

  private static func option(_ name: Int32, of descriptor: Int32) throws(Errno) -> Int32 {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // Four octets are asked for and `value` has four.
    guard unsafe getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 else { throw Errno(rawValue: errno) }
    return value
  }
}
