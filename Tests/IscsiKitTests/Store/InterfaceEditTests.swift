// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Edits of interfaces and discoveries")
struct InterfaceEditTests {
  private let files: TemporaryDatabase
  private let name: InterfaceName
  private var database: RecordDatabase { files.database }

  init() throws {
    files = try TemporaryDatabase()
    name = try #require(InterfaceName("eth1"))
  }

  private func create(_ values: [String: String] = [:]) throws -> RecordPlan {
    try database.carryOut(InterfaceCreationEdit(name, Assignments(values)))
  }

  /// A session of the example record over an interface.
  private func session(_ interface: String) -> SessionSnapshot {
    var session = SessionSnapshot.example(7)
    session.targetName = "iqn.2026-11.org.example:disk"
    session.interfaceName = interface
    return session
  }

  @Test("An interface is made once")
  func creation() throws {
    let plan = try create(["iface.net_ifacename": "eth1"])
    #expect(plan.steps.map { $0.settings.map(\.description) } == [["iface.net_ifacename: (none) -> eth1"]])
    let record = try #require(try database.interfaces(name).records.first?.record)
    #expect(record.networkDevice == "eth1")
    #expect(try create().refusals == [.exists(.interface(record))])
    #expect(
      try database.carryOut(InterfaceCreationEdit(.standard, Assignments())).refusals == [.builtIn(.standard)])
  }

  @Test("A setting reaches the copies that records of nodes over the interface have, and no other")
  func setting() throws {
    _ = try create()
    var (over, beside) = (try NodeRecord.example(), try NodeRecord.example("other"))
    over.interface = InterfaceRecord(name: name)
    // A copy can have settings of its own.
    over.interface.initiatorName = "iqn.2026-11.org.example:me"
    beside.startup = .automatic
    let (first, second) = (over, beside)
    try database.change { (changes) throws(DatabaseError) in
      changes.save(first)
      changes.save(second)
    }
    let edit = InterfaceSettingEdit(of: name, Assignments(["iface.net_ifacename": "eth2"]))
    #expect(try database.carryOut(edit).steps.map(\.action) == [.changed, .changed])
    over.interface.networkDevice = "eth2"
    #expect(try database.nodes().records.map(\.record) == [over, beside])
    #expect(try database.interfaces(name).records.first?.record.networkDevice == "eth2")
    let wrong = InterfaceSettingEdit(of: name, Assignments(["iface.net_ifacename": "eth3", "iface.mtu": "x"]))
    #expect(try database.carryOut(wrong).steps.isEmpty)
    #expect(try database.interfaces(name).records.first?.record.networkDevice == "eth2")
    for (name, refusal) in [(InterfaceName.iser, RecordRefusal.builtIn(.iser)), (.standard, .builtIn(.standard))] {
      #expect(try database.carryOut(InterfaceSettingEdit(of: name, Assignments())).refusals == [refusal])
    }
    let missing = try #require(InterfaceName("eth9"))
    #expect(try database.carryOut(InterfaceSettingEdit(of: missing, Assignments())).refusals == [.noInterface(missing)])
  }

  @Test(
    "A key of the version of IP that an interface does not have is refused, unless the same edit makes it have that")
  func otherIPVersion() throws {
    _ = try create()
    func set(_ values: [String: String]) throws -> RecordPlan {
      try database.carryOut(InterfaceSettingEdit(of: name, Assignments(values)))
    }
    let refused = try set(["iface.hop_limit": "5", "iface.mtu": "9000"])
    #expect(refused.refusals == [.setting(.otherIPVersion(key: "iface.hop_limit"))])
    #expect(
      refused.refusals.first?.description
        == "iface.hop_limit is for interfaces with an address of IPv6, which this is not")
    #expect(try database.interfaces(name).records.first?.record.card[number: "mtu"] == 0)
    #expect(try set(["iface.hop_limit": "5", "iface.ipaddress": "fd00::5"]).refusals.isEmpty)
    #expect(try database.interfaces(name).records.first?.record.card[number: "hop_limit"] == 5)
  }

  @Test("An interface goes with the nodes over it, unless one of them is in use")
  func deletion() throws {
    _ = try create()
    var over = try NodeRecord.example()
    over.interface = InterfaceRecord(name: name)
    let (first, second) = (over, try NodeRecord.example("other"))
    try database.change { (changes) throws(DatabaseError) in
      changes.save(first)
      changes.save(second)
    }
    let used = try database.carryOut(InterfaceDeletionEdit(of: name, unless: NodeUses([session("eth1")])))
    #expect(used.refusals == [.inUse(.node(over), SessionID(rawValue: 7))] && used.steps.isEmpty)
    #expect(try database.interfaces(name).records.count == 1)
    let free = try database.carryOut(InterfaceDeletionEdit(of: name, unless: NodeUses([session("default")])))
    #expect(free.steps.map(\.action) == [.deleted, .deleted] && free.refusals.isEmpty)
    #expect(try database.nodes().records.map(\.record) == [second])
    #expect(try database.interfaces().records.isEmpty)
  }

  @Test("A discovery is changed, and goes with what it has found but what is in use")
  func discoveries() throws {
    let discovery = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.9"), port: 3260)
    let isns = DiscoveryRecord(.isns, at: try PortalHost("10.0.0.9"), port: 3205)
    func found(_ name: String) throws -> NodeRecord {
      var record = try NodeRecord.example(name)
      record.discoveryAddress = "10.0.0.9"
      record.discoveryPort = 3260
      record.discoveryKind = .sendTargets
      return record
    }
    let (used, unused) = (try found("disk"), try found("free"))
    try database.change { (changes) throws(DatabaseError) in
      changes.save(discovery)
      changes.save(isns)
      changes.save(used)
      changes.save(unused)
    }
    let selection = DiscoveryQuery(portal: discovery.portal)
    let set = DiscoverySettingEdit(of: selection, Assignments(["discovery.sendtargets.reopen_max": "9"]))
    #expect(
      try database.carryOut(set).steps.map { $0.settings.map(\.description) } == [
        ["discovery.sendtargets.reopen_max: 5 -> 9"]
      ])
    let missing = DiscoveryQuery(kind: .isns, portal: discovery.portal)
    #expect(
      try database.carryOut(DiscoverySettingEdit(of: missing, Assignments())).refusals == [
        .noDiscovery(discovery.portal)
      ])
    let plan = try database.carryOut(
      DiscoveryDeletionEdit(of: selection, unless: NodeUses([session("default")])))
    #expect(
      plan.steps.map(\.subject.description) == [
        "iqn.2026-11.org.example:free at 10.0.0.1:3260,1 over default", "discovery sendtargets at 10.0.0.9:3260",
      ])
    #expect(
      plan.warnings == ["iqn.2026-11.org.example:disk at 10.0.0.1:3260,1 over default stays: session 7 uses it"])
    #expect(try database.nodes().records.map(\.record) == [used])
    #expect(try DiscoveryQuery().find(in: database).records.map(\.record) == [isns])
  }
}
