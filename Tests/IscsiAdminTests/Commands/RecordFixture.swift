// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

/// A record database in a directory of its own, which goes with the object, and the records that the golden files show.
final class RecordFixture: Sendable {
  let base: FilePath
  let store: RecordStore

  init() throws {
    base = FilePath("/tmp/iscsi-admin-records-\(UInt64.random(in: 0...UInt64.max))")
    let database = RecordDatabase(root: base.appending("root"), lockDirectory: base.appending("lock"))
    store = RecordStore(database: database)
  }

  deinit { _ = try? TestProcess.run(["rm", "-rf", base.string]) }

  /// A database with two nodes over the standard interface, one of them found by a discovery, and one over another.
  static func example() throws -> RecordFixture {
    let fixture = try RecordFixture()
    var interface = InterfaceRecord(name: try #require(InterfaceName("eth1")))
    interface.networkDevice = "eth1"
    interface.hardwareAddress = "02:00:00:00:00:01"
    interface.address = "10.0.0.9"
    interface.initiatorName = "iqn.2026-11.org.example:second"
    var discovery = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.1"), port: 3260)
    discovery.authentication.secret = Secret("seldomguessed")
    discovery.isRepeated = true
    let isns = DiscoveryRecord(.isns, at: try PortalHost("registry"), port: 3205)
    var nodes = try [(1, "10.0.0.1:3260,1"), (1, "[fe80::1%eth0]:3260,2"), (2, "san:3261")].map { number, portal in
      NodeRecord(target: try Samples.target(number), portal: try Portal(portal))
    }
    nodes[0].startup = .automatic
    nodes[0].discoveryKind = .sendTargets
    nodes[0].discoveryAddress = "10.0.0.1"
    nodes[0].discoveryPort = 3260
    nodes[0].authentication.method = .chap
    nodes[0].authentication.name = "alice"
    nodes[0].authentication.secret = Secret("wonderland12")
    nodes[1].interface = interface
    let (records, bound, found) = (nodes, interface, discovery)
    try fixture.store.database.change { (changes) throws(DatabaseError) in
      changes.save(bound)
      changes.save(found)
      changes.save(isns)
      records.forEach { changes.save($0) }
    }
    return fixture
  }

  /// What a command prints.
  func run<Command: RecordCommand>(
    _ type: Command.Type, _ arguments: String..., terminal: Terminal = .plain
  ) throws -> CommandOutput {
    try Command.parse(arguments).output(on: store, for: terminal)
  }

  /// All records of nodes.
  func nodes() throws -> [NodeRecord] { try store.database.nodes().records.map(\.record) }

  /// Puts a file below the database's root.
  func write(_ text: String, to path: String) throws {
    let path = store.database.root.appending(path)
    _ = try TestProcess.run(["mkdir", "-p", path.removingLastComponent().string])
    let file = try FileDescriptor.open(path, .writeOnly, options: .create, permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(text.utf8) }
  }
}

/// A sysfs with a session of the first node.
func sysfsWithSession() throws -> SysfsTree {
  let tree = try SysfsTree()
  try tree.add(.example(1))
  return tree
}
