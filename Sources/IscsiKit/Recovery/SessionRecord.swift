// SPDX-License-Identifier: Apache-2.0

/// What has to be known of a session to log it in again, and what the kernel does not tell.
public struct SessionRecord: Hashable, Sendable {
  /// How far the session has come, in this order.
  public enum Stage: String, Hashable, Sendable, CaseIterable {
    /// It was made, and its first login has not ended.
    case made
    /// Its first login succeeded.
    case established
    /// A logout has begun.
    case leaving
  }

  /// The kernel's number.
  public var session: SessionID
  /// What is logged in to, and how, with secrets.
  public var request: LoginRequest
  /// Our half of the session's identifier.
  public var isid: ISID
  /// How far the session has come.
  public var stage = Stage.made
  /// Where the target has moved to for good.
  public var home: Portal?
  /// What is to be set when the session is back.
  public var due = TimeoutSettings()
  /// Whether NOP-Outs were switched on since the last login: the kernel sends them from the next one on.
  public var areNOPsIdle = false
  /// What is known of the session's outage; nil while there is none. What only the next attempt is told of is left out, and
  /// attempts are counted coarsely.
  public var outage: Outage?
  /// Who asked for the session; nil if it was found.
  public var owner: SessionOwner?

  /// Takes over what a later manager has to know of what has happened.
  mutating func note(_ notice: SessionMachine.Notice, _ supervision: Supervision) {
    switch notice {
    case .loggedIn: stage = .established
    case .leaving: stage = .leaving
    case .moved(let portal): home = portal
    default: break
    }
    note(supervision.outage)
  }

  /// Takes over what is known of an outage. An attempt alone changes nothing until there are twice as many as are noted, or
  /// ten more: what many sessions do for hours is not to be written each time.
  private mutating func note(_ outage: Outage?) {
    guard var outage else {
      self.outage = nil
      return
    }
    (outage.lastFailure, outage.nextAttempt) = (nil, nil)
    if let noted = self.outage, noted.since == outage.since,
      outage.attempts < noted.attempts + min(max(noted.attempts, 1), 10)
    {
      outage.attempts = noted.attempts
    }
    self.outage = outage
  }

  /// Whether the record is about a session that the kernel shows, and not about one that had the number before.
  func describes(_ snapshot: SessionSnapshot) -> Bool {
    snapshot.id == session && (snapshot.targetName ?? request.target.description) == request.target.description
      && (snapshot.configuredPortal?.address ?? request.portal.address) == request.portal.address
  }
}
