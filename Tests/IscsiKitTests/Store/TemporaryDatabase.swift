// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage

@testable import IscsiKit

/// A record database in a directory of its own, which goes with the object, and what its files are.
final class TemporaryDatabase: Sendable {
  let base: FilePath
  let database: RecordDatabase

  var root: FilePath { base.appending("root") }
  var locks: FilePath { base.appending("lock") }

  init() throws {
    // In memory: a test must not wait until all that a busy machine has written is on its disk.
    // The path is only read.
    let place = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    base = FilePath("\(place)/iscsikit-database-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
    try AtomicFile.makeDirectory(base)
    database = RecordDatabase(root: base.appending("root"), lockDirectory: base.appending("lock"))
  }

  deinit { _ = try? TestProcess.run(["rm", "-rf", base.string]) }

  /// Stores records of nodes, in one change.
  func save(_ records: NodeRecord...) throws {
    try database.change { (changes) throws(DatabaseError) in records.forEach { changes.save($0) } }
  }

  /// Puts a file below the root, and the folders on the way.
  func write(_ text: String, to path: String) throws {
    let path = root.appending(path)
    try AtomicFile.makeDirectory(path.removingLastComponent())
    try AtomicFile.write(Array(text.utf8), to: path)
  }

  func read(_ path: String) throws -> String {
    String(decoding: try FileContents(of: root.appending(path), limit: 1 << 20, isPlain: true).octets, as: UTF8.self)
  }

  /// What is below the root, a line an entry: files, folders with a slash, links with what they lead to; sorted.
  func entries() throws -> [String] { try entries(in: Directory(path: root), at: "") }

  private func entries(in directory: borrowing Directory, at path: String) throws -> [String] {
    var found: [String] = []
    for name in try directory.names().sorted() {
      if let target = directory.linkTarget(name) {
        let target = target.hasPrefix(root.string) ? "ROOT" + target.dropFirst(root.string.count) : target
        found.append("\(path)\(name) -> \(target)")
        continue
      }
      do throws(Errno) {
        let folder = try directory.directory(name)
        found.append("\(path)\(name)/")
        found += (try? entries(in: folder, at: "\(path)\(name)/")) ?? ["\(path)\(name)/ is unreadable"]
      } catch {
        found.append("\(path)\(name)")
      }
    }
    return found
  }

  /// The permissions of an entry below the root.
  func mode(_ path: String) -> UInt32 {
    var status = stat()
    guard unsafe lstat(root.appending(path).string, &status) == 0 else { return 0 }
    return status.st_mode & 0o7777
  }
}

extension NodeRecord {
  /// A record for tests.
  static func example(_ target: String = "disk", at portal: String = "10.0.0.1:3260,1") throws -> NodeRecord {
    NodeRecord(target: try TargetName("iqn.2026-11.org.example:\(target)"), portal: try Portal(portal))
  }
}
