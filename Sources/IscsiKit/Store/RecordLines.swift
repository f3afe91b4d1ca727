// SPDX-License-Identifier: Apache-2.0

/// Lines one behind the other, in one piece of memory: records are compared with as many of them at a time as they have in common.
struct RecordLines: Sendable {
  private(set) var octets: [UInt8] = []
  /// Where each line ends, its end included.
  private var ends: [Int] = []

  /// No lines.
  init() {}

  /// No lines yet, but room for some.
  init(capacity: Int, of count: Int) {
    octets.reserveCapacity(capacity)
    ends.reserveCapacity(count)
  }

  /// How many lines there are.
  var count: Int { ends.count }

  /// Appends the line of a key.
  mutating func append(key: String, value: String) {
    octets.append(lineOf: key, value)
    ends.append(octets.count)
  }

  /// Appends a line as it stands in a text, with its end.
  mutating func append(_ line: ArraySlice<UInt8>) {
    octets += line
    ends.append(octets.count)
  }

  /// Appends a line without octets, which takes the place of one.
  mutating func appendNothing() { ends.append(octets.count) }

  /// Puts other octets in the place of a line: a line with its end, or none.
  mutating func replace(_ index: Int, by line: [UInt8]) {
    let range = (index == 0 ? 0 : ends[index - 1])..<ends[index]
    octets.replaceSubrange(range, with: line)
    let shift = line.count - range.count
    guard shift != 0 else { return }
    for index in index..<ends.count { ends[index] += shift }
  }

  /// Appends consecutive lines of others.
  mutating func append(_ range: Range<Int>, of lines: RecordLines) {
    guard let first = range.first else { return }
    let start = first == 0 ? 0 : lines.ends[first - 1]
    let shift = octets.count - start
    octets += lines.octets[start..<lines.ends[range.upperBound - 1]]
    for index in range { ends.append(lines.ends[index] + shift) }
  }

  /// The octets of a line.
  subscript(index: Int) -> ArraySlice<UInt8> { octets[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }

  /// Which lines from one on stand in a text from an offset on, one behind the other.
  ///
  /// - Returns: The lines, and where the last of them ends in the text. Lines without octets stand everywhere.
  func run(from index: Int, at start: Int, in text: borrowing [UInt8]) -> (lines: Range<Int>, end: Int) {
    guard index < ends.count else { return (index..<index, start) }
    let first = index == 0 ? 0 : ends[index - 1]
    let common = OctetScan.commonCount(octets, from: first, text, from: start)
    // Bisected: the next one is mostly the last, or one in the middle.
    var (next, beyond) = (index, ends.count)
    while next < beyond {
      let middle = (next + beyond) / 2
      if ends[middle] - first <= common { next = middle + 1 } else { beyond = middle }
    }
    return (index..<next, start + (next > index ? ends[next - 1] - first : 0))
  }
}

extension [UInt8] {
  /// Appends the line of a key, with its end.
  mutating func append(lineOf key: String, _ value: String) {
    self += key.utf8
    self += " = ".utf8
    self += value.utf8
    append(UInt8(ascii: "\n"))
  }
}
