// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The targets that a discovery found, a line a portal.
func targetTable(_ targets: [InitiatorTypes.Target], for terminal: Terminal) -> String {
  var table = Table([Table.Column(header: "PORTAL"), Table.Column(header: "TARGET")])
  for target in targets {
    for portal in target.portals {
      table.add([Table.Cell(portal), Table.Cell(target.name)])
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
  mutating func warn(of answer: InitiatorTypes.Discovery) {
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
  private let results: [InitiatorTypes.LoginResult]
  private let refusals: [any DiagnosableError]
  private let discovery: (portal: Portal, answer: InitiatorTypes.Discovery)?

  /// An outcome from the daemon's results.
  ///
  /// - Parameters:
  ///   - results: What the daemon answered.
  ///   - refusals: Why there was no login where one was wanted.
  ///   - discovery: What came before the logins, if anything did.
  init(
    _ results: [InitiatorTypes.LoginResult], without refusals: [any DiagnosableError] = [],
    after discovery: (Portal, InitiatorTypes.Discovery)? = nil
  ) {
    self.results = results
    self.refusals = refusals
    self.discovery = discovery
  }

  /// What the command prints.
  func output(_ options: ReportOptions) throws -> CommandOutput {
    var output = CommandOutput()
    if let discovery {
      output.warn(of: discovery.answer)
      if discovery.answer.targets.isEmpty { output.fail(NothingFound(portal: discovery.portal)) }
    }
    // That a session is there already is the least of what can be wrong: the exit code tells it if it is all.
    let failures = results.compactMap(\.failure)
    for failure in failures where failure.exitStatus != .sessionExists { output.fail(failure) }
    for refusal in refusals { output.fail(refusal) }
    for failure in failures where failure.exitStatus == .sessionExists { output.fail(failure) }
    let sessions = results.compactMap(\.session)
    if options.json {
      try output.show(LoginDocument(sessions))
    } else if !options.quiet {
      output.text = sessions.map { session in
        let portal = (try? Portal(session.portal))?.address ?? session.portal
        return "session \(session.session): logged in to \(session.target) at \(portal): "
          + deviceList(session.devices.compactMap(\.snapshot)) + "\n"
      }.joined()
    }
    return output
  }
}

/// How the logouts of a call ended.
struct LogoutOutcome: Sendable {
  private let missing: [NoSession]
  private let results: [InitiatorTypes.LogoutResult]

  /// An outcome from the daemon's results, and what the arguments name and is not there.
  ///
  /// With `ofAll` the sessions were not named but found: it is no failure then that one has gone meanwhile.
  init(_ results: [InitiatorTypes.LogoutResult], missing: [NoSession] = [], ofAll: Bool = false) {
    self.missing = missing
    self.results = ofAll ? results.filter { $0.failure?.exitStatus != .sessionNotFound } : results
  }

  /// What the command prints.
  func output(_ options: ReportOptions) throws -> CommandOutput {
    var output = CommandOutput()
    for error in missing { output.fail(error) }
    for result in results {
      for problem in result.problems { output.warn("logout from session \(result.session): \(problem)") }
      if let failure = result.failure { output.fail(failure) }
    }
    let gone = results.filter { $0.failure == nil }
    if options.json {
      try output.show(LogoutDocument(gone))
    } else if !options.quiet {
      output.text = gone.map { "session \($0.session): logged out of \($0.target?.printable ?? "its target")\n" }
        .joined()
    }
    return output
  }
}
