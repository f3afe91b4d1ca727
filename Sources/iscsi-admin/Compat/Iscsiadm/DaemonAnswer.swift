// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Synchronization

/// What the daemon answers to the question where its sessions are. Several threads may want to know that of some sessions each.
final class DaemonAnswer: Sendable {
  private let machine: Iscsiadm.Machine
  private let answer: Mutex<Answer>

  private enum Answer {
    /// Nobody has asked yet.
    case unknown
    /// Nobody has waited for it yet.
    case awaited(PhaseQuestion)
    /// The daemon has given it; nil if it cannot be asked, or has not answered soon.
    case given(SessionPhases?)
  }

  /// An answer that is asked for when it is wanted, if not before.
  init(on machine: Iscsiadm.Machine) {
    self.machine = machine
    answer = Mutex(.unknown)
  }

  /// Asks for it, if nobody has, and does not wait.
  func ask() {
    answer.withLock { answer in
      if case .unknown = answer { answer = .awaited(machine.askForPhases()) }
    }
  }

  /// The words for what the daemon says of a session; nil if it does not know it, or cannot be asked.
  func states(of session: SessionSnapshot) -> DaemonStates? {
    phases?.phase(of: session.id).flatMap { DaemonStates($0, of: session) }
  }

  /// Tells for each session that the daemon cannot be asked, if that is so.
  func warnIfThereIsNone(of count: Int, _ console: IscsiadmConsole) {
    guard count > 0, phases == nil else { return }
    for _ in 0..<count { machine.warnOfNoDaemon(console) }
  }

  private var phases: SessionPhases? {
    answer.withLock { answer in
      if case .given(let phases) = answer { return phases }
      let question = if case .awaited(let question) = answer { question } else { machine.askForPhases() }
      let phases = machine.phases(question)
      answer = .given(phases)
      return phases
    }
  }
}

extension Iscsiadm.Machine {
  /// How long the daemon may take.
  private static let patience = Duration.seconds(5)

  /// Asks the daemon where its sessions are.
  fileprivate func askForPhases() -> PhaseQuestion {
    do throws(InitiatorError) {
      return .asked(try runningDaemon.askForPhases(until: .now + Self.patience))
    } catch .daemon(.notConnected) {
      return .notConnected
    } catch {
      return .failed
    }
  }

  /// Where the daemon's sessions are; nil if it does not answer soon.
  fileprivate func phases(_ question: PhaseQuestion) -> SessionPhases? {
    switch question {
    case .asked(let question):
      do throws(InitiatorError) {
        return SessionPhases(try question.answer())
      } catch .daemon(.remote) {
        // One that was started before this program was installed does not know the question.
        return (try? runningDaemon.blockingRecoveries(until: .now + Self.patience)).map(SessionPhases.init)
      } catch {
        return nil
      }
    case .notConnected:
      let deadline = ContinuousClock.now + Self.patience
      // It may be started for whoever asks, which takes threads.
      let recoveries = try? ask { (daemon) async throws(InitiatorError) in
        try await daemon.recoveries(until: deadline)
      }.get()
      return recoveries.map(SessionPhases.init)
    case .failed: return nil
    }
  }
}

/// The question where the daemon's sessions are.
private enum PhaseQuestion {
  /// It has been asked.
  case asked(Initiator.PhaseQuestion)
  /// Nobody listens, or not yet.
  case notConnected
  /// It cannot be asked.
  case failed
}

/// The phases of sessions. A dictionary would take the runtime longer to set up than all else here.
private struct SessionPhases {
  /// By session.
  private let phases: [(session: UInt32, phase: String)]

  init(_ groups: [InitiatorTypes.PhaseGroup]) {
    phases = groups.flatMap { group in group.sessions.map { ($0, group.phase) } }.sorted { $0.session < $1.session }
  }

  init(_ recoveries: [SessionID: InitiatorTypes.Recovery]) {
    phases = recoveries.map { ($0.key.rawValue, $0.value.phase) }.sorted { $0.session < $1.session }
  }

  /// The phase of a session; nil if the daemon does not know it.
  func phase(of id: SessionID) -> String? {
    var (first, end) = (0, phases.count)
    while first < end {
      let middle = (first + end) / 2
      if phases[middle].session < id.rawValue { first = middle + 1 } else { end = middle }
    }
    return first < phases.count && phases[first].session == id.rawValue ? phases[first].phase : nil
  }
}
