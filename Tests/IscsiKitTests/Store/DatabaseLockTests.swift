// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The lock of the record database")
struct DatabaseLockTests {
  private let files: TemporaryDatabase
  private var link: FilePath { files.locks.appending("lock.write") }
  private var processes: FilePath { files.base.appending("proc") }

  init() throws {
    files = try TemporaryDatabase()
    try AtomicFile.makeDirectory(files.locks)
    try AtomicFile.makeDirectory(processes)
  }

  private func take(patience: Duration = .milliseconds(50)) throws -> Bool {
    let lock = try DatabaseLock(in: files.locks, processes: processes, patience: patience)
    let isLinked = LockFile.Identity(of: link) != nil
    _ = consume lock
    return isLinked
  }

  /// open-iscsi's lock, as a writer of it leaves it.
  private func leaveTheirs() throws {
    try AtomicFile.write([], to: files.locks.appending("lock"))
    #expect(try LockFile.link(files.locks.appending("lock"), as: link))
  }

  private func run(_ command: String, as number: Int, executable: FilePath) throws {
    let process = processes.appending("\(number)")
    try AtomicFile.makeDirectory(process)
    try AtomicFile.write(Array("\(command)\n".utf8), to: process.appending("comm"))
    try Directory(path: process).makeLink("exe", to: executable)
  }

  @Test("It has open-iscsi's link while it is held, and no longer")
  func heldLink() throws {
    #expect(try take())
    #expect(LockFile.Identity(of: link) == nil)
  }

  @Test("Who comes second waits, and is told in the end who has it")
  func waiting() throws {
    let held = try DatabaseLock(in: files.locks, processes: processes)
    #expect(throws: DatabaseError.locked(path: files.locks.appending("iscsi-admin.lock").string)) { try take() }
    _ = consume held
    #expect(try take())
  }

  @Test("A link of ours that is left over is removed: its owner would have the other lock")
  func ours() throws {
    try run("iscsiadm", as: 12, executable: "/usr/sbin/iscsiadm")
    try AtomicFile.write([], to: files.locks.appending("iscsi-admin.lock"))
    #expect(try LockFile.link(files.locks.appending("iscsi-admin.lock"), as: link))
    #expect(try take())
  }

  @Test("A lock of open-iscsi's is abandoned when it is old and no program of it is there")
  func theirsWithoutOwner() throws {
    try leaveTheirs()
    try run("iscsiadm", as: 12, executable: "/usr/sbin/iscsi-admin")
    try run("bash", as: 13, executable: "/bin/bash")
    let lock = try #require(LockFile.Identity(of: link))
    #expect(LockOwners(processes: processes).isAbandoned(lock, now: lock.changed + 11))
  }

  @Test(
    "A young lock of open-iscsi's is honoured: its owner may be a library in another program, or in another container",
    arguments: ["iscsiadm", "iscsid", "udisksd"])
  func theirsWithOwner(_ command: String) throws {
    try leaveTheirs()
    try run(command, as: 12, executable: FilePath("/sbin/\(command)"))
    #expect(throws: DatabaseError.locked(path: link.string)) { try take() }
    #expect(LockFile.Identity(of: link) != nil)
  }

  @Test("A daemon has a lock for moments only")
  func theirsOfDaemon() throws {
    try leaveTheirs()
    try run("iscsid", as: 12, executable: "/sbin/iscsid")
    let lock = try #require(LockFile.Identity(of: link))
    let owners = LockOwners(processes: processes)
    #expect(!owners.isAbandoned(lock, now: lock.changed + 5))
    #expect(owners.isAbandoned(lock, now: lock.changed + 11))
    try run("iscsiadm", as: 13, executable: "/sbin/iscsiadm")
    #expect(!LockOwners(processes: processes).isAbandoned(lock, now: lock.changed + 11))
  }
}
