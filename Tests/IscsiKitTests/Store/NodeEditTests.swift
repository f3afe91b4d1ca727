// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Edits of nodes")
struct NodeEditTests {
  private let files: TemporaryDatabase
  private var database: RecordDatabase { files.database }

  init() throws { files = try TemporaryDatabase() }

  private func records(_ target: String) throws -> [NodeRecord] {
    try database.nodes(.init(target: NodeRecord.example(target).target)).records.map(\.record)
  }

  private func selection(_ target: String) throws -> NodeQuery {
    NodeQuery(targets: [try NodeRecord.example(target).target])
  }

  /// Each step as a line.
  private func lines(_ plan: RecordPlan) -> [String] {
    plan.steps.map { step in
      let settings = step.settings.map { " [\($0)]" }.joined()
      return "\(step.action) \(step.subject.description.dropFirst("iqn.2026-11.org.example:".count))\(settings)"
    }
  }

  @Test("Settings are changed on all nodes that are meant, and told with their old values but secrets")
  func setting() throws {
    try files.save(.example("a"), .example("a", at: "10.0.0.2:3260,1"), .example("b"))
    let edit = NodeSettingEdit(
      of: try selection("a"),
      Assignments(["node.startup": "automatic", "node.session.auth.password": "verysecret12"]))
    let plan = try database.carryOut(edit)
    let changes = "[node.startup: manual -> automatic] [node.session.auth.password: (none) -> ********]"
    #expect(
      lines(plan) == [
        "changed a at 10.0.0.1:3260,1 over default \(changes)", "changed a at 10.0.0.2:3260,1 over default \(changes)",
      ])
    let warnings = ["10.0.0.1", "10.0.0.2"].map {
      "iqn.2026-11.org.example:a at \($0):3260,1 over default: \(CHAPWarning.nameless)"
    }
    #expect(plan.refusals.isEmpty && plan.warnings == warnings)
    #expect(try records("a").map(\.startup) == [.automatic, .automatic])
    #expect(try records("a").map(\.authentication.secret) == [Secret("verysecret12"), Secret("verysecret12")])
    #expect(try records("b").map(\.startup) == [.manual])
    #expect(try database.carryOut(edit).steps.map(\.action) == [.unchanged, .unchanged])
  }

  @Test("A trial writes nothing and takes no lock")
  func trial() throws {
    try files.save(.example())
    let before = try files.entries()
    let edit = NodeSettingEdit(of: NodeQuery(), Assignments(["node.startup": "automatic"]))
    // Where the locks would be is no folder.
    let unlockable = RecordDatabase(root: files.root, lockDirectory: "/dev/null/lock")
    #expect(try unlockable.carryOut(edit, isTrial: true).steps.map(\.action) == [.changed])
    #expect(throws: DatabaseError.self) { try unlockable.carryOut(edit) }
    #expect(try records("disk").map(\.startup) == [.manual])
    #expect(try files.entries() == before)
  }

  @Test(
    "One wrong assignment changes nothing at all",
    arguments: [
      (["node.startup": "automatic", "zzz": "1"], RecordError.unknownKey("zzz")),
      (
        ["node.leading_login": "Yes", "node.startup": "never"],
        .badValue(key: "node.startup", expected: "manual, automatic or onboot")
      ),
      (["iface.mtu": "1", "node.name": "iqn.2026-11.org.example:z"], .identity("node.name")),
    ] as [([String: String], RecordError)])
  func allOrNothing(values: [String: String], error: RecordError) throws {
    try files.save(.example("a"), .example("b"))
    let plan = try database.carryOut(NodeSettingEdit(of: NodeQuery(), Assignments(values)))
    #expect(plan.steps.isEmpty)
    #expect(plan.refusals == [.setting(error)])
    #expect(try database.nodes().records.map(\.record) == [.example("a"), .example("b")])
  }

  @Test("A timeout is in its range, or as the record has it")
  func timeouts() throws {
    var record = try NodeRecord.example()
    record.timeouts.replacement = .seconds(3_000_000)
    try files.save(record)
    let key = "node.session.timeo.replacement_timeout"
    func plan(_ key: String, _ value: String) throws -> RecordPlan {
      try database.carryOut(NodeSettingEdit(of: NodeQuery(), Assignments([key: value])))
    }
    #expect(try plan(key, "3000000").steps.map(\.action) == [.unchanged])
    #expect(
      try plan(key, "3000001").refusals == [
        .setting(.badValue(key: key, expected: "from 0 to 2147483 seconds, or -1"))
      ])
    #expect(try plan("node.session.err_timeo.abort_timeout", "0").refusals.map(\.exitStatus) == [.invalidArgument])
    #expect(try plan(key, "2147483").steps.map(\.action) == [.changed])
    #expect(try plan(key, "-1").steps.map(\.action) == [.changed])
  }

  @Test("A target without records is refused, and the others are changed")
  func missing() throws {
    try files.save(.example("a"))
    try files.write("", to: "nodes/iqn.2026-11.org.example:broken/10.0.0.1,3260,1/default")
    let targets = try ["none", "a", "broken", "a"].map { try NodeRecord.example($0).target }
    let edit = NodeSettingEdit(of: NodeQuery(targets: targets), Assignments(["node.startup": "automatic"]))
    let plan = try database.carryOut(edit)
    #expect(plan.steps.map(\.action) == [.changed])
    #expect(plan.refusals == [.noNode(try selection("none")), .noNode(try selection("broken"))])
    #expect(plan.refusals.map(\.exitStatus) == [.noObjectsFound, .noObjectsFound])
    #expect(
      plan.warnings == ["nodes/iqn.2026-11.org.example:broken/10.0.0.1,3260,1/default is no record: it is empty"])
  }

  @Test("A portal's tag counts where it is given")
  func tags() throws {
    try files.save(.example(), .example(at: "10.0.0.1:3260,2"))
    func count(_ portal: String) throws -> Int {
      try NodeQuery(portal: Portal(portal)).find(in: database).nodes.records.count
    }
    #expect(try count("10.0.0.1") == 2)
    #expect(try count("10.0.0.1:3260,2") == 1)
    #expect(try count("10.0.0.1:3261") == 0)
  }

  @Test("A new record has the configured settings, then those that are given")
  func creation() throws {
    let configuration = InitiatorConfiguration(
      RecordText(Array("node.startup = automatic\nnode.session.queue_depth = 7\n".utf8)))
    let wanted = try NodeRecord.example()
    let node = NodeDeclaration(
      wanted.target, at: wanted.portal, settings: Assignments(["node.session.queue_depth": "9"]))
    let plan = try database.carryOut(NodeCreationEdit(node, configuration: configuration))
    #expect(
      lines(plan) == ["created disk at 10.0.0.1:3260,1 over default [node.session.queue_depth: 7 -> 9]"])
    let record = try #require(try records("disk").first)
    #expect(record.startup == .automatic && record.queueDepth == 9)
    #expect(
      try files.entries().contains { $0.hasPrefix("static/iqn.2026-11.org.example:disk,10.0.0.1,3260,1,default") })
  }

  @Test("A record that is there is in the way, also under another tag that is not known, unless it is replaced")
  func existing() throws {
    var old = try NodeRecord.example(at: "10.0.0.1:3260")
    old.queueDepth = 99
    try files.save(old)
    let node = NodeDeclaration(old.target, at: try Portal("10.0.0.1:3260,4"))
    let refused = try database.carryOut(NodeCreationEdit(node, configuration: .init()))
    #expect(refused.refusals == [.exists(.node(old))] && refused.steps.isEmpty)
    #expect(refused.refusals.first?.exitStatus == .sessionExists)
    let edit = NodeCreationEdit(node, configuration: .init(), isReplacing: true)
    #expect(try database.carryOut(edit).steps.map(\.action) == [.created])
    #expect(try records("disk") == [.example(at: "10.0.0.1:3260,4")])
  }

  @Test("A portal without a tag has one record, whatever its interface")
  func oneWithoutTag() throws {
    try files.save(.example(at: "10.0.0.1:3260"))
    let node = NodeDeclaration(try NodeRecord.example().target, at: try Portal("10.0.0.1"), over: .iser)
    let plan = try database.carryOut(NodeCreationEdit(node, configuration: .init()))
    #expect(plan.refusals == [.exists(.node(try .example(at: "10.0.0.1:3260")))])
  }

  @Test("A record that is made or changed leaves one without a tag at its portal alone, which has no step")
  func besideOneWithoutTag() throws {
    var older = try NodeRecord.example(at: "10.0.0.1:3260")
    older.interface = .iser
    try files.save(older)
    let declaration = NodeDeclaration(older.target, at: try Portal("10.0.0.1:3260,1"))
    #expect(
      try database.carryOut(NodeCreationEdit(declaration, configuration: .init())).steps.map(\.action) == [.created])
    #expect(try records("disk") == [older, .example()])
    let edit = NodeSettingEdit(
      of: NodeQuery(interface: .standard), Assignments(["node.startup": "automatic"]))
    #expect(try database.carryOut(edit).steps.map(\.action) == [.changed])
    #expect(try records("disk").map(\.startup) == [.manual, .automatic])
  }

  @Test("A record that is replaced keeps its tag if none is given")
  func replacedWithoutTag() throws {
    var (tagged, older) = (try NodeRecord.example(), try NodeRecord.example(at: "10.0.0.1:3260"))
    tagged.queueDepth = 7
    older.interface = .iser
    try files.save(tagged)
    try files.save(older)
    let declaration = NodeDeclaration(tagged.target, at: try Portal("10.0.0.1"))
    let plan = try database.carryOut(NodeCreationEdit(declaration, configuration: .init(), isReplacing: true))
    #expect(lines(plan) == ["created disk at 10.0.0.1:3260,1 over default"])
    #expect(try records("disk") == [older, .example()])
  }

  @Test("An interface is copied into the record, and has to be there")
  func interface() throws {
    let name = try #require(InterfaceName("eth1"))
    let node = NodeDeclaration(try NodeRecord.example().target, at: try Portal("10.0.0.1:3260,1"), over: name)
    let edit = NodeCreationEdit(node, configuration: .init())
    #expect(try database.carryOut(edit).refusals == [.noInterface(name)])
    var interface = InterfaceRecord(name: name)
    interface.networkDevice = "eth1"
    try database.change { (changes) throws(DatabaseError) in changes.save(interface) }
    #expect(try database.carryOut(edit).refusals == [])
    #expect(try records("disk").map(\.interface) == [interface])
  }

  @Test("Records are deleted but those that a session uses")
  func deletion() throws {
    try files.save(.example("a"), .example("b"), .example("c"))
    var session = SessionSnapshot.example(7)
    session.targetName = "iqn.2026-11.org.example:b"
    session.interfaceName = nil
    let plan = try database.carryOut(NodeDeletionEdit(of: NodeQuery(), unless: NodeUses([session])))
    #expect(plan.refusals == [.inUse(.node(try .example("b")), SessionID(rawValue: 7))])
    #expect(plan.refusals.first?.exitStatus == .sessionExists)
    #expect(lines(plan).map { $0.prefix(9) } == ["deleted a", "deleted c"])
    #expect(try database.nodes().records.map(\.record) == [.example("b")])
  }
}

