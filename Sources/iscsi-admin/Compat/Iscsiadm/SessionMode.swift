// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `iscsiadm -m session`.
struct SessionMode {
  let machine: Iscsiadm.Machine
  let console: IscsiadmConsole
  let options: IscsiadmOptions
  /// The session that `-r` names; nil for all.
  let id: SessionID?

  func run() throws(IscsiadmError) -> ExitStatus {
    if let id { return try run(on: try session(id)) }
    if options.operations.contains(.new) {
      throw IscsiadmError(
        .invalidArgument, "session mode: Operation 'new' only allowed with specific session IDs")
    }
    try checkOperations()
    guard let action = SessionAction(options) else {
      // A line shows no more than which session it is.
      guard options.printLevel ?? 0 > 0 else { return try list(try sessions(.identity)) }
      // The daemon finds its answer while sysfs is read. It may be one that is started for whoever asks, so nobody asks for nothing.
      var question: PhaseQuestion?
      if let level = options.printLevel, level <= 3, try areThereSessions() { question = machine.askForPhases() }
      return try list(try sessions(.parameters), question)
    }
    return try SessionActions(machine: machine, console: console)
      .perform(action, on: try sessions(.summary), isOfAll: true)
  }

  private func run(on session: SessionSnapshot) throws(IscsiadmError) -> ExitStatus {
    try checkOperations()
    if let action = SessionAction(options) {
      return try SessionActions(machine: machine, console: console).perform(action, on: [session])
    }
    // What is left is about the session's record, unless a tree is asked for.
    guard options.operations.isEmpty, let level = options.printLevel, level > 0 else {
      return try Iscsiadm(machine: machine, console: console).runOnRecords(options, of: session)
    }
    guard session.isListed else {
      throw IscsiadmError(
        .invalidArgument,
        "Failed to query iSCSI session \(session.id), error 2: Specified iSCSI session not found")
    }
    return try list([session])
  }

  private func checkOperations() throws(IscsiadmError) {
    if options.flags.contains(.logout), !options.operations.isEmpty {
      throw IscsiadmError(.invalidArgument, "Invalid parameters. Login/logout and op passed in")
    }
  }

  /// One session, with what it cannot be worked on without.
  private func session(_ id: SessionID) throws(IscsiadmError) -> SessionSnapshot {
    let session = try readingSysfs { () throws(SysfsError) in try machine.sysfs.session(id) }
    let missing = session?.targetName == nil ? "targetname" : session?.tag == nil ? "tpgt" : nil
    guard let session, missing == nil else {
      throw IscsiadmError(
        .sysfsLookup, "could not read session \(missing ?? "targetname"): 5",
        "Could not get session info for sid \(id)")
    }
    return session
  }

  private func areThereSessions() throws(IscsiadmError) -> Bool {
    try readingSysfs { () throws(SysfsError) in try !machine.sysfs.sessionNumbers().isEmpty }
  }

  private func sessions(_ detail: Sysfs.Detail) throws(IscsiadmError) -> [SessionSnapshot] {
    try readingSysfs { () throws(SysfsError) in try machine.sysfs.sessions(detail) }.filter(\.isListed)
  }

  /// Prints sessions in the form that `-P` names.
  private func list(_ sessions: [SessionSnapshot], _ question: PhaseQuestion? = nil) throws(IscsiadmError) -> ExitStatus
  {
    guard !sessions.isEmpty else { throw IscsiadmError(.noObjectsFound, "No active sessions.") }
    let level = max(0, options.printLevel ?? 0)
    guard level <= 3 else { throw IscsiadmError(.invalidArgument, "Invalid info level \(level). Try 0 - 3.") }
    let sessions = sessions.inListingOrder
    guard level > 0 else {
      console.say(sessions.map(sessionLine).joined())
      return .success
    }
    var listed = machine.listed(sessions, question, console)
    if level > 1, options.flags.contains(.showSecrets) {
      for index in listed.indices { listed[index].secrets = machine.sysfs.secrets(of: listed[index].session.id) }
    }
    let version = level > 2 ? versionLines(of: machine.sysfs.transportClassVersion) : ""
    console.say(version + sessionTree(listed, SessionTreeParts(sessionLevel: level)))
    return .success
  }
}

