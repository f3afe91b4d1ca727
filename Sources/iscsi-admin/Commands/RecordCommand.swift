// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// What the commands of records work on.
struct RecordStore: Sendable {
  /// The records.
  var database: RecordDatabase
  /// Where the settings of new ones come from.
  var configuration = InitiatorConfiguration()

  /// The environment variable that says where the database is.
  static let variable = "ISCSI_DBROOT"

  /// The machine's.
  static func ofMachine(
    override: String? = ProcessEnvironment.value(of: variable)
  ) throws(DatabaseError) -> RecordStore {
    let configuration = try InitiatorConfiguration(path: InitiatorConfiguration.standardPath)
    return RecordStore(
      database: try RecordDatabase(override: override, configuration: configuration),
      configuration: configuration)
  }
}

/// A command that reads or changes records.
protocol RecordCommand: ReportingCommand {
  /// Does the work on these records.
  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput
}

extension RecordCommand {
  func perform(for terminal: Terminal) throws -> CommandOutput {
    try perform(on: try .ofMachine(), for: terminal)
  }

  /// What the command prints with these records.
  func output(on store: RecordStore, for terminal: Terminal = .plain) throws -> CommandOutput {
    try output(of: { try perform(on: store, for: terminal) })
  }
}

/// How much a listing of records says, and in which form.
struct RecordListingOptions: ParsableArguments {
  @Flag(help: "Print JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print names only, one a line.")
  var quiet = false

  func validate() throws { try checkForm(json: json, quiet: quiet) }
}

/// Which records of nodes are meant, beside the targets among the arguments.
struct NodeSelectionOptions: ParsableArguments {
  @Option(
    name: .customLong("target"), help: ArgumentHelp("Only nodes of this target.", valueName: "iqn"),
    completion: RecordCompletion.targets, transform: parseTargetName)
  var target: TargetName?

  @Option(
    name: .shortAndLong, help: "Only nodes at this portal: address or name, with :port unless it is 3260.",
    completion: RecordCompletion.portals, transform: parsePortal)
  var portal: Portal?

  @Option(
    help: ArgumentHelp("Only nodes over this interface.", valueName: "name"), completion: RecordCompletion.interfaces,
    transform: parseInterfaceName)
  var interface: InterfaceName?

  /// The nodes.
  func selection(_ targets: [TargetName]) -> NodeQuery {
    NodeQuery(targets: targets + (target.map { [$0] } ?? []), portal: portal, interface: interface)
  }
}

/// Whether an edit of records is only tried.
struct TrialOptions: ParsableArguments {
  @Flag(help: "Show what would be done, and do nothing.")
  var dryRun = false
}

func parseInterfaceName(_ text: String) throws(ValidationError) -> InterfaceName {
  guard let name = InterfaceName(text) else {
    throw ValidationError("not a name of 1 to \(InterfaceName.maximumLength) octets without slashes")
  }
  return name
}

func parseStartup(_ text: String) throws(ValidationError) -> NodeRecord.Startup {
  guard let startup = NodeRecord.Startup(rawValue: text) else {
    throw ValidationError("not \(NodeRecord.Startup.allCases.map(\.rawValue).list("or"))")
  }
  return startup
}

/// What a shell offers where an argument names something of the records that are there.
enum RecordCompletion {
  /// Targets' names.
  static let targets = CompletionKind.custom { _, _, _ in unique(nodes().map(\.target.description)) }
  /// Portals of nodes.
  static let portals = CompletionKind.custom { _, _, _ in unique(nodes().map(\.portal.address)) }
  /// Names of interfaces.
  static let interfaces = CompletionKind.custom { _, _, _ in
    let found = (try? RecordStore.ofMachine().database.interfaces().records.map(\.record)) ?? []
    return (InterfaceRecord.builtIn + found).map(\.name.description)
  }
  /// Portals of discoveries.
  static let discoveries = CompletionKind.custom { _, _, _ in
    let found = try? DiscoveryQuery().find(in: RecordStore.ofMachine().database).records
    return unique((found ?? []).map(\.record.portal.address))
  }

  private static func nodes() -> [NodeRecord] {
    (try? RecordStore.ofMachine().database.nodes().records.map(\.record)) ?? []
  }

  private static func unique(_ words: [String]) -> [String] { Set(words).sorted() }
}
