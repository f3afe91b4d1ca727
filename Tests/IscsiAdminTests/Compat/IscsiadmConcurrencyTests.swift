// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc
import IscsiKit
import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@testable import iscsi_admin

/// A record, two changes of it, and how to see both.
private struct ConcurrencyCase: CustomTestStringConvertible {
  let testDescription: String
  /// The command lines that make the record.
  let setup: [String]
  /// The record's file below the root of the database.
  let file: String
  /// What another writer changes while it has the lock, as sed has it.
  let change: String
  /// The command line that changes something else meanwhile.
  let update: String
  let show: String
  /// What stands in the record at the end.
  let expected: [String]

  static let all = [
    ConcurrencyCase(
      testDescription: "iface", setup: ["-m iface -I eth -o new -n iface.initiatorname -v iqn.2026-11.org.example:a"],
      file: "ifaces/eth", change: "s/org.example:a/org.example:b/",
      update: "-m iface -I eth -o update -n iface.net_ifacename -v eth1", show: "-m iface -I eth",
      expected: ["iface.initiatorname = iqn.2026-11.org.example:b", "iface.net_ifacename = eth1"]),
    ConcurrencyCase(
      testDescription: "discovery", setup: ["-m discoverydb -t st -p 10.0.0.1 -o new"],
      file: "send_targets/10.0.0.1,3260/st_config", change: "s/reopen_max = .*/reopen_max = 7/",
      update: "-m discoverydb -t st -p 10.0.0.1 -o update -n discovery.sendtargets.use_discoveryd -v Yes",
      show: "-m discoverydb -t st -p 10.0.0.1",
      expected: ["discovery.sendtargets.reopen_max = 7", "discovery.sendtargets.use_discoveryd = Yes"]),
    ConcurrencyCase(
      testDescription: "node", setup: ["-m node -T iqn.2026-11.org.example:a -p 10.0.0.1:3260,1 -o new"],
      file: "nodes/iqn.2026-11.org.example:a/10.0.0.1,3260,1/default", change: "s/FastAbort = .*/FastAbort = No/",
      update: "-m node -T iqn.2026-11.org.example:a -o update -n node.startup -v automatic",
      show: "-m node -T iqn.2026-11.org.example:a",
      expected: ["node.session.iscsi.FastAbort = No", "node.startup = automatic"]),
  ]
}

@Suite("iscsiadm beside other writers", .timeLimit(.minutes(2)))
struct IscsiadmConcurrencyTests {
  @Test("A change that waits for another writer loses nothing of what that has changed", arguments: ConcurrencyCase.all)
  private func changes(test: ConcurrencyCase) async throws {
    let run = try RecordRun()
    for line in test.setup { #expect(await run.run(line).status == .success) }
    let update = Mutex<Task<IscsiadmRun, Never>?>(nil)
    try await onOwnThread {
      let database = run.database
      try database.change { (_) throws(DatabaseError) in
        update.withLock { $0 = Task { await run.run(test.update) } }
        // From then on it waits for the lock, and has read what it reads before.
        while Self.openings(of: run.lockFile.string) < 2 { usleep(2000) }
        let file = database.root.appending(test.file).string
        #expect(throws: Never.self) { try TestProcess.run(["sed", "-i", test.change, file]) }
      }
    }
    #expect(await update.withLock(\.self)?.value.status == .success)
    let shown = await run.run(test.show).output
    for line in test.expected { #expect(shown.contains("\n\(line)\n"), "\(line)") }
  }

  /// How often this process has a file open.
  private static func openings(of path: String) -> Int {
    let files = FileManager.default
    let names = (try? files.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.count { (try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path }
  }
}
