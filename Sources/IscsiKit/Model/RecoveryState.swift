// SPDX-License-Identifier: Apache-2.0

/// Why a session is suspect that is up for the kernel.
public enum Suspicion: Hashable, Sendable {
  /// What is wrong with the network device on the way to its portal, in words, and since when in seconds since 1970; nil if
  /// the daemon does not tell.
  case network(String, since: Double? = nil)
  /// The target has answered nothing since this moment, in seconds since 1970, and a NOP-Out is unanswered. When its time is
  /// over the kernel gives the connection up.
  case silence(since: Double)
}

/// What a session is going through, see ``SessionStatus``.
///
/// What only the daemon knows is nil without it.
public enum RecoveryState: Hashable, Sendable {
  /// All is well.
  case operational
  /// The session is up for the kernel, but the daemon, which watches the network and the targets' answers, knows better.
  case suspect(Suspicion)
  /// The connection is lost, and I/O waits for it.
  case recovering(OutageFacts?)
  /// The replacement timeout ran out, at a time that is nil if it is not known. A relogin still brings the devices back.
  case failingIO(since: Double?, OutageFacts?)
  /// SCSI error handling is at work on the session's host: it aborts commands and resets devices (the session is up
  /// then), and drops the session when that does not help (then there is an outage, and it waits for the relogin). The
  /// devices tell its timers.
  case errorHandling([DeviceSnapshot], OutageFacts?)
  /// The session is up, and these of its devices are blocked or given up all the same.
  case devicesStopped([DeviceSnapshot])
  /// The first login is under way.
  case loggingIn
  /// The session is on its way out. Since the time, in seconds since 1970, that waits for the removal of the disks, before which
  /// what is not written yet goes to the target; nil if it does not, or nobody tells.
  case loggingOut(removingSince: Double?)
  /// There is no session (any more).
  case gone
  /// The kernel has a word for it that we do not know.
  case unknown

  /// A word for the state, for programs.
  public var name: String {
    switch self {
    case .operational: "operational"
    case .suspect: "suspect"
    case .recovering: "recovering"
    case .failingIO: "failingIO"
    case .errorHandling: "errorHandling"
    case .devicesStopped: "devicesStopped"
    case .loggingIn: "loggingIn"
    case .loggingOut: "loggingOut"
    case .gone: "gone"
    case .unknown: "unknown"
    }
  }

  /// The words of all states.
  public static let names = [
    "operational", "suspect", "recovering", "failingIO", "errorHandling", "devicesStopped", "loggingIn", "loggingOut",
    "gone", "unknown",
  ]

  /// Whether nothing is wrong and nothing is under way.
  public var isOperational: Bool { self == .operational }

  /// The outage that the session is in, as far as the daemon knows it.
  public var outage: OutageFacts? {
    switch self {
    case .recovering(let outage), .failingIO(_, let outage), .errorHandling(_, let outage): outage
    default: nil
    }
  }
}

/// What becomes of I/O now.
public enum IOState: Hashable, Sendable {
  /// It goes to the target.
  case flows
  /// It waits, at most until the deadline; nil if that is not known.
  case waits(IODeadline?)
  /// It fails at once.
  case fails

  /// A word for it, for programs.
  public var name: String {
    switch self {
    case .flows: "flows"
    case .waits: "waits"
    case .fails: "fails"
    }
  }

  /// How bad it is.
  fileprivate var severity: Int {
    switch self {
    case .flows: 0
    case .waits: 1
    case .fails: 2
    }
  }

  /// The worst of several; nil if there is none.
  static func worst(_ states: some Sequence<IOState>) -> IOState? {
    // `max` would give the last of those that are equally bad; the first has the deadline of the lowest LUN.
    states.reduce(nil) { worst, state in
      guard let worst, worst.severity >= state.severity else { return state }
      return worst
    }
  }
}
