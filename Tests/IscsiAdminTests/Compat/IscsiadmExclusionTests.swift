// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("Targets that iscsiadm leaves alone")
struct IscsiadmExclusionTests {
  private static let kept = "iqn.2026-11.org.example:root"

  /// A machine with a session of the excluded target, and of another if asked.
  private func tree(exclusions: String?, others: Bool) throws -> SysfsTree {
    let tree = try SysfsTree()
    try tree.add(IscsiadmSessionTests.session(1))
    if others { try tree.add(.example(2)) }
    if let exclusions { try tree.set("exclusions.conf", to: .text(exclusions)) }
    return tree
  }

  private func leftAlone(_ tree: borrowing SysfsTree) -> String {
    "iscsiadm: session [sid: 1, target: \(Self.kept), portal: 10.0.0.1,3260] is left alone: "
      + "\(tree.root)/exclusions.conf names its target\n"
  }

  private static let logouts = ["-m node -u", "-m session -u", "-m node -p 10.0.0.1 -u"]

  @Test("A logout of all leaves them, says so, and is no failure if nothing else is there", arguments: logouts)
  func alone(command: String) async throws {
    let tree = try tree(exclusions: Self.kept, others: false)
    let run = await IscsiadmRun(command, in: tree)
    #expect(run.output == "" && run.errors == leftAlone(tree) && run.status == .success)
  }

  @Test("The others are logged out of", arguments: logouts)
  func others(command: String) async throws {
    let tree = try tree(exclusions: "iqn.2026-11.org.example:ro*", others: true)
    let run = await IscsiadmRun(command, in: tree)
    #expect(
      run.output == "Logging out of session [sid: 2, target: iqn.2026-11.org.example:disk2, portal: 10.0.0.1,3260]\n")
    #expect(run.errors.hasPrefix(leftAlone(tree)))
  }

  @Test("Who names target or session means it", arguments: ["-m node -T \(kept) -u", "-m session -r 1 -u"])
  func named(command: String) async throws {
    let tree = try tree(exclusions: Self.kept, others: false)
    let run = await IscsiadmRun(command, in: tree)
    #expect(run.output.hasPrefix("Logging out of session [sid: 1, ") && !run.errors.contains("left alone"))
  }

  @Test("-U leaves them alone as well", arguments: ["all", "manual"])
  func byStartup(word: String) async throws {
    let records = try RecordRun()
    let tree = try tree(exclusions: nil, others: false)
    var record = NodeRecord(target: try TargetName(Self.kept), portal: try Portal("10.0.0.1:3260,1"))
    record.startup = .manual
    let saved = record
    try records.database.change { (changes) throws(DatabaseError) in changes.save(saved) }
    try records.exclude(Self.kept)
    let run = await records.run(["-m", "node", "-U", word], sysfs: tree.root)
    #expect(run.output == "" && run.errors.contains("is left alone") && run.status == .success)
  }

  @Test("A list that cannot be read is not an empty one: nothing is logged out of", arguments: logouts)
  func unreadable(command: String) async throws {
    let tree = try tree(exclusions: "no name at all", others: true)
    let run = await IscsiadmRun(command, in: tree)
    #expect(run.output == "" && run.status == .invalidArgument)
    #expect(run.errors.contains("line 1 of \(tree.root)/exclusions.conf is no target name"))
  }
}
