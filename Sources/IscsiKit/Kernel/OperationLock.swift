// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
public import SystemPackage

/// Keeps two programs from doing the same thing to the kernel at a time, such as logging in to one target twice.
///
/// A key is one octet of a file in the runtime directory, locked for as long as this object lives. Different keys do
/// not wait for each other (unless their hashes collide, which only costs time), and a program that ends in whatever
/// way holds nothing.
public final class OperationLock: Sendable {
  private let file: FileDescriptor

  private init(file: FileDescriptor) { self.file = file }

  deinit { try? file.close() }

  /// Takes the lock if it is free; nil if another holds it.
  ///
  /// - Parameters:
  ///   - key: What is done to what.
  ///   - directory: The runtime directory; it is made if it does not exist.
  /// - Returns: The lock, or nil.
  /// - Throws: Why the file cannot be used (`readOnlyFileSystem` in an early initramfs, for one).
  public static func tryAcquire(_ key: String, in directory: FilePath) throws(Errno) -> OperationLock? {
    let file: FileDescriptor
    do {
      // The string is lent to the call. A directory that is there already is what is wanted.
      _ = unsafe mkdir(directory.string, 0o700)
      file = try FileDescriptor.open(
        directory.appending("lock"), .readWrite, options: [.create, .closeOnExec, .noFollow],
        permissions: .ownerReadWrite)
    } catch {
      throw error as? Errno ?? .ioError
    }
    let lock = OperationLock(file: file)
    while clinux_lock_octet(file.rawValue, offset(of: key)) != 0 {
      switch Errno(rawValue: errno) {
      case .interrupted: continue
      case .resourceTemporarilyUnavailable, .permissionDenied: return nil
      case let failure: throw failure
      }
    }
    return lock
  }

  /// The octet that stands for a key: its FNV-1a hash, without the sign bit, which file offsets cannot have.
  private static func offset(of key: String) -> Int64 {
    let hash = key.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    return Int64(hash >> 1)
  }
}
