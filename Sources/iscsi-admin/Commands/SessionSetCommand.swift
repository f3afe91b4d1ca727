// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin session set`.
struct SessionSetCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Change timeouts of sessions that are up.",
    discussion: """
      The sessions keep them over recoveries; what is set during one takes effect when the session is back. Ends with 2 if one of the sessions does not exist; the others are changed.
      """)

  @Argument(
    help: ArgumentHelp("The sessions' numbers.", valueName: "sid"), completion: SessionCompletion.ids,
    transform: parseSessionID)
  var ids: [SessionID]

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seconds that I/O waits for a lost session; off or -1 is for ever, 0 fails it at once.", valueName: "s"),
    transform: parseReplacementTimeout)
  var replacementTimeout: ReplacementTimeout?

  @Option(
    help: ArgumentHelp("Seconds of silence before the target is asked for a sign of life; 0 is never.", valueName: "s"),
    transform: parseSeconds(of: .noopInterval))
  var noopInterval: UInt32?

  @Option(
    help: ArgumentHelp("Seconds that this sign of life may take; 0 is off.", valueName: "s"),
    transform: parseSeconds(of: .noopTimeout))
  var noopTimeout: UInt32?

  @Option(
    help: ArgumentHelp("Seconds that an ABORT TASK may take.", valueName: "s"), transform: parseSeconds(of: .abort))
  var abortTimeout: UInt32?

  @Option(
    help: ArgumentHelp("Seconds that a LOGICAL UNIT RESET may take.", valueName: "s"),
    transform: parseSeconds(of: .luReset))
  var luResetTimeout: UInt32?

  @Option(
    help: ArgumentHelp("Seconds that a TARGET RESET may take.", valueName: "s"),
    transform: parseSeconds(of: .targetReset))
  var targetResetTimeout: UInt32?

  @OptionGroup var report: ReportOptions
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: SetDocument { SetDocument(sessions: []) }

  func validate() throws {
    if ids.isEmpty { throw ValidationError("no session: give sessions' numbers") }
    if timeouts == LoginDescription.TimeoutsDescription() { throw ValidationError("nothing to set") }
  }

  /// What is to change.
  var timeouts: LoginDescription.TimeoutsDescription {
    var timeouts = LoginDescription.TimeoutsDescription(
      replacement: replacementTimeout.map { Int64($0.seconds ?? -1) }, noopInterval: noopInterval.map(Int64.init),
      noopTimeout: noopTimeout.map(Int64.init))
    timeouts.abort = abortTimeout.map(Int64.init)
    timeouts.luReset = luResetTimeout.map(Int64.init)
    timeouts.targetReset = targetResetTimeout.map(Int64.init)
    return timeouts
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let (ids, timeouts, daemon) = (ids, timeouts, daemon.initiator)
    let results = runBlocking {
      await Self.results(of: ids) { (id) throws(InitiatorError) in try await daemon.set(timeouts, of: id) }
    }
    return try output(of: results)
  }

  /// Sets one session after the other. Once there is no daemon to ask, those that are left need not be tried: what was done
  /// before is told, and the failure once.
  static func results(
    of ids: [SessionID], _ set: (SessionID) async throws(InitiatorError) -> [InitiatorTypes.SetResult]
  ) async -> [(SessionID, Result<[InitiatorTypes.SetResult], InitiatorError>)] {
    var results: [(SessionID, Result<[InitiatorTypes.SetResult], InitiatorError>)] = []
    for id in ids {
      do throws(InitiatorError) {
        results.append((id, .success(try await set(id))))
      } catch {
        results.append((id, .failure(error)))
        guard case .failed = error else { break }
      }
    }
    return results
  }

  /// What the command prints.
  func output(
    of results: [(SessionID, Result<[InitiatorTypes.SetResult], InitiatorError>)]
  ) throws -> CommandOutput {
    var output = CommandOutput()
    var changed: [SessionID] = []
    for (id, result) in results {
      switch result {
      case .failure(let error): output.fail(error)
      case .success(let settings):
        let session = SessionSnapshot(id: id)
        let entries = settings.map { TuningReport.Entry($0, of: session) }
        for entry in entries where entry.result == .failed {
          let failure = SettingFailure(entry: entry)
          output.fail(failure, about: failure.subject)
        }
        // What does not take effect at once is never passed over.
        for entry in entries where entry.result != .failed {
          if let message = entry.message { output.warn("session \(id): \(entry.setting): \(message)") }
        }
        if !entries.contains(where: { $0.result == .failed }) { changed.append(id) }
      }
    }
    if report.json {
      try output.show(SetDocument(sessions: changed.map(\.rawValue)))
    } else if !report.quiet {
      output.text = changed.map { "session \($0): changed\n" }.joined()
    }
    return output
  }
}

/// `session set --json`.
struct SetDocument: JSONDocument {
  static let kind = "session-set"

  /// The sessions that were changed.
  let sessions: [UInt32]
}
