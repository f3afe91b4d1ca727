// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Many records at a time")
struct ManyRecordsTests {
  private let files: TemporaryDatabase
  private var database: RecordDatabase { files.database }

  init() throws { files = try TemporaryDatabase() }

  private static func names(_ records: [NodeRecord]) -> [String] { records.map(\.target.description) }

  private func makeRecords(_ count: Int) throws -> [NodeRecord] {
    let records = try (0..<count).map { try NodeRecord.example("disk\($0)", at: "10.0.0.\($0 % 3 + 1):3260,1") }
    try database.change { changes throws(DatabaseError) in records.forEach { changes.save($0) } }
    return records.sorted { $0.target.description < $1.target.description }
  }

  @Test("Hundreds that are stored together are what each would be alone, with its link")
  func stored() throws {
    let records = try makeRecords(300)
    let found = try database.nodes()
    #expect(found.records.map(\.record) == records && found.problems.isEmpty)
    let other = try TemporaryDatabase()
    for record in records { try other.save(record) }
    #expect(try files.entries() == other.entries())
    for stored in found.records {
      let path = stored.path.joined(separator: "/")
      #expect(try files.read(path) == other.read(path))
      #expect(files.mode(path) == 0o600)
    }
  }

  @Test("Hundreds that are changed together come in their order, with what is wrong with some; what is others' stays")
  func changed() throws {
    let records = try makeRecords(300)
    let odd = try #require(database.nodes(.init(target: records[40].target)).records.first).path.joined(separator: "/")
    try files.write(try files.read(odd).replacing("# END", with: "# a comment\n# END"), to: odd)
    let bad = try #require(database.nodes(.init(target: records[200].target)).records.first).path.joined(separator: "/")
    try files.write("nonsense\n", to: bad)
    let (parts, problems) = try database.change { changes throws(DatabaseError) in
      try changes.forEachNode(.init(), collectingInto: [NodeRecord]()) { stored, changes, part in
        var record = stored.record
        record.queueDepth = 77
        changes.save(record, over: stored)
        part.append(record)
      }
    }
    let expected = records[..<200] + records[201...]
    #expect(Self.names(parts.flatMap(\.self)) == Self.names(Array(expected)))
    #expect(problems.map(\.path) == [bad])
    #expect(try files.read(odd).contains("# a comment\n# END"))
    let after = try database.nodes().records.map(\.record)
    #expect(after.count == 299 && after.allSatisfy { $0.queueDepth == 77 })
  }

