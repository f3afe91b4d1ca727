// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// The right to be the one daemon of this program on a machine, as long as the object lives: the lock of a file that
/// other users can neither open nor replace. The kernel takes it from a daemon that ends in any way.
final class DaemonLock: Sendable {
  /// What became of an attempt.
  enum Outcome: Sendable {
    /// The lock is had.
    case held(DaemonLock)
    /// Another daemon has it; its process, if that has noted it.
    case taken(process: Int32?)
    /// There can be no lock in this place.
    case impossible(DirectoryRefusal)
  }

  /// How long a lock is waited for that is just being given back: a program that another thread starts has the file until
  /// it runs, and so has a daemon that was killed until its last thread is gone.
  private static let patience = Duration.milliseconds(500)

  private let file: LockFile

  private init(_ file: consuming LockFile) { self.file = file }

  /// Takes the lock of the file at `path`, whose directory is made if it is not there.
  static func take(_ path: FilePath) async -> Outcome {
    let deadline = ContinuousClock.now + patience
    guard let name = path.lastComponent?.string else { return .impossible(.system(.invalidArgument)) }
    do throws(DirectoryRefusal) {
      let folder = path.removingLastComponent()
      do throws(Errno) { try AtomicFile.makeDirectory(folder) } catch { throw .system(error) }
      while true {
        if let lock = try take(name, in: Directory(trusting: folder)) { return .held(lock) }
        guard .now < deadline, (try? await Reactor.shared.sleep(until: .now + .milliseconds(20))) != nil else {
          return .taken(process: holder(path))
        }
      }
    } catch {
      return .impossible(error)
    }
  }

  /// One attempt; nil if somebody has the lock.
  private static func take(
    _ name: String, in folder: consuming Directory
  ) throws(DirectoryRefusal) -> DaemonLock? {
    do throws(Errno) {
      let file = try LockFile(name, in: folder, until: .now)
      try file.write("\(UnixPeer.current.processID)\n")
      return DaemonLock(file)
    } catch {
      guard error == .wouldBlock else { throw .system(error) }
      return nil
    }
  }

  private static func holder(_ path: FilePath) -> Int32? {
    guard let octets = try? FileContents(of: path, limit: 64, isPlain: true).octets else { return nil }
    return Int32(String(decoding: octets.prefix { $0 != 0x0A }, as: UTF8.self))
  }
}
