// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Synchronization
import Testing

@testable import iscsi_admin

/// What discoveries of `iscsiadm` do to records, with a target that answers differently each time.
@Suite("iscsiadm and what a discovery finds", .timeLimit(.minutes(2)))
struct IscsiadmDiscoveryTests {
  /// A target whose answers can be changed, and `iscsiadm` on records that have an interface with a name for us.
  private final class Run: Sendable {
    static let name = "iqn.2026-11.org.example:disk"
    let records: RecordRun
    private let answer = Mutex<[DiscoveredTarget]>([])
    private let server = Mutex<LoopbackTarget?>(nil)

    init() async throws {
      records = try RecordRun()
      _ = await records.run("-m iface -I me -o new")
      _ = await records.run("-m iface -I me -o update -n iface.initiatorname -v iqn.2026-11.org.example:host")
      let name = try TargetName(Self.name)
      let target = try LoopbackTarget { [weak self] portal in
        var target = InMemoryTarget(name: name, portals: [portal])
        target.targets = self?.answer.withLock { $0 } ?? []
        return target
      }
      server.withLock { $0 = target }
    }

    /// Where the target is.
    var portal: String { server.withLock { $0?.portal.address } ?? "" }

    /// What is found from now on: the disk at these portals, or nothing.
    func serve(_ portals: String...) throws {
      let portals = try portals.map { try Portal($0) }
      let found = portals.isEmpty ? [] : [DiscoveredTarget(name: try TargetName(Self.name), portals: portals)]
      answer.withLock { $0 = found }
    }

    func callAsFunction(_ line: String, on tree: borrowing SysfsTree) async -> IscsiadmRun {
      let words = line.replacing("PORTAL", with: portal).split(separator: " ").map(String.init)
      return await records.run(words, sysfs: tree.root)
    }

    /// The portals that have a record.
    func nodes() throws -> [String] { try records.database.nodes().records.map(\.record.portal.description) }
  }

  @Test(
    "An answer without portals takes no record away",
    arguments: ["-m discovery -t st -p PORTAL -I me", "-m discoverydb -t st -p PORTAL -I me -D -o delete"])
  func emptyAnswer(line: String) async throws {
    let run = try await Run(), tree = try SysfsTree()
    try run.serve("10.0.0.1:3260,1", "10.0.1.1:3260,1")
    #expect(await run("-m discovery -t st -p PORTAL -I me", on: tree).status == .success)
    #expect(try run.nodes().count == 2)
    try run.serve()
    let result = await run(line, on: tree)
    #expect(result.errors == "iscsiadm: No portals found\n" && result.status == .noObjectsFound)
    #expect(try run.nodes().count == 2)
    try run.serve("10.0.0.1:3260,1")
    #expect(await run(line, on: tree).status == .success)
    #expect(try run.nodes() == ["10.0.0.1:3260,1"])
  }

  @Test("A record that is found no more stays while a session uses it, unless its portal has another tag")
  func vanishedInUse() async throws {
    let run = try await Run(), tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.targetName = Run.name
    session.interfaceName = "me"
    try tree.add(session)
    try run.serve("10.0.0.1:3260,1", "10.0.1.1:3260,1")
    _ = await run("-m discovery -t st -p PORTAL -I me", on: tree)
    try run.serve("10.0.2.1:3260,1")
    let result = await run("-m discovery -t st -p PORTAL -I me", on: tree)
    #expect(
      result.errors == """
        iscsiadm: This command will remove the record [iface: me, target: \(Run.name), portal: 10.0.0.1,3260], but a session \
        is using it. Logout session then rerun command to remove record.

        """)
    #expect(result.output == "10.0.2.1:3260,1 \(Run.name)\n" && result.status == .success)
    #expect(try run.nodes() == ["10.0.0.1:3260,1", "10.0.2.1:3260,1"])
    // The discovery still knows it.
    #expect(await run("-m discovery -P 1", on: tree).output.contains("Portal: 10.0.0.1:3260,1\n"))
    try run.serve("10.0.0.1:3260,2")
    #expect(await run("-m discovery -t st -p PORTAL -I me", on: tree).errors.isEmpty)
    #expect(try run.nodes() == ["10.0.0.1:3260,2"])
  }

  @Test(
    "Without a type the record at the portal is asked by, and its settings stay", arguments: ["-D", "-D -o new", "-l"])
  func noType(flags: String) async throws {
    let run = try await Run(), tree = try SysfsTree()
    try run.serve("10.0.0.1:3260,1")
    let absent = await run("-m discovery -p PORTAL -I me \(flags)", on: tree)
    #expect(absent.errors.hasSuffix("] not found!\n") && absent.status == .invalidArgument)
    _ = await run("-m discoverydb -t st -p PORTAL -o new", on: tree)
    _ = await run("-m discoverydb -t st -p PORTAL -o update -n discovery.sendtargets.reopen_max -v 9", on: tree)
    let result = await run("-m discovery -p PORTAL -I me \(flags)", on: tree)
    #expect(result.output.hasPrefix("10.0.0.1:3260,1 \(Run.name)\n"))
    #expect(result.status == (flags == "-l" ? .daemonNotConnected : .success))
    #expect(try run.nodes() == ["10.0.0.1:3260,1"])
    #expect(try run.records.database.discoveries(.sendTargets).records.map(\.record.reopenLimit) == [9])
  }
}