  @Test("What is thrown over hundreds, and a preview of them, leave the database as it was, without a file in it")
  func unchanged() throws {
    _ = try makeRecords(300)
    let (entries, edit) = (try files.entries(), Self.deepen)
    try database.preview { changes throws(DatabaseError) in try edit(&changes) }
    #expect(try files.entries() == entries)
    #expect(throws: DatabaseError.relativeRoot("a test", path: "x")) {
      try database.change { changes throws(DatabaseError) in
        try edit(&changes)
        throw DatabaseError.relativeRoot("a test", path: "x")
      }
    }
    #expect(try files.entries() == entries)
    #expect(try database.nodes().records.allSatisfy { $0.record.queueDepth != 77 })
    try database.change { changes throws(DatabaseError) in try edit(&changes) }
    #expect(try files.entries() == entries)
    #expect(try database.nodes().records.allSatisfy { $0.record.queueDepth == 77 })
  }

  private static func deepen(_ changes: inout RecordDatabase.Changes) throws(DatabaseError) {
    _ = try changes.forEachNode(.init(), collectingInto: 0) { stored, changes, _ in
      var record = stored.record
      record.queueDepth = 77
      changes.save(record, over: stored)
    }
  }

  @Test("What a writer that died has left is gone after the next change, and no folder behind a link is written to")
  func leftovers() throws {
    let records = try makeRecords(300)
    try files.write("half a rec", to: ".iscsi-admin/7")
    let outside = try TemporaryDatabase()
    try outside.write("other", to: "10.0.0.1,3260,1/default")
    let linked = try #require(records.first { $0.portal == (try? Portal("10.0.0.1:3260,1")) })
    try Directory(path: files.root).directory("nodes").directory(linked.target.description).move(
      "10.0.0.1,3260,1", to: Directory(path: files.base), as: "old")
    try Directory(path: files.root).directory("nodes").directory(linked.target.description).makeLink(
      "10.0.0.1,3260,1", to: outside.root.appending("10.0.0.1,3260,1").string)
    // Also after a change that writes no file.
    try database.change { changes throws(DatabaseError) in changes.deleteInterface(.standard) }
    #expect(try !files.entries().contains { $0.hasPrefix(".iscsi-admin") })
    try files.write("half a rec", to: ".iscsi-admin/8")
    let error = #expect(throws: DatabaseError.self) {
      try database.change { changes throws(DatabaseError) in records.forEach { changes.save($0) } }
    }
    #expect(error?.description.contains(linked.target.description) == true)
    #expect(try outside.read("10.0.0.1,3260,1/default") == "other")
    #expect(try outside.entries() == ["10.0.0.1,3260,1/", "10.0.0.1,3260,1/default"])
    #expect(try !files.entries().contains { $0.hasPrefix(".iscsi-admin") })
  }

  @Test("A portal's folder in another spelling is told of, and keeps what it has")
  func otherSpelling() throws {
    try files.save(.example("disk"))
    let place = "nodes/iqn.2026-11.org.example:disk"
    let text = try files.read("\(place)/10.0.0.1,3260,1/default")
    try files.write(text, to: "\(place)/10.0.0.1,03260,1/default")
    let found = try database.nodes()
    #expect(found.records.map(\.path) == [["nodes", "iqn.2026-11.org.example:disk", "10.0.0.1,3260,1", "default"]])
    #expect(found.problems.map(\.path) == ["\(place)/10.0.0.1,03260,1"])
    try database.change { changes throws(DatabaseError) in try Self.deepen(&changes) }
    #expect(try files.read("\(place)/10.0.0.1,03260,1/default") == text)
    #expect(try database.nodes().records.map(\.record.queueDepth) == [77])
  }

  @Test("Hundreds that are deleted together are gone with their folders, those of the older form, too")
  func deleted() throws {
    for older in [false, true] {
      let records = try (0..<300).map { try NodeRecord.example("disk\($0)", at: "10.0.0.1:3260\(older ? "" : ",1")") }
      try database.change { changes throws(DatabaseError) in records.forEach { changes.save($0) } }
      #expect(try database.nodes().records.count == 300)
      try database.change { changes throws(DatabaseError) in
        for stored in try database.nodes().records { changes.delete(stored) }
      }
      #expect(try files.entries() == ["nodes/", "static/"])
    }
  }

  @Test("What is collected of many comes part for part in the order of the records")
  func collected() throws {
    let records = try makeRecords(300)
    var names: [String] = []
    let problems = try database.forEachNode(
      collectingInto: [String](), by: { { stored, part in part.append(stored.record.target.description) } }
    ) { names += $0 }
    #expect(names == Self.names(records) && problems.isEmpty)
  }

  @Test("A discovery of hundreds makes their records, and another one with fewer takes away what it does not find")
  func discovered() throws {
    let discovery = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.1"), port: 3260)
    let targets = try (0..<300).map { number in
      DiscoveredTarget(
        name: try TargetName("iqn.2026-11.org.example:disk\(number)"),
        portals: [try Portal("10.0.0.1:3260,1"), try Portal("10.0.0.2:3260,2")])
    }
    // In a change of its own, as programs store it: the others can be made side by side then.
    try database.change { changes throws(DatabaseError) in changes.save(discovery) }
    let merge = { (targets: [DiscoveredTarget]) in
      try database.change { changes throws(DatabaseError) in
        try changes.merge(
          [(.standard, targets)], foundBy: discovery, InitiatorConfiguration(), [.add, .reset, .remove],
          unless: { _ in false })
      }
    }
    #expect(try merge(targets).map(\.portal) == targets.flatMap(\.portals))
    #expect(try database.nodes(from: .discovery(discovery)).records.count == 600)
    _ = try merge(Array(targets[..<250]))
    #expect(try database.nodes(from: .discovery(discovery)).records.count == 500)
    #expect(try database.nodes().records.count == 500)
  }

  @Test(
    "Of a portal that is told with a tag and without, there is one record after a first discovery as after a second")
  func bothForms() throws {
    let discovery = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.1"), port: 3260)
    let target = DiscoveredTarget(
      name: try TargetName("iqn.2026-11.org.example:disk"),
      portals: [try Portal("10.0.0.1:3260"), try Portal("10.0.0.1:3260,1")])
    for _ in 0..<2 {
      try database.change { changes throws(DatabaseError) in
        _ = try changes.merge(
          [(.standard, [target])], foundBy: discovery, InitiatorConfiguration(), [.add, .reset, .remove],
          unless: { _ in false })
      }
      #expect(try database.nodes().records.map(\.record.portal) == [try Portal("10.0.0.1:3260,1")])
    }
  }

  @Test("A target that cannot be written keeps no other from it, and is told of")
  func unwritable() throws {
    let records = try makeRecords(300)
    try database.change { changes throws(DatabaseError) in
      for stored in try database.nodes().records { changes.delete(stored) }
    }
    let place = "nodes/\(records[7].target)"
    try files.write("in the way", to: place)
    let error = #expect(throws: DatabaseError.self) { try makeRecords(300) }
    #expect(error?.description.contains(place) == true)
    // Its neighbours in the same lane may wait for the next time; all others are there.
    let count = try database.nodes().records.count
    #expect(count > 250 && count < 300)
    #expect(throws: DatabaseError.self) { try makeRecords(300) }
    #expect(try database.nodes().records.count == count)
  }

  @Test("Changes of one target are made one after the other, and where more than records goes, all are")
  func lanes() throws {
    var changes: [DatabaseChange] = []
    for number in 0..<200 {
      changes.append(.link(["static", "disk\(number % 100),10.0.0.1,3260,1,default"], to: "x"))
      changes.append(.put(["nodes", "disk\(number % 100)", "10.0.0.1,3260,1", "default"], .octets([])))
      changes.append(.remove(["nodes", "disk\(number % 100)", "10.0.0.1,3260"]))
    }
    let lanes = try #require(DatabaseChange.lanes(of: changes))
    #expect(lanes.flatMap(\.self).sorted() == Array(changes.indices))
    for lane in lanes {
      #expect(lane == lane.sorted())
      let targets = Set(lane.map { $0 / 3 % 100 })
      for target in targets { #expect(lane.count { $0 / 3 % 100 == target } == 6) }
    }
    #expect(DatabaseChange.lanes(of: Array(changes[..<30])) == nil)
    #expect(DatabaseChange.lanes(of: changes + [.remove(["static", "disk1,10.0.0.1,3260,1,default"])]) == nil)
    #expect(DatabaseChange.lanes(of: changes + [.put(["ifaces", "if0"], .octets([]))]) == nil)
    #expect(DatabaseChange.lanes(of: changes + [.link(["static", "alone"], to: "x")]) == nil)
  }
}