/// Reads sysfs for a mode.
func readingSysfs<Answer>(
  _ body: () throws(SysfsError) -> Answer
) throws(IscsiadmError) -> Answer {
  do throws(SysfsError) { return try body() } catch { throw IscsiadmError(error.exitStatus, error.description) }
}

extension SessionSnapshot {
  /// Whether listings show it: what lacks one of these is being made or removed, or is none of a driver that we know.
  var isListed: Bool { targetName != nil && connection != nil && transport != nil }
}

extension [SessionSnapshot] {
  /// The order of listings: that of the names in sysfs as text, so that 10 comes before 2.
  var inListingOrder: [SessionSnapshot] {
    map { (name: $0.id.description, session: $0) }.sorted { $0.name < $1.name }.map(\.session)
  }
}

extension Iscsiadm.Machine {
  /// Sessions with the states that the daemon knows. If it cannot be asked that is told for each session, and the
  /// states stay unknown.
  func listed(
    _ sessions: [SessionSnapshot], _ question: PhaseQuestion?, _ console: IscsiadmConsole
  ) -> [ListedSession] {
    let phases = sessions.isEmpty ? nil : phases(question ?? askForPhases())
    return sessions.map { session in
      var listed = ListedSession(session)
      if let phases {
        listed.states = phases.phase(of: session.id).flatMap { DaemonStates($0, of: session) }
      } else {
        warnOfNoDaemon(console)
      }
      return listed
    }
  }

  /// How long the daemon may take.
  private static let patience = Duration.seconds(5)

  /// Asks the daemon where its sessions are.
  func askForPhases() -> PhaseQuestion {
    do throws(InitiatorError) {
      return .asked(try runningDaemon.askForPhases(until: .now + Self.patience))
    } catch .daemon(.notConnected) {
      return .notConnected
    } catch {
      return .failed
    }
  }

  /// Where the daemon's sessions are; nil if it does not answer soon.
  private func phases(_ question: PhaseQuestion) -> SessionPhases? {
    switch question {
    case .asked(let question):
      do throws(InitiatorError) {
        return SessionPhases(try question.answer())
      } catch .daemon(.remote) {
        // One that was started before this program was installed does not know the question.
        return (try? runningDaemon.blockingRecoveries(until: .now + Self.patience)).map(SessionPhases.init)
      } catch {
        return nil
      }
    case .notConnected:
      let deadline = ContinuousClock.now + Self.patience
      // It may be started for whoever asks, which takes threads.
      let recoveries = try? ask { (daemon) async throws(InitiatorError) in
        try await daemon.recoveries(until: deadline)
      }.get()
      return recoveries.map(SessionPhases.init)
    case .failed: return nil
    }
  }
}

/// The question where the daemon's sessions are.
enum PhaseQuestion {
  /// It has been asked.
  case asked(Initiator.PhaseQuestion)
  /// Nobody listens, or not yet.
  case notConnected
  /// It cannot be asked.
  case failed
}

/// The phases of sessions. A dictionary would take the runtime longer to set up than all else here.
private struct SessionPhases {
  /// By session.
  private let phases: [(session: UInt32, phase: String)]

  init(_ groups: [InitiatorTypes.PhaseGroup]) {
    phases = groups.flatMap { group in group.sessions.map { ($0, group.phase) } }.sorted { $0.session < $1.session }
  }

  init(_ recoveries: [SessionID: InitiatorTypes.Recovery]) {
    phases = recoveries.map { ($0.key.rawValue, $0.value.phase) }.sorted { $0.session < $1.session }
  }

  /// The phase of a session; nil if the daemon does not know it.
  func phase(of id: SessionID) -> String? {
    var (first, end) = (0, phases.count)
    while first < end {
      let middle = (first + end) / 2
      if phases[middle].session < id.rawValue { first = middle + 1 } else { end = middle }
    }
    return first < phases.count && phases[first].session == id.rawValue ? phases[first].phase : nil
  }
}
