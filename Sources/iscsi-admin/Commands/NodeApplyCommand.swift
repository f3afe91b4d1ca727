// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin node apply`.
struct NodeApplyCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Bring the records of nodes to what a JSON document declares.",
    discussion: """
      Takes a document as node show --json prints it, of which target and portal are enough. Records that are not there \
      are made; of the others the declared settings are changed, and secrets and settings that are not declared stay as \
      they are. If any of it cannot be done nothing is.
      """)

  @Argument(help: "The document; - is standard input.", completion: .file(extensions: ["json"]))
  var file: String

  @Flag(help: "Delete the records of nodes that are not declared, unless a session uses one (15).")
  var prune = false

  @OptionGroup var location: SysfsLocation
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecordChangesDocument { RecordChangesDocument() }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let nodes = try NodeDeclaration.read(file == "-" ? nil : FilePath(file))
    var options = NodeDeclarations.Options(configuration: store.configuration)
    options.isPruning = prune
    if prune { options.uses = NodeUses(try location.sysfs.sessions(.summary)) }
    let plan = try store.database.carryOut(NodeDeclarations(nodes, options), isTrial: trial.dryRun)
    // What is said of an edit is its difference.
    var form = EditReport(report, trial)
    form.hasUnchanged = false
    try output.show(plan, form)
    return output
  }
}
