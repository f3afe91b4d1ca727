// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin logout`.
struct LogoutCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logout",
    abstract: "Log out of sessions; their disks vanish.",
    discussion: """
      Removes the disks, tells the target, and removes the session. A session that cannot reach its target is removed \
      all the same. Unmount file systems first. Ends with 21 if no session matches.
      """)

  @Argument(
    help: ArgumentHelp("Session numbers or target names.", valueName: "session"), transform: SessionSelector.init)
  var selectors: [SessionSelector] = []

  @Option(name: .shortAndLong, help: "Only sessions at this portal.", transform: parsePortal)
  var portal: Portal?

  @Flag(help: "Log out of all sessions.")
  var all = false

  @OptionGroup var report: ReportOptions
  @OptionGroup var time: TimeoutOptions

  func validate() throws {
    if all != selectors.isEmpty { throw ValidationError("name the sessions, or give --all") }
  }

  func run() throws {
    let sessions = try Sysfs().sessions()
    let chosen = try choose(from: sessions)
    let timeout = time.duration
    let outcome = try runBlocking {
      let link = try await KernelLink.open()
      return LogoutOutcome(await KernelSessions(link: link).logOut(chosen, timeout: timeout))
    }
    try outcome.output(report, for: .standardOutput).emit()
  }

  /// The sessions that the arguments name, each once, in the order of the listing.
  func choose(from sessions: [SessionSnapshot]) throws(NoMatchingSession) -> [SessionSnapshot] {
    let atPortal = sessions.filter { session in
      guard let portal else { return true }
      let found = session.connection?.persistentPortal ?? session.connection?.portal
      return found?.host == portal.host && found?.port == portal.port
    }
    let chosen = all ? atPortal : atPortal.filter { session in selectors.contains { $0.matches(session) } }
    for selector in selectors where !chosen.contains(where: selector.matches) {
      throw NoMatchingSession(selector: selector)
    }
    guard !chosen.isEmpty else { throw NoMatchingSession(selector: nil) }
    return chosen
  }
}

/// A session as an argument names it.
enum SessionSelector: Hashable, Sendable, CustomStringConvertible {
  /// By the kernel's number.
  case id(SessionID)
  /// By the target's name: all its sessions.
  case target(TargetName)

  /// Reads a number or a name.
  init(_ text: String) throws(ValidationError) {
    if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      self = .id(try parseSessionID(text))
    } else {
      self = .target(try parseTargetName(text))
    }
  }

  /// Whether a session is meant.
  func matches(_ session: SessionSnapshot) -> Bool {
    switch self {
    case .id(let id): session.id == id
    case .target(let name): session.targetName == name.description
    }
  }

  /// As the user wrote it.
  var description: String {
    switch self {
    case .id(let id): "\(id)"
    case .target(let name): "\(name)"
    }
  }
}

/// No session is what the arguments name.
struct NoMatchingSession: DiagnosableError {
  let selector: SessionSelector?

  /// 2 for a number, 21 for anything else.
  var exitStatus: ExitStatus {
    if case .id? = selector { .sessionNotFound } else { .noObjectsFound }
  }

  var description: String {
    switch selector {
    case .id(let id)?: "there is no session \(id)"
    case .target(let name)?: "there is no session with \(name)"
    case nil: "no session matches"
    }
  }

  var advice: String? { "iscsi-admin session list shows the sessions" }
}
