// SPDX-License-Identifier: Apache-2.0

/// A table of text for people, one line a row.
///
/// Without a width every cell is shown whole. When a terminal is too narrow, the columns that may shrink lose characters
/// from their middle (prose from its end), the widest first, down to their minimum; if that is not enough, nothing is cut and the lines wrap.
/// Widths are counted in characters, so that East Asian wide ones can move a column.
struct Table {
  /// A column.
  struct Column {
    /// Where the cells of a column stand.
    enum Alignment { case left, right }

    /// The heading.
    var header: String
    /// Where its cells stand.
    var alignment = Alignment.left
    /// The fewest characters that it can shrink to; nil if it must not.
    var minimumWidth: Int?
    /// Whether it is left out if no row has anything in it.
    var isOptional = false
    /// Whether what it tells begins with what matters most, so that the end is cut, and not the middle as of a name.
    var isProse = false
  }

  /// A cell.
  struct Cell {
    /// Its text, made printable.
    let text: String
    /// What it tells.
    let mood: Mood

    /// A cell; nil is shown as `-`.
    init(_ text: String?, _ mood: Mood = .neutral) {
      let printable = text?.printable ?? ""
      self.text = printable.isEmpty ? "-" : printable
      self.mood = mood
    }
  }

  /// The columns.
  let columns: [Column]
  /// The rows; a missing cell at the end is empty, one too many is not shown.
  private(set) var rows: [[Cell]] = []

  /// An empty table.
  init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row.
  mutating func add(_ cells: [Cell]) { rows.append(cells) }

  /// The lines of the table, header first, without blanks at their ends.
  func lines(for terminal: Terminal, indent: Int = 0) -> [String] {
    let shown = columns.indices.filter { index in
      !columns[index].isOptional || rows.contains { index < $0.count && $0[index].text != Cell(nil).text }
    }
    guard shown.count == columns.count else {
      var rest = Table(shown.map { columns[$0] })
      rest.rows = rows.map { row in shown.filter(row.indices.contains).map { row[$0] } }
      return rest.lines(for: terminal, indent: indent)
    }
    let widths = widths(for: terminal, indent: indent)
    let headers = columns.map { Cell($0.header) }
    return ([headers] + rows).map { row in
      var line = String(repeating: " ", count: indent)
      var blanks = 0
      for ((column, width), cell) in zip(zip(columns, widths), row) {
        let text = column.isProse ? cell.text.cutAtEnd(to: width) : cell.text.cut(to: width)
        let fill = width - text.count
        line += String(repeating: " ", count: blanks + (column.alignment == .right ? fill : 0))
        line += terminal.coloured(text, cell.mood)
        blanks = Self.gap + (column.alignment == .left ? fill : 0)
      }
      return line
    }
  }

  private static let gap = 2

  private func widths(for terminal: Terminal, indent: Int) -> [Int] {
    var widths = columns.indices.map { index in
      rows.reduce(columns[index].header.count) { max($0, index < $1.count ? $1[index].text.count : 0) }
    }
    guard let limit = terminal.width else { return widths }
    var excess = indent + widths.reduce(0, +) + Self.gap * max(0, columns.count - 1) - limit
    let slack = columns.indices.reduce(0) { $0 + max(0, widths[$1] - (columns[$1].minimumWidth ?? widths[$1])) }
    // A line that wraps anyway is better whole.
    guard excess <= slack else { return widths }
    while excess > 0 {
      let shrinkable = columns.indices.filter { widths[$0] > (columns[$0].minimumWidth ?? .max) }
      guard let widest = shrinkable.max(by: { widths[$0] < widths[$1] }) else { break }
      widths[widest] -= 1
      excess -= 1
    }
    return widths
  }
}

extension String {
  /// The text with an ellipsis in it if it is longer than `width`; two thirds of what is left are the end, where the
  /// names of targets differ.
  func cut(to width: Int) -> String {
    guard count > width, width > 0 else { return self }
    let tail = width * 2 / 3
    return prefix(width - 1 - tail) + "…" + suffix(tail)
  }

  /// The text with an ellipsis in the place of what is too much for `width`.
  fileprivate func cutAtEnd(to width: Int) -> String { count > width && width > 0 ? prefix(width - 1) + "…" : self }
}
