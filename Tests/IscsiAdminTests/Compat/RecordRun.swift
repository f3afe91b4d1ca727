// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

/// `iscsiadm` on a record database of its own.
final class RecordRun: Sendable {
  private let directory: FilePath
  /// The database.
  var database: RecordDatabase {
    RecordDatabase(root: directory.appending("records"), lockDirectory: directory.appending("lock"))
  }
  /// The file that writers lock.
  var lockFile: FilePath { directory.appending("lock/iscsi-admin.lock") }

  init() throws {
    // In memory: a test must not wait until all that a busy machine has written is on its disk.
    // The path is only read.
    let place = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    directory = FilePath("\(place)/iscsiadm-records-\(UInt64.random(in: 0...UInt64.max))")
    _ = try TestProcess.run(["mkdir", "-p", directory.appending("records").string])
  }

  deinit { _ = try? TestProcess.run(["rm", "-rf", directory.string]) }

  /// Names a target that a logout of all leaves alone.
  func exclude(_ target: String) throws {
    let path = directory.appending("exclusions.conf")
    let file = try FileDescriptor.open(path, .writeOnly, options: .create, permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll((target + "\n").utf8) }
  }

  /// Runs the command lines of a transcript and expects what stands there.
  func expect(_ transcript: String) async throws {
    var actual: [String] = []
    for line in transcript.split(separator: "\n") where line.hasPrefix("$ ") {
      let result = await run(String(line.dropFirst(2)))
      actual.append(String(line))
      actual += result.output.split(separator: "\n").map { "> \($0)" }
      actual += result.errors.split(separator: "\n").map { "! \($0)" }
      actual.append("= \(result.status.rawValue)")
    }
    let root = directory.appending("records").string
    #expect(actual.joined(separator: "\n").replacing(root, with: "ROOT") == transcript)
  }

  func run(_ words: String) async -> IscsiadmRun { await run(words.split(separator: " ").map(String.init)) }

  func run(_ arguments: [String], sysfs: FilePath? = nil) async -> IscsiadmRun {
    await IscsiadmRun(arguments, on: directory, sysfs: sysfs ?? directory.appending("sys"))
  }
}
