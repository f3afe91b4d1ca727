// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The lock of the record database")
struct DatabaseLockTests {
  private let files: TemporaryDatabase
  private var link: FilePath { files.locks.appending("lock.write") }
  private func folder() throws -> Directory { try Directory(path: files.locks) }
  private var processes: FilePath { files.base.appending("proc") }

  init() throws {
    files = try TemporaryDatabase()
    try AtomicFile.makeDirectory(files.locks)
    try AtomicFile.makeDirectory(processes)
  }

  private func take(patience: Duration = .milliseconds(50)) throws -> Bool {
    let lock = try DatabaseLock(in: files.locks, processes: processes, patience: patience)
    let isLinked = try folder().identity(of: "lock.write") != nil
    _ = consume lock
    return isLinked
  }

  /// open-iscsi's lock, as a writer of it leaves it.
  private func leaveTheirs() throws {
    try AtomicFile.write([], to: files.locks.appending("lock"))
    #expect(try folder().link("lock", as: "lock.write"))
  }

  private func run(_ command: String, as number: Int, executable: FilePath) throws {
    let process = processes.appending("\(number)")
    try AtomicFile.makeDirectory(process)
    try AtomicFile.write(Array("\(command)\n".utf8), to: process.appending("comm"))
    try Directory(path: process).makeLink("exe", to: executable.string)
  }

  @Test("It has open-iscsi's link while it is held, and no longer")
  func heldLink() throws {
    #expect(try take())
    #expect(try folder().identity(of: "lock.write") == nil)
  }

  @Test("Who comes second waits, and is told in the end who has it")
  func waiting() throws {
    let held = try DatabaseLock(in: files.locks, processes: processes)
    #expect(throws: DatabaseError.locked(path: files.locks.appending("iscsi-admin.lock").string)) { try take() }
    _ = consume held
    #expect(try take())
  }

  @Test("A folder that others can write to, and a link to one, are no place for a lock")
  func unsafeFolder() throws {
    // The path is only read.
    #expect(unsafe chmod(files.locks.string, 0o777) == 0)
    let error = #expect(throws: DatabaseError.self) { try take() }
    #expect(error == .unsafeLocks(path: files.locks.string, reason: "every user can write to it"))
    #expect(error?.exitStatus == .database && error?.advice?.contains("rm -r") == true)
    #expect(try Directory(path: files.locks).names() == [])
    #expect(unsafe chmod(files.locks.string, 0o770) == 0)
    let ofGroup = #expect(throws: DatabaseError.self) { try take() }
    #expect(
      ofGroup == .unsafeLocks(path: files.locks.string, reason: "the users of group \(getegid()) can write to it"))
    #expect(unsafe chmod(files.locks.string, 0o755) == 0)
    #expect(try take())
    let other = files.base.appending("link")
    try Directory(path: files.base).makeLink("link", to: files.locks.string)
    #expect(throws: DatabaseError.failed("lock", path: other.string, .notDirectory)) {
      _ = try DatabaseLock(in: other, processes: processes)
    }
  }

  @Test("A folder of another user is no place for a lock", .enabled(if: UnixPeer.current.userID == 0))
  func foreignFolder() throws {
    // The path is only read.
    #expect(unsafe chown(files.locks.string, 12345, 0) == 0)
    #expect(throws: DatabaseError.unsafeLocks(path: files.locks.string, reason: "it belongs to user 12345")) {
      try take()
    }
  }

  @Test("A link of ours that is left over is removed: its owner would have the other lock")
  func ours() throws {
    try run("iscsiadm", as: 12, executable: "/usr/sbin/iscsiadm")
    try AtomicFile.write([], to: files.locks.appending("iscsi-admin.lock"))
    #expect(try folder().link("iscsi-admin.lock", as: "lock.write"))
    #expect(try take())
  }

  @Test("A lock of open-iscsi's is abandoned when it is old and no program of it is there")
  func theirsWithoutOwner() throws {
    try leaveTheirs()
    try run("iscsiadm", as: 12, executable: "/usr/sbin/iscsi-admin")
    try run("bash", as: 13, executable: "/bin/bash")
    let lock = try #require(try folder().identity(of: "lock.write"))
    #expect(LockOwners(processes: processes).isAbandoned(lock, now: lock.changed + 11))
  }

  @Test(
    "A young lock of open-iscsi's is honoured: its owner may be a library in another program, or in another container",
    arguments: ["iscsiadm", "iscsid", "udisksd"])
  func theirsWithOwner(_ command: String) throws {
    try leaveTheirs()
    try run(command, as: 12, executable: FilePath("/sbin/\(command)"))
    #expect(throws: DatabaseError.locked(path: link.string)) { try take() }
    #expect(try folder().identity(of: "lock.write") != nil)
  }

  @Test("A daemon has a lock for moments only")
  func theirsOfDaemon() throws {
    try leaveTheirs()
    try run("iscsid", as: 12, executable: "/sbin/iscsid")
    let lock = try #require(try folder().identity(of: "lock.write"))
    let owners = LockOwners(processes: processes)
    #expect(!owners.isAbandoned(lock, now: lock.changed + 5))
    #expect(owners.isAbandoned(lock, now: lock.changed + 11))
    try run("iscsiadm", as: 13, executable: "/sbin/iscsiadm")
    #expect(!LockOwners(processes: processes).isAbandoned(lock, now: lock.changed + 11))
  }
}
