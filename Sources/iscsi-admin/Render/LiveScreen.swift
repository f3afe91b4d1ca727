// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit

/// The size of a terminal in characters.
struct ScreenSize: Hashable, Sendable {
  var columns: Int
  var rows: Int

  /// That of the terminal behind standard output; 80 by 24 if it does not tell.
  static var standardOutput: ScreenSize {
    ScreenSize(columns: terminalWidth(of: STDOUT_FILENO) ?? 80, rows: terminalHeight(of: STDOUT_FILENO) ?? 24)
  }
}

/// Text that is drawn over the text before, where the cursor is.
///
/// It changes no mode of the terminal: the cursor stays visible, and what was printed before stays on the screen. So there
/// is nothing to put back, whatever ends or stops the program.
struct LiveScreen: Sendable {
  private var drawn = 0
  private var size: ScreenSize?

  /// What to write to show these lines in place of those before.
  mutating func draw(_ lines: [String], on size: ScreenSize) -> String {
    // The cursor is in the line below the last; a line more would scroll the first one out of reach.
    var shown = Array(lines.prefix(max(1, size.rows - 1)))
    if shown.count < lines.count, let last = shown.indices.last {
      shown[last] = "… and \(lines.count - last) lines more"
    }
    // Lines that were as wide as the old terminal may take two lines of a new one: their place is not known.
    let start = self.size == nil || self.size == size ? (drawn > 0 ? "\u{1B}[\(drawn)A\r" : "") : "\u{1B}[2J\u{1B}[H"
    self.size = size
    drawn = shown.count
    // Each line ends what was there; below the last one all ends.
    return start + shown.map { $0.cutForScreen(to: size.columns) + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
  }
}

extension String {
  /// The beginning of a line that fits into so many columns; colours take none, and end with the line.
  fileprivate func cutForScreen(to width: Int) -> String {
    var columns = 0
    var isEscape = false
    var isColoured = false
    var text = ""
    for character in self {
      if character == "\u{1B}" {
        isEscape = true
        isColoured = true
      }
      if !isEscape {
        guard columns < width else { return text + (isColoured ? "\u{1B}[0m" : "") }
        columns += 1
      }
      text.append(character)
      if isEscape, character == "m" { isEscape = false }
    }
    return text
  }
}
