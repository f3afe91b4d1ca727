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

  /// The lines, in their order. A last line without an end is not among them: what it was to say is not known.
  public private(set) var lines: [Line] = []
  /// What cannot be read.
  public private(set) var problems: [Problem] = []
  private var values: [String: String] = [:]

  /// No lines.
  public init() {}

  /// Reads lines.
  public init(_ octets: some Collection<UInt8>) {
    var rest = octets[...]
    var number = 0
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      number += 1
      append(Array(rest[..<end]), number)
      rest = rest[rest.index(after: end)...]
    }
    if !rest.isEmpty { problems.append(Problem(line: number + 1, reason: .unterminated)) }
  }

  /// How many lines there are.
  public var description: String { "\(lines.count) lines of a record" }
  /// No children, so that `dump` shows no secret.
  public var customMirror: Mirror { Mirror(self, children: [:]) }

  /// Whether no line has a key.
  public var isEmpty: Bool { values.isEmpty }

  /// The value of a key; nil if no line has it.
  public subscript(key: String) -> String? { values[key] }

  private mutating func append(_ octets: [UInt8], _ number: Int) {
    func keep(because reason: Problem.Reason? = nil) {
      lines.append(.other(octets))
      if let reason { problems.append(Problem(line: number, reason: reason)) }
    }
    guard octets.count < Self.longestLine else { return keep(because: .tooLong) }
    let content = octets.trimmed
    guard let first = content.first, first != UInt8(ascii: "#") else { return keep() }
    guard !content.contains(0), let text = String(validating: content, as: UTF8.self) else {
      return keep(because: .notText)
    }
    let bytes = text.utf8
    let keyEnd = bytes.firstIndex { $0.isBlank || $0 == UInt8(ascii: "=") } ?? bytes.endIndex
    let behind = bytes[keyEnd...].drop(while: \.isBlank)
    guard keyEnd != bytes.startIndex, behind.first == UInt8(ascii: "=") else { return keep(because: .noValue) }
    let (key, value) = (String(text[..<keyEnd]), String(text[behind.dropFirst().drop(while: \.isBlank).startIndex...]))
    lines.append(.entry(key: key, value: value))
    values[key] = value
  }

  /// The text with other values: first what `entries` has, in that order, and whatever else stood in the file in its
  /// place, which is before the line that it was before.
  ///
  /// - Parameters:
  ///   - entries: Keys and values.
  ///   - isKnown: Whether a key is one of those that `entries` speaks for; such a key that is not there goes.
  /// - Returns: The octets of the file.
  public func rewritten(_ entries: [(key: String, value: String)], isKnown: (String) -> Bool) -> [UInt8] {
    var before: [String: [[UInt8]]] = [:]
    var pending: [[UInt8]] = []
    for line in lines {
      switch line {
      case .entry(let key, _) where isKnown(key):
        before[key, default: []] += pending
        pending = []
      case .entry(let key, let value):
        pending.append(Array("\(key) = \(value)".utf8))
      case .other(let octets) where Self.isFrame(octets): break
      case .other(let octets): pending.append(octets)
      }
    }
    var result: [[UInt8]] = [Array("\(Self.begin) \(Self.version)".utf8)]
    for (key, value) in entries {
      result += before.removeValue(forKey: key) ?? []
      result.append(Array("\(key) = \(value)".utf8))
    }
    // What stood before keys that are gone, in the order of the file.
    for case .entry(let key, _) in lines { result += before.removeValue(forKey: key) ?? [] }
    result += pending
    result.append(Array(Self.end.utf8))
    return Array(result.joined(separator: [UInt8(ascii: "\n")])) + [UInt8(ascii: "\n")]
  }

  /// The version of open-iscsi whose records these are; their first line has it.
  public static let version = "2.1.8"
  private static let begin = "# BEGIN RECORD"
  private static let end = "# END RECORD"

  private static func isFrame(_ octets: [UInt8]) -> Bool {
    let content = octets.trimmed
    return content.starts(with: begin.utf8) || content.elementsEqual(end.utf8)
  }
}

extension UInt8 {
  /// Whether C's `isspace` is true of the octet.
  fileprivate var isBlank: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}

extension [UInt8] {
  /// Without blanks at both ends.
  fileprivate var trimmed: ArraySlice<UInt8> {
    guard let last = lastIndex(where: { !$0.isBlank }) else { return [] }
    return self[...last].drop(while: \.isBlank)
  }
}
