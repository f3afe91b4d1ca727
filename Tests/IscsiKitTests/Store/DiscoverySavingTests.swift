// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Keeping what discoveries find, with what was edited in it")
struct DiscoverySavingTests {
  private let files: TemporaryDatabase
  private let discovery: DiscoveryRecord
  private let configuration = InitiatorConfiguration(RecordText(Array("node.session.queue_depth = 9\n".utf8)))
  private var database: RecordDatabase { files.database }

  init() throws {
    files = try TemporaryDatabase()
    var discovery = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.9"), port: 3260)
    discovery.isRepeated = true
    self.discovery = discovery
  }

  private func target(_ name: String, _ portals: [String] = ["10.0.0.1:3260,1"]) throws -> DiscoveredTarget {
    DiscoveredTarget(
      name: try TargetName("iqn.2026-11.org.example:\(name)"), portals: try portals.map { try Portal($0) })
  }

  private func keep(
    _ targets: [DiscoveredTarget], over interface: InterfaceRecord = .standard, foundBy other: DiscoveryRecord? = nil
  ) throws -> RecordPlan {
    try database.carryOut(
      FoundNodesEdit(
        [FoundTargets(over: interface, targets)], foundBy: other ?? discovery, configuration: configuration))
  }

  private func vanished(_ nodes: [NodeRecord], sessions: [SessionSnapshot] = []) -> VanishedNodesEdit {
    VanishedNodesEdit(nodes: nodes, discovery: discovery, configuration: configuration) { sessions }
  }

  private func actions(_ plan: RecordPlan) -> [String] {
    plan.steps.map { "\($0.subject)".replacing("iqn.2026-11.org.example:", with: "") + ": \($0.action)" }
  }

  @Test("A discovery is kept once, and then stays as it is")
  func discoveries() throws {
    let made = try database.carryOut(DiscoveryCreationEdit(discovery, configuration: configuration))
    #expect(actions(made) == ["discovery sendtargets at 10.0.0.9:3260: created"])
    #expect(made.steps.first?.settings.map(\.description) == ["discovery.sendtargets.use_discoveryd: No -> Yes"])
    let other = DiscoveryRecord(.sendTargets, at: discovery.host, port: 3260)
    let again = try database.carryOut(DiscoveryCreationEdit(other, configuration: configuration))
    #expect(actions(again) == ["discovery sendtargets at 10.0.0.9:3260: unchanged"])
    #expect(try database.isRepeated(discovery))
  }

