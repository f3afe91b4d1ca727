// SPDX-License-Identifier: Apache-2.0

/// Who owns drivers. All calls come from a driver's own context, in order, and must be quick but for those that are awaited.
protocol SessionDriverOwner: AnyObject, Sendable {
  /// A login is connected to an address behind the name of its portal's host. It waits for the end of this call.
  ///
  /// - Throws: What is in the way of a session there. It ends a first login, which has made no session yet; no other.
  func driver(
    _ driver: SessionDriver, connectedTo address: SocketAddress, for request: LoginRequest, isFirst: Bool
  ) async throws(OperationError.Cause)
  /// A first login has made a session in the kernel; nothing else was done with it yet.
  func driver(_ driver: SessionDriver, created session: SessionID, for request: LoginRequest, isid: ISID)
  /// A first login has failed.
  ///
  /// - Parameters:
  ///   - driver: Whose login it was.
  ///   - session: The session that it had made.
  ///   - isLeft: Whether the session could not be removed again, and is the owner's to remove.
  func driver(_ driver: SessionDriver, unmade session: SessionID, isLeft: Bool)
  /// Something happened.
  func driver(_ driver: SessionDriver, noted notice: SessionMachine.Notice, _ supervision: Supervision)
  /// What is known of the session has changed; nothing happened that is worth an event.
  func driver(_ driver: SessionDriver, changed supervision: Supervision)
  /// What is to be set when the session is back has changed.
  func driver(_ driver: SessionDriver, owes settings: TimeoutSettings)
  /// These settings are made, and to be kept for the session's next logins and scans.
  func driver(_ driver: SessionDriver, keeps settings: TimeoutSettings)
  /// Whether NOP-Outs are on that the kernel does not send before the next login has changed.
  func driver(_ driver: SessionDriver, hasIdleNOPs areIdle: Bool)
  /// The session is gone; after this, those are answered who wait for it.
  func driverEnded(_ driver: SessionDriver)
}

extension SessionDriver {
  /// A session that was found, and how.
  struct Found: ~Copyable, Sendable {
    let session: AdoptedKernelSession
    let state: SessionMachine.AdoptedState
  }
}
