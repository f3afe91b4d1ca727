// SPDX-License-Identifier: Apache-2.0

/// Which keys of a record stand in a text, in which order, and how those that have no value do.
///
/// Most values of most records are as they are without any setting. The lines of those are at hand, so that only the others
/// are made.
public final class RecordLayout<Record: Sendable>: Sendable {
  /// The keys.
  public let keys: [RecordKey<Record>]
  /// Their names.
  let names: [String]
  /// Those of them that say which record it is.
  let identityKeys: [Int]
  private let showsUnset: Bool
  /// A record without any setting, and its lines; none if that is not known.
  private let standard: Record?
  private let standardLines: RecordLines
  /// The keys, those of a part of the record together with what compares that part.
  private let sections: [(keys: Range<Int>, isSame: RecordKey<Record>.PartComparer?)]

  /// A layout.
  ///
  /// - Parameters:
  ///   - keys: The keys.
  ///   - showsUnset: Whether keys without a value are there, as `<empty>`, but those that are left out then.
  ///   - standard: A record without any setting, if that is known.
  init(_ keys: [RecordKey<Record>], showsUnset: Bool, standard: Record?) {
    self.keys = keys
    names = keys.map(\.name)
    identityKeys = keys.indices.filter { keys[$0].role == .identity }
    self.showsUnset = showsUnset
    self.standard = standard
    var lines = RecordLines()
    if let standard {
      var record = standard
      for key in keys { lines.append(key, Self.shown(key.text(in: &record), of: key, showsUnset: showsUnset)) }
    }
    standardLines = lines
    sections = Self.sections(of: keys)
  }

  /// The octets of a record's lines.
  ///
  /// - Parameters:
  ///   - record: The record.
  ///   - hidesSecrets: Whether stars are in the place of secrets.
  /// - Returns: The lines with their ends.
  func octets(of record: Record, hidesSecrets: Bool) -> [UInt8] {
    lines(of: record, hidesSecrets: hidesSecrets).octets
  }

  /// A record's lines, one a key; one that is not there is empty.
  func lines(of record: Record, hidesSecrets: Bool = false) -> RecordLines {
    var record = record
    var lines = RecordLines(capacity: standardLines.octets.count + 256, of: keys.count)
    var first = 0
    for index in unusualKeys(of: &record) {
      lines.append(first..<index, of: standardLines)
      first = index + 1
      let key = keys[index], value = key.text(in: &record)
      let isHidden = hidesSecrets && key.role == .secret && !value.isEmpty
      lines.append(key, isHidden ? "********" : Self.shown(value, of: key, showsUnset: showsUnset))
    }
    if first < keys.count { lines.append(first..<keys.count, of: standardLines) }
    return lines
  }

  /// The line of a key, as it is without secrets being hidden.
  ///
  /// - Parameters:
  ///   - index: The key.
  ///   - record: The record, which is left as it is.
  /// - Returns: Its octets, with its end; none for a line that is not there.
  func line(at index: Int, of record: inout Record) -> [UInt8] {
    let key = keys[index]
    var line: [UInt8] = []
    if let value = Self.shown(key.text(in: &record), of: key, showsUnset: showsUnset) {
      line.reserveCapacity(key.name.utf8.count + value.utf8.count + 4)
      line.append(lineOf: key.name, value)
    }
    return line
  }

  /// What stands in the place of a key's value; nil for a key whose line is not there.
  private static func shown(_ value: String, of key: RecordKey<Record>, showsUnset: Bool) -> String? {
    if !value.isEmpty { return value }
    return showsUnset && !key.isLeftOutIfUnset ? "<empty>" : nil
  }

  /// Which keys' lines are not at hand.
  private func unusualKeys(of record: inout Record) -> [Int] {
    guard var standard else { return Array(keys.indices) }
    var unusual: [Int] = []
    for section in sections where section.isSame?(&record, &standard) != true {
      for index in section.keys where !keys[index].isSame(in: &record, &standard) { unusual.append(index) }
    }
    return unusual
  }

  /// The stretches of keys of a part, and those between them. There is one part at most, but its keys may be in pieces.
  private static func sections(
    of keys: [RecordKey<Record>]
  ) -> [(keys: Range<Int>, isSame: RecordKey<Record>.PartComparer?)] {
    var sections: [(keys: Range<Int>, isSame: RecordKey<Record>.PartComparer?)] = []
    for (index, key) in keys.enumerated() {
      if let last = sections.last, (last.isSame == nil) == (key.partComparer == nil) {
        sections[sections.count - 1].keys = last.keys.lowerBound..<(index + 1)
      } else {
        sections.append((index..<(index + 1), key.partComparer))
      }
    }
    return sections
  }
}

extension RecordLines {
  /// Appends the line of a key; one without octets for a value that is not there.
  fileprivate mutating func append<Record>(_ key: RecordKey<Record>, _ value: String?) {
    if let value { append(key: key.name, value: value) } else { appendNothing() }
  }
}
