// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin recovery`.
struct RecoveryCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "recovery", abstract: "Tell which sessions are not operational, why, and what becomes of I/O.",
    discussion: """
      Prints a line for each such session: since when, until when I/O waits, and which disks and mounts are concerned. \
      Ends with 0 and without a line if all are operational, or there is no session, with 1 if one is not, with 2 if one \
      of the named sessions does not exist, and with 21 if a target or a device has none; the last two go before the \
      first. Works without the daemon, but then causes and deadlines are not known.
      """)

  @Argument(
    help: ArgumentHelp(
      "Sessions' numbers, targets' names, disks and mount points, as explain takes them; all sessions if none is given.",
      valueName: "sid|target|device"), completion: SessionCompletion.selectors, transform: SessionSubject.init)
  var subjects: [SessionSubject] = []

  @Flag(help: "Wait until all of them are operational.")
  var wait = false

  @Option(
    help: ArgumentHelp("With --wait, wait at most this many seconds. (default: for ever)", valueName: "s"),
    transform: parseTimeout)
  var timeout: UInt32?

  @OptionGroup var location: SysfsLocation
  @OptionGroup var report: ListingOptions
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RecoveryDocument { RecoveryDocument([]) }

  func validate() throws {
    if timeout != nil, !wait { throw ValidationError("--timeout needs --wait") }
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let ids = try location.ids(of: subjects, &output)
    let isNothing = ids.isEmpty && !subjects.isEmpty
    let reports =
      try isNothing ? [] : wait ? waited(for: ids) : location.sysfs.reports(of: ids, daemon.recoveries())
    try show(reports, at: WallClock.now, in: &output, for: terminal)
    return output
  }

  /// What the sessions are like when all are operational, or the wait is over.
  private func waited(for ids: [SessionID]) throws -> [SessionReport] {
    let (initiator, sysfs) = (daemon.initiator, location.sysfs)
    let deadline = timeout.map { ContinuousClock.now + .seconds($0) }
    return try runBlocking {
      let reports = try await initiator.waitUntilOperational(ids, sysfs: sysfs, until: deadline)
      try Task.checkCancellation()
      return reports
    }
  }

  /// What the command prints.
  func show(
    _ reports: [SessionReport], at now: Double, in output: inout CommandOutput, for terminal: Terminal
  ) throws {
    for report in reports where report.session == nil { output.fail(NoSession(selector: .id(report.id))) }
    let found = reports.filter { $0.session != nil }
    let impaired = try found.filter { !$0.status.state.isOperational }.map(detailed)
    if !impaired.isEmpty { output.fail(NotOperational(count: impaired.count, of: found.count), isSilent: true) }
    let disks = impaired.isEmpty || report.quiet ? [:] : location.disks(of: impaired.compactMap(\.session), &output)
    if report.json {
      try output.show(RecoveryDocument(impaired, disks))
    } else if report.quiet {
      output.text = numberList(impaired.compactMap(\.session))
    } else if !impaired.isEmpty {
      output.text = recoveryTable(impaired, disks, at: now, for: terminal)
    }
  }

  /// The same with the timers of error handling, which are not worth reading of other sessions; if it has ended meanwhile,
  /// what was seen before.
  private func detailed(_ summary: SessionReport) throws -> SessionReport {
    guard case .errorHandling = summary.status.state, let session = try location.sysfs.session(summary.id) else {
      return summary
    }
    let detailed = SessionReport(summary.id, session, summary.recovery)
    if case .errorHandling = detailed.status.state { return detailed }
    return summary
  }
}

/// Sessions are not operational.
struct NotOperational: DiagnosableError, Hashable {
  let count: Int
  let total: Int
  let exitStatus = ExitStatus.failure

  init(count: Int, of total: Int) {
    self.count = count
    self.total = total
  }

  /// How many.
  var description: String {
    "\(count) of \(total) session\(total == 1 ? "" : "s") \(count == 1 ? "is" : "are") not operational"
  }
}
