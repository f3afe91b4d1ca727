// SPDX-License-Identifier: Apache-2.0

/// The assignments of a file that a shell reads: `NAME=VALUE` with the shell's quotes, and comments.
///
/// Nothing is evaluated: a value with a substitution is refused, and so is all else that shells understand. A value can be a
/// secret, so that there is no description.
public struct ShellAssignments: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
  /// An assignment.
  public struct Assignment: Hashable, Sendable {
    /// The variable.
    public let name: String
    /// Its value, without quotes.
    public let value: String
  }

  /// The most octets that are read.
  public static let sizeLimit = 1 << 16

  /// The assignments in their order.
  public private(set) var all: [Assignment] = []
  /// The numbers of the lines that have something else.
  public private(set) var refusedLines: [Int] = []

  /// Reads a text.
  public init(_ text: String) {
    var reader = ShellWordReader(text.utf8.prefix(Self.sizeLimit))
    while let word = reader.next() {
      if word.text == "export" { continue }
      guard word.isPlain, let equals = word.text.firstIndex(of: "="), Self.isName(word.text[..<equals]) else {
        if refusedLines.last != word.line { refusedLines.append(word.line) }
        continue
      }
      all.append(
        Assignment(
          name: String(word.text[..<equals]), value: String(word.text[word.text.index(after: equals)...])))
    }
  }

  /// How many there are.
  public var description: String { "\(all.count) assignments" }
  /// No children, so that `dump` shows no secret.
  public var customMirror: Mirror { Mirror(self, children: [:]) }

  /// The value of a variable: that of its last assignment.
  public subscript(name: String) -> String? { all.last { $0.name == name }?.value }

  private static func isName(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, !first.isDigit else { return false }
    return text.utf8.allSatisfy { $0.isDigit || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x5F }
  }
}

/// Splits a text into the words of a shell.
private struct ShellWordReader {
  struct Word {
    var text: String
    /// The number of the line that it begins on, from 1.
    var line: Int
    /// Whether it is complete, and means what it says.
    var isPlain: Bool
  }

  private var rest: ArraySlice<UInt8>
  private var line = 1

  init(_ octets: some Collection<UInt8>) { rest = Array(octets)[...] }

  private mutating func take() -> UInt8? {
    guard let octet = rest.popFirst() else { return nil }
    if octet == 0x0A { line += 1 }
    return octet
  }

  /// The next word; nil at the end.
  mutating func next() -> Word? {
    while let octet = rest.first {
      switch octet {
      case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ";"): _ = take()
      case UInt8(ascii: "#"): while let octet = rest.first, octet != 0x0A { _ = take() }
      default: return word()
      }
    }
    return nil
  }

  private mutating func word() -> Word {
    var octets: [UInt8] = []
    var word = Word(text: "", line: line, isPlain: true)
    var quote: UInt8?
    loop: while let octet = rest.first {
      switch (octet, quote) {
      case (0x20, nil), (0x09, nil), (0x0A, nil), (0x0D, nil), (UInt8(ascii: ";"), nil): break loop
      case (UInt8(ascii: "'"), nil), (UInt8(ascii: "\""), nil): quote = octet
      case (_, octet?): quote = nil
      case (UInt8(ascii: "\\"), nil), (UInt8(ascii: "\\"), UInt8(ascii: "\"")):
        _ = take()
        // In double quotes it counts before a few characters only.
        if let next = rest.first {
          if quote != nil, !"\\\"$`\n".utf8.contains(next) { octets.append(octet) }
          if next != 0x0A { octets.append(next) }
        }
      case (UInt8(ascii: "$"), nil), (UInt8(ascii: "$"), UInt8(ascii: "\"")), (UInt8(ascii: "`"), nil),
        (UInt8(ascii: "`"), UInt8(ascii: "\"")):
        word.isPlain = false
      default: octets.append(octet)
      }
      _ = take()
    }
    if quote != nil { word.isPlain = false }
    word.text = String(decoding: octets, as: UTF8.self)
    return word
  }
}
