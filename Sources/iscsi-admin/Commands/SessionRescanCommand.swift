// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin session rescan`.
struct SessionRescanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rescan",
    abstract: "Read the sizes of sessions' disks again and look for new logical units.",
    discussion: "Ends with 2 if one of the named sessions does not exist, and with 21 if none is named and none exists."
  )

  @OptionGroup var location: SysfsLocation
  @OptionGroup var report: ReportOptions

  @Argument(
    help: ArgumentHelp("The sessions' numbers; all sessions if none is given.", valueName: "sid"),
    transform: parseSessionID)
  var ids: [SessionID] = []

  func run() throws {
    let sysfs = location.sysfs
    let chosen = try ids.isEmpty ? sysfs.sessions(.summary).map(\.id) : ids
    guard !chosen.isEmpty else { throw NoMatchingSession(selector: nil) }
    let results = try runBlocking { await SessionScanner(sysfs: sysfs).rescan(chosen) }
    try output(of: Array(zip(chosen, results)), for: .standardOutput).emit()
  }

  /// What the command prints.
  func output(
    of results: [(SessionID, Result<[DeviceSnapshot], OperationError>)], for terminal: Terminal
  ) throws -> CommandOutput {
    var output = CommandOutput()
    var rescanned: [(SessionID, [DeviceSnapshot])] = []
    for (id, result) in results {
      switch result {
      case .success(let devices): rescanned.append((id, devices))
      case .failure(let error): output.fail(error)
      }
    }
    if report.json {
      output.text = try RescanDocument(rescanned).json()
    } else if !report.quiet {
      output.text = rescanned.map { id, devices in
        "rescanned session \(id): \(deviceList(devices))\n"
      }.joined()
    }
    return output
  }
}
