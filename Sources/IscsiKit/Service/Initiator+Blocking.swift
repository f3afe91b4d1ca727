// SPDX-License-Identifier: Apache-2.0

extension Initiator {
  /// What ``recoveries(until:)`` gives, for a command that has nothing else to do: the calling thread is blocked, and no other is
  /// started. Not for use within a task.
  ///
  /// Nobody is woken either: a daemon that does not run does not answer.
  ///
  /// - Parameter deadline: When to give up.
  /// - Returns: What the daemon knows, by session.
  /// - Throws: Why nothing is known of them; `daemon(.notConnected)` if none runs.
  public func blockingRecoveries(
    until deadline: ContinuousClock.Instant
  ) throws(InitiatorError) -> [SessionID: InitiatorTypes.Recovery] {
    do throws(VarlinkError) {
      let output: InitiatorTypes.ListOutput = try decode(blockingList(until: deadline))
      return output.sessions.reduce(into: [:]) { $0[SessionID(rawValue: $1.session)] = $1.recovery }
    } catch {
      throw Self.error(error)
    }
  }

  /// The phase of each session that the daemon supervises, by which ``SupervisionPhase`` names it; asked for as in
  /// ``blockingRecoveries(until:)``. Nothing else of the answer is looked at, as a listing needs no more.
  ///
  /// - Parameter deadline: When to give up.
  /// - Returns: The phases by session.
  /// - Throws: Why nothing is known of them; `daemon(.notConnected)` if none runs.
  public func blockingPhases(until deadline: ContinuousClock.Instant) throws(InitiatorError) -> [SessionID: String] {
    do throws(VarlinkError) {
      guard case .array(let sessions) = try blockingList(until: deadline)["sessions"] else { throw .malformed }
      var phases: [SessionID: String] = [:]
      for session in sessions {
        guard case .integer(let number) = session["session"], let id = UInt32(exactly: number) else { throw .malformed }
        if case .string(let phase) = session["recovery"]?["phase"] { phases[SessionID(rawValue: id)] = phase }
      }
      return phases
    } catch {
      throw Self.error(error)
    }
  }

  private func blockingList(until deadline: ContinuousClock.Instant) throws(VarlinkError) -> JSONValue {
    try VarlinkClient.callBlocking(
      "\(InitiatorInterface.name).ListSessions", ["onlyRecovery": true], at: socket, until: deadline)
  }
}
