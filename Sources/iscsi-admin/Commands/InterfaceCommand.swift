// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin iface`: the records of interfaces.
struct InterfaceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "iface", abstract: "Show and change the records of interfaces: what sessions are bound to.",
    discussion: """
      The interfaces default and iser are always there, and cannot be changed. Each node's record has a copy of its \
      interface, which follows iface set and iface delete.
      """,
    subcommands: [
      InterfaceListCommand.self, InterfaceShowCommand.self, InterfaceSetCommand.self, InterfaceCreateCommand.self,
      InterfaceDeleteCommand.self,
    ])
}

/// `iscsi-admin iface list`.
struct InterfaceListCommand: RecordCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "List the interfaces.")

  @OptionGroup var report: RecordListingOptions

  var isJSON: Bool { report.json }
  var emptyDocument: InterfaceListDocument { InterfaceListDocument([]) }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let interfaces = try output.findInterfaces([], in: store)
    if report.json {
      try output.show(InterfaceListDocument(interfaces))
    } else {
      output.text = report.quiet ? nameList(interfaces) : interfaceTable(interfaces, for: terminal)
    }
    return output
  }
}

/// `iscsi-admin iface show`.
struct InterfaceShowCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show all settings of interfaces.",
    discussion: "Ends with 21 if one of the named interfaces does not exist.")

  @Argument(
    help: ArgumentHelp("The interfaces' names; all interfaces if none is given.", valueName: "name"),
    completion: RecordCompletion.interfaces, transform: parseInterfaceName)
  var names: [InterfaceName] = []

  @OptionGroup var report: RecordListingOptions

  var isJSON: Bool { report.json }
  var emptyDocument: InterfaceShowDocument { InterfaceShowDocument([]) }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let interfaces = try output.findInterfaces(names, in: store)
    if report.json {
      try output.show(InterfaceShowDocument(interfaces))
    } else if report.quiet {
      output.text = nameList(interfaces)
    } else {
      output.text = interfaces.map { recordPage(.interface($0), $0, showingSecrets: false) }.joined(separator: "\n")
    }
    return output
  }
}

/// Interfaces' names for scripts, one a line.
private func nameList(_ interfaces: [InterfaceRecord]) -> String { interfaces.map { "\($0.name)\n" }.joined() }

extension CommandOutput {
  /// Finds interfaces, all if none is named, and tells what is wrong with records, and what is not there.
  fileprivate mutating func findInterfaces(
    _ names: [InterfaceName], in store: RecordStore
  ) throws -> [InterfaceRecord] {
    var found: [InterfaceRecord] = []
    func add(_ name: InterfaceName?) throws -> RecordDatabase.Listing<InterfaceRecord> {
      found += InterfaceRecord.builtIn.filter { name == nil || $0.name == name }
      let listing = try store.database.interfaces(name)
      // open-iscsi has no files of those that there always are; one that somebody made says nothing.
      found += listing.records.map(\.record).filter { record in
        !InterfaceRecord.builtIn.contains { $0.name == record.name }
      }
      return listing
    }
    for name in names.isEmpty ? [nil] : names.map(Optional.some) {
      let count = found.count
      for problem in try add(name).problems { warn(problem.description) }
      if let name, found.count == count { fail(RecordRefusal.noInterface(name)) }
    }
    return found
  }
}
