// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage

/// A file that one holder at a time has locked (flock). The kernel takes the lock from a holder that dies.
struct LockFile: ~Copyable {
  private let descriptor: CInt

  /// Opens the file of a name in a directory, which is made if it is not there, and waits for its lock.
  ///
  /// - Throws: `.wouldBlock` if somebody else has it until the deadline.
  init(_ name: String, in directory: borrowing Directory, until deadline: ContinuousClock.Instant) throws(Errno) {
    let descriptor = try directory.openLock(name)
    do throws(Errno) {
      try Self.lock(descriptor, until: deadline)
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Replaces what the file has, which only its holder does.
  func write(_ text: String) throws(Errno) {
    let file = FileDescriptor(rawValue: descriptor)
    do {
      try file.resize(to: 0)
      try file.writeAll(toAbsoluteOffset: 0, text.utf8)
    } catch {
      throw error as? Errno ?? .ioError
    }
  }

  /// Locks an open file; throws `.wouldBlock` if somebody else has the lock until the deadline.
  static func lock(_ descriptor: CInt, until deadline: ContinuousClock.Instant) throws(Errno) {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else { throw Errno(rawValue: errno) }
      guard .now < deadline else { throw .wouldBlock }
      usleep(2000)
    }
  }

  /// What tells one file from another, and when its names last changed.
  struct Identity: Hashable {
    private let device: dev_t
    private let inode: ino_t
    /// Seconds since 1970.
    let changed: Int

    /// Of what the system says of a file.
    init(_ status: stat) {
      device = status.st_dev
      inode = status.st_ino
      changed = status.st_ctim.tv_sec
    }

    /// Whether these are names of one file.
    func isSameFile(as other: Identity) -> Bool { device == other.device && inode == other.inode }
  }

  /// Waits before the next look at a lock that is no flock.
  static func pause() { usleep(10_000) }
}
