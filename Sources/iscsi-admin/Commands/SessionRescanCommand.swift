// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin session rescan`.
struct SessionRescanCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "rescan",
    abstract: "Read the sizes of sessions' disks again and look for new logical units.",
    discussion: "Ends with 2 if one of the named sessions does not exist, and with 21 if none is named and none exists."
  )

  @Argument(
    help: ArgumentHelp("The sessions' numbers; all sessions if none is given.", valueName: "sid"),
    completion: SessionCompletion.ids, transform: parseSessionID)
  var ids: [SessionID] = []

  @OptionGroup var location: SysfsLocation
  @OptionGroup var report: ReportOptions
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: RescanDocument { RescanDocument([]) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let chosen = try ids.isEmpty ? location.sysfs.sessions(.summary).map(\.id) : ids
    guard !chosen.isEmpty else { throw NoSession() }
    let daemon = daemon.initiator
    return try output(of: runBlocking { try await daemon.rescan(chosen) })
  }

  /// What the command prints.
  func output(of results: [InitiatorTypes.RescanResult]) throws -> CommandOutput {
    var output = CommandOutput()
    let rescanned = results.filter { $0.failure == nil }.map { result in
      (SessionID(rawValue: result.session), result.devices.compactMap(\.snapshot))
    }
    for failure in results.compactMap(\.failure) { output.fail(failure) }
    if report.json {
      try output.show(RescanDocument(rescanned))
    } else if !report.quiet {
      output.text = rescanned.map { "session \($0): rescanned: \(deviceList($1))\n" }.joined()
    }
    return output
  }
}
