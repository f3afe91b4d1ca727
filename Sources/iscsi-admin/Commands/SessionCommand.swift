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

  /// A reader of the tree.
  var sysfs: Sysfs { Sysfs(root: FilePath(sysfsRoot)) }
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
      sessions does not exist, and with 21 if none is named and none exists.
      """)

  @Argument(
    help: ArgumentHelp("The sessions' numbers; all sessions if none is given.", valueName: "sid"),
    completion: SessionCompletion.ids, transform: parseSessionID)
  var ids: [SessionID] = []

  @OptionGroup var location: SysfsLocation
  @OptionGroup var report: ListingOptions
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: SessionShowDocument { SessionShowDocument([]) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    var sessions: [SessionSnapshot] = []
    if ids.isEmpty {
      sessions = try location.sysfs.sessions()
      if sessions.isEmpty { output.fail(NoSession(), isSilent: report.quiet) }
    }
    for id in ids {
      if let session = try location.sysfs.session(id) {
        sessions.append(session)
      } else {
        output.fail(NoSession(selector: .id(id)))
      }
    }
    try show(sessions, report.quiet ? [:] : recoveries(), in: &output, for: terminal)
    return output
  }

  /// What the command prints.
  func show(
    _ sessions: [SessionSnapshot], _ recoveries: [SessionID: InitiatorTypes.Recovery], in output: inout CommandOutput,
    for terminal: Terminal
  ) throws {
    if report.json {
      try output.show(SessionShowDocument(sessions, recoveries))
    } else if report.quiet {
      output.text = numberList(sessions)
    } else {
      output.text = sessions.map { sessionPage($0, recoveries[$0.id], for: terminal) }.joined(separator: "\n")
    }
  }

  /// What the daemon knows; nothing without one, or if it does not answer soon: the kernel's own word is here.
  private func recoveries() -> [SessionID: InitiatorTypes.Recovery] {
    // Most often there is a daemon or there is none: no thread is started to find that out.
    guard daemon.isThere else { return [:] }
    let daemon = daemon.initiator
    return runBlocking { try? await daemon.recoveries(until: .now + .seconds(2)) } ?? [:]
  }
}

/// Sessions' numbers for scripts, one a line.
private func numberList(_ sessions: [SessionSnapshot]) -> String { sessions.map { "\($0.id)\n" }.joined() }
