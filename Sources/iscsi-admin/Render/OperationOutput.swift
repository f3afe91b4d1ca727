// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The targets that a discovery found, a line a portal.
func targetTable(_ targets: [DiscoveredTarget], for terminal: Terminal) -> String {
  var table = Table([Table.Column(header: "PORTAL"), Table.Column(header: "TARGET")])
  for target in targets {
    for portal in target.portals {
      table.add([Table.Cell(portal.description), Table.Cell(target.name.description)])
    }
  }
  return table.lines(for: terminal).joined(separator: "\n") + "\n"
}

/// A session's devices in one line: `sda 16.0 MiB, sdb 1.0 GiB`.
func deviceList(_ devices: [DeviceSnapshot]) -> String {
  let disks = devices.compactMap { device in
    device.blockDevice.map { name in name + (device.size.map { " " + binarySize($0) } ?? "") }
  }
  return disks.isEmpty ? "no disks" : disks.joined(separator: ", ")
}

extension CommandOutput {
  /// Says what is odd in a target's answer to SendTargets.
  mutating func warn(of answer: SendTargetsResponse) {
    for refusal in answer.refused { warn("refused \(refusal.text): \(refusal.reason)") }
    if answer.refusedCount > answer.refused.count {
      warn("refused \(answer.refusedCount - answer.refused.count) more")
    }
    for target in answer.targets {
      for warning in target.warnings { warn("\(target.name): \(warning)") }
    }
  }
}

/// How the logins of a call ended.
struct LoginOutcome: Sendable {
  private let results: [Result<LoginReport, OperationError>]
  private let discovery: (portal: Portal, answer: SendTargetsResponse)?

  /// An outcome from the library's results, and from the discovery before the logins if there was one.
  init(_ results: [Result<LoginReport, OperationError>], after discovery: (Portal, SendTargetsResponse)? = nil) {
    self.results = results
    self.discovery = discovery
  }

  /// What the command prints.
  func output(_ options: ReportOptions) throws -> CommandOutput {
    var output = CommandOutput()
    if let discovery {
      output.warn(of: discovery.answer)
      if discovery.answer.targets.isEmpty { output.fail(NothingFound(portal: discovery.portal)) }
    }
    var reports: [LoginReport] = []
    for result in results {
      switch result {
      case .success(let report):
        reports.append(report)
        if let failure = report.scanFailure { output.fail(failure) }
      case .failure(let error):
        output.fail(error)
      }
    }
    if options.json {
      try output.show(LoginDocument(reports))
    } else if !options.quiet {
      output.text = reports.map { report in
        "session \(report.session): logged in to \(report.target) at \(report.portal.address): "
          + deviceList(report.devices) + "\n"
      }.joined()
    }
    return output
  }
}

/// How the logouts of a call ended.
struct LogoutOutcome: Sendable {
  private let missing: [NoSession]
  private let results: [Result<LogoutReport, OperationError>]

  /// An outcome from the library's results, and what the arguments name and is not there.
  init(_ results: [Result<LogoutReport, OperationError>], missing: [NoSession] = []) {
    self.missing = missing
    self.results = results
  }

  /// What the command prints.
  func output(_ options: ReportOptions) throws -> CommandOutput {
    var output = CommandOutput()
    for error in missing { output.fail(error) }
    var reports: [LogoutReport] = []
    for result in results {
      switch result {
      case .success(let report):
        reports.append(report)
        for problem in report.problems { output.warn("logout from session \(report.session): \(problem)") }
      case .failure(let error):
        output.fail(error)
      }
    }
    if options.json {
      try output.show(LogoutDocument(reports))
    } else if !options.quiet {
      output.text = reports.map { "session \($0.session): logged out of \($0.target?.printable ?? "its target")\n" }
        .joined()
    }
    return output
  }
}
