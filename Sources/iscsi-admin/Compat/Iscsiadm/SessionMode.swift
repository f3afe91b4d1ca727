// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Synchronization

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
      if let level = options.printLevel, Self.treeLevels.contains(level) { return try listTrees(level) }
      return try list()
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
    guard Self.treeLevels.contains(level) else { throw invalidLevel(level) }
    let trees = trees(level)
    show([trees.branch(of: session)], trees)
    return .success
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

  private func sessions(_ detail: Sysfs.Detail) throws(IscsiadmError) -> [SessionSnapshot] {
    try readingSysfs { () throws(SysfsError) in try machine.sysfs.sessions(detail) }.filter(\.isListed)
  }

  /// Prints a line for each session, which shows no more than which one it is.
  private func list() throws(IscsiadmError) -> ExitStatus {
    let sessions = try sessions(.identity)
    guard !sessions.isEmpty else { throw noSessions }
    if let level = options.printLevel, level > 0 { throw invalidLevel(level) }
    console.say(sessions.inListingOrder.map(sessionLine).joined())
    return .success
  }

  private var noSessions: IscsiadmError { IscsiadmError(.noObjectsFound, "No active sessions.") }

  // MARK: - Trees

  /// The values of `-P` that ask for trees.
  private static let treeLevels = 1...3

  private func invalidLevel(_ level: Int) -> IscsiadmError {
    IscsiadmError(.invalidArgument, "Invalid info level \(level). Try 0 - 3.")
  }

  /// Prints the trees of all sessions. Each thread that reads sessions writes their lines.
  private func listTrees(_ level: Int) throws(IscsiadmError) -> ExitStatus {
    let numbers = try readingSysfs { () throws(SysfsError) in try machine.sysfs.sessionNumbers() }
    // The daemon may be one that is started for whoever asks, so nobody asks for nothing.
    guard !numbers.isEmpty else { throw noSessions }
    if machine.endsSoon, numbers.count >= Self.many { ProcessMemory.takeInLargePieces() }
    let trees = trees(level)
    let branches = Mutex<[SessionBranch]>([])
    try readingSysfs { () throws(SysfsError) in
      // It finds its answer while sysfs is read.
      try machine.sysfs.readSessions(.parameters, of: numbers, meanwhile: trees.answer.ask) { sessions in
        let new = sessions.filter(\.isListed).map(trees.branch)
        branches.withLock { $0 += new }
      }
    }
    let found = branches.withLock { $0.sorted { $0.name < $1.name } }
    guard !found.isEmpty else { throw noSessions }
    show(found, trees)
    return .success
  }

  /// So many sessions take more memory than is spared with pieces that are no larger than needed.
  private static let many = 64

  private func trees(_ level: Int) -> SessionTrees {
    SessionTrees(
      sysfs: machine.sysfs, answer: DaemonAnswer(on: machine), level: level,
      showsSecrets: level > 1 && options.flags.contains(.showSecrets))
  }

  private func show(_ branches: [SessionBranch], _ trees: SessionTrees) {
    trees.answer.warnIfThereIsNone(of: branches.count, console)
    let version = trees.level > 2 ? versionLines(of: machine.sysfs.transportClassVersion) : ""
    console.say(sessionTree(branches, after: version))
  }
}

/// What the trees of `-P` are made from.
private struct SessionTrees: Sendable {
  let sysfs: Sysfs
  let answer: DaemonAnswer
  let level: Int
  let showsSecrets: Bool

  func branch(of session: SessionSnapshot) -> SessionBranch {
    var listed = ListedSession(session)
    listed.states = answer.states(of: session)
    if showsSecrets { listed.secrets = sysfs.secrets(of: session.id) }
    return SessionBranch(listed, SessionTreeParts(sessionLevel: level))
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
