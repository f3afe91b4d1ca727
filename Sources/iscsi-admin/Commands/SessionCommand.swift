// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin session`: what the kernel has.
struct SessionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "session", abstract: "Show, rescan and change the kernel's iSCSI sessions.",
    subcommands: [
      SessionListCommand.self, SessionShowCommand.self, SessionRescanCommand.self, SessionSetCommand.self,
      SessionStatisticsCommand.self,
    ])
}

/// Where sysfs is.
struct SysfsLocation: ParsableArguments {
  @Option(help: ArgumentHelp("Read this tree in place of /sys.", valueName: "dir", visibility: .hidden))
  var sysfsRoot = "/sys"

  @Option(help: ArgumentHelp("Read this tree in place of /proc.", valueName: "dir", visibility: .hidden))
  var procRoot = "/proc"

  @Option(help: ArgumentHelp("Read this tree in place of /dev.", valueName: "dir", visibility: .hidden))
  var devRoot = "/dev"

  /// A reader of the tree.
  var sysfs: Sysfs { Sysfs(root: FilePath(sysfsRoot), usingAllProcessors: true) }

  /// What this machine makes of its disks.
  func inventory() throws(SysfsError) -> DiskInventory {
    try DiskInventory(proc: FilePath(procRoot), sysfs: FilePath(sysfsRoot), dev: FilePath(devRoot))
  }

  /// The disks of sessions in their surroundings, by name. If nobody can tell them, that is told, and they are left out.
  func disks(of sessions: [SessionSnapshot], _ output: inout CommandOutput) -> [String: DiskContext] {
    do throws(SysfsError) {
      let inventory = try inventory()
      var disks: [String: DiskContext] = [:]
      for session in sessions { disks.merge(try inventory.contexts(of: session)) { $1 } }
      return disks
    } catch {
      output.warn("users and names of disks are left out: \(error)")
      return [:]
    }
  }
}

/// `iscsi-admin session list`.
struct SessionListCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List all sessions.",
    discussion: "Ends with 21 if there is no session; with --json the empty list is printed all the same.")

  @OptionGroup var location: SysfsLocation
  @OptionGroup var report: ListingOptions

  var isJSON: Bool { report.json }
  var emptyDocument: SessionListDocument { SessionListDocument([]) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let sessions = try location.sysfs.sessions(.summary)
    if sessions.isEmpty { output.fail(NoSession(), isSilent: report.quiet) }
    if report.json {
      try output.show(SessionListDocument(sessions))
    } else if report.quiet {
      output.text = numberList(sessions)
    } else if !sessions.isEmpty {
      output.text = sessionTable(sessions, for: terminal)
    }
    return output
  }
}

/// `iscsi-admin session show`.
struct SessionShowCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show all about sessions.",
    discussion: """
      What the daemon knows of a session's recovery is shown too, if the daemon runs. Ends with 2 if one of the named \
      sessions does not exist, and with 21 if none is named and none exists, or a target or a device has none.
      """)

  @Flag(
    name: .shortAndLong,
    help: "Tell first what is wrong and which disks hang, and more of the disks: who uses them, names, timers.")
  var verbose = false

  @Argument(
    help: ArgumentHelp(
      "Sessions' numbers, targets' names, disks and mount points, as explain takes them; all sessions if none is given.",
      valueName: "sid|target|device"), completion: SessionCompletion.selectors, transform: SessionSubject.init)
  var subjects: [SessionSubject] = []

  @OptionGroup var location: SysfsLocation
  @OptionGroup var report: ListingOptions
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: SessionShowDocument { SessionShowDocument([]) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let ids = try location.ids(of: subjects, &output)
    let reports = try ids.isEmpty && !subjects.isEmpty ? [] : reports(of: ids)
    if subjects.isEmpty, reports.isEmpty { output.fail(NoSession(), isSilent: report.quiet) }
    for report in reports where report.session == nil { output.fail(NoSession(selector: .id(report.id))) }
    try show(reports, at: WallClock.now, in: &output, for: terminal)
    return output
  }

  private func reports(of ids: [SessionID]) throws(SysfsError) -> [SessionReport] {
    if report.quiet { return try location.sysfs.reports(of: ids) }
    guard verbose || report.json else { return try location.sysfs.reports(of: ids, daemon.recoveries(), .complete) }
    let survey = daemon.survey(of: ids)
    return try location.sysfs.reports(
      of: ids, survey?.recoveries ?? [:], counters: survey?.counters ?? [:], .complete)
  }

  /// What the command prints.
  func show(
    _ reports: [SessionReport], at now: Double, in output: inout CommandOutput, for terminal: Terminal
  ) throws {
    let sessions = reports.compactMap(\.session)
    if report.quiet {
      output.text = numberList(sessions)
      return
    }
    let disks = verbose ? location.disks(of: sessions, &output) : [:]
    if report.json {
      try output.show(SessionShowDocument(reports, disks))
    } else {
      let pages = reports.compactMap { report in
        report.session.map { session in
          verbose
            ? sessionDetails(report, session, disks, at: now, for: terminal)
            : sessionPage(report, session, at: now, for: terminal)
        }
      }
      output.text = pages.joined(separator: "\n")
    }
  }
}

/// Sessions' numbers for scripts, one a line.
func numberList(_ sessions: [SessionSnapshot]) -> String { sessions.map { "\($0.id)\n" }.joined() }
