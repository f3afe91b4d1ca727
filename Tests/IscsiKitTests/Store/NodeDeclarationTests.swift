// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Declared nodes")
struct NodeDeclarationTests {
  private let files: TemporaryDatabase
  private var database: RecordDatabase { files.database }

  init() throws { files = try TemporaryDatabase() }

  private func declarations(_ text: String) throws -> [NodeDeclaration] {
    try NodeDeclaration.list(in: Array(text.utf8), of: "nodes.json")
  }

  private func apply(
    _ text: String, prune: Bool = false, uses: [SessionSnapshot] = [], isTrial: Bool = false
  ) throws -> RecordPlan {
    var options = NodeDeclarations.Options(configuration: InitiatorConfiguration())
    options.isPruning = prune
    options.uses = NodeUses(uses)
    return try database.carryOut(NodeDeclarations(try declarations(text), options), isTrial: isTrial)
  }

  private func node(_ name: String, _ rest: String = "") -> String {
    #"{"target": "iqn.2026-11.org.example:\#(name)", "portal": "10.0.0.1:3260,1"\#(rest.isEmpty ? "" : ", " + rest)}"#
  }

  private func names() throws -> [String] {
    try database.nodes().records.map { "\($0.record.target)".replacing("iqn.2026-11.org.example:", with: "") }
  }

