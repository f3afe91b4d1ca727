// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin logout`.
struct LogoutCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "logout",
    abstract: "Log out of sessions; their disks vanish.",
    discussion: """
      Removes the disks, tells the target, and removes the session. A session that cannot reach its target is removed \
      all the same; a slow target is waited for. A session whose disks are mounted, swap space or part of another device, is left \
      alone (28), unless iscsid.conf has iscsid.safe_logout = No. Ends with 2 if one of the named sessions does not exist, and with 21 \
      if a target has no session or no session is there at all; the other sessions are logged out.
      """)

  @Argument(
    help: ArgumentHelp("Session numbers or target names.", valueName: "session"),
    completion: SessionCompletion.selectors, transform: SessionSelector.init)
  var selectors: [SessionSelector] = []

  @Option(
    name: .shortAndLong, help: "Only sessions at this portal.", completion: SessionCompletion.portals,
    transform: parsePortal)
  var portal: Portal?

  @Flag(help: "Log out of all sessions but those that \(Exclusions.standardPath) names.")
  var all = false

  @Flag(help: "Log out of sessions whose disks are in use, too; their I/O fails.")
  var force = false

  @OptionGroup var location: SysfsLocation
  @OptionGroup var report: ReportOptions
  @Option(
    help: ArgumentHelp(
      "How many seconds a target may take to answer; until it has the data of the disks is waited for beyond that. "
        + "(default: 30)", valueName: "s"), transform: parseTimeout)
  var timeout: UInt32?

  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: LogoutDocument { LogoutDocument([]) }

  func validate() throws {
    if !all, selectors.isEmpty {
      throw ValidationError("no session: give session numbers or target names, or --all for all sessions")
    }
    if all, !selectors.isEmpty { throw ValidationError("--all and sessions exclude each other") }
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    var (chosen, missing) = choose(from: try location.sysfs.sessions(.summary))
    if all {
      let exclusions = try Exclusions(path: Exclusions.standardPath)
      let spared = chosen.filter { exclusions.contains($0.targetName ?? "") }
      chosen.removeAll { exclusions.contains($0.targetName ?? "") }
      for session in spared where !report.quiet {
        StandardError.tell(
          "session \(session.id) is left alone: \(Exclusions.standardPath) names \(session.targetName ?? "its target")")
      }
    }
    var input = InitiatorTypes.LogoutInput(sessions: chosen.map(\.id.rawValue))
    input.timeout = Int(timeout ?? 30)
    // The configuration may let all go, as it does for iscsiadm. One that cannot be read does not; nor is it needed for a logout in
    // any case, which must not wait for the disk that it is on.
    input.force =
      force || !((try? InitiatorConfiguration(path: InitiatorConfiguration.standardPath))?.protectsUsedDisks ?? true)
    input.spareHeld = true
    let (call, daemon) = (input, daemon.initiator)
    let ids: Set<UInt32> = report.quiet ? [] : Set(call.sessions)
    var results: [InitiatorTypes.LogoutResult] = []
    if !chosen.isEmpty {
      results = try runBlocking {
        let telling = Task { try await Self.tellOfDelays(of: ids, by: daemon) }
        defer { telling.cancel() }
        return try await daemon.logOut(call)
      }
    }
    return try outcome(results, of: chosen, missing).output(report)
  }

  /// Tells on standard error what logouts wait for that take long. The daemon says so after ten seconds; a logout that
  /// ends before needs no second connection.
  private static func tellOfDelays(of sessions: Set<UInt32>, by daemon: Initiator) async throws {
    try await Reactor.shared.sleep(until: .now + .seconds(5))
    for try await event in daemon.events(after: nil) {
      guard event.kind == SessionEvent.Kind.removalDelayed.rawValue, let session = event.session,
        sessions.contains(session)
      else { continue }
      StandardError.tell("session \(session): \(event.message)")
    }
  }

  /// How the logouts ended. A session that somebody else has logged out of since the listing is one that its argument
  /// does not name any more: whether it went before the listing or after makes no difference to the exit code.
  func outcome(
    _ results: [InitiatorTypes.LogoutResult], of chosen: [SessionSnapshot], _ missing: [NoSession]
  ) -> LogoutOutcome {
    guard !all else { return LogoutOutcome(results, missing: missing, ofAll: true) }
    let gone = Set(results.filter { $0.failure?.exitStatus == .sessionNotFound }.map(\.session))
    let there = chosen.filter { !gone.contains($0.id.rawValue) }
    let unmatched = selectors.filter { !there.contains(where: $0.matches) }
    return LogoutOutcome(
      results.filter { !gone.contains($0.session) }, missing: unmatched.map { NoSession(selector: $0, portal: portal) })
  }

  /// The sessions that the arguments name, each once, in the order of the listing, and what is named and not there.
  func choose(from sessions: [SessionSnapshot]) -> (chosen: [SessionSnapshot], missing: [NoSession]) {
    let atPortal = sessions.filter { session in
      guard let portal else { return true }
      let found = session.configuredPortal
      return found?.host == portal.host && found?.port == portal.port
    }
    guard !all else { return (atPortal, atPortal.isEmpty ? [NoSession(portal: portal)] : []) }
    let chosen = atPortal.filter { session in selectors.contains { $0.matches(session) } }
    let missing = selectors.filter { !chosen.contains(where: $0.matches) }
    return (chosen, missing.map { NoSession(selector: $0, portal: portal) })
  }
}
