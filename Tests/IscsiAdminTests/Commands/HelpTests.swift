// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import Testing

@testable import iscsi_admin

@Suite("Help and completions")
struct HelpTests {
  /// A command and the words that call it.
  private struct Entry {
    let path: [String]
    let type: any ParsableCommand.Type
  }

  private static func commands(below type: any ParsableCommand.Type = IscsiAdmin.self, path: [String] = []) -> [Entry] {
    [Entry(path: path, type: type)]
      + type.configuration.subcommands.flatMap {
        commands(below: $0, path: path + [$0.configuration.commandName ?? ""])
      }
  }

  @Test("Every command has its help, on 80 columns")
  func help() throws {
    for command in Self.commands() {
      let text = IscsiAdmin.helpMessage(for: command.type, columns: 80)
      try Golden.expect(text, is: (["help"] + command.path).joined(separator: "-") + ".txt")
      let lines = text.split(separator: "\n").filter { !$0.hasPrefix("USAGE: ") }
      #expect(lines.allSatisfy { $0.count <= 80 }, "\(command.path)")
    }
  }

  @Test(
    "--help and --version go to standard output and end with 0",
    arguments: [["--help"], ["login", "-h"], ["--version"]])
  func standardOutput(arguments: [String]) throws {
    let error = try #require(throws: (any Error).self) {
      // What is asked for here does nothing but print.
      var command = try IscsiAdmin.parseAsRoot(arguments)
      try command.run()
    }
    let output = IscsiAdmin.output(for: error, of: arguments)
    #expect(output.status == .success)
    #expect(output.diagnostics == "")
    #expect(output.text.hasSuffix("\n"))
    if arguments == ["--version"] { #expect(output.text == "iscsi-admin \(versionText)\n") }
  }

  @Test(
    "help tells of all commands, of one and of one below it, by their whole names",
    arguments: [[], ["login"], ["node"], ["session", "show"]], [["help"], ["help", "help"], ["--help"], ["-h"]])
  func helpCommand(names: [String], word: [String]) throws {
    let arguments = word.contains("help") ? word + names : names + word
    let error = try #require(throws: (any Error).self) {
      // What is asked for here does nothing but print.
      var command = try IscsiAdmin.command(arguments)
      try command.run()
    }
    let output = IscsiAdmin.output(for: error, of: arguments)
    #expect(output.status == .success && output.diagnostics == "")
    #expect(output.text.contains("USAGE: iscsi-admin" + names.map { " " + $0 }.joined()))
  }

  @Test("Options that several commands have are spelled and explained alike")
  func uniformity() {
    var explanations: [String: Set<String>] = [:]
    for command in Self.commands() {
      let text = IscsiAdmin.helpMessage(for: command.type, columns: 1000)
      for line in text.split(separator: "\n") where line.hasPrefix("  -") {
        let option = line.dropFirst(2)
        guard let gap = option.firstRange(of: "  ") else { continue }
        explanations[String(option[..<gap.lowerBound]), default: []].insert(
          String(option[gap.upperBound...].drop { $0 == " " }))
      }
    }
    // A listing's quiet form differs on purpose, and so does what a portal is to a logout, an interface to a new node, a
    // kind to a new discovery, a list to what it is of, or a timeout to a wait.
    let differing = explanations.filter { $0.value.count > 1 }.keys.sorted()
    #expect(
      differing == [
        "--all", "--force", "--interface <name>", "--kind <kind>", "--list", "--noop-interval <s>",
        "--noop-timeout <s>", "--timeout <s>", "-p, --portal <portal>", "-q, --quiet",
      ])
  }

  @Test("The completions of each shell know every command", arguments: CompletionShell.allCases)
  func completions(shell: CompletionShell) {
    let script = IscsiAdmin.completionScript(for: shell)
    for command in Self.commands() {
      for word in command.path { #expect(script.contains(word), "\(word)") }
    }
    #expect(script.contains("password-file"))
  }
}
