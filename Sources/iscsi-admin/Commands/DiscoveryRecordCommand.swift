// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin discovery`: the records of discoveries.
struct DiscoveryRecordCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "discovery", abstract: "Show and change the records of discoveries: whom to ask for targets.",
    subcommands: [
      DiscoveryListCommand.self, DiscoveryShowCommand.self, DiscoverySetCommand.self, DiscoveryDeleteCommand.self,
    ])
}

/// Which records of discoveries are meant, beside the portal.
struct DiscoverySelectionOptions: ParsableArguments {
  @Option(
    help: "Only discoveries of this kind: sendtargets or isns.",
    completion: .list(DiscoveryRecord.Kind.allCases.map(\.rawValue)), transform: parseDiscoveryKind)
  var kind: DiscoveryRecord.Kind?

  /// The discoveries that are meant, at this portal or at any. The usual port is that of the kind.
  func query(_ portal: DiscoveryServer?) -> DiscoveryQuery {
    DiscoveryQuery(kind: kind, portal: portal?.portal(kind ?? .sendTargets))
  }
}

func parseDiscoveryKind(_ text: String) throws(ValidationError) -> DiscoveryRecord.Kind {
  guard let kind = DiscoveryRecord.Kind(rawValue: text) else {
    throw ValidationError("neither sendtargets nor isns")
  }
  return kind
}

/// `iscsi-admin discovery list`.
struct DiscoveryListCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the records of discoveries.",
    discussion: "Ends with 21 if there is none; with --json the empty list is printed all the same.")

  @OptionGroup var options: DiscoverySelectionOptions
  @OptionGroup var report: RecordListingOptions

  var isJSON: Bool { report.json }
  var emptyDocument: DiscoveryListDocument { DiscoveryListDocument([]) }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let found = try output.findDiscoveries(
      DiscoveryQuery(kind: options.kind), in: store, isSilent: report.quiet)
    if report.json {
      try output.show(DiscoveryListDocument(found))
    } else if report.quiet {
      output.text = portalList(found)
    } else if !found.isEmpty {
      output.text = discoveryTable(found, for: terminal)
    }
    return output
  }
}

/// `iscsi-admin discovery show`.
struct DiscoveryShowCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show all settings of records of discoveries.",
    discussion: "Ends with 21 if there is no such record.")

  @Argument(
    help: "The portal that is asked; all if none is given.", completion: RecordCompletion.discoveries,
    transform: DiscoveryServer.init)
  var portal: DiscoveryServer?

  @Flag(help: "Show secrets, too.")
  var showSecrets = false

  @OptionGroup var options: DiscoverySelectionOptions
  @OptionGroup var report: RecordListingOptions

  var isJSON: Bool { report.json }
  var emptyDocument: DiscoveryShowDocument { DiscoveryShowDocument([], showingSecrets: false) }

  /// The discoveries that are meant.
  var selection: DiscoveryQuery { options.query(portal) }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let found = try output.findDiscoveries(selection, in: store, isSilent: report.quiet && portal == nil)
    if report.json {
      try output.show(DiscoveryShowDocument(found, showingSecrets: showSecrets))
    } else if report.quiet {
      output.text = portalList(found)
    } else {
      output.text = found.map { recordPage(.discovery($0), $0, showingSecrets: showSecrets) }.joined(separator: "\n")
    }
    return output
  }
}

/// Discoveries' portals for scripts, one a line.
private func portalList(_ discoveries: [DiscoveryRecord]) -> String {
  discoveries.map { "\($0.portal.address)\n" }.joined()
}

extension CommandOutput {
  /// Finds discoveries and tells what is wrong with records, and that there is none.
  fileprivate mutating func findDiscoveries(
    _ selection: DiscoveryQuery, in store: RecordStore, isSilent: Bool
  ) throws -> [DiscoveryRecord] {
    let found = try selection.find(in: store.database)
    for problem in found.problems { warn(problem.description) }
    if found.records.isEmpty { fail(RecordRefusal.noDiscovery(selection.portal), isSilent: isSilent) }
    return found.records.map(\.record)
  }
}
