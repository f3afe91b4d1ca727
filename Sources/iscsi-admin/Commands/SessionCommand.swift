// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin session`: what the kernel has.
struct SessionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "session", abstract: "Show and rescan the kernel's iSCSI sessions.",
    subcommands: [SessionListCommand.self, SessionShowCommand.self, SessionRescanCommand.self])
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
    discussion: "Ends with 2 if one of the named sessions does not exist, and with 21 if none is named and none exists."
  )

  @Argument(
    help: ArgumentHelp("The sessions' numbers; all sessions if none is given.", valueName: "sid"),
    completion: SessionCompletion.ids, transform: parseSessionID)
  var ids: [SessionID] = []

  @OptionGroup var location: SysfsLocation
  @OptionGroup var report: ListingOptions

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
    if report.json {
      try output.show(SessionShowDocument(sessions))
    } else if report.quiet {
      output.text = numberList(sessions)
    } else {
      output.text = sessions.map { sessionPage($0, for: terminal) }.joined(separator: "\n")
    }
    return output
  }
}

/// Sessions' numbers for scripts, one a line.
private func numberList(_ sessions: [SessionSnapshot]) -> String { sessions.map { "\($0.id)\n" }.joined() }
