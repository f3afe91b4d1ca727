// SPDX-License-Identifier: Apache-2.0

/// The rules of the shell's `getopts`: letters, alone or several in a word, up to the first operand or `--`.
struct ShellOptions {
  /// What stands at one place of a command line.
  enum Item: Hashable {
    /// An option, with its value if it takes one.
    case option(Character, value: String?)
    /// There is no such option.
    case unknown(Character)
    /// Nothing follows an option that takes a value.
    case valueMissing(Character)
  }

  /// The options, in their order.
  private(set) var items: [Item] = []
  /// What follows them.
  private(set) var operands: ArraySlice<String>

  /// Reads arguments.
  ///
  /// - Parameters:
  ///   - arguments: What follows the program's name.
  ///   - letters: The options, each followed by a colon if it takes a value.
  init(_ arguments: ArraySlice<String>, _ letters: String) {
    let known = Array(letters)
    operands = arguments
    while let word = operands.first, word.hasPrefix("-"), word != "-" {
      operands.removeFirst()
      if word == "--" { return }
      var rest = word.dropFirst()
      while let letter = rest.popFirst() {
        guard letter != ":", let index = known.firstIndex(of: letter) else {
          items.append(.unknown(letter))
          continue
        }
        guard index + 1 < known.count, known[index + 1] == ":" else {
          items.append(.option(letter, value: nil))
          continue
        }
        if let value = rest.isEmpty ? operands.popFirst() : String(rest) {
          items.append(.option(letter, value: value))
        } else {
          items.append(.valueMissing(letter))
        }
        break
      }
    }
  }
}

extension ShellOptions.Item {
  /// The line that bash tells a mistake by, without its end; nil if it is none.
  ///
  /// - Parameter program: The name that the program was called by.
  /// - Returns: The line.
  func complaint(of program: String) -> String? {
    switch self {
    case .option: nil
    case .unknown(let letter): "\(program): illegal option -- \(letter)".printable
    case .valueMissing(let letter): "\(program): option requires an argument -- \(letter)".printable
    }
  }
}
