// SPDX-License-Identifier: Apache-2.0

/// A text that was read, and its record. Those of a database are alike but for a line or two, so that each of thousands is read as
/// what it has other than one before it.
///
/// It is handed on as it is: a copy of it takes as long as much of what is read.
final class RecordTemplate<Record: Sendable>: Sendable {
  private let record: Record
  private let keys: RecordKeys<Record>
  private let lines: RecordLines
  /// Which key each line is of; none for a comment and for a key of others.
  private let positions: [Int?]

  /// A template; nil for a text in which a key comes twice, as the last one of it holds then, wherever a text like it has another
  /// value, and for one whose last line has no end.
  ///
  /// - Parameters:
  ///   - record: What was read, without anything that had to be passed over.
  ///   - text: The text.
  ///   - keys: The keys that it was read by.
  init?(_ record: Record, in text: RecordText, by keys: RecordKeys<Record>) {
    var lines = RecordLines(capacity: text.octets.count, of: keys.all.count)
    var positions: [Int?] = []
    var isThere = Array(repeating: false, count: keys.all.count)
    var start = 0
    while let (line, content) = text.line(at: start) {
      var position: Int?
      if case .entry(let key, _) = content { position = keys.position(ofKeyAt: key, in: text) }
      if let position {
        guard !isThere[position] else { return nil }
        isThere[position] = true
      }
      positions.append(position)
      lines.append(text.octets[line.lowerBound...line.upperBound])
      start = line.upperBound + 1
    }
    guard start == text.octets.count else { return nil }
    self.record = record
    self.keys = keys
    self.lines = lines
    self.positions = positions
  }

  /// The record of a text that has the same lines, some of them with another value of their key; nil for every other text, and
  /// where a value is none.
  func record(in text: RecordText) -> Record? {
    var record = record
    var (start, next) = (0, 0)
    while true {
      let run = lines.run(from: next, at: start, in: text.octets)
      (start, next) = (run.end, run.lines.upperBound)
      guard next < lines.count else { return start == text.octets.count ? record : nil }
      guard let position = positions[next], let (line, content) = text.line(at: start),
        case .entry(let key, let value) = content, keys.position(ofKeyAt: key, in: text) == position
      else { return nil }
      do throws(RecordError) { try keys.all[position].set(text.text(value), in: &record) } catch { return nil }
      (start, next) = (line.upperBound + 1, next + 1)
    }
  }
}

/// Reads the records of nodes, one after the other.
struct NodeReader {
  private var template: RecordTemplate<NodeRecord>?
  /// How many records were like the one before, and how many were not.
  private var hits = 0
  private var misses = 0

  /// Reads a record.
  ///
  /// - Parameters:
  ///   - text: Its text.
  ///   - errors: Is told what is passed over: values that settings cannot have.
  /// - Returns: The record.
  /// - Throws: What makes the text no record of a node.
  mutating func record(in text: RecordText, passingOver errors: inout [RecordError]) throws(RecordError) -> NodeRecord {
    if let record = template?.record(in: text) {
      hits += 1
      return record
    }
    let record = try NodeRecord(text, passingOver: &errors)
    // Making a template takes as long as reading a record without one: not for a record alone, nor where none is like another.
    if misses > 0, misses < hits + 16, errors.isEmpty {
      template = RecordTemplate(record, in: text, by: NodeRecord.keys)
    }
    misses += 1
    return record
  }
}
