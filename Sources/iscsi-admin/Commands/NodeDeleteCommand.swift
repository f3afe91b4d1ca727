// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin node delete`.
struct NodeDeleteCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Delete the records of nodes.",
    discussion: "A record that a session uses stays (15); the others are deleted.")

  @Argument(
    help: ArgumentHelp("The targets' names.", valueName: "target"), completion: RecordCompletion.targets,
    transform: parseTargetName)
  var targets: [TargetName] = []

  @Flag(help: "Delete the records of all nodes.")
  var all = false

  @OptionGroup var options: NodeSelectionOptions
  @OptionGroup var location: SysfsLocation
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecordChangesDocument { RecordChangesDocument() }

  func validate() throws { try checkSelection(options.selection(targets), all: all) }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let uses = NodeUses(try location.sysfs.sessions(.summary))
    let edit = NodeDeletionEdit(of: options.selection(targets), unless: uses)
    let plan = try store.database.carryOut(edit, isTrial: trial.dryRun)
    try output.show(plan, EditReport(report, trial))
    return output
  }
}
