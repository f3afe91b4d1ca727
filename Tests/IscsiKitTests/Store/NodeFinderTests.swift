// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Looking into the record database")
struct NodeFinderTests {
  private let files: TemporaryDatabase
  private var database: RecordDatabase { files.database }

  init() throws { files = try TemporaryDatabase() }

  @Test("What is only looked at waits for nobody, and changes nothing")
  func preview() throws {
    try files.save(.example())
    let before = try files.entries()
    try database.change { changes throws(DatabaseError) in
      let found = try database.preview { changes throws(DatabaseError) in
        let stored = try database.nodes().records
        for stored in stored { changes.delete(stored) }
        return stored.count
      }
      #expect(found == 1)
    }
    #expect(try files.entries() == before)
  }

  @Test("Records are found one after the other, be they like the one before or not, and what is wrong with one is told")
  func finder() throws {
    let names = (1...4).map { "iqn.2026-11.org.example:disk\($0)" }
    for number in 1...4 { try files.save(.example("disk\(number)")) }
    let file = "nodes/\(names[2])/10.0.0.1,3260,1/default"
    let text = "node.name = \(names[2])\nnode.tpgt = 1\nnode.conn[0].address = 10.0.0.1\nnode.startup = sometimes\n"
    try files.write(text, to: file)
    let places = try database.nodes().records.map { NodeLocation(of: $0.record) }.sorted { $0.target < $1.target }
    var finder = NodeFinder(in: database)
    for (name, place) in zip(names, places) {
      #expect(try finder.node(at: place)?.record.target.description == name)
    }
    #expect(try finder.node(at: NodeLocation(of: .example("none"))) == nil)
    #expect(finder.problems.map(\.path) == [file])
  }
}
