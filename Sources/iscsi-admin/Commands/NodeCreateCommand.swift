// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin node create`.
struct NodeCreateCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Make the record of a node.",
    discussion: """
      Settings that are not given are those of \(InitiatorConfiguration.standardPath). Ends with 15 if there is such a \
      record already. Give secrets as node set takes them.
      """)

  @Argument(
    help: ArgumentHelp("The target's name, and a KEY=VALUE for each setting.", valueName: "target|key=value"),
    transform: NodeArgument.init)
  var words: [NodeArgument] = []

  @Option(
    name: .shortAndLong,
    help: "The portal: address or name, with :port unless it is 3260, and ,tag where that is known.",
    completion: SessionCompletion.portals, transform: parsePortal)
  var portal: Portal

  @Option(
    help: ArgumentHelp("The interface. (default: default)", valueName: "name"), completion: RecordCompletion.interfaces,
    transform: parseInterfaceName)
  var interface = InterfaceName.standard

  @Flag(help: "Replace a record that is there, with all its settings.")
  var replace = false

  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecordChangesDocument { RecordChangesDocument() }

  func validate() throws {
    if words.targets.count != 1 { throw ValidationError("give one target's name") }
    try words.assignments.checkSecrets()
  }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    for problem in store.configuration.problems {
      output.warn("\(InitiatorConfiguration.standardPath): \(problem)")
    }
    let assignments = try words.assignments.resolve { output.warn($0) }
    for target in words.targets {
      let node = NodeDeclaration(target, at: portal, over: interface, settings: assignments)
      let edit = NodeCreationEdit(node, configuration: store.configuration, isReplacing: replace)
      let plan = try store.database.carryOut(edit, isTrial: trial.dryRun)
      try output.show(plan, EditReport(report, trial))
    }
    return output
  }
}
