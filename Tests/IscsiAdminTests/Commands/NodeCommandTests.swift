// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("node list and show")
struct NodeCommandTests {
  private let fixture: RecordFixture

  init() throws { fixture = try RecordFixture.example() }

  @Test("a line a node")
  func list() throws {
    let output = try fixture.run(NodeListCommand.self)
    try Golden.expect(output.text, is: "node-list.txt")
    #expect(output.diagnostics == "" && output.status == .success)
  }

  @Test("a narrow terminal")
  func narrow() throws {
    let output = try fixture.run(NodeListCommand.self, terminal: Terminal(width: 64))
    #expect(output.text.split(separator: "\n").allSatisfy { $0.count <= 64 })
    #expect(output.text.contains("…"))
  }

  @Test("JSON")
  func json() throws {
    try Golden.expect(try fixture.run(NodeListCommand.self, "--json").text, is: "node-list.json")
    try Golden.expect(
      try fixture.run(NodeShowCommand.self, "--json", "--portal", "10.0.0.1").text, is: "node-show.json")
  }

  @Test("all settings, secrets only if they are wanted")
  func show() throws {
    try Golden.expect(try fixture.run(NodeShowCommand.self, "-p", "10.0.0.1").text, is: "node-show.txt")
    let open = try fixture.run(NodeShowCommand.self, "-p", "10.0.0.1", "--show-secrets").text
    #expect(open.contains("  node.session.auth.password = wonderland12\n"))
    #expect(try fixture.run(NodeShowCommand.self, "--json", "--show-secrets").text.contains("wonderland12"))
    #expect(try !fixture.run(NodeShowCommand.self, "--json").text.contains("wonderland12"))
  }

  @Test("names only, each once; what the options choose")
  func quiet() throws {
    #expect(
      try fixture.run(NodeListCommand.self, "-q").text
        == "iqn.2026-11.org.example:disk1\niqn.2026-11.org.example:disk2\n")
    #expect(
      try fixture.run(NodeListCommand.self, "-q", "--interface", "eth1").text == "iqn.2026-11.org.example:disk1\n")
    #expect(
      try fixture.run(NodeListCommand.self, "-q", "--target", "iqn.2026-11.org.example:disk2").text
        == "iqn.2026-11.org.example:disk2\n")
    #expect(try fixture.run(NodeListCommand.self, "-q", "-p", "san:3261").text == "iqn.2026-11.org.example:disk2\n")
  }

  @Test("nothing found ends with 21")
  func nothing() throws {
    let output = try fixture.run(NodeListCommand.self, "iqn.2026-11.org.example:none", "-p", "10.0.0.9")
    #expect(output.status == .noObjectsFound && output.text == "")
    #expect(
      output.diagnostics
        == "iscsi-admin: there is no record of iqn.2026-11.org.example:none at 10.0.0.9:3260; keep what a discovery finds: iscsi-admin discover PORTAL --save\n"
    )
    let empty = try RecordFixture()
    let json = try empty.run(NodeListCommand.self, "--json")
    try Golden.expect(json.text, is: "node-list-empty.json")
    #expect(
      json.diagnostics
        == "iscsi-admin: there are no records of nodes; keep what a discovery finds: iscsi-admin discover PORTAL --save\n"
    )
    #expect(try empty.run(NodeListCommand.self, "-q").diagnostics == "")
  }

  @Test("a file that is no record is a warning")
  func broken() throws {
    try fixture.write("", to: "nodes/iqn.2026-11.org.example:disk3/10.0.0.1,3260,1/default")
    let output = try fixture.run(NodeListCommand.self, "-q")
    #expect(output.status == .success && output.text.split(separator: "\n").count == 2)
    #expect(
      output.diagnostics
        == "iscsi-admin: warning: nodes/iqn.2026-11.org.example:disk3/10.0.0.1,3260,1/default is no record: it is empty\n"
    )
  }
}

@Suite("node set, create, delete and apply")
struct NodeEditCommandTests {
  private let fixture: RecordFixture

  init() throws { fixture = try RecordFixture.example() }

