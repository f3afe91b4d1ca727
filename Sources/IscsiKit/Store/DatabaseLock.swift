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
    let (path, linkPath) = (directory.appending("iscsi-admin.lock"), directory.appending("lock.write"))
    let file = try Self.naming(path) { () throws(Errno) in
      try AtomicFile.makeDirectory(directory)
      return try LockFile(path: path, until: deadline)
    }
    let link = try Self.naming(linkPath) { () throws(Errno) in
      try LinkLock(linkPath, of: path, processes: processes, until: deadline)
    }
    self.file = file
    self.link = link
  }

  /// Says of what a lock could not be had.
  private static func naming<Lock: ~Copyable>(
    _ path: FilePath, _ body: () throws(Errno) -> Lock
  ) throws(DatabaseError) -> Lock {
    do throws(Errno) {
      return try body()
    } catch {
      throw error == .wouldBlock ? .locked(path: path.string) : .failed("lock", path: path.string, error)
    }
  }
}

/// open-iscsi's lock, as long as the value lives.
private struct LinkLock: ~Copyable {
  private let link: FilePath

  init(
    _ link: FilePath, of path: FilePath, processes: FilePath, until deadline: ContinuousClock.Instant
  ) throws(Errno) {
    while try !LockFile.link(path, as: link) {
      guard let taken = LockFile.Identity(of: link) else { continue }
      let isOurs = LockFile.Identity(of: path).map { taken.isSameFile(as: $0) } ?? false
      if isOurs || LockOwners(processes: processes).isAbandoned(taken, now: Int(WallClock.now)) {
        // The looking took time, in which the lock may have become somebody else's.
        if LockFile.Identity(of: link) == taken { AtomicFile.remove(link) }
        continue
      }
      guard .now < deadline else { throw .wouldBlock }
      LockFile.pause()
    }
    self.link = link
  }

  deinit { AtomicFile.remove(link) }
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
