// SPDX-License-Identifier: Apache-2.0

/// The rules of GNU getopt_long: options and operands in any order, `--` before the last operands, bundled short
/// options, `-oX`, `-o X`, `--name=value`, `--name value`, and long names cut as short as they stay unique.
///
/// A mistake is an item like others, as getopt tells it and goes on; what it means is the program's matter.
struct GetOpt<Option: Sendable>: Sendable {
  /// One option of a program.
  struct Rule: Sendable {
    /// What it is to the program.
    let option: Option
    /// Its short name.
    let letter: Character
    /// Its long name.
    let name: String
    /// Whether a value has to follow.
    let takesValue: Bool
  }

  /// What stands at one place of a command line.
  enum Item {
    /// An option, with its value if it takes one.
    case option(Option, value: String?)
    /// A word that is no option.
    case operand(String)
    /// A mistake.
    case mistake(GetOptMistake)
  }

  private let rules: [Rule]

  /// A program's options; the order is that in which an ambiguous name's possibilities are listed.
  init(_ rules: [Rule]) { self.rules = rules }

  /// Reads all arguments after the program's name.
  func items(_ arguments: some Collection<String>) -> [Item] {
    var items: [Item] = []
    var rest = arguments[...]
    while let word = rest.popFirst() {
      if word == "--" { return items + rest.map(Item.operand) }
      if word.hasPrefix("--") {
        items.append(longOption(word, &rest))
      } else if word.hasPrefix("-"), word != "-" {
        appendShortOptions(word, &rest, to: &items)
      } else {
        items.append(.operand(word))
      }
    }
    return items
  }

  private func appendShortOptions<Words: Collection<String>>(
    _ word: String, _ rest: inout Words, to items: inout [Item]
  ) where Words.SubSequence == Words {
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      guard let rule = rules.first(where: { $0.letter == letter }) else {
        items.append(.mistake(.invalidLetter(letter)))
        continue
      }
      guard rule.takesValue else {
        items.append(.option(rule.option, value: nil))
        continue
      }
      guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else {
        return items.append(.mistake(.valueMissing(letter)))
      }
      return items.append(.option(rule.option, value: value))
    }
  }

  private func longOption<Words: Collection<String>>(
    _ word: String, _ rest: inout Words
  ) -> Item where Words.SubSequence == Words {
    let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = parts[0]
    let value = parts.count == 2 ? String(parts[1]) : nil
    let matches = rules.filter { $0.name == name }.isEmpty ? rules.filter { $0.name.hasPrefix(name) } : []
    guard let rule = rules.first(where: { $0.name == name }) ?? matches.first else {
      return .mistake(.unknownName(word))
    }
    guard matches.count < 2 else { return .mistake(.ambiguousName(word, possibilities: matches.map(\.name))) }
    guard rule.takesValue else {
      return value == nil
        ? .option(rule.option, value: nil) : .mistake(.valueNotAllowed(rule.letter, name: rule.name))
    }
    guard let value = value ?? rest.popFirst() else {
      return .mistake(.valueOfNameMissing(rule.letter, name: rule.name))
    }
    return .option(rule.option, value: value)
  }
}

extension GetOpt.Item: Equatable where Option: Equatable {}

/// What is wrong with a command line.
enum GetOptMistake: Error, Hashable {
  /// There is no such short option.
  case invalidLetter(Character)
  /// Nothing follows a short option that takes a value.
  case valueMissing(Character)
  /// There is no such long option; the whole word.
  case unknownName(String)
  /// A cut name could be one of several; the whole word.
  case ambiguousName(String, possibilities: [String])
  /// A long option has a value and takes none.
  case valueNotAllowed(Character, name: String)
  /// Nothing follows a long option that takes a value.
  case valueOfNameMissing(Character, name: String)

  /// The short name of the option that it is about (getopt's `optopt`); nil if there is none.
  var letter: Character? {
    switch self {
    case .invalidLetter(let letter), .valueMissing(let letter), .valueNotAllowed(let letter, _),
      .valueOfNameMissing(let letter, _):
      letter
    case .unknownName, .ambiguousName: nil
    }
  }

  /// The line of the GNU C library, without its end.
  ///
  /// - Parameter program: The name that the program was called by.
  /// - Returns: The line.
  func line(of program: String) -> String {
    let text =
      switch self {
      case .invalidLetter(let letter): "invalid option -- '\(letter)'"
      case .valueMissing(let letter): "option requires an argument -- '\(letter)'"
      case .unknownName(let word): "unrecognized option '\(word)'"
      case .ambiguousName(let word, let names):
        "option '\(word)' is ambiguous; possibilities:" + names.map { " '--\($0)'" }.joined()
      case .valueNotAllowed(_, let name): "option '--\(name)' doesn't allow an argument"
      case .valueOfNameMissing(_, let name): "option '--\(name)' requires an argument"
      }
    return "\(program): \(text)".printable
  }
}
