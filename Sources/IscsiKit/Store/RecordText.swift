// SPDX-License-Identifier: Apache-2.0

/// The text of a record of open-iscsi's database, or of its configuration: lines of `key = value`, comments, and what
/// else stands there. Secrets are in it, so that it has no description.
///
/// A line is at most 2047 octets with its end. Blanks around key and value do not count, nor does a line that begins
/// with `#`; a `#` further on is part of the value. Of a key that comes twice the last value holds.
public struct RecordText: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
  /// A line as it stands in the file.
  public enum Line: Hashable, Sendable {
    /// A key and its value, which may be empty.
    case entry(key: String, value: String)
    /// A comment, a blank line, or what is neither, without the line's end.
    case other([UInt8])
  }

  /// A line that says nothing, and why.
  public struct Problem: Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with the line.
    public enum Reason: String, Hashable, Sendable {
      /// It is longer than a line may be.
      case tooLong = "the line is too long"
      /// It has no end: whoever wrote it was interrupted.
      case unterminated = "the last line has no end"
      /// It has a key and no `=`.
      case noValue = "there is no value"
      /// It is no UTF-8, or has a NUL.
      case notText = "the line is no text"
    }

    /// The line's number, from 1.
    public let line: Int
    /// What is wrong with it.
    public let reason: Reason

    /// Number and reason.
    public var description: String { "line \(line): \(reason.rawValue)" }
  }

  /// The most octets of a line, its end included (open-iscsi's `LINE_LEN`).
  public static let longestLine = 2047

  /// The file. Lines are looked at where somebody asks: most of a record's say what is so without them, and a database has
  /// thousands of records.
  let octets: [UInt8]

  /// No lines.
  public init() { octets = [] }

  /// Takes the octets of a file.
  public init(_ octets: some Collection<UInt8>) { self.octets = Array(octets) }

  /// What stands in a line; offsets in the file.
  enum Content: Hashable {
    case entry(key: Range<Int>, value: Range<Int>)
    /// A comment or a blank line.
    case comment
    case unreadable(Problem.Reason)
  }

  /// The lines, in their order. A last line without an end is not among them: what it was to say is not known.
  public var lines: [Line] {
    var lines: [Line] = []
    forEachLine { line, content in
      if case .entry(let key, let value) = content {
        lines.append(.entry(key: text(key), value: text(value)))
      } else {
        lines.append(.other(Array(octets[line])))
      }
    }
    return lines
  }

  /// What cannot be read.
  public var problems: [Problem] {
    var problems: [Problem] = []
    var (number, end) = (0, 0)
    forEachLine { line, content in
      (number, end) = (number + 1, line.upperBound + 1)
      if case .unreadable(let reason) = content { problems.append(Problem(line: number, reason: reason)) }
    }
    if end < octets.count { problems.append(Problem(line: number + 1, reason: .unterminated)) }
    return problems
  }

  /// How many octets there are.
  public var description: String { "\(octets.count) octets of a record" }
  /// No children, so that `dump` shows no secret.
  public var customMirror: Mirror { Mirror(self, children: [:]) }

  /// Whether no line has a key.
  public var isEmpty: Bool {
    var start = 0
    while let (line, content) = line(at: start) {
      if case .entry = content { return false }
      start = line.upperBound + 1
    }
    return true
  }

  /// The value of a key; nil if no line has it.
  public subscript(key: String) -> String? {
    let key = Array(key.utf8)
    var found: Range<Int>?
    forEachLine { _, content in
      if case .entry(let range, let value) = content, isAt(range, key) { found = value }
    }
    return found.map(text)
  }

  /// The octets of a part of the file as text.
  func text(_ range: Range<Int>) -> String { String(decoding: octets[range], as: UTF8.self) }

  /// Whether a part of the file is the same octets.
  func isAt(_ range: Range<Int>, _ other: [UInt8]) -> Bool {
    range.count == other.count && OctetScan.areEqual(octets, range, other, at: 0)
  }

  private func forEachLine(_ body: (_ line: Range<Int>, _ content: Content) -> Void) {
    var start = 0
    while let (line, content) = line(at: start) {
      body(line, content)
      start = line.upperBound + 1
    }
  }

  /// The line that begins at an offset, without its end, and what stands in it; nil at the end of the file, and for a line that
  /// has no end.
  func line(at start: Int) -> (line: Range<Int>, content: Content)? {
    guard let end = OctetScan.firstIndex(of: UInt8(ascii: "\n"), in: octets, from: start) else { return nil }
    return (start..<end, content(of: start..<end))
  }

  private func content(of line: Range<Int>) -> Content {
    guard line.count < Self.longestLine else { return .unreadable(.tooLong) }
    var (start, end) = (line.lowerBound, line.upperBound)
    while start < end, octets[start].isBlank { start += 1 }
    while start < end, octets[end - 1].isBlank { end -= 1 }
    guard start < end, octets[start] != UInt8(ascii: "#") else { return .comment }
    guard OctetScan.isASCIIText(octets, start..<end) || isText(start..<end) else { return .unreadable(.notText) }
    var keyEnd = start
    while keyEnd < end, !octets[keyEnd].isBlank, octets[keyEnd] != UInt8(ascii: "=") { keyEnd += 1 }
    var value = keyEnd
    while value < end, octets[value].isBlank { value += 1 }
    guard keyEnd > start, value < end, octets[value] == UInt8(ascii: "=") else { return .unreadable(.noValue) }
    value += 1
    while value < end, octets[value].isBlank { value += 1 }
    return .entry(key: start..<keyEnd, value: value..<end)
  }

  private func isText(_ range: Range<Int>) -> Bool {
    !octets[range].contains(0) && String(validating: octets[range], as: UTF8.self) != nil
  }

  /// The version of open-iscsi whose records these are; their first line has it.
  public static let version = "2.1.8"
  static let begin = "# BEGIN RECORD"
  static let end = "# END RECORD"
}

extension UInt8 {
  /// Whether C's `isspace` is true of the octet.
  var isBlank: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}
