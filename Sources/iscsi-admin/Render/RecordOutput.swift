// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The form of what an edit of records prints.
struct EditReport {
  let isJSON: Bool
  let isQuiet: Bool
  /// Whether nothing was written.
  let isTrial: Bool
  /// Whether people are told of records that are as they should be, too.
  var hasUnchanged = true

  init(_ report: ReportOptions, _ trial: TrialOptions) {
    isJSON = report.json
    isQuiet = report.quiet
    isTrial = trial.dryRun
  }
}

extension CommandOutput {
  /// Says what became of an edit.
  ///
  /// - Parameters:
  ///   - plan: What was done.
  ///   - report: The form.
  /// - Throws: What keeps the JSON document from being made.
  mutating func show(_ plan: RecordPlan, _ report: EditReport) throws {
    for warning in plan.warnings { warn(warning) }
    for refusal in plan.refusals { fail(refusal) }
    if report.isJSON {
      try show(RecordChangesDocument(plan, dryRun: report.isTrial))
    } else if !report.isQuiet {
      let steps = plan.steps.filter { report.hasUnchanged || $0.action != .unchanged }
      text = steps.map { $0.text(isTrial: report.isTrial) }.joined()
    }
  }
}

extension RecordPlan.Step {
  /// The record and what is done to it, then a line a setting.
  func text(isTrial: Bool) -> String {
    let words = isTrial && action != .unchanged ? "would be \(action.rawValue)" : action.rawValue
    let lines = settings.map { "  \($0.description.printable)\n" }
    return "\(subject.description.printable): \(words)\n" + lines.joined()
  }
}

/// `node list` for people: a line a node.
func nodeTable(_ nodes: [NodeRecord], for terminal: Terminal) -> String {
  var table = Table([
    Table.Column(header: "PORTAL"), Table.Column(header: "TARGET", minimumWidth: 16),
    Table.Column(header: "INTERFACE", minimumWidth: 9), Table.Column(header: "STARTUP"),
  ])
  for node in nodes {
    table.add([
      Table.Cell(node.portal.description), Table.Cell(node.target.description),
      Table.Cell(node.interface.name.description), Table.Cell(node.startup.rawValue),
    ])
  }
  return table.lines(for: terminal).joined(separator: "\n") + "\n"
}

/// `iface list` for people: a line an interface.
func interfaceTable(_ interfaces: [InterfaceRecord], for terminal: Terminal) -> String {
  var table = Table([
    Table.Column(header: "NAME", minimumWidth: 9), Table.Column(header: "TRANSPORT"),
    Table.Column(header: "DEVICE", isOptional: true), Table.Column(header: "MAC", isOptional: true),
    Table.Column(header: "ADDRESS", isOptional: true),
    Table.Column(header: "INITIATOR", minimumWidth: 16, isOptional: true),
  ])
  for interface in interfaces {
    table.add([
      Table.Cell(interface.name.description), Table.Cell(interface.transport), Table.Cell(interface.networkDevice),
      Table.Cell(interface.hardwareAddress), Table.Cell(interface.address), Table.Cell(interface.initiatorName),
    ])
  }
  return table.lines(for: terminal).joined(separator: "\n") + "\n"
}

/// `discovery list` for people: a line a discovery.
func discoveryTable(_ discoveries: [DiscoveryRecord], for terminal: Terminal) -> String {
  var table = Table([
    Table.Column(header: "KIND"), Table.Column(header: "PORTAL"), Table.Column(header: "STARTUP"),
    Table.Column(header: "REPEATED"),
  ])
  for discovery in discoveries {
    table.add([
      Table.Cell(discovery.kind.rawValue), Table.Cell(discovery.portal.address),
      Table.Cell(discovery.startup.rawValue),
      Table.Cell(
        !discovery.isRepeated ? "no" : discovery.pollInterval > 0 ? "every \(discovery.pollInterval) s" : "once"),
    ])
  }
  return table.lines(for: terminal).joined(separator: "\n") + "\n"
}

/// A record for people: which one, then its settings in the order of its file, secrets as eight stars unless they are
/// wanted.
func recordPage<Record: KeyedRecord>(_ subject: RecordSubject, _ record: Record, showingSecrets: Bool) -> String {
  let settings = record.settings(includingSecrets: true).map { key, value in
    "  \(key.name) = \(key.role == .secret && !showingSecrets ? "********" : value.printable)\n"
  }
  return "\(subject.description.printable)\n" + settings.joined()
}