@Suite("Nodes in use")
struct NodeUsesTests {
  private func session(_ change: (inout SessionSnapshot) -> Void = { _ in }) -> SessionSnapshot {
    var session = SessionSnapshot.example(7)
    session.targetName = "iqn.2026-11.org.example:disk"
    session.interfaceName = "default"
    change(&session)
    return session
  }

  private func isUsed(_ record: NodeRecord, by session: SessionSnapshot) -> Bool {
    NodeUses([session]).session(of: record) == SessionID(rawValue: 7)
  }

  @Test("A session of the same target, portal and interface uses the record, whatever its tag")
  func same() throws {
    #expect(isUsed(try .example(), by: session()))
    #expect(isUsed(try .example(at: "10.0.0.1:3260"), by: session { $0.tag = 9 }))
  }

  @Test("A session that differs in one of them does not")
  func other() throws {
    #expect(!isUsed(try .example("other"), by: session()))
    #expect(!isUsed(try .example(at: "10.0.0.2:3260,1"), by: session()))
    #expect(!isUsed(try .example(at: "10.0.0.1:3261,1"), by: session()))
    #expect(!isUsed(try .example(), by: session { $0.interfaceName = "eth1" }))
  }

  @Test("A host's name can stand for an address, and what sysfs does not show for any portal")
  func unknown() throws {
    #expect(isUsed(try .example(at: "san:3260,1"), by: session()))
    #expect(!isUsed(try .example(at: "san:3261,1"), by: session()))
    #expect(!isUsed(try .example(at: "san:3260,1"), by: session { $0.connection?.persistentAddress = "other" }))
    #expect(isUsed(try .example(), by: session { $0.connection = nil }))
  }
}
