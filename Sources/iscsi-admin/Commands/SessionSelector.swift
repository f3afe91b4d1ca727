// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// A session as an argument names it.
enum SessionSelector: Hashable, Sendable {
  /// By the kernel's number.
  case id(SessionID)
  /// By the target's name: all its sessions.
  case target(TargetName)

  /// Reads a number or a name.
  init(_ text: String) throws(ValidationError) {
    if text.isDecimal {
      self = .id(try parseSessionID(text))
    } else {
      do { self = .target(try TargetName(text)) } catch {
        throw ValidationError("neither a session number nor a target's name: \(error)")
      }
    }
  }

  /// Whether a session is meant.
  func matches(_ session: SessionSnapshot) -> Bool {
    switch self {
    case .id(let id): session.id == id
    case .target(let name): session.targetName == name.description
    }
  }
}

/// Sessions that options name, each of which says what it takes.
struct NamedSessions: ParsableArguments {
  @Option(
    name: .customLong("session"), help: ArgumentHelp("A session, by its number.", valueName: "sid"),
    completion: SessionCompletion.ids, transform: parseSessionID)
  var sessions: [SessionID] = []

  @Option(
    name: .customLong("target"), help: ArgumentHelp("All of a target.", valueName: "name"),
    completion: RecordCompletion.targets, transform: parseTargetName)
  var targets: [TargetName] = []

  /// The same as arguments name them.
  var selectors: [SessionSelector] { sessions.map(SessionSelector.id) + targets.map(SessionSelector.target) }
}

/// No session is what the arguments name.
struct NoSession: DiagnosableError, Hashable {
  /// The session that was named; nil for any.
  var selector: SessionSelector?
  /// The portal that it should be at; nil for any.
  var portal: Portal?

  /// 2 for a number, 21 for anything else.
  var exitStatus: ExitStatus { session == nil ? .noObjectsFound : .sessionNotFound }

  /// What there is not.
  var description: String {
    let place = portal.map { " at \($0.address)" } ?? ""
    return switch selector {
    case .id(let id)?: "there is no session \(id)\(place)"
    case .target(let name)?: "there is no session with \(name)\(place)"
    case nil: portal == nil ? "no active sessions" : "there is no session\(place)"
    }
  }

  /// Where the sessions are, unless there are none at all.
  var advice: String? {
    selector == nil && portal == nil ? nil : "iscsi-admin session list shows the sessions"
  }

  /// The number that was named.
  var session: SessionID? {
    if case .id(let id)? = selector { id } else { nil }
  }

  /// The name that was named.
  var target: String? {
    if case .target(let name)? = selector { name.description } else { nil }
  }
}

/// What a shell offers where an argument names something of the sessions that are there.
enum SessionCompletion {
  /// Sessions' numbers.
  static let ids = CompletionKind.custom { _, _, _ in sessions().map(\.id.description) }
  /// Sessions' numbers and targets' names.
  static let selectors = CompletionKind.custom { _, _, _ in
    let sessions = sessions()
    return sessions.map(\.id.description) + Set(sessions.compactMap(\.targetName)).sorted()
  }
  /// Portals: another target is often where one is already.
  static let portals = CompletionKind.custom { _, _, _ in
    Set(sessions().compactMap { $0.configuredPortal?.address }).sorted()
  }

  private static func sessions() -> [SessionSnapshot] { (try? Sysfs().sessions(.summary)) ?? [] }
}