  @Test(
    "New nodes get a record as it is configured with a link from the discovery; those that are there stay as they are")
  func nodes() throws {
    #expect(actions(try keep([try target("a"), try target("a")])) == ["a at 10.0.0.1:3260,1 over default: created"])
    let stored = try #require(try database.nodes().records.first)
    #expect(stored.record.queueDepth == 9 && stored.record.isFound(by: discovery))
    var edited = stored.record
    edited.queueDepth = 77
    edited.startup = .automatic
    try database.change { (changes) throws(DatabaseError) in changes.save(edited, over: stored) }
    let plan = try keep([try target("a", ["10.0.0.1:3260,1", "10.0.1.1:3260,2"])])
    #expect(
      actions(plan) == ["a at 10.0.0.1:3260,1 over default: unchanged", "a at 10.0.1.1:3260,2 over default: created"])
    #expect(plan.nodes.map(\.queueDepth) == [77, 9])
    #expect(try database.nodes().records.map(\.record.queueDepth) == [77, 9])
    #expect(try database.nodes(foundBy: discovery).map(\.portal.address) == ["10.0.0.1:3260", "10.0.1.1:3260"])
  }

  @Test("A record whose portal has another tag now gets it, with what was edited, and stays one")
  func otherTag() throws {
    _ = try database.carryOut(DiscoveryCreationEdit(discovery, configuration: configuration))
    _ = try keep([try target("a", ["10.0.0.1:3260,1", "10.0.1.1:3260,1"])])
    let stored = try #require(try database.nodes().records.first)
    var edited = stored.record
    edited.queueDepth = 77
    let record = edited
    try database.change { (changes) throws(DatabaseError) in changes.save(record, over: stored) }
    let path = "nodes/iqn.2026-11.org.example:a/10.0.0.1,3260,1/default"
    try files.write("others.key = 5\n" + files.read(path), to: path)
    let now = try target("a", ["10.0.0.1:3260,2", "10.0.1.1:3260,1"])
    let plan = try keep([now])
    #expect(
      actions(plan) == ["a at 10.0.0.1:3260,2 over default: changed", "a at 10.0.1.1:3260,1 over default: unchanged"])
    #expect(plan.steps.first?.settings.map(\.description) == ["node.tpgt: 1 -> 2"])
    #expect(plan.nodes.map(\.queueDepth) == [77, 9] && plan.nodes.map(\.portal.tag) == [2, 1])
    #expect(try files.read("nodes/iqn.2026-11.org.example:a/10.0.0.1,3260,2/default").contains("others.key = 5\n"))
    // The discovery's links, too.
    #expect(try database.nodes(foundBy: discovery).map(\.portal.description) == ["10.0.0.1:3260,2", "10.0.1.1:3260,1"])
    #expect(try database.nodes().records.count == 2)
    #expect(try keep([now]).steps.allSatisfy { $0.action == .unchanged })
  }

  @Test("A tag that is not known to be another's stays: of a portal in two groups, of another discovery")
  func otherTags() throws {
    _ = try keep([try target("a", ["10.0.0.1:3260,1"])])
    // Two groups at one address.
    let both = try keep([try target("a", ["10.0.0.1:3260,2", "10.0.0.1:3260,1"])])
    #expect(both.steps.map(\.action) == [.created, .unchanged])
    // A target that has other tags each time has no more records for that.
    for tag in 3..<6 {
      let answer = try target("a", ["10.0.0.1:3260,\(2 * tag)", "10.0.0.1:3260,\(2 * tag + 1)"])
      #expect(try keep([answer]).steps.map(\.action) == [.changed, .changed])
      #expect(try database.nodes().records.count == 2)
    }
    let other = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.8"), port: 3260)
    _ = try keep([try target("b")], foundBy: other)
    #expect(try keep([try target("b", ["10.0.0.1:3260,2"])]).steps.map(\.action) == [.created])
    // One record has one new tag.
    _ = try keep([try target("c")])
    let split = try keep([try target("c", ["10.0.0.1:3260,2", "10.0.0.1:3260,3"])])
    #expect(split.steps.map(\.action) == [.changed, .created])
    // Over another interface it is another record.
    _ = try keep([try target("d")])
    var named = InterfaceRecord.standard
    named.name = try #require(InterfaceName("eth1"))
    #expect(try keep([try target("d", ["10.0.0.1:3260,2"])], over: named).steps.map(\.action) == [.created])
  }

  @Test("A record in the older form is as much its user's")
  func olderForm() throws {
    var older = try NodeRecord.example("a", at: "10.0.0.1:3260")
    older.queueDepth = 5
    let record = older
    try database.change { (changes) throws(DatabaseError) in changes.save(record) }
    let plan = try keep([try target("a")])
    #expect(plan.steps.map(\.action) == [.unchanged] && plan.nodes.map(\.queueDepth) == [5])
  }

  @Test("Nodes that are gone lose their record but where a session uses it, or it is not this discovery's any more")
  func vanished() throws {
    _ = try database.carryOut(DiscoveryCreationEdit(discovery, configuration: configuration))
    let other = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.8"), port: 3260)
    _ = try keep([try target("a"), try target("b")])
    _ = try keep([try target("c")], foundBy: other)
    let byHand = try NodeRecord.example("d")
    try database.change { (changes) throws(DatabaseError) in changes.save(byHand) }
    #expect(try database.nodes(foundBy: discovery).map(\.target.description.last) == ["a", "b"])
    var session = SessionSnapshot(id: SessionID(rawValue: 3))
    session.targetName = "iqn.2026-11.org.example:b"
    let all = try database.nodes().records.map(\.record)
    let plan = try database.carryOut(vanished(all, sessions: [session]))
    #expect(actions(plan) == ["a at 10.0.0.1:3260,1 over default: deleted"])
    #expect(plan.refusals == [.inUse(.node(all[1]), SessionID(rawValue: 3))])
    #expect(try database.nodes().records.map(\.record.target.description.last) == ["b", "c", "d"])
  }

  @Test(
    "A discovery whose address open-iscsi has spelled otherwise finds its nodes, and its new ones get into the same folder"
  )
  func otherSpelling() throws {
    var record = DiscoveryRecord(.sendTargets, at: try PortalHost("fd00::1"), port: 3260)
    record.spelling = "FD00::1"
    let stored = record, same = DiscoveryRecord(.sendTargets, at: record.host, port: 3260)
    try database.change { (changes) throws(DatabaseError) in changes.save(stored) }
    _ = try keep([try target("a")], foundBy: same)
    let configuration = configuration, found = [(InterfaceRecord.standard, [try target("b")])]
    func merge(_ effects: DiscoveryEffects) throws {
      try database.change { (changes) throws(DatabaseError) in
        _ = try changes.merge(found, foundBy: same, configuration, effects) { _ in false }
      }
    }
    try merge(.add)
    func folders() throws -> [String] {
      try files.entries().filter { $0.hasPrefix("send_targets/") && $0.hasSuffix("/") }
    }
    #expect(try folders() == ["send_targets/", "send_targets/FD00::1,3260/"])
    let read = try #require(try database.discoveries(.sendTargets, at: same.portal).records.first)
    #expect(read.record == stored && read.record.address == "FD00::1")
    #expect(
      try database.nodes(from: .discovery(read.record)).records.map(\.record.discoveryAddress) == [
        "FD00::1", "FD00::1",
      ])
    #expect(try database.nodes(foundBy: read.record).count == 2)
    // One that has it in our spelling is of the same discovery.
    var node = try #require(try database.nodes().records.first).record
    node.discoveryAddress = "fd00::1"
    #expect(node.isFound(by: read.record))
    // A setting leaves the spelling alone.
    try database.change { (changes) throws(DatabaseError) in changes.save(same, over: read) }
    #expect(try files.read("send_targets/FD00::1,3260/st_config").contains("discovery.sendtargets.address = FD00::1\n"))
    try merge([.add, .remove])
    #expect(try database.nodes().records.map(\.record.target.description.last) == ["b"])
    let edit = DiscoveryDeletionEdit(of: DiscoveryQuery(portal: same.portal), unless: NodeUses([]))
    #expect(try database.carryOut(edit).steps.count == 2)
    #expect(try database.nodes().records.isEmpty)
    #expect(try folders().count <= 2)
  }

  @Test("Nothing is removed where the discovery is not repeated any more")
  func notRepeated() throws {
    _ = try keep([try target("a")])
    let nodes = try database.nodes(foundBy: discovery)
    #expect(try database.carryOut(vanished(nodes)).steps.isEmpty)
    #expect(nodes.count == 1)
  }

  @Test("A record that somebody has edited stays as it is when its node is gone")
  func edited() throws {
    _ = try database.carryOut(DiscoveryCreationEdit(discovery, configuration: configuration))
    _ = try keep([try target("a"), try target("b"), try target("c")])
    let stored = try #require(try database.nodes().records.first)
    var record = stored.record
    record.startup = .automatic
    let edited = record
    try database.change { (changes) throws(DatabaseError) in changes.save(edited, over: stored) }
    let path = "nodes/iqn.2026-11.org.example:b/10.0.0.1,3260,1/default"
    try files.write("others.key = 5\n" + files.read(path), to: path)
    let plan = try database.carryOut(vanished(try database.nodes(foundBy: discovery)))
    #expect(
      actions(plan) == [
        "a at 10.0.0.1:3260,1 over default: unchanged", "b at 10.0.0.1:3260,1 over default: unchanged",
        "c at 10.0.0.1:3260,1 over default: deleted",
      ])
    #expect(try database.nodes().records.map(\.record.startup) == [.automatic, .manual])
  }

  @Test("Whether nodes are in use is looked at when nobody else can change records")
  func usesUnderLock() throws {
    _ = try database.carryOut(DiscoveryCreationEdit(discovery, configuration: configuration))
    _ = try keep([try target("a")])
    let locks = files.locks
    let looks = Notes<Bool>()
    let nodes = try database.nodes(foundBy: discovery)
    let edit = VanishedNodesEdit(nodes: nodes, discovery: discovery, configuration: configuration) {
      do {
        _ = try DatabaseLock(in: locks, patience: .zero)
        looks.add(false)
      } catch {
        looks.add(true)
      }
      return []
    }
    _ = try database.carryOut(edit)
    #expect(looks.all == [true])
  }

  @Test("Sessions that cannot be read keep all records")
  func unreadableSessions() throws {
    _ = try database.carryOut(DiscoveryCreationEdit(discovery, configuration: configuration))
    _ = try keep([try target("a")])
    let edit = VanishedNodesEdit(
      nodes: try database.nodes(foundBy: discovery), discovery: discovery, configuration: configuration
    ) { () throws(SysfsError) in throw .unreadable(path: "/sys/x", .tooManyOpenFiles) }
    #expect(throws: DatabaseError.failed("read", path: "/sys/x", .tooManyOpenFiles)) { try database.carryOut(edit) }
    #expect(try database.nodes().records.count == 1)
  }

  @Test("What an iSNS server has found before it had a record is known, too")
  func isns() throws {
    let server = DiscoveryRecord(.isns, at: try PortalHost("10.0.0.9"), port: 3205)
    _ = try keep([try target("a")], foundBy: server)
    _ = try database.carryOut(DiscoveryCreationEdit(server, configuration: configuration))
    _ = try keep([try target("b")], foundBy: server)
    #expect(try database.nodes(foundBy: server).map(\.target.description.last) == ["b", "a"])
  }
}
