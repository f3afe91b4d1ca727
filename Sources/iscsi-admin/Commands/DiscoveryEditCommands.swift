// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin discovery set`.
struct DiscoverySetCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Change settings in the records of discoveries.",
    discussion: """
      Takes keys as discovery show prints them. All is checked before anything is written. An empty value takes a text or \
      a secret away. A secret is given as KEY=@FILE, where its first line is the secret, or KEY=@- for standard input.
      """)

  @Argument(
    help: "The portal that is asked.", completion: RecordCompletion.discoveries, transform: DiscoveryServer.init)
  var portal: DiscoveryServer

  @Argument(help: ArgumentHelp("The settings.", valueName: "key=value"), transform: parseAssignment)
  var assignments: [AssignmentArgument]

  @OptionGroup var options: DiscoverySelectionOptions
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecordChangesDocument { RecordChangesDocument() }

  /// The discoveries that are meant.
  var selection: DiscoveryQuery { options.query(portal) }

  func validate() throws { try assignments.checkSecrets() }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let values = try assignments.resolve { output.warn($0) }
    let plan = try store.database.carryOut(DiscoverySettingEdit(of: selection, values), isTrial: trial.dryRun)
    try output.show(plan, EditReport(report, trial))
    return output
  }
}

/// `iscsi-admin discovery delete`.
struct DiscoveryDeleteCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Delete the records of discoveries, and those of the nodes that they have found.",
    discussion: "A node that a session uses stays, with a warning.")

  @Argument(
    help: "The portal that is asked.", completion: RecordCompletion.discoveries, transform: DiscoveryServer.init)
  var portal: DiscoveryServer

  @OptionGroup var options: DiscoverySelectionOptions
  @OptionGroup var location: SysfsLocation
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecordChangesDocument { RecordChangesDocument() }

  /// The discoveries that are meant.
  var selection: DiscoveryQuery { options.query(portal) }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let uses = NodeUses(try location.sysfs.sessions(.summary))
    let edit = DiscoveryDeletionEdit(of: selection, unless: uses)
    let plan = try store.database.carryOut(edit, isTrial: trial.dryRun)
    try output.show(plan, EditReport(report, trial))
    return output
  }
}
