// SPDX-License-Identifier: Apache-2.0

extension RecordText {
  /// The text with other values: first what `entries` has, in that order, and whatever else stood in the file in its
  /// place, which is before the line that it was before.
  ///
  /// - Parameters:
  ///   - entries: Keys and values.
  ///   - isKnown: Whether a key is one of those that `entries` speaks for; such a key that is not there goes.
  /// - Returns: The octets of the file.
  public func rewritten(_ entries: [(key: String, value: String)], isKnown: (String) -> Bool) -> [UInt8] {
    var lines = RecordLines()
    for entry in entries { lines.append(key: entry.key, value: entry.value) }
    return rewritten(lines, keys: entries.map(\.key), isKnown: isKnown)
  }

  /// The text with other lines: those of some keys, in their order.
  func rewritten(_ lines: RecordLines, keys: [String], isKnown: (String) -> Bool) -> [UInt8] {
    let others = Others(in: self, beside: keys, lines, isKnown)
    var result: [UInt8] = []
    result.reserveCapacity(lines.octets.count + Self.firstLine.count + Self.lastLine.count)
    result += Self.firstLine
    if others.before.isEmpty {
      result += lines.octets
    } else {
      let before = Dictionary(others.before, uniquingKeysWith: +)
      for index in keys.indices {
        for line in before[index] ?? [] { result += line }
        result += lines[index]
      }
    }
    for line in others.rest { result += line }
    result += Self.lastLine
    return result
  }

  /// What stands in a file beside the keys that are known: comments, and keys of others. Lines with their ends.
  private struct Others {
    /// What stands before a key, with the key's index.
    private(set) var before: [(Int, [[UInt8]])] = []
    /// What stands before keys that are gone, and what behind the last key.
    private(set) var rest: [[UInt8]] = []
    private var last: [[UInt8]] = []

    init(in text: RecordText, beside keys: [String], _ lines: RecordLines, _ isKnown: (String) -> Bool) {
      // Files mostly begin and end with these lines, and have no others of the kind.
      let hasFirstLine = text.isAt(0..<RecordText.firstLine.count, RecordText.firstLine)
      var (start, next) = (hasFirstLine ? RecordText.firstLine.count : 0, 0)
      while !text.isAt(start..<text.octets.count, RecordText.lastLine) {
        // Files mostly have the keys in their order, and as they are to be but for one or two.
        let run = lines.run(from: next, at: start, in: text.octets)
        if run.end > start {
          place(before: next)
          (start, next) = (run.end, run.lines.upperBound)
        }
        guard let (line, content) = text.line(at: start) else { break }
        start = line.upperBound + 1
        guard case .entry(let key, let value) = content else {
          if !text.isFrame(line) { keep(text.octets[line]) }
          continue
        }
        let name = text.text(key)
        if let index = keys[next...].firstIndex(of: name) ?? keys[..<next].firstIndex(of: name) {
          place(before: index)
          next = index + 1
        } else if isKnown(name) {
          place(before: nil)
        } else {
          keep("\(name) = \(text.text(value))".utf8)
        }
      }
      place(before: nil)
    }

    private mutating func keep(_ line: some Collection<UInt8>) { last.append(line + [UInt8(ascii: "\n")]) }

    private mutating func place(before index: Int?) {
      guard !last.isEmpty else { return }
      if let index { before.append((index, last)) } else { rest += last }
      last = []
    }
  }

  /// Whether a line is one of the two that stand around a record.
  private func isFrame(_ line: Range<Int>) -> Bool {
    var start = line.lowerBound
    while start < line.upperBound, octets[start].isBlank { start += 1 }
    let rest = start..<line.upperBound
    if begins(rest, with: Self.beginOctets) { return true }
    return begins(rest, with: Self.endOctets) && octets[rest].dropFirst(Self.endOctets.count).allSatisfy(\.isBlank)
  }

  private func begins(_ range: Range<Int>, with start: [UInt8]) -> Bool { isAt(range.prefix(start.count), start) }

  private static let firstLine = Array("\(begin) \(version)\n".utf8)
  private static let lastLine = Array("\(end)\n".utf8)
  private static let beginOctets = Array(begin.utf8)
  private static let endOctets = Array(end.utf8)
}