  @Test("A document has the portal as an object or as a text, and needs no more than that and the target")
  func document() throws {
    let text = """
      {"version": 1, "kind": "node-show", "failures": [], "nodes": [
        {"target": "iqn.2026-11.org.example:a", "portal": "[fe80::1]:3261,2"},
        {"target": "iqn.2026-11.org.example:a", "portal": {"address": "fe80::1", "port": 3261, "targetPortalGroupTag": 2},
         "interface": "eth1", "settings": {"node.startup": "automatic"}},
        {"target": "iqn.2026-11.org.example:a", "portal": {"address": "san"}, "discovery": {}, "startup": ""}],
        "more": {}}
      """
    let target = try TargetName("iqn.2026-11.org.example:a")
    let portal = try Portal("[fe80::1]:3261,2")
    let name = try #require(InterfaceName("eth1"))
    #expect(
      try declarations(text) == [
        NodeDeclaration(target, at: portal),
        NodeDeclaration(target, at: portal, over: name, settings: Assignments(["node.startup": "automatic"])),
        NodeDeclaration(target, at: try Portal("san")),
      ])
  }

  @Test(
    "What a document lacks is told with its place",
    arguments: [
      ("", "nodes.json is no JSON: malformed JSON near octet 0"),
      ("{}", "nodes.json declares no nodes: nodes: is missing"),
      (#"{"nodes": [{"portal": "a"}]}"#, "nodes.json declares no nodes: nodes.0.target: is missing"),
      (
        #"{"nodes": [{"target": "-disk", "portal": "a"}]}"#,
        "nodes.json declares no nodes: nodes.0.target: is refused: the name begins with '-'"
      ),
      (
        #"{"nodes": [{"target": "iqn.2026-11.org.example:a", "portal": "a:0"}]}"#,
        "nodes.json declares no nodes: nodes.0.portal: is refused: \"0\" is not a TCP port (1 to 65535)"
      ),
      (
        #"{"nodes": [{"target": "iqn.2026-11.org.example:a", "portal": {"address": "a", "port": 65536}}]}"#,
        "nodes.json declares no nodes: nodes.0.portal.port: must be from 0 to 65535, not 65536"
      ),
      (
        #"{"nodes": [{"target": "iqn.2026-11.org.example:a", "portal": "a", "interface": "a/b"}]}"#,
        "nodes.json declares no nodes: nodes.0.interface: is refused: it is no name of an interface"
      ),
      (
        #"{"nodes": [{"target": "iqn.2026-11.org.example:a", "portal": "a", "settings": {"node.tpgt": 1}}]}"#,
        "nodes.json declares no nodes: nodes.0.settings.node.tpgt: must be a string, not an integer"
      ),
      (
        #"{"nodes": [{"target": "iqn.2026-11.org.example:a", "portal": "a", "setting": {"node.startup": "manual"}}]}"#,
        "nodes.json declares no nodes: nodes.0.setting: is no key of a node"
      ),
      (
        #"{"nodes": [], "kind": "session-list"}"#,
        #"nodes.json declares no nodes: kind: must be "node-show" or "node-list""#
      ),
      (#"{"nodes": [], "version": 2}"#, "nodes.json declares no nodes: version: must be 1"),
      (
        #"{"nodes": [], "version": 1, "kind": "node-show", "failures": [{"message": "there is no record"}]}"#,
        "nodes.json declares no nodes: failures: must be empty: a document that lacks what failed is not whole"
      ),
    ])
  func refused(text: String, message: String) {
    let error = #expect(throws: NodeDeclarationError.self) { try declarations(text) }
    #expect(error?.description == message)
    #expect(error?.exitStatus == .invalidArgument)
  }

  @Test("Records are made and changed as declared, and a second time nothing is left to do")
  func apply() throws {
    var existing = try NodeRecord.example("b")
    existing.queueDepth = 7
    existing.authentication.secret = Secret("verysecret12")
    try files.save(existing, .example("other"))
    let text = """
      {"nodes": [\(node("a", #""settings": {"node.startup": "automatic"}"#)),
        \(node("b", #""settings": {"node.startup": "automatic", "node.session.auth.username": "me"}"#))]}
      """
    let trial = try apply(text, isTrial: true)
    #expect(trial.steps.map(\.action) == [.created, .changed])
    #expect(try names() == ["b", "other"])
    let plan = try apply(text)
    #expect(plan.steps.map(\.action) == [.created, .changed])
    #expect(
      plan.steps.map { $0.settings.map(\.description) } == [
        ["node.startup: manual -> automatic"],
        ["node.startup: manual -> automatic", "node.session.auth.username: (none) -> me"],
      ])
    let changed = try #require(try database.nodes(.init(target: existing.target)).records.first?.record)
    // What is not declared stays, secrets too.
    existing.startup = .automatic
    existing.authentication.name = "me"
    #expect(changed == existing)
    #expect(try names() == ["a", "b", "other"])
    #expect(try apply(text).steps.map(\.action) == [.unchanged, .unchanged])
  }

  @Test("With pruning records go that are not declared; one in use keeps all from being done")
  func prune() throws {
    try files.save(.example("a"), .example("b"), .example("c"))
    let text = #"{"nodes": [\#(node("b")), \#(node("d"))]}"#
    var session = SessionSnapshot.example(7)
    session.targetName = "iqn.2026-11.org.example:c"
    session.interfaceName = "default"
    let refused = try apply(text, prune: true, uses: [session])
    #expect(refused.refusals == [.inUse(.node(try .example("c")), SessionID(rawValue: 7))] && refused.steps.isEmpty)
    #expect(try names() == ["a", "b", "c"])
    #expect(try apply(text, prune: true).steps.map(\.action) == [.unchanged, .created, .deleted, .deleted])
    #expect(try names() == ["b", "d"])
    #expect(try apply(#"{"nodes": []}"#).steps.isEmpty)
    #expect(try names() == ["b", "d"])
    #expect(try apply(#"{"nodes": []}"#, prune: true).steps.map(\.action) == [.deleted, .deleted])
  }

  @Test("A tag that becomes known moves the record; one that is not declared is any")
  func tags() throws {
    try files.save(.example("a", at: "10.0.0.1:3260"))
    #expect(
      try apply(#"{"nodes": [\#(node("a"))]}"#).steps.map { $0.settings.map(\.description) } == [
        ["node.tpgt: -1 -> 1"]
      ])
    #expect(try database.nodes().records.map(\.record) == [.example("a")])
    let untagged = #"{"nodes": [{"target": "iqn.2026-11.org.example:a", "portal": "10.0.0.1"}]}"#
    #expect(try apply(untagged, prune: true).steps.map(\.action) == [.unchanged])
    let other = #"{"nodes": [{"target": "iqn.2026-11.org.example:a", "portal": "10.0.0.1:3260,2"}]}"#
    #expect(try apply(other).steps.map(\.action) == [.created])
    #expect(try database.nodes().records.count == 2)
  }

  @Test("With a tag the record that has it is meant, and not another one whose tag is not known")
  func exactTag() throws {
    var tagged = try NodeRecord.example("a")
    tagged.queueDepth = 7
    try files.save(tagged, .example("a", at: "10.0.0.1:3260"))
    #expect(try apply(#"{"nodes": [\#(node("a"))]}"#).steps.map(\.action) == [.unchanged])
    #expect(try apply(#"{"nodes": [\#(node("a"))]}"#, prune: true).steps.map(\.action) == [.unchanged, .deleted])
    #expect(try database.nodes().records.map(\.record) == [tagged])
  }

  @Test("Without a tag a portal has one record: another interface's is not overwritten")
  func oneWithoutTag() throws {
    let existing = try NodeRecord.example("a", at: "10.0.0.1:3260")
    try files.save(existing)
    func untagged(_ name: String, _ interface: String) -> String {
      node(name, #""interface": "\#(interface)""#).replacing("3260,1", with: "3260")
    }
    let refused = try apply(#"{"nodes": [\#(untagged("a", "iser"))]}"#, prune: true)
    #expect(refused.refusals == [.exists(.node(existing))] && refused.steps.isEmpty)
    let twice = try apply(#"{"nodes": [\#(untagged("b", "iser")), \#(untagged("b", "default"))]}"#)
    #expect(twice.refusals == [.declaredTwice(.node(try .example("b", at: "10.0.0.1:3260")))])
    #expect(try database.nodes().records.map(\.record) == [existing])
  }

  @Test("A node that is declared with its tag and without is declared twice, in each order and also where it is new")
  func withAndWithoutTag() throws {
    for portals in [["10.0.0.1:3260", "10.0.0.1:3260,1"], ["10.0.0.1:3260,1", "10.0.0.1:3260"]] {
      let nodes = portals.map { node("a").replacing("10.0.0.1:3260,1", with: $0) }.joined(separator: ", ")
      let plan = try apply(#"{"nodes": [\#(nodes)]}"#)
      #expect(plan.refusals == [.declaredTwice(.node(try .example("a", at: portals[1])))] && plan.steps.isEmpty)
    }
    // Over another interface, or with another tag, it is another node.
    let others = [node("a").replacing("3260,1", with: "3260"), node("a", #""interface": "iser""#)]
    let plan = try apply(#"{"nodes": [\#(others.joined(separator: ", "))]}"#)
    #expect(plan.steps.map(\.action) == [.created, .created])
    #expect(try database.nodes().records.map(\.record.interface.name) == [.standard, .iser])
  }

  @Test("A document that cannot be carried out as a whole changes nothing")
  func whole() throws {
    let twice = #"{"nodes": [\#(node("a")), \#(node("a", #""interface": "default""#))]}"#
    #expect(try apply(twice).refusals == [.declaredTwice(.node(try .example("a")))])
    let interface = try apply(#"{"nodes": [\#(node("a")), \#(node("b", #""interface": "eth9""#))]}"#)
    #expect(interface.refusals == [.noInterface(try #require(InterfaceName("eth9")))])
    let setting = try apply(#"{"nodes": [\#(node("a")), \#(node("b", #""settings": {"node.startup": "x"}"#))]}"#)
    #expect(setting.refusals.map(\.exitStatus) == [.invalidArgument])
    #expect(try names() == [])
  }
}
