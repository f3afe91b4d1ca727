// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What can be done to sessions; of several that are asked for, the first here.
enum SessionAction: Hashable {
  case rescan, statistics, logout

  /// The action that the options ask for; nil if it is none of these.
  init?(_ options: IscsiadmOptions) {
    if options.flags.contains(.rescan) {
      self = .rescan
    } else if options.flags.contains(.statistics) {
      self = .statistics
    } else if options.flags.contains(.logout) {
      self = .logout
    } else {
      return nil
    }
  }
}

/// Does something to sessions, and tells it as open-iscsi does; for the modes `session` and `node`.
struct SessionActions {
  let machine: Iscsiadm.Machine
  let console: IscsiadmConsole

  /// Does it.
  ///
  /// - Parameters:
  ///   - action: What to do.
  ///   - sessions: To which sessions.
  ///   - isOfAll: Whether they are all that there are, and nobody has named a target or a session: then those whose targets
  ///     are excluded stay.
  /// - Returns: 0.
  /// - Throws: What failed, with the code of the first.
  func perform(
    _ action: SessionAction, on sessions: [SessionSnapshot], isOfAll: Bool = false
  ) throws(IscsiadmError) -> ExitStatus {
    switch action {
    case .rescan: return try rescan(sessions)
    case .statistics: return try showStatistics(of: sessions)
    case .logout:
      let chosen = isOfAll ? try withoutExcluded(sessions) : sessions
      // That all that there is stays is what was asked for.
      return chosen.isEmpty && !sessions.isEmpty ? .success : try logOut(of: chosen)
    }
  }

  /// The sessions that no list names for being left alone. An unreadable list must not pass for an empty one.
  private func withoutExcluded(_ sessions: [SessionSnapshot]) throws(IscsiadmError) -> [SessionSnapshot] {
    let exclusions: Exclusions
    do throws(ExclusionsError) { exclusions = try Exclusions(path: machine.exclusionsFile) } catch {
      throw IscsiadmError(error.exitStatus, error.description)
    }
    return sessions.filter { session in
      guard exclusions.contains(session.targetName ?? "") else { return true }
      console.warn("session \(session.bracketed) is left alone: \(machine.exclusionsFile) names its target")
      return false
    }
  }

  /// Logs out of all at once. Disks in use stop no logout, unless the configuration says so.
  ///
  /// - Returns: The code of the first that failed.
  private func logOut(of sessions: [SessionSnapshot]) throws(IscsiadmError) -> ExitStatus {
    guard !sessions.isEmpty else { throw Self.noSessions }
    for session in sessions { console.say("Logging out of session \(session.bracketed)\n") }
    var input = InitiatorTypes.LogoutInput(sessions: sessions.map(\.id.rawValue))
    input.force = !machine.protectsUsedDisks
    let call = input
    return try report(
      machine.ask { (daemon) async throws(InitiatorError) in try await daemon.logOut(call) }, of: sessions)
  }

  private static let noSessions = IscsiadmError(.noObjectsFound, "No matching sessions found")

  /// Tells how logouts went. A session that has gone since it was listed is one that the daemon does not know (2), as for
  /// open-iscsi's, also where a node's name was given: it was found, so that it is not "no objects" (21).
  func report(
    _ answer: Result<[InitiatorTypes.LogoutResult], InitiatorError>, of sessions: [SessionSnapshot]
  ) throws(IscsiadmError) -> ExitStatus {
    var outcomes: [SessionID: ExitStatus] = [:]
    var failure: ExitStatus?
    switch answer {
    case .success(let results):
      for result in results {
        outcomes[SessionID(rawValue: result.session)] = result.failure?.exitStatus ?? .success
      }
    case .failure(let error): failure = error.exitStatus
    }
    var first: ExitStatus?
    for session in sessions {
      let status = failure ?? outcomes[session.id] ?? .internal
      if status == .success {
        console.say("Logout of \(session.bracketed) successful.\n")
        continue
      }
      if status == .daemonNotConnected { machine.warnOfNoDaemon(console) }
      console.warn("Could not logout of \(session.bracketed).")
      console.warn(ofReported: status)
      first = first ?? status
    }
    guard let first else { return .success }
    // A request that never reached a daemon is not counted as a session that was found.
    if failure == .daemonNotConnected { throw Self.noSessions }
    throw IscsiadmError(first, "Could not logout of all requested sessions")
  }

  /// Rescans all at once, by the daemon, which knows what may be scanned; without one directly.
  private func rescan(_ sessions: [SessionSnapshot]) throws(IscsiadmError) -> ExitStatus {
    guard !sessions.isEmpty else { throw IscsiadmError(.noObjectsFound, "No session found.") }
    for session in sessions { console.say("Rescanning session \(session.bracketed)\n") }
    let (ids, sysfs) = (sessions.map(\.id), machine.sysfs)
    let statuses: [ExitStatus] =
      switch machine.ask({ (daemon) async throws(InitiatorError) in try await daemon.rescan(ids) }) {
      case .success(let results): results.compactMap { $0.failure?.exitStatus }
      case .failure(let error) where error.exitStatus == .daemonNotConnected:
        runBlocking { await SessionScanner(sysfs: sysfs).rescan(ids) }.compactMap {
          if case .failure(let error) = $0 { error.exitStatus } else { nil }
        }
      case .failure(let error): [error.exitStatus]
      }
    guard let first = statuses.first else { return .success }
    throw failedOnAll(first)
  }

  /// Shows the counters of one session after the other, up to the first that has none to show.
  private func showStatistics(of sessions: [SessionSnapshot]) throws(IscsiadmError) -> ExitStatus {
    guard !sessions.isEmpty else { throw IscsiadmError(.noObjectsFound, "No session found.") }
    for session in sessions {
      let id = session.id
      switch machine.ask({ (daemon) async throws(InitiatorError) in try await daemon.statistics(of: id) }) {
      case .success(let counters): console.say(statisticsText(session, counters))
      case .failure(let error):
        if error.exitStatus == .daemonNotConnected { machine.warnOfNoDaemon(console) }
        throw failedOnAll(error.exitStatus)
      }
    }
    return .success
  }

  private func failedOnAll(_ status: ExitStatus) -> IscsiadmError {
    IscsiadmError(status, "Could not execute operation on all sessions: \(status.openISCSIText)")
  }
}

/// The counters of a session's connection: those of the kernel's interface in its order, then the driver's own.
func statisticsText(_ session: SessionSnapshot, _ counters: [InitiatorTypes.Counter]) -> String {
  let fixed = counters.prefix(KernelStatistics.fixedCounterCount)
  var lines = ["Stats for session \(session.bracketed)", "iSCSI SNMP:"]
  lines += fixed.map { "\t\($0.name): \($0.value)" }
  lines.append("iSCSI Extended:")
  lines += counters.dropFirst(fixed.count).map { "\t\($0.name): \($0.value)" }
  return lines.map { "\($0.printableBesidesTabs)\n" }.joined()
}

extension SessionSnapshot {
  /// What messages call a session: the address that was configured, without brackets.
  var bracketed: String {
    "[sid: \(id), target: \(targetName ?? ""), portal: \(shownPersistentAddress),\(shownPersistentPort)]".printable
  }
}
