// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("iface")
struct InterfaceCommandTests {
  private let fixture: RecordFixture

  init() throws { fixture = try RecordFixture.example() }

  @Test("the interfaces that there always are, then the others")
  func list() throws {
    try Golden.expect(try fixture.run(InterfaceListCommand.self).text, is: "iface-list.txt")
    try Golden.expect(try fixture.run(InterfaceListCommand.self, "--json").text, is: "iface-list.json")
    #expect(try fixture.run(InterfaceListCommand.self, "-q").text == "default\niser\neth1\n")
    #expect(try RecordFixture().run(InterfaceListCommand.self, "-q").text == "default\niser\n")
  }

  @Test("all settings of one")
  func show() throws {
    try Golden.expect(try fixture.run(InterfaceShowCommand.self, "eth1").text, is: "iface-show.txt")
    try Golden.expect(try fixture.run(InterfaceShowCommand.self, "eth1", "--json").text, is: "iface-show.json")
    let output = try fixture.run(InterfaceShowCommand.self, "-q", "iser", "eth9", "default")
    #expect(output.text == "iser\ndefault\n" && output.status == .noObjectsFound)
    #expect(
      output.diagnostics == "iscsi-admin: there is no interface eth9; iscsi-admin iface list shows the interfaces\n")
  }

  @Test("a setting changes the interface and the node over it")
  func set() throws {
    try Golden.expect(
      try fixture.run(InterfaceSetCommand.self, "eth1", "iface.net_ifacename=eth2", "--dry-run", "--json").text,
      is: "iface-set.json")
    try Golden.expect(
      try fixture.run(InterfaceSetCommand.self, "eth1", "iface.net_ifacename=eth2").text, is: "iface-set.txt")
    #expect(try fixture.nodes().map(\.interface.networkDevice) == [nil, "eth2", nil])
    let builtIn = try fixture.run(InterfaceSetCommand.self, "default", "iface.mtu=9000")
    #expect(builtIn.status == .invalidArgument)
  }

  @Test("a new one, once")
  func create() throws {
    let output = try fixture.run(InterfaceCreateCommand.self, "new", "iface.initiatorname=iqn.2026-11.org.example:n")
    #expect(
      output.text
        == "interface new: created\n  iface.initiatorname: (none) -> iqn.2026-11.org.example:n\n")
    let again = try fixture.run(InterfaceCreateCommand.self, "new", "--json")
    try Golden.expect(again.text, is: "iface-create.json")
    #expect(again.status == .sessionExists)
  }

  @Test("one goes with the nodes over it, unless they are in use")
  func delete() throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.interfaceName = "eth1"
    session.connection?.persistentAddress = "fe80::1%eth0"
    try tree.add(session)
    let used = try fixture.run(InterfaceDeleteCommand.self, "eth1", "--sysfs-root", tree.root.string)
    #expect(used.status == .sessionExists && used.text == "")
    #expect(try fixture.nodes().count == 3)
    let free = try fixture.run(InterfaceDeleteCommand.self, "eth1", "--json", "--sysfs-root", "/nonexistent")
    try Golden.expect(free.text, is: "iface-delete.json")
    #expect(try fixture.nodes().count == 2)
  }
}

@Suite("discover --save")
struct DiscoverSavingTests {
  private func keep(
    _ arguments: [String], _ answer: SendTargetsResponse, in fixture: RecordFixture
  ) throws -> [String] {
    let command = try DiscoverCommand.parse(arguments + ["--save"])
    var plans: [RecordPlan] = []
    try command.keep(
      InitiatorTypes.Discovery(answer), authentication: command.input().authentication, in: fixture.store
    ) { plans.append($0) }
    return plans.flatMap(\.steps).map { "\($0.subject): \($0.action)" }
  }

  private func answer(_ text: String) throws -> SendTargetsResponse {
    SendTargetsResponse(text: Array(text.utf8), discoveryPortal: try Portal("10.0.0.1"))
  }