  @Test("what changes, from what to what")
  func set() throws {
    let secret = try TemporaryFile("topsecret123456\n")
    let arguments = [
      "iqn.2026-11.org.example:disk1", "-p", "10.0.0.1", "node.startup=manual",
      "node.session.timeo.replacement_timeout=-1", "node.session.auth.password=@\(secret.path)",
      "node.session.auth.username_in=queen",
    ]
    func run(_ more: String...) throws -> CommandOutput {
      try NodeSetCommand.parse(arguments + more).output(on: fixture.store)
    }
    let trial = try run("--dry-run")
    #expect(trial.text.hasPrefix("iqn.2026-11.org.example:disk1 at 10.0.0.1:3260,1 over default: would be changed\n"))
    #expect(try fixture.nodes()[0].startup == .automatic)
    try Golden.expect(try run("--dry-run", "--json").text, is: "node-set.json")
    try Golden.expect(try run().text, is: "node-set.txt")
    #expect(try fixture.nodes()[0].startup == .manual)
    #expect(try fixture.nodes()[0].authentication.secret == Secret("topsecret123456"))
    #expect(
      try run().text == "iqn.2026-11.org.example:disk1 at 10.0.0.1:3260,1 over default: unchanged\n")
    #expect(try run("-q").text == "")
  }

  @Test("a secret that others may read is a warning, an empty value takes it away")
  func secrets() throws {
    let open = try TemporaryFile("topsecret123456\n", permissions: [.ownerReadWrite, .otherRead])
    #expect(try fixture.run(NodeSetCommand.self, "--all", "node.session.auth.username=me").status == .success)
    let output = try fixture.run(NodeSetCommand.self, "--all", "node.session.auth.password=@\(open.path)")
    #expect(output.status == .success)
    #expect(
      output.diagnostics
        == "iscsi-admin: warning: the secret in \(open.path) can be read by every user of this machine; "
        + "chmod 600 \(open.path)\n")
    #expect(try fixture.run(NodeSetCommand.self, "--all", "node.session.auth.password=").status == .success)
    #expect(try fixture.nodes().allSatisfy { $0.authentication.secret == nil })
    let missing = try fixture.run(NodeSetCommand.self, "--all", "node.session.auth.password=@/nonexistent")
    #expect(missing.status == .invalidArgument && missing.text == "")
    // Only a secret is read from a file.
    _ = try fixture.run(NodeSetCommand.self, "--all", "node.session.auth.username=@home")
    #expect(try fixture.nodes()[0].authentication.name == "@home")
  }

  @Test("a short secret is a warning when it is set, and only then")
  func shortSecret() throws {
    let short = try TemporaryFile("topsecret12\n", permissions: [.ownerReadWrite])
    let name = "iqn.2026-11.org.example:disk1"
    let output = try fixture.run(NodeSetCommand.self, name, "node.session.auth.password=@\(short.path)")
    #expect(output.status == .success)
    #expect(output.diagnostics.contains("warning: \(name) at "))
    #expect(output.diagnostics.contains("the CHAP secret has 11 octets; RFC 7143 wants 12 at least"))
    #expect(try fixture.run(NodeSetCommand.self, name, "node.startup=onboot").diagnostics == "")
  }

  @Test("a login by records says what is missing: the target's record, or one with such a startup")
  func login() throws {
    let startup = try LoginCommand.parse(["--all", "--startup", "onboot"]).performByRecords(fixture.store)
    #expect(startup.status == .noObjectsFound)
    #expect(
      startup.diagnostics
        == "iscsi-admin: no record of a node has node.startup = onboot; iscsi-admin node set TARGET node.startup=onboot\n"
    )
    let unknown = try LoginCommand.parse(["iqn.2026-11.org.example:none"]).performByRecords(fixture.store)
    #expect(unknown.status == .noObjectsFound)
    #expect(unknown.diagnostics.contains("there is no record of iqn.2026-11.org.example:none; give --portal, or "))
  }

  @Test("a login by records asks for each session that is missing, and for one where none is")
  func sessionCount() throws {
    let tree = try SysfsTree()
    var present = SessionSnapshot.example(1)
    present.targetName = "iqn.2026-11.org.example:disk1"
    present.connection?.persistentAddress = "10.0.0.1"
    present.connection?.persistentPort = 3260
    try tree.add(present)
    var records = try fixture.nodes()
    for (index, count) in [3, 1, 2].enumerated() {
      try records[index].set("node.session.nr_sessions", to: String(count))
    }
    let command = try LoginCommand.parse(["--all", "--sysfs-root", tree.root.string])
    let (logins, refusals) = command.logins(by: records)
    #expect(refusals.isEmpty)
    #expect(
      logins.map { "\($0.portal) \($0.sessionCount ?? 0)" } == [
        "10.0.0.1:3260,1 3", "10.0.0.1:3260,1 3", "[fe80::1%eth0]:3260,2 1", "san:3261 2", "san:3261 2",
      ])
    for index in records.indices { try records[index].set("node.session.nr_sessions", to: "1") }
    #expect(command.logins(by: records).0.map(\.sessionCount) == [1, 1, 1])
  }

  @Test("a key that comes twice, or that no record has, is refused and nothing is changed")
  func refused() throws {
    let before = try fixture.nodes()
    let twice = try fixture.run(NodeSetCommand.self, "--all", "node.startup=manual", "node.startup=onboot")
    #expect(twice.diagnostics == "iscsi-admin: node.startup is given twice\n")
    #expect(twice.status == .invalidArgument)
    let unknown = try fixture.run(NodeSetCommand.self, "--all", "node.startup=manual", "node.start=manual")
    #expect(
      unknown.diagnostics
        == "iscsi-admin: there is no key \"node.start\"; iscsi-admin node show, iface show and discovery show print the keys that there are\n"
    )
    #expect(unknown.status == .invalidArgument)
    #expect(try fixture.nodes() == before)
  }

  @Test(
    "a timeout that is none is told with what may be meant",
    arguments: [
      (
        "node.session.timeo.replacement_timeout=",
        "must be a number of seconds, or -1 for ever; the default is 120; with 0, I/O fails at once; with -1, I/O waits for ever"
      ),
      (
        "node.session.timeo.replacement_timeout=-7",
        "must be a number of seconds, or -1 for ever; the default is 120; with 0, I/O fails at once; with -1, I/O waits for ever"
      ),
      (
        "replacement-timeout=",
        "; its key is node.session.timeo.replacement_timeout; iscsi-admin set takes replacement-timeout"
      ),
    ])
  func timeouts(word: String, told: String) throws {
    let output = try fixture.run(NodeSetCommand.self, "--all", word)
    #expect(output.status == .invalidArgument && output.diagnostics.hasSuffix("\(told)\n"))
  }

  @Test("a new record")
  func create() throws {
    let arguments = ["iqn.2026-11.org.example:disk3", "-p", "10.0.0.3:3260,1", "--interface", "eth1"]
    let output = try NodeCreateCommand.parse(arguments + ["node.startup=automatic"]).output(on: fixture.store)
    try Golden.expect(output.text, is: "node-create.txt")
    let again = try NodeCreateCommand.parse(arguments + ["--json"]).output(on: fixture.store)
    #expect(again.status == .sessionExists)
    #expect(again.failures.map(\.target) == ["iqn.2026-11.org.example:disk3"])
    let replaced = try NodeCreateCommand.parse(arguments + ["--replace", "--json"]).output(on: fixture.store)
    try Golden.expect(replaced.text, is: "node-create.json")
    #expect(try fixture.nodes().last?.startup == .manual)
  }

  @Test("a record with a session stays")
  func delete() throws {
    let tree = try sysfsWithSession()
    let arguments = ["--all", "--sysfs-root", tree.root.string]
    let output = try NodeDeleteCommand.parse(arguments + ["--json"]).output(on: fixture.store)
    try Golden.expect(output.text, is: "node-delete.json")
    try Golden.expect(output.diagnostics, is: "node-delete.stderr")
    #expect(output.status == .sessionExists)
    #expect(try fixture.nodes().map(\.portal.address) == ["10.0.0.1:3260"])
    let rest = try NodeDeleteCommand.parse(["--all", "--sysfs-root", "/nonexistent"]).output(on: fixture.store)
    #expect(rest.text == "iqn.2026-11.org.example:disk1 at 10.0.0.1:3260,1 over default: deleted\n")
  }

  @Test("what node show prints can be applied, and is done already; what was deleted comes back")
  func roundTrip() throws {
    let document = try TemporaryFile(try fixture.run(NodeShowCommand.self, "--json", "--show-secrets").text)
    let before = try fixture.nodes()
    let none = try fixture.run(NodeApplyCommand.self, document.path.string)
    #expect(none.text == "" && none.status == .success)
    _ = try fixture.run(NodeDeleteCommand.self, "--all", "--sysfs-root", "/nonexistent")
    let again = try fixture.run(NodeApplyCommand.self, document.path.string)
    try Golden.expect(again.text, is: "node-apply.txt")
    // They are made by hand now.
    let after = try fixture.nodes()
    #expect(
      after.map { $0.settings(includingSecrets: true).map(\.value) }
        == before.map { $0.settings(includingSecrets: true).map(\.value) })
    #expect(after.allSatisfy { $0.discoveryKind == .byHand })
  }

  @Test("a declared state, and what is pruned")
  func apply() throws {
    let document = try TemporaryFile(
      """
      {"nodes": [
        {"target": "iqn.2026-11.org.example:disk1", "portal": "10.0.0.1", "settings": {"node.startup": "onboot"}},
        {"target": "iqn.2026-11.org.example:disk4", "portal": {"address": "10.0.0.4"}}]}
      """)
    let tree = try SysfsTree()
    let output = try fixture.run(
      NodeApplyCommand.self, document.path.string, "--prune", "--json", "--sysfs-root", tree.root.string)
    try Golden.expect(output.text, is: "node-apply.json")
    #expect(try fixture.nodes().map(\.startup) == [.onboot, .manual])
    #expect(try fixture.nodes()[0].authentication.secret == Secret("wonderland12"))
    let wrong = try fixture.run(NodeApplyCommand.self, "/nonexistent")
    #expect(wrong.status == .invalidArgument)
    #expect(wrong.diagnostics.hasPrefix("iscsi-admin: /nonexistent cannot be read: "))
  }
}
