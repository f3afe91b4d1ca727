// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Reading and writing of records, many lines at a time")
struct RecordReadingTests {
  private static let identity = ["node.name = iqn.2026-11.org.example:disk", "node.conn[0].address = 10.0.0.1"]

  /// Lines of all kinds: as they are without any setting, with other values, empty, of no value, of others, and comments; mostly
  /// in the order of files, some twice or elsewhere.
  private static func lines(_ generator: inout SeededGenerator) -> [String] {
    let standard = NodeRecord.keys.standardRecord
    var lines: [String] = []
    for key in NodeRecord.keys.all where key.role != .identity {
      let value = standard.map { key.text(of: $0) } ?? ""
      let name = Int.random(in: 0..<4, using: &generator) == 0 ? key.formerNames.first ?? key.name : key.name
      switch Int.random(in: 0..<24, using: &generator) {
      case 0: lines.append("\(name) = 7")
      case 1: lines.append("\(name) = ")
      case 2: lines.append("\(name) = no value at all, as it is far longer than most and of no use to anybody")
      case 3: lines += ["\(name) = 5", "\(name) = \(value)"]
      case 4: lines += ["# a comment", "another.key = 1", "\(name)=\(value)"]
      case 5:
        // Also far before the standard one, which holds then.
        lines.insert("\(name) = 6", at: Int.random(in: 0...lines.count, using: &generator))
        if Bool.random(using: &generator), !value.isEmpty { lines.append("\(key.name) = \(value)") }
      case 6: break
      default: if !value.isEmpty { lines.append("\(name) = \(value)") }
      }
    }
    return lines
  }

  /// The record of a text, a line after the other: of a key that comes twice the last value holds.
  private static func readByLine(_ text: RecordText) throws -> (record: NodeRecord, errors: Set<RecordError>) {
    var values: [String: String] = [:]
    for case .entry(let name, let value) in text.lines {
      if let key = NodeRecord.keys[name] { values[key.name] = value }
    }
    var record = try NodeRecord.example("disk", at: "10.0.0.1:3260")
    record.portal.tag = nil
    var errors: Set<RecordError> = []
    for key in NodeRecord.keys.all where key.role != .identity {
      guard let value = values[key.name] else { continue }
      if value.isEmpty, key.text(of: record).isEmpty { continue }
      do throws(RecordError) { try key.set(value, in: &record) } catch { errors.insert(error) }
    }
    return (record, errors)
  }

  @Test("A relative path of the database is refused, rather than the machine's own records taken for it")
  func relativePlace() {
    let configured = InitiatorConfiguration(RecordText(Array("iscsid.dbroot = copy\n".utf8)))
    let environment = DatabaseError.relativeRoot("ISCSI_DBROOT", path: "./copy")
    #expect(throws: environment) { try RecordDatabase(override: "./copy", configuration: .init()) }
    #expect(throws: DatabaseError.relativeRoot("iscsid.dbroot", path: "copy")) {
      try RecordDatabase(override: nil, configuration: configured)
    }
    #expect(environment.description == #"ISCSI_DBROOT is no absolute path: "./copy""#)
    #expect(environment.exitStatus == .invalidArgument)
  }

  @Test("A record is what its lines say one by one, in any order and number", arguments: 0..<200)
  func readsAsLineByLine(seed: Int) throws {
    var generator = SeededGenerator(state: UInt64(seed))
    let text = RecordText((Self.identity + Self.lines(&generator)).map { $0 + "\n" }.joined().utf8)
    let expected = try Self.readByLine(text)
    var errors: [RecordError] = []
    let record = try NodeRecord(text, passingOver: &errors)
    #expect(record == expected.record)
    #expect(Set(errors) == expected.errors)
  }

  /// A text with other lines, a line after the other: what is none of the keys' stays before the line that it was before.
  private static func rewriteByLine(_ text: RecordText, _ record: NodeRecord) -> [UInt8] {
    let layout = record.storedLayout
    var (before, rest, last): ([Int: [String]], [String], [String]) = ([:], [], [])
    for line in text.lines {
      switch line {
      case .other(let octets): last.append(String(decoding: octets, as: UTF8.self))
      case .entry(let name, let value):
        if let index = layout.names.firstIndex(of: name) {
          before[index, default: []] += last
        } else if NodeRecord.keys[name] != nil {
          rest += last
        } else {
          last.append("\(name) = \(value)")
          continue
        }
        last = []
      }
    }
    var lines = ["\(RecordText.begin) \(RecordText.version)"]
    for (index, key) in layout.keys.enumerated() {
      lines += before[index] ?? []
      let value = key.text(of: record)
      if !value.isEmpty { lines.append("\(key.name) = \(value)") }
    }
    return (lines + rest + last + [RecordText.end]).flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] }
  }

  @Test("A text is written anew as line by line, with what others have put into it", arguments: 0..<200)
  func writesAsLineByLine(seed: Int) throws {
    var generator = SeededGenerator(state: UInt64(1000 + seed))
    let text = RecordText((Self.identity + Self.lines(&generator)).map { $0 + "\n" }.joined().utf8)
    var errors: [RecordError] = []
    var record = try NodeRecord(text, passingOver: &errors)
    record.queueDepth = 77
    let layout = record.storedLayout
    let octets = text.rewritten(layout.lines(of: record), keys: layout.names) { NodeRecord.keys[$0] != nil }
    #expect(
      String(decoding: octets, as: UTF8.self) == String(decoding: Self.rewriteByLine(text, record), as: UTF8.self))
  }
}
