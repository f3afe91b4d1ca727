// SPDX-License-Identifier: Apache-2.0

/// The lines of a tree, as one text that grows: a listing has dozens of lines for each of hundreds of sessions.
struct TreeText {
  /// The lines so far, each with its end.
  private(set) var text = ""
  /// What every line that is not empty begins with.
  let indent: String

  /// An empty line.
  mutating func emptyLine() { text += "\n" }

  /// A line from its parts, which are made fit for a terminal.
  mutating func line(_ parts: String...) {
    text += indent
    for part in parts { text += part.printableBesidesTabs }
    text += "\n"
  }

  /// A title between two lines of asterisks.
  mutating func heading(_ title: String, stars count: Int) {
    let stars = String(repeating: "*", count: count)
    line(stars)
    line(title)
    line(stars)
  }

  /// Lines that begin further to the right.
  mutating func indented(by more: String, _ body: (inout TreeText) -> Void) {
    var inner = TreeText(indent: indent + more)
    swap(&inner.text, &text)
    body(&inner)
    swap(&inner.text, &text)
  }
}

extension String {
  /// Fit for a terminal, but with the tabs that are the layout.
  var printableBesidesTabs: String {
    if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }) { return self }
    return split(separator: "\t", omittingEmptySubsequences: false).map { String($0).printable }.joined(separator: "\t")
  }
}
