// SPDX-License-Identifier: Apache-2.0

/// Where a session is whose recovery the daemon sees to.
public enum SupervisionPhase: String, Hashable, Sendable, CaseIterable {
  /// The first login is under way, or will be tried again.
  case loggingIn
  /// In full feature phase.
  case up
  /// The connection is lost, and the session is being logged in again.
  case recovering
  /// A logout is under way.
  case loggingOut
  /// The session is gone.
  case gone
}

/// What the daemon knows of a session and the kernel does not show. Times are seconds since 1970.
public struct SupervisionFacts: Hashable, Sendable {
  /// Where the session is.
  public var phase: SupervisionPhase
  /// What is wrong with the network device on the way to the portal, in words, if that is known to be at fault.
  public var network: String?
  /// Since when that is known; nil if nothing is, and if the daemon does not tell.
  public var networkSince: Double?
  /// Since when the target of a session that is up has answered nothing, a NOP-Out included; nil if it answers, or if it
  /// is not asked.
  public var silentSince: Double?
  /// Since when a logout waits for the removal of the disks, before which what waits to be written goes to the target; nil if
  /// none does.
  public var removingSince: Double?
  /// The present outage; nil while there is none.
  public var outage: OutageFacts?

  /// Facts of a session without an outage.
  public init(phase: SupervisionPhase) { self.phase = phase }
}

/// What the daemon knows of a session's outage. Times are seconds since 1970.
public struct OutageFacts: Hashable, Sendable {
  /// An attempt to log in that failed.
  public struct Attempt: Hashable, Sendable {
    /// Which attempt, from 1.
    public var number: Int
    /// Where it went.
    public var portal: String
    /// Why it failed, in words.
    public var cause: String
    /// When it failed.
    public var time: Double

    /// An attempt from its parts.
    public init(number: Int, portal: String, cause: String, time: Double) {
      self.number = number
      self.portal = portal
      self.cause = cause
      self.time = time
    }
  }

  /// When the loss of the connection was known.
  public var since: Double
  /// Why it was lost, in words.
  public var cause: String
  /// The kernel's number of the error (`enum iscsi_err`), if the kernel reported one.
  public var kernelError: UInt32?
  /// What the network shows on the way to the portal, in words, if that explains the loss.
  public var network: String?
  /// How many attempts to log in have begun.
  public var attempts = 0
  /// The last attempt that failed.
  public var lastFailure: Attempt?
  /// When the next attempt is due; nil while one is under way.
  public var nextAttempt: Double?
  /// Until when I/O waits; nil if it is not known when the kernel's timer was started.
  public var deadline: IODeadline?

  /// An outage that has just begun.
  public init(since: Double, cause: String) {
    self.since = since
    self.cause = cause
  }
}

/// Until when I/O waits for a lost session.
///
/// It is the loss of the connection and the replacement timeout, as that was then: the kernel starts its timer when it
/// blocks the session, and another timeout that is set during the outage is for the next one.
public enum IODeadline: Hashable, Sendable {
  /// Until this moment, in seconds since 1970; then I/O fails.
  case at(Double)
  /// For ever.
  case never

  /// The deadline of an outage.
  ///
  /// - Parameters:
  ///   - since: When the kernel blocked the session, in seconds since 1970.
  ///   - replacementTimeout: The timeout as it was then, in seconds; less than 0 is for ever.
  public init(since: Double, replacementTimeout: Int32) {
    self = replacementTimeout < 0 ? .never : .at(since + Double(replacementTimeout))
  }

  /// The moment, if there is one.
  public var time: Double? {
    if case .at(let time) = self { time } else { nil }
  }

  /// The seconds that are left, 0 when it has passed; nil if I/O waits for ever.
  public func remaining(at now: Double) -> Double? { time.map { max(0, $0 - now) } }
}
