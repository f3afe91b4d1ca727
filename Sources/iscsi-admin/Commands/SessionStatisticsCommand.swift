// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin session statistics`.
struct SessionStatisticsCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "statistics", abstract: "Show the counters of a session's connection.",
    discussion: "The counters live as long as the session, over recoveries. Ends with 2 if there is no such session.")

  @Argument(
    help: ArgumentHelp("The session's number.", valueName: "sid"), completion: SessionCompletion.ids,
    transform: parseSessionID)
  var id: SessionID

  @OptionGroup var report: ReportOptions
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: StatisticsDocument { StatisticsDocument(id, []) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let (id, daemon) = (id, daemon.initiator)
    return try output(of: runBlocking { try await daemon.statistics(of: id) })
  }

  /// What the command prints.
  func output(of counters: [InitiatorTypes.Counter]) throws -> CommandOutput {
    var output = CommandOutput()
    if report.json {
      try output.show(StatisticsDocument(id, counters))
    } else if !report.quiet {
      output.text = counterLines(counters).map { $0 + "\n" }.joined()
    }
    return output
  }
}

/// Counters for people, a line each.
func counterLines(_ counters: [InitiatorTypes.Counter]) -> [String] {
  let width = counters.map(\.name.count).max() ?? 0
  return counters.map { counter in
    counter.name.printable + String(repeating: " ", count: width - counter.name.count + 2) + "\(counter.value)"
  }
}

/// `session statistics --json`.
struct StatisticsDocument: JSONDocument {
  static let kind = "session-statistics"

  let session: UInt32
  let counters: [InitiatorTypes.Counter]

  init(_ session: SessionID, _ counters: [InitiatorTypes.Counter]) {
    self.session = session.rawValue
    self.counters = counters
  }
}
