// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin iface set`.
struct InterfaceSetCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Change settings of an interface, and of the nodes over it.",
    discussion: """
      Takes keys as iface show prints them: iface.net_ifacename=eth1. All is checked before anything is written. An empty \
      value takes a text away. Sessions that are up keep their settings.
      """)

  @Argument(
    help: "The interface's name.", completion: RecordCompletion.interfaces, transform: parseInterfaceName)
  var name: InterfaceName

  @Argument(help: ArgumentHelp("The settings.", valueName: "key=value"), transform: parseAssignment)
  var assignments: [AssignmentArgument]

  @OptionGroup var location: SysfsLocation
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecordChangesDocument { RecordChangesDocument() }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let edit = InterfaceSettingEdit(of: name, try assignments.resolve { output.warn($0) })
    let plan = try store.database.carryOut(edit, isTrial: trial.dryRun)
    assignments.warnOfMissingDevice(in: location, &output)
    try output.show(plan, EditReport(report, trial))
    return output
  }
}

/// `iscsi-admin iface create`.
struct InterfaceCreateCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Make the record of an interface.",
    discussion: "Ends with 15 if there is one of this name already.")

  @Argument(help: "The interface's name.", transform: parseInterfaceName)
  var name: InterfaceName

  @Argument(help: ArgumentHelp("The settings.", valueName: "key=value"), transform: parseAssignment)
  var assignments: [AssignmentArgument] = []

  @OptionGroup var location: SysfsLocation
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecordChangesDocument { RecordChangesDocument() }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let edit = InterfaceCreationEdit(name, try assignments.resolve { output.warn($0) })
    let plan = try store.database.carryOut(edit, isTrial: trial.dryRun)
    assignments.warnOfMissingDevice(in: location, &output)
    try output.show(plan, EditReport(report, trial))
    return output
  }
}

extension [AssignmentArgument] {
  /// Says so if the network device that an interface gets is not there: it may come later, and no login over it works before.
  fileprivate func warnOfMissingDevice(in location: SysfsLocation, _ output: inout CommandOutput) {
    guard let name = last(where: { $0.key == "iface.net_ifacename" })?.value, !name.isEmpty,
      NetworkDevices(sysfs: FilePath(location.sysfsRoot)).index(of: name) == nil
    else { return }
    output.warn("there is no network device \(name), without which no node over this interface can be logged in to")
  }
}

/// `iscsi-admin iface delete`.
struct InterfaceDeleteCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Delete an interface, and the records of the nodes over it.",
    discussion: "If a session uses one of these nodes nothing is deleted (15).")

  @Argument(
    help: "The interface's name.", completion: RecordCompletion.interfaces, transform: parseInterfaceName)
  var name: InterfaceName

  @OptionGroup var location: SysfsLocation
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecordChangesDocument { RecordChangesDocument() }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let uses = NodeUses(try location.sysfs.sessions(.summary))
    let plan = try store.database.carryOut(InterfaceDeletionEdit(of: name, unless: uses), isTrial: trial.dryRun)
    try output.show(plan, EditReport(report, trial))
    return output
  }
}
