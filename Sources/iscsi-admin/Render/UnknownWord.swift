// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// The command that a command line names, as far as there is such a command.
struct NamedCommand {
  private(set) var type: any ParsableCommand.Type = IscsiAdmin.self
  /// `iscsi-admin session`.
  private(set) var name = "iscsi-admin"
  /// What follows it.
  private(set) var rest: ArraySlice<String>

  /// The command of these arguments, also where they ask for its help.
  init(_ arguments: [String]) {
    rest = arguments.drop { $0 == "help" }
    while let word = rest.first,
      let next = type.configuration.subcommands.first(where: { $0.configuration.commandName == word })
    {
      type = next
      name += " \(word)"
      rest = rest.dropFirst()
    }
  }
}

/// What a command line has that its command does not know: an option, or a word in the place of a command.
///
/// The argument parser looks for these last. What it tells until then, such as that an operand is missing, or that the value of the
/// wrong option is none, is what follows from it.
struct UnknownWord: CustomStringConvertible {
  /// What it is, and what was perhaps meant.
  let description: String

  /// The first one of a command line; nil if there is none.
  init?(_ arguments: [String]) {
    let command = NamedCommand(arguments)
    if let word = command.rest.first, !word.hasPrefix("-"), !command.type.configuration.subcommands.isEmpty {
      description = "unknown command '\(word)'" + Self.question(command.commands(like: word))
    } else {
      let known = command.options(withHidden: true).union(Self.optionsOfAll)
      guard let name = Self.options(in: command.rest).first(where: { !known.contains($0) }) else { return nil }
      let visible = command.options(withHidden: false)
      description = "unknown option '\(name)'" + Self.question(name.nearest(in: visible).map { [$0] } ?? [])
    }
  }

  /// The options of the parser's own, of which help tells nothing.
  private static let optionsOfAll: Set = ["--version", "--help-hidden", "--generate-completion-script"]

  /// The long options of arguments; `--` ends them.
  private static func options(in arguments: ArraySlice<String>) -> [String] {
    arguments.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }.map { String($0.prefix { $0 != "=" }) }
  }

  private static func question(_ words: [String]) -> String {
    words.isEmpty ? "" : " (did you mean \(words.map { "'\($0)'" }.list("or"))?)"
  }
}

/// The options and commands of a command.
extension NamedCommand {
  /// The names of its options, as its help has them: two blanks, the names, two blanks and more.
  fileprivate func options(withHidden: Bool) -> Set<String> {
    let help = IscsiAdmin.helpMessage(for: type, includeHidden: withHidden, columns: 1000)
    let labels = help.split(separator: "\n").filter { $0.hasPrefix("  -") }.compactMap { line in
      line.split(separator: "  ").first
    }
    let words = labels.flatMap { $0.split { $0 == " " || $0 == "," } }
    return Set(words.filter { $0.hasPrefix("--") }.map(String.init))
  }

  /// What may be meant by a word that is no command here: one with nearly this name, or those further down that have it.
  fileprivate func commands(like word: String) -> [String] {
    let names = Self.names(below: type)
    if let near = word.nearest(in: Set(names + ["help"])) { return [near] }
    return type.configuration.subcommands.filter { Self.names(below: $0).contains(word) }
      .compactMap { $0.configuration.commandName.map { "\($0) \(word)" } }
  }

  private static func names(below type: any ParsableCommand.Type) -> [String] {
    type.configuration.subcommands.compactMap { $0.configuration.commandName }
  }
}
