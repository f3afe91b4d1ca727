// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Records of what an iSNS server has")
struct ISNSRecordTests {
  private let files: TemporaryDatabase
  private var database: RecordDatabase { files.database }

  init() throws { files = try TemporaryDatabase() }

  private func merge(_ portals: [String], _ effects: DiscoveryEffects = [.add, .reset, .remove]) throws {
    let discovery = DiscoveryRecord(.isns, at: try PortalHost("10.0.0.9"), port: 3205)
    let target = DiscoveredTarget(
      name: try TargetName("iqn.2026-11.org.example:a"), portals: try portals.map { try Portal($0) })
    try database.change { (changes) throws(DatabaseError) in
      _ = try changes.merge([(.standard, [target])], foundBy: discovery, InitiatorConfiguration(), effects) { _ in false
      }
    }
  }

  private func saveServer() throws {
    let discovery = DiscoveryRecord(.isns, at: try PortalHost("10.0.0.9"), port: 3205)
    try database.change { (changes) throws(DatabaseError) in changes.save(discovery) }
  }

  /// What is in the folder of iSNS.
  private func links() throws -> [String] {
    try files.entries().filter { $0.hasPrefix("isns/") && $0 != "isns/" }.map { entry in
      entry.replacing("iqn.2026-11.org.example:", with: "")
    }
  }

  @Test("Without a record of the server, links are side by side; with one they are in its folder")
  func places() throws {
    try merge(["10.0.0.1:3260,1"])
    #expect(try links() == ["isns/a,10.0.0.1,3260,1,default -> ROOT/nodes/a/10.0.0.1,3260,1"])
    try saveServer()
    try merge(["10.0.0.1:3260,1", "10.0.0.2:3260,2"])
    #expect(
      try links() == [
        "isns/10.0.0.9,3205/",
        "isns/10.0.0.9,3205/a,10.0.0.1,3260,1,default -> ROOT/nodes/a/10.0.0.1,3260,1",
        "isns/10.0.0.9,3205/a,10.0.0.2,3260,2,default -> ROOT/nodes/a/10.0.0.2,3260,2",
        "isns/10.0.0.9,3205/isns_config",
      ])
  }

  @Test("What the server has no more goes, wherever its link is, and other nodes stay", arguments: [false, true])
  func removed(hasRecord: Bool) throws {
    let other = try NodeRecord.example("other")
    try database.change { (changes) throws(DatabaseError) in changes.save(other) }
    if hasRecord { try saveServer() }
    try merge(["10.0.0.1:3260,1", "10.0.0.2:3260,2"])
    try merge(["10.0.0.2:3260,2"], [.add])
    #expect(try database.nodes().records.count == 3)
    try merge(["10.0.0.2:3260,2"])
    #expect(try database.nodes().records.map(\.record.portal.description) == ["10.0.0.2:3260,2", "10.0.0.1:3260,1"])
    #expect(try links().count == (hasRecord ? 3 : 1))
    let records = try database.nodes().records
    #expect(records.map(\.record.discoveryKind) == [.isns, .byHand])
    try database.change { (changes) throws(DatabaseError) in records.forEach { changes.delete($0) } }
    #expect(try links().count == (hasRecord ? 2 : 0))
  }

  @Test("A server's name in a record leads nowhere else")
  func hostile() throws {
    var record = try NodeRecord.example("a")
    record.discoveryKind = .isns
    record.discoveryAddress = "../../../tmp/x"
    record.discoveryPort = 1
    let hostile = record
    try database.change { (changes) throws(DatabaseError) in changes.save(hostile) }
    #expect(try links() == ["isns/a,10.0.0.1,3260,1,default -> ROOT/nodes/a/10.0.0.1,3260,1"])
  }
}
