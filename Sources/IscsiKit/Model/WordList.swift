// SPDX-License-Identifier: Apache-2.0

extension Collection<String> {
  /// The words as a sentence has them: `a`, `a or b`, `a, b or c`.
  package func list(_ conjunction: String) -> String {
    let words = Array(self)
    guard words.count > 1, let last = words.last else { return joined() }
    return words.dropLast().joined(separator: ", ") + " \(conjunction) \(last)"
  }
}
