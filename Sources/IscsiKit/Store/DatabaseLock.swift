// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// The right to change the record database, as long as the value lives.
///
/// Two locks make it up. Ours is a flock, which the kernel takes from a writer that dies. open-iscsi's is the existence
/// of a link, `lock.write`, that its writers make and remove; it is made and honoured too, so that both can share a
/// database. Our link has the file of our flock behind it, so that one that is left over is known as ours, whose
/// owner is dead: we have its flock. One of theirs is removed when it is old and none of their programs is left that could own it.
struct DatabaseLock: ~Copyable {
  /// How long others are waited for, as open-iscsi does.
  static let patience = Duration.seconds(30)
  private static let fileName = "iscsi-admin.lock"
  private static let linkName = "lock.write"

  // In the order in which they go: the link is removed before the next of ours can make its own.
  private let link: LinkLock
  private let file: LockFile

  /// Waits for both locks.
  ///
  /// - Parameters:
  ///   - directory: Where the locks are; it is made if it is not there.
  ///   - processes: Where to look for open-iscsi's programs (`/proc`).
  ///   - patience: How long to wait.
  /// - Throws: `locked`, or `failed` where locks cannot be.
  init(in directory: FilePath, processes: FilePath = "/proc", patience: Duration = patience) throws(DatabaseError) {
    let deadline = ContinuousClock.now + patience
    let folder = try Self.open(directory)
    let file = try Self.naming(directory.appending(Self.fileName)) { () throws(Errno) in
      try LockFile(Self.fileName, in: folder, until: deadline)
    }
    do throws(Errno) {
      link = try LinkLock(
        Self.linkName, of: Self.fileName, in: folder, processes: processes, until: deadline)
    } catch {
      throw Self.error(error, at: directory.appending(Self.linkName))
    }
    self.file = file
  }

  /// Opens the folder, which is made if it is not there. Everybody can make folders where this one is: in another user's
  /// a lock would keep nobody out, and a link could lead anywhere.
  private static func open(_ directory: FilePath) throws(DatabaseError) -> Directory {
    do throws(Errno) { try AtomicFile.makeDirectory(directory) } catch { throw Self.error(error, at: directory) }
    do throws(DirectoryRefusal) {
      return try Directory(trusting: directory)
    } catch {
      switch error {
      // So the kernel calls a symbolic link in the place of a directory.
      case .system(let errno): throw .failed("lock", path: directory.string, errno)
      case .foreign, .writableByAll, .writableByGroup:
        throw .unsafeLocks(path: directory.string, reason: error.description)
      }
    }
  }

  /// Says of what a lock could not be had.
  private static func naming<Lock: ~Copyable>(
    _ path: FilePath, _ body: () throws(Errno) -> Lock
  ) throws(DatabaseError) -> Lock {
    do throws(Errno) { return try body() } catch { throw Self.error(error, at: path) }
  }

  private static func error(_ error: Errno, at path: FilePath) -> DatabaseError {
    error == .wouldBlock ? .locked(path: path.string) : .failed("lock", path: path.string, error)
  }
}

/// open-iscsi's lock, as long as the value lives.
private struct LinkLock: ~Copyable {
  private let link: String
  private let directory: Directory

  init(
    _ link: String, of file: String, in directory: consuming Directory, processes: FilePath,
    until deadline: ContinuousClock.Instant
  ) throws(Errno) {
    while try !directory.link(file, as: link) {
      guard let taken = directory.identity(of: link) else { continue }
      let isOurs = directory.identity(of: file).map { taken.isSameFile(as: $0) } ?? false
      if isOurs || LockOwners(processes: processes).isAbandoned(taken, now: Int(WallClock.now)) {
        // The looking took time, in which the lock may have become somebody else's.
        if directory.identity(of: link) == taken { try? directory.remove(link) }
        continue
      }
      guard .now < deadline else { throw .wouldBlock }
      LockFile.pause()
    }
    self.link = link
    self.directory = directory
  }

  deinit { try? directory.remove(link) }
}

/// The running programs that may have made open-iscsi's lock, which says nothing of its owner.
struct LockOwners {
  /// open-iscsi's programs that write records and end soon.
  private static let commands: Set<String> = ["iscsiadm", "iscsistart"]
  /// A younger lock is never broken, in seconds: its owner may be a library in some other program, or in another
  /// container. An older one is none that a living daemon has.
  private static let least = 10

  private var hasCommand = false

  /// Looks through the processes; those of our own executable are not among them.
  init(processes: FilePath) {
    guard let proc = try? Directory(path: processes), let names = try? proc.names() else {
      // What cannot be seen may be there.
      hasCommand = true
      return
    }
    for name in names where name.utf8.allSatisfy(\.isDigit) {
      guard let process = try? proc.directory(name),
        let octets = try? process.contents("comm", limit: 64)
      else { continue }
      let command = String(decoding: octets.prefix { $0 != 0x0A }, as: UTF8.self)
      // The daemon has the lock for moments only.
      guard Self.commands.contains(command) else { continue }
      // Ours have those names too, and would have the flock.
      if process.linkTarget("exe")?.hasSuffix("/iscsi-admin") == true { continue }
      hasCommand = true
    }
  }

  /// Whether nobody who lives can have made a lock.
  func isAbandoned(_ lock: LockFile.Identity, now: Int) -> Bool {
    !hasCommand && now - lock.changed > Self.least
  }
}
