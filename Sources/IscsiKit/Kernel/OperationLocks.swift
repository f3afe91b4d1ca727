// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization
public import SystemPackage

/// Keeps two programs, or two users of the kernel in one program, from doing the same thing to it at a time, such as
/// logging in to one target twice.
///
/// A key is one octet of a file in the runtime directory, locked from its claim to its release or the end of this
/// object. All keys of an object share one descriptor, which is opened by the first claim. Different keys do not wait
/// for each other (unless their hashes collide, which only costs time), and a program that ends in whatever way holds
/// nothing.
public final class OperationLocks: Sendable {
  /// What a claim led to.
  public enum Outcome: Hashable, Sendable {
    /// The key is this object's until `release`.
    case claimed
    /// Another holds the key, or this object already. Also if it cannot be found out for want of descriptors or memory:
    /// what cannot be known to be free must not be taken.
    case taken
    /// Nobody can lock here: the directory cannot be made or written (an early initramfs, no permission), or its file
    /// system has no locks.
    case unavailable
  }

  private struct State {
    var file: FileDescriptor?
    /// The octets that this object has locked. Locks of one open file never conflict with each other, so the kernel
    /// would grant them again.
    var held: Set<Int64> = []
  }

  private let directory: FilePath
  private let state = Mutex(State())

  /// Locks in a directory, which is made by the first claim if it does not exist.
  ///
  /// - Parameter directory: The runtime directory.
  public init(directory: FilePath) { self.directory = directory }

  deinit {
    state.withLock { state in
      guard let file = state.file else { return }
      // Closing alone does not unlock while a child that is just being started still has a copy of the descriptor.
      for offset in state.held { _ = clinux_lock_octet(file.rawValue, offset, 0) }
      try? file.close()
    }
  }

  /// Claims a key if it is free; never waits for another holder.
  ///
  /// - Parameter key: What is done to what.
  /// - Returns: Whether the key is this object's now, and if not, whether anybody can have it.
  public func claim(_ key: String) -> Outcome {
    let offset = Self.offset(of: key)
    return state.withLock { state in
      guard !state.held.contains(offset) else { return .taken }
      do throws(Errno) {
        let file = if let file = state.file { file } else { try Self.open(in: directory) }
        state.file = file
        while clinux_lock_octet(file.rawValue, offset, 1) != 0 {
          let failure = Errno(rawValue: errno)
          if failure != .interrupted { throw failure }
        }
        state.held.insert(offset)
        return .claimed
      } catch {
        return Self.isShortage(error) || error == .resourceTemporarilyUnavailable ? .taken : .unavailable
      }
    }
  }

  /// Gives a claimed key back; does nothing for another key.
  public func release(_ key: String) {
    let offset = Self.offset(of: key)
    state.withLock { state in
      guard state.held.remove(offset) != nil, let file = state.file else { return }
      _ = clinux_lock_octet(file.rawValue, offset, 0)
    }
  }

  private static func open(in directory: FilePath) throws(Errno) -> FileDescriptor {
    do {
      // The string is lent to the call. A directory that is there already is what is wanted.
      _ = unsafe mkdir(directory.string, 0o700)
      return try FileDescriptor.open(
        directory.appending("lock"), .readWrite, options: [.create, .closeOnExec, .noFollow],
        permissions: .ownerReadWrite)
    } catch {
      throw error as? Errno ?? .ioError
    }
  }

  /// Whether the machine, or this process, has run out of something for the moment.
  private static func isShortage(_ error: Errno) -> Bool {
    [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noLocks].contains(error)
  }

  /// The octet that stands for a key: its FNV-1a hash, without the sign bit, which file offsets cannot have.
  private static func offset(of key: String) -> Int64 {
    let hash = key.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    return Int64(hash >> 1)
  }
}
