// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// All sessions as the kernel shows them, and what the daemon knows besides, at one time.
struct SessionSurvey: Sendable {
  /// When, in seconds since 1970.
  var time: Double
  /// What the kernel shows.
  var sessions: [SessionSnapshot]
  /// What the daemon tells; nil without one.
  var daemon: DaemonSurvey?
  /// Why the daemon tells nothing.
  var silence: InitiatorError?

  /// What the daemon knows of a session.
  func recovery(of id: SessionID) -> InitiatorTypes.Recovery? { daemon?.recoveries[id] }

  /// What a session goes through.
  func status(of session: SessionSnapshot) -> SessionStatus {
    SessionStatus(session, recovery(of: session.id).flatMap { SupervisionFacts($0) }, at: time)
  }

  /// A survey from its parts.
  init(time: Double, sessions: [SessionSnapshot], daemon: DaemonSurvey? = nil) {
    self.time = time
    self.sessions = sessions
    self.daemon = daemon
  }

  /// Looks at the kernel, and asks the daemon, which need not be there.
  ///
  /// - Throws: Why the kernel's sessions cannot be read.
  static func take(
    of sysfs: Sysfs, asking initiator: Initiator, patience: Duration = .seconds(5)
  ) async throws(SysfsError) -> SessionSurvey {
    var daemon: DaemonSurvey?
    var silence: InitiatorError?
    do throws(InitiatorError) { daemon = try await initiator.survey(until: .now + patience) } catch { silence = error }
    // The kernel last: what the daemon told of a session that is gone by now is dropped.
    var survey = SessionSurvey(time: WallClock.now, sessions: try sysfs.sessions(), daemon: daemon)
    survey.silence = silence
    return survey
  }
}
