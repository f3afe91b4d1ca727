// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage

/// A file that one holder at a time has locked (flock). The kernel takes the lock from a holder that dies.
struct LockFile: ~Copyable {
  private let descriptor: CInt

  /// Opens the file, which is made if it is not there, and waits for its lock.
  ///
  /// - Throws: `.wouldBlock` if somebody else has it until the deadline.
  init(path: FilePath, until deadline: ContinuousClock.Instant) throws(Errno) {
    // The string is lent to the call.
    let descriptor = unsafe open(path.string, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    do throws(Errno) {
      try Self.lock(descriptor, until: deadline)
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  private static func lock(_ descriptor: CInt, until deadline: ContinuousClock.Instant) throws(Errno) {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else { throw Errno(rawValue: errno) }
      guard .now < deadline else { throw .wouldBlock }
      usleep(2000)
    }
  }

  /// Makes another name for a file; false if the name is taken.
  static func link(_ path: FilePath, as other: FilePath) throws(Errno) -> Bool {
    // The strings are lent to the call.
    if unsafe Glibc.link(path.string, other.string) == 0 { return true }
    guard errno == EEXIST else { throw Errno(rawValue: errno) }
    return false
  }

  /// What tells one file from another, and when its names last changed.
  struct Identity: Hashable {
    private let device: dev_t
    private let inode: ino_t
    /// Seconds since 1970.
    let changed: Int

    /// Of the file at a path; nil if there is none.
    init?(of path: FilePath) {
      var status = stat()
      // The string is lent to the call, which fills the structure.
      guard unsafe lstat(path.string, &status) == 0 else { return nil }
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
