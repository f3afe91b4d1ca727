// SPDX-License-Identifier: Apache-2.0

extension String {
  /// The word that this may be a slip of: one letter in three may be wrong, and letters that have changed places are one.
  package func nearest(in words: Set<String>) -> String? {
    guard utf8.count <= 64 else { return nil }
    let distances = words.sorted().map { (word: $0, distance: distance(to: $0)) }
    guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
    let letters = filter { $0 != "-" }.count
    return best.distance <= max(1, letters / 3) ? best.word : nil
  }

  /// How many letters are to be changed, put in, taken out, or exchanged with the next one, to come from one word to another.
  private func distance(to other: String) -> Int {
    let (from, to) = (Array(self), Array(other))
    var rows = [Array(0...to.count)]
    for (index, letter) in from.enumerated() {
      var row = [index + 1]
      for (column, wanted) in to.enumerated() {
        let change = rows[index][column] + (letter == wanted ? 0 : 1)
        var cost = Swift.min(rows[index][column + 1] + 1, row[column] + 1, change)
        if index > 0, column > 0, letter == to[column - 1], wanted == from[index - 1] {
          cost = Swift.min(cost, rows[index - 1][column - 1] + 1)
        }
        row.append(cost)
      }
      rows.append(row)
    }
    return rows[from.count][to.count]
  }
}
