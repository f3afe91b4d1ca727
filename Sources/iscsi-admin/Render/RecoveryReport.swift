// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `recovery` for people: a line a session.
///
/// - Parameters:
///   - reports: The sessions that are not operational.
///   - disks: Their disks, by name.
///   - now: The time of day in seconds since 1970.
///   - terminal: Where the text goes to.
/// - Returns: The lines.
func recoveryTable(
  _ reports: [SessionReport], _ disks: [String: DiskContext], at now: Double, for terminal: Terminal
) -> String {
  var table = Table([
    Table.Column(header: "SID", alignment: .right), Table.Column(header: "STATE"),
    Table.Column(header: "FOR", isOptional: true), Table.Column(header: "I/O"),
    Table.Column(header: "ATTEMPT", isOptional: true), Table.Column(header: "DISKS", minimumWidth: 12),
    Table.Column(header: "TARGET", minimumWidth: 16),
    Table.Column(header: "CAUSE", minimumWidth: 16, isOptional: true, isProse: true),
  ])
  for report in reports {
    let state = report.status.state
    table.add([
      Table.Cell(report.id.description), state.cell,
      Table.Cell(state.since.map { durationText(max(0, now - $0)) }),
      report.status.io?.cell(at: now) ?? Table.Cell(nil), Table.Cell(state.attemptText(at: now)),
      Table.Cell(concernedDisks(of: report, disks)), Table.Cell(report.session?.targetName), Table.Cell(state.cause),
    ])
  }
  return table.lines(for: terminal).joined(separator: "\n") + "\n"
}

/// The disks whose I/O does not flow, with what they are used for.
private func concernedDisks(of report: SessionReport, _ disks: [String: DiskContext]) -> String {
  report.status.devices.filter { $0.io != .flows }.compactMap { item in
    item.device.blockDevice.map { disk in disks[disk]?.useText.map { "\(disk): \($0)" } ?? disk }
  }.joined(separator: "; ")
}

/// `recovery --json`.
struct RecoveryDocument: JSONDocument {
  static let kind = "recovery"

  /// The sessions that are not operational.
  let sessions: [SessionJSON]

  init(_ reports: [SessionReport], _ disks: [String: DiskContext] = [:]) {
    sessions = reports.compactMap { report in
      report.session.map { SessionJSON($0, .summary, report, disks) }
    }
  }
}
