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
      let output: InitiatorTypes.ListOutput = try decode(
        VarlinkClient.callBlocking(
          "\(InitiatorInterface.name).ListSessions", ["onlyRecovery": true], at: socket, until: deadline))
      return output.sessions.reduce(into: [:]) { $0[SessionID(rawValue: $1.session)] = $1.recovery }
    } catch {
      throw Self.error(error)
    }
  }

  /// The question in which phases the daemon's sessions are, which has been asked.
  public struct PhaseQuestion: Sendable {
    fileprivate let call: VarlinkClient.BlockingCall

    /// Blocks the calling thread until the answer is there.
    ///
    /// - Returns: The sessions of each phase that any is in.
    /// - Throws: Why nothing is known of them.
    public func answer() throws(InitiatorError) -> [InitiatorTypes.PhaseGroup] {
      do throws(VarlinkError) { return try Initiator.phases(in: call.answer()) } catch { throw Initiator.error(error) }
    }
  }

  /// Asks for the phase of each session that the daemon supervises, as in ``blockingRecoveries(until:)``, of which it is a small
  /// part. There may be something else to do until the answer is there.
  ///
  /// - Parameter deadline: When to give up.
  /// - Returns: The question.
  /// - Throws: Why nobody can be asked; `daemon(.notConnected)` if none runs.
  public func askForPhases(until deadline: ContinuousClock.Instant) throws(InitiatorError) -> PhaseQuestion {
    do throws(VarlinkError) {
      return PhaseQuestion(
        call: try VarlinkClient.beginBlocking(
          "\(InitiatorInterface.name).ListPhases", [:], at: socket, until: deadline))
    } catch {
      throw Self.error(error)
    }
  }

  private static func phases(in output: JSONValue) throws(VarlinkError) -> [InitiatorTypes.PhaseGroup] {
    guard case .array(let groups) = output["groups"] else { throw .malformed }
    var phases: [InitiatorTypes.PhaseGroup] = []
    for group in groups {
      guard case .string(let phase) = group["phase"], case .array(let numbers) = group["sessions"] else {
        throw .malformed
      }
      var sessions: [UInt32] = []
      for number in numbers {
        guard case .integer(let number) = number, let session = UInt32(exactly: number) else { throw .malformed }
        sessions.append(session)
      }
      phases.append(InitiatorTypes.PhaseGroup(phase: phase, sessions: sessions))
    }
    return phases
  }
}
