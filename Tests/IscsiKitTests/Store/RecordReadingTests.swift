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

  /// Texts of which each differs from the one before in some lines, or in none.
  private static func likeTexts(seed: Int) -> [RecordText] {
    var generator = SeededGenerator(state: UInt64(seed))
    var lines = ["node.name = iqn.2026-11.org.example:disk", "node.tpgt = 1", "node.conn[0].address = 10.0.0.1"]
    if let standard = NodeRecord.keys.standardRecord {
      for key in NodeRecord.keys.all where key.role != .identity && !key.text(of: standard).isEmpty {
        lines.append("\(key.name) = \(key.text(of: standard))")
      }
    }
    lines.append("another.key = 1")
    return (0..<40).map { number in
      for _ in 0..<Int.random(in: 0..<4, using: &generator) {
        let index = Int.random(in: 3..<lines.count, using: &generator)
        let key = lines[index].prefix { $0 != "=" && $0 != " " }
        switch Int.random(in: 0..<16, using: &generator) {
        case 0: lines.insert("\(key) = 5", at: Int.random(in: 3...lines.count, using: &generator))
        case 1: lines.remove(at: index)
        case 2: lines[index] = "\(key) ="
        case 3: lines[index] = "\(key) = no value at all"
        case 4: lines[index] = "# \(key) = 5"
        case 5: lines[index] = "node.name ="
        case 6: lines[index] = "node.session.conn_reopen_log_freq = \(number)"
        default: lines[index] = "\(key) = \(Int.random(in: 1..<9, using: &generator))"
        }
      }
      if Bool.random(using: &generator) { lines[0] = "node.name = iqn.2026-11.org.example:disk-\(number)" }
      if number % 8 == 7 { lines[2] = "node.conn[0].address = 10.0.0.\(number)" }
      let text: String = lines.map { $0 + "\n" }.joined()
      return RecordText(number % 13 == 12 ? String(text.dropLast()).utf8 : text.utf8)
    }
  }

  @Test("A record after one that is like it is what it is on its own", arguments: 0..<100)
  func readsAsAlone(seed: Int) {
    var reader = NodeReader()
    for text in Self.likeTexts(seed: seed) {
      var (errors, expectedErrors): ([RecordError], [RecordError]) = ([], [])
      let record = Result { () throws(RecordError) in try reader.record(in: text, passingOver: &errors) }
      let expected = Result { () throws(RecordError) in try NodeRecord(text, passingOver: &expectedErrors) }
      #expect(record == expected)
      #expect(errors == expectedErrors)
    }
  }

  @Test("What a text has in common with one that was read is enough to read it by, and what it has not is told")
  func template() throws {
    let identity = Self.identity.map { $0 + "\n" }.joined()
    let text = RecordText((identity + "# a comment\nnode.startup = automatic\nnode.tpgt = 1\n").utf8)
    let template = try #require(RecordTemplate(try NodeRecord(text), in: text, by: NodeRecord.keys))
    func read(_ text: String) -> NodeRecord? { template.record(in: RecordText(text.utf8)) }
    let other = "node.name = iqn.2026-11.org.example:other\nnode.conn[0].address = 10.0.0.1\n"
    let record = try #require(read(other + "# a comment\nnode.startup = manual\nnode.tpgt = 22\n"))
    #expect(record.target.description == "iqn.2026-11.org.example:other")
    #expect(record.startup == .manual && record.portal.tag == 22)
    #expect(read(other + "# a comment\nnode.startup = never\nnode.tpgt = 1\n") == nil)
    #expect(read(other + "# another\nnode.startup = manual\nnode.tpgt = 1\n") == nil)
    #expect(read(other + "# a comment\nnode.tpgt = 1\nnode.startup = manual\n") == nil)
    #expect(read(other + "# a comment\nnode.startup = manual\n") == nil)
    #expect(read(other + "# a comment\nnode.startup = manual\nnode.tpgt = 1\nnode.tpgt = 2\n") == nil)
    #expect(read(other + "# a comment\nnode.startup = manual\nnode.tpgt = 2") == nil)
    let twice = RecordText((identity + "node.tpgt = 1\nnode.tpgt = 2\n").utf8)
    #expect(RecordTemplate(try NodeRecord(twice), in: twice, by: NodeRecord.keys) == nil)
  }

  @Test("The lines of a record after one that is like it are what they are on their own", arguments: 0..<100)
  func writesAsAlone(seed: Int) {
    let records = Self.likeTexts(seed: seed).compactMap { text in
      var errors: [RecordError] = []
      return try? NodeRecord(text, passingOver: &errors)
    }
    for form in [NodeLines.Form.stored, .shown(hidesSecrets: true), .shown(hidesSecrets: false)] {
      var lines = NodeLines(form)
      for var record in records {
        if record.queueDepth == 3 { record.authentication.secret = Secret("secretsecret12") }
        if record.queueDepth == 4 { record.interface.address = "fd00::1" }
        let layout = form == .stored ? record.storedLayout : record.shownLayout
        let expected = layout.octets(of: record, hidesSecrets: form == .shown(hidesSecrets: true))
        #expect(String(decoding: lines.octets(of: record), as: UTF8.self) == String(decoding: expected, as: UTF8.self))
      }
    }
  }
  @Test("The lines of a record over one interface are never those of another, whatever is made of a copy in between")
  func writesItsInterface() throws {
    var (one, other) = (try NodeRecord.example(), try NodeRecord.example("longer-name"))
    one.interface.name = try #require(InterfaceName("eth1"))
    other.queueDepth = 7
    func octets(_ record: NodeRecord) -> [UInt8] { record.storedLayout.octets(of: record, hidesSecrets: false) }
    var lines = NodeLines(.stored)
    _ = lines.octets(of: try .example())
    var copy = lines
    for record in [one, other, try .example(), one, other] {
      #expect(copy.octets(of: record) == octets(record))
      #expect(lines.octets(of: try .example()) == octets(try .example()))
    }
  }
}
