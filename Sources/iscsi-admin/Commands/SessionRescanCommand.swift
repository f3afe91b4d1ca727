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

  var isJSON: Bool { report.json }
  var emptyDocument: RescanDocument { RescanDocument([]) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let sysfs = location.sysfs
    let chosen = try ids.isEmpty ? sysfs.sessions(.summary).map(\.id) : ids
    guard !chosen.isEmpty else { throw NoSession() }
    let results = try runBlocking { await SessionScanner(sysfs: sysfs).rescan(chosen) }
    return try output(of: Array(zip(chosen, results)))
  }

  /// What the command prints.
  func output(of results: [(SessionID, Result<[DeviceSnapshot], OperationError>)]) throws -> CommandOutput {
    var output = CommandOutput()
    var rescanned: [(SessionID, [DeviceSnapshot])] = []
    for (id, result) in results {
      switch result {
      case .success(let devices): rescanned.append((id, devices))
      case .failure(let error): output.fail(error)
      }
    }
    if report.json {
      try output.show(RescanDocument(rescanned))
    } else if !report.quiet {
      output.text = rescanned.map { "session \($0): rescanned: \(deviceList($1))\n" }.joined()
    }
    return output
  }
}
