// SPDX-License-Identifier: Apache-2.0

/// The lines of a tree, as one text that grows: a listing has dozens of lines for each of hundreds of sessions.
struct TreeText: Sendable {
  private var octets: [UInt8] = []
  /// What every line that is not empty begins with.
  private let indent: [UInt8]

  /// No lines yet, and space for so many octets of them.
  init(indent: String, spaceFor count: Int = 0) {
    self.indent = Array(indent.utf8)
    octets.reserveCapacity(count)
  }

  /// Lines that are written, and space for so many more octets.
  init(_ lines: String, spaceFor count: Int) {
    self.init(indent: [])
    octets.reserveCapacity(lines.utf8.count + count)
    octets += lines.utf8
  }

  private init(indent: [UInt8]) { self.indent = indent }

  /// The lines so far, each with its end.
  var text: String { String(decoding: octets, as: UTF8.self) }

  /// How many octets that are.
  var count: Int { octets.count }

  /// The lines of another tree, from one of its octets on.
  mutating func append(_ other: TreeText, from start: Int) { octets += other.octets[start...] }

  /// An empty line.
  mutating func emptyLine() { octets.append(UInt8(ascii: "\n")) }

  /// A line from its parts, which are made fit for a terminal.
  mutating func line(_ parts: String...) {
    octets += indent
    for part in parts { append(part) }
    emptyLine()
  }

  /// A line of a label, which is fit for a terminal, and a value, as most are; the same without a list of the parts.
  mutating func line(label: String, _ value: String) {
    octets += indent
    octets += label.utf8
    append(value)
    emptyLine()
  }

  private mutating func append(_ part: String) {
    let start = octets.count
    octets += part.utf8
    // Looked at where they are now: going through a text takes several times as long.
    var fit = start
    while fit < octets.count, octets[fit].isFitBesidesTabs { fit += 1 }
    if fit == octets.count { return }
    octets.removeSubrange(start...)
    octets += part.printableBesidesTabs.utf8
  }

  /// A title between two lines of asterisks.
  mutating func heading(_ title: String, stars count: Int) {
    stars(count)
    line(label: title, "")
    stars(count)
  }

  private mutating func stars(_ count: Int) {
    octets += indent
    octets += repeatElement(UInt8(ascii: "*"), count: count)
    emptyLine()
  }

  /// Lines that begin further to the right.
  mutating func indented(by more: String, _ body: (inout TreeText) -> Void) {
    var inner = TreeText(indent: indent + Array(more.utf8))
    swap(&inner.octets, &octets)
    body(&inner)
    swap(&inner.octets, &octets)
  }
}

extension String {
  /// Fit for a terminal, but with the tabs that are the layout.
  var printableBesidesTabs: String {
    if utf8.allSatisfy(\.isFitBesidesTabs) { return self }
    return split(separator: "\t", omittingEmptySubsequences: false).map { String($0).printable }.joined(separator: "\t")
  }
}

extension UInt8 {
  /// Whether the octet is a character of ASCII that a terminal shows, or a tab.
  fileprivate var isFitBesidesTabs: Bool { self >= 0x20 && self < 0x7F || self == 0x09 }
}
