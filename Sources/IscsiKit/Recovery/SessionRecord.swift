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
  /// Who asked for the session; nil if it was found.
  public var owner: SessionOwner?

  /// Whether the record is about a session that the kernel shows, and not about one that had the number before.
  func describes(_ snapshot: SessionSnapshot) -> Bool {
    snapshot.id == session && (snapshot.targetName ?? request.target.description) == request.target.description
      && (snapshot.configuredPortal?.address ?? request.portal.address) == request.portal.address
  }
}
