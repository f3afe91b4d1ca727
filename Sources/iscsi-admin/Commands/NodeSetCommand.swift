// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin node set`.
struct NodeSetCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Change settings in the records of nodes.",
    discussion: """
      Takes keys as node show prints them: node.startup=automatic. All is checked before anything is written. An empty \
      value takes a text or a secret away. A secret is given as KEY=@FILE, where its first line is the secret, or KEY=@- \
      for standard input. Sessions that are up keep their settings.
      """)

  @Argument(
    help: ArgumentHelp("The targets' names, and a KEY=VALUE for each setting.", valueName: "target|key=value"),
    completion: RecordCompletion.targets, transform: NodeArgument.init)
  var words: [NodeArgument] = []

  @Flag(help: "Change the records of all nodes.")
  var all = false

  @OptionGroup var options: NodeSelectionOptions
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecordChangesDocument { RecordChangesDocument() }

  func validate() throws {
    try checkSelection(options.selection(words.targets), all: all)
    if words.assignments.isEmpty { throw ValidationError("nothing to set: give KEY=VALUE") }
    try words.assignments.checkSecrets()
  }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let assignments = try words.assignments.resolve { output.warn($0) }
    let edit = NodeSettingEdit(of: options.selection(words.targets), assignments)
    let plan = try store.database.carryOut(edit, isTrial: trial.dryRun)
    try output.show(plan, EditReport(report, trial))
    return output
  }
}

/// Refuses to take no node for all, and all for some.
func checkSelection(_ selection: NodeQuery, all: Bool) throws(ValidationError) {
  if !all, selection.isAll {
    throw ValidationError(
      "no node: give a target's name, --portal or --interface, or --all for the records of all nodes")
  }
  if all, !selection.isAll { throw ValidationError("--all and the choice of nodes exclude each other") }
}