  @Test("The discovery is kept with how it authenticates, and each node that has no record yet gets one")
  func saving() throws {
    let fixture = try RecordFixture()
    let secret = try TemporaryFile("topsecret123456\n")
    let one = "TargetName=iqn.2026-11.org.example:a\0TargetAddress=10.0.0.1:3260,1\0"
    let words = ["10.0.0.1", "--user", "me", "--password-file", secret.path.string]
    #expect(
      try keep(words, answer(one), in: fixture) == [
        "discovery sendtargets at 10.0.0.1:3260: created",
        "iqn.2026-11.org.example:a at 10.0.0.1:3260,1 over default: created",
      ])
    let discovery = try #require(try fixture.store.database.discoveries(.sendTargets).records.first?.record)
    #expect(discovery.authentication.method == .chap && discovery.authentication.name == "me")
    #expect(discovery.authentication.secret == Secret("topsecret123456") && !discovery.isRepeated)
    let again = try answer(one + "TargetAddress=10.0.1.1:3260,2\0")
    #expect(
      try keep(["10.0.0.1"], again, in: fixture) == [
        "discovery sendtargets at 10.0.0.1:3260: unchanged",
        "iqn.2026-11.org.example:a at 10.0.0.1:3260,1 over default: unchanged",
        "iqn.2026-11.org.example:a at 10.0.1.1:3260,2 over default: created",
      ])
    #expect(try fixture.store.database.discoveries(.sendTargets).records.first?.record == discovery)
  }

  @Test("A portal group tag that the target has changed is changed in the record, which is told")
  func otherTag() throws {
    let fixture = try RecordFixture()
    let text = "TargetName=iqn.2026-11.org.example:a\0TargetAddress=10.0.0.1:3260,"
    _ = try keep(["10.0.0.1"], answer(text + "1\0"), in: fixture)
    let command = try DiscoverCommand.parse(["10.0.0.1", "--save"])
    let changed = InitiatorTypes.Discovery(try answer(text + "2\0"))
    var output = CommandOutput()
    try command.keep(changed, authentication: nil, in: fixture.store) { output.tell($0, command.report) }
    #expect(
      output.text
        == "iqn.2026-11.org.example:a at 10.0.0.1:3260,2 over default: changed\n  node.tpgt: 1 -> 2\n")
    #expect(try fixture.store.database.nodes().records.map(\.record.portal.description) == ["10.0.0.1:3260,2"])
  }

  @Test("What was found is told also if it cannot be kept, with the code of the failure", arguments: [false, true])
  func failing(isJSON: Bool) throws {
    let fixture = try RecordFixture()
    // The nodes cannot be written where a file stands in place of their folder; the discovery can.
    try fixture.write("", to: "nodes")
    let command = try DiscoverCommand.parse(["10.0.0.1", "--save"] + (isJSON ? ["--json"] : []))
    let found = InitiatorTypes.Discovery(
      try answer("TargetName=iqn.2026-11.org.example:a\0TargetAddress=10.0.0.1:3260,1\0"))
    let output = try command.output(of: found, for: .plain) { tell in
      try command.keep(found, authentication: nil, in: fixture.store, tell)
    }
    #expect(output.status == .database)
    #expect(output.failures.count == 1 && output.diagnosticLines.count == 1)
    #expect(output.text.contains("iqn.2026-11.org.example:a"))
    if isJSON {
      #expect(output.text.contains("\"exitCode\" : 6"))
    } else {
      #expect(output.text.hasSuffix("discovery sendtargets at 10.0.0.1:3260: created\n"))
    }
  }

  @Test("Where users have made interfaces, nodes are kept over these")
  func interfaces() throws {
    let fixture = try RecordFixture.example()
    let text = "TargetName=iqn.2026-11.org.example:z\0TargetAddress=10.0.0.1:3260,1\0"
    #expect(
      try keep(["10.0.0.1"], answer(text), in: fixture) == [
        "discovery sendtargets at 10.0.0.1:3260: unchanged",
        "iqn.2026-11.org.example:z at 10.0.0.1:3260,1 over eth1: created",
      ])
  }

  @Test("It does not go with a binding, which no record would have")
  func binding() {
    #expect(throws: (any Error).self) { try DiscoverCommand.parse(["san", "--save", "--interface-device", "eth0"]) }
  }
}

@Suite("discovery")
struct DiscoveryRecordCommandTests {
  private let fixture: RecordFixture

  init() throws { fixture = try RecordFixture.example() }

  @Test("a line a discovery")
  func list() throws {
    try Golden.expect(try fixture.run(DiscoveryListCommand.self).text, is: "discovery-list.txt")
    try Golden.expect(try fixture.run(DiscoveryListCommand.self, "--json").text, is: "discovery-list.json")
    #expect(try fixture.run(DiscoveryListCommand.self, "-q", "--kind", "isns").text == "registry:3205\n")
    let empty = try RecordFixture().run(DiscoveryListCommand.self)
    #expect(empty.status == .noObjectsFound)
    #expect(empty.diagnostics == "iscsi-admin: there are no records of discoveries\n")
  }

  @Test("all settings, secrets only if they are wanted")
  func show() throws {
    try Golden.expect(try fixture.run(DiscoveryShowCommand.self).text, is: "discovery-show.txt")
    try Golden.expect(
      try fixture.run(DiscoveryShowCommand.self, "10.0.0.1", "--json").text, is: "discovery-show.json")
    #expect(try fixture.run(DiscoveryShowCommand.self, "--show-secrets").text.contains("seldomguessed"))
  }

  @Test("a setting, and a secret")
  func set() throws {
    let secret = try TemporaryFile("topsecret123456\n")
    let output = try fixture.run(
      DiscoverySetCommand.self, "10.0.0.1", "discovery.sendtargets.auth.password=@\(secret.path)",
      "discovery.sendtargets.use_discoveryd=No", "--json")
    try Golden.expect(output.text, is: "discovery-set.json")
    #expect(
      try fixture.run(DiscoveryShowCommand.self, "10.0.0.1", "--show-secrets").text.contains("= topsecret123456\n"))
    let missing = try fixture.run(DiscoverySetCommand.self, "10.0.0.7", "discovery.startup=manual")
    #expect(missing.status == .noObjectsFound)
    #expect(missing.diagnostics == "iscsi-admin: there is no record of a discovery at 10.0.0.7:3260\n")
  }

  @Test("one goes with what it has found, but what is in use")
  func delete() throws {
    let tree = try sysfsWithSession()
    let trial = try fixture.run(
      DiscoveryDeleteCommand.self, "10.0.0.1", "--dry-run", "--json", "--sysfs-root", "/nonexistent")
    try Golden.expect(trial.text, is: "discovery-delete.json")
    let output = try fixture.run(DiscoveryDeleteCommand.self, "10.0.0.1", "--sysfs-root", tree.root.string)
    #expect(output.text == "discovery sendtargets at 10.0.0.1:3260: deleted\n" && output.status == .success)
    #expect(
      output.diagnostics
        == "iscsi-admin: warning: iqn.2026-11.org.example:disk1 at 10.0.0.1:3260,1 over default stays: session 1 uses it\n"
    )
    #expect(try fixture.nodes().count == 3)
  }
}
