// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin node`: the records of nodes.
struct NodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node", abstract: "Show and change the records of nodes: targets, and how to log in to them.",
    discussion: """
      The records are those of open-iscsi, which can use them in turn. A file that is no record is told of on standard \
      error, and hides no other.
      """,
    subcommands: [
      NodeListCommand.self, NodeShowCommand.self, NodeSetCommand.self, NodeCreateCommand.self, NodeDeleteCommand.self,
      NodeApplyCommand.self,
    ])
}

/// `iscsi-admin node list`.
struct NodeListCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the records of nodes.",
    discussion: "Ends with 21 if there is none; with --json the empty list is printed all the same.")

  @Argument(
    help: ArgumentHelp("The targets' names; all targets if none is given.", valueName: "target"),
    completion: RecordCompletion.targets, transform: parseTargetName)
  var targets: [TargetName] = []

  @OptionGroup var options: NodeSelectionOptions
  @OptionGroup var report: RecordListingOptions

  var isJSON: Bool { report.json }
  var emptyDocument: NodeListDocument { NodeListDocument([]) }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let nodes = try output.find(options.selection(targets), in: store, isSilent: report.quiet)
    if report.json {
      try output.show(NodeListDocument(nodes))
    } else if report.quiet {
      output.text = nameList(nodes)
    } else if !nodes.isEmpty {
      output.text = nodeTable(nodes, for: terminal)
    }
    return output
  }
}

/// `iscsi-admin node show`.
struct NodeShowCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show all settings of records of nodes.",
    discussion: "With --json it prints what node apply takes. Ends with 21 if there is no such record.")

  @Argument(
    help: ArgumentHelp("The targets' names; all targets if none is given.", valueName: "target"),
    completion: RecordCompletion.targets, transform: parseTargetName)
  var targets: [TargetName] = []

  @Flag(help: "Show secrets, too.")
  var showSecrets = false

  @OptionGroup var options: NodeSelectionOptions
  @OptionGroup var report: RecordListingOptions

  var isJSON: Bool { report.json }
  var emptyDocument: NodeShowDocument { NodeShowDocument([], showingSecrets: false) }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let nodes = try output.find(options.selection(targets), in: store, isSilent: report.quiet)
    if report.json {
      try output.show(NodeShowDocument(nodes, showingSecrets: showSecrets))
    } else if report.quiet {
      output.text = nameList(nodes)
    } else {
      output.text = nodes.map { recordPage(.node($0), $0, showingSecrets: showSecrets) }.joined(separator: "\n")
    }
    return output
  }
}

/// Targets' names for scripts, one a line, each once.
private func nameList(_ nodes: [NodeRecord]) -> String {
  var known: Set<TargetName> = []
  return nodes.filter { known.insert($0.target).inserted }.map { "\($0.target)\n" }.joined()
}

extension CommandOutput {
  /// Finds nodes and tells what is wrong with records, and what is not there.
  fileprivate mutating func find(
    _ selection: NodeQuery, in store: RecordStore, isSilent: Bool
  ) throws -> [NodeRecord] {
    let found = try selection.find(in: store.database)
    for problem in found.nodes.problems { warn(problem.description) }
    // A listing of nothing in particular is for scripts to be tried.
    for refusal in found.missing { fail(refusal, isSilent: isSilent && selection.isAll) }
    return found.nodes.records.map(\.record)
  }
}
