// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The metrics of sessions: what there is, and where each value comes from. docs/metrics.md lists them.
enum SessionMetrics {
  private static let session = ["session", "target", "portal"]
  private static let device = session + ["device", "lun"]

  private static func gauge(
    _ base: String, unit: MetricDefinition.Unit? = nil, _ help: String, _ labels: [String] = session
  ) -> MetricDefinition {
    MetricDefinition(kind: .gauge, base: base, unit: unit, help: help, labels: labels)
  }

  private static func counter(
    _ base: String, unit: MetricDefinition.Unit? = nil, _ help: String, _ labels: [String] = session
  ) -> MetricDefinition {
    MetricDefinition(kind: .counter, base: base, unit: unit, help: help, labels: labels)
  }

  static let daemonUp = gauge(
    "iscsi_daemon_up", "Whether the daemon answers; missing for those who may not ask it.", [])
  static let daemonInfo = MetricDefinition(
    kind: .info, base: "iscsi_daemon", unit: nil, help: "The daemon that answers.", labels: ["version", "instance"])
  static let events = counter("iscsi_daemon_events", "Events that the daemon has told since it started.", [])
  static let sessions = gauge("iscsi_sessions", "Sessions that the kernel has.", [])
  static let sessionInfo = MetricDefinition(
    kind: .info, base: "iscsi_session", unit: nil, help: "What a session is to, and by what.",
    labels: session + ["current_portal", "interface", "initiator", "transport", "host"])
  static let state = gauge(
    "iscsi_session_state", "What the session goes through: 1 for the state that it is in, 0 for all others.",
    session + ["state"])
  static let io = gauge(
    "iscsi_session_io", "What becomes of I/O: 1 for what it does, 0 for what it does not.", session + ["io"])
  static let supervised = gauge("iscsi_session_supervised", "Whether the daemon sees to the session's recovery.")
  static let recoveries = counter(
    "iscsi_session_recoveries", "Outages that ended with a new login, since the daemon has the session.")
  static let outageStart = gauge(
    "iscsi_session_outage_start_timestamp", unit: .seconds, "When the present outage began; only during one.")
  static let outageAttempts = gauge(
    "iscsi_session_outage_attempts", "Attempts to log in since the present outage began; only during one.")
  static let nextAttempt = gauge(
    "iscsi_session_next_attempt_timestamp", unit: .seconds, "When the next attempt to log in is due; only while one is."
  )
  static let deadline = gauge(
    "iscsi_session_io_deadline_timestamp", unit: .seconds,
    "When I/O begins to fail, +Inf for never; only during an outage whose begin is known.")
  static let lastOutage = gauge(
    "iscsi_session_last_outage_duration", unit: .seconds, "How long the last outage was that ended; only after one.")
  static let timeouts = gauge(
    "iscsi_session_timeout", unit: .seconds,
    "A timeout that the kernel has: +Inf if I/O waits for ever, 0 for a NOP-Out that is off.", session + ["timeout"])
  static let sent = counter("iscsi_session_sent", unit: .bytes, "Data sent, without headers.")
  static let received = counter("iscsi_session_received", unit: .bytes, "Data received, without headers.")
  static let pdus = counter(
    "iscsi_session_pdus",
    "PDUs by type; iscsi_tcp counts SCSI commands, data, R2Ts and task management, and leaves the others at 0.",
    session + ["direction", "type"])
  static let errors = counter(
    "iscsi_session_errors", "Errors that the kernel counts: wrong digests and timeouts.", session + ["type"])
  static let transportEvents = counter(
    "iscsi_session_transport_events", "What the transport counts besides, by its own name.", session + ["event"])
  static let deviceInfo = MetricDefinition(
    kind: .info, base: "iscsi_device", unit: nil, help: "A device of a session.",
    labels: device + ["address", "vendor", "model", "revision"])
  static let deviceState = gauge(
    "iscsi_device_state", "The device's SCSI state: 1 for the state that it is in, 0 for all others.",
    device + ["state"])
  static let deviceSize = gauge("iscsi_device_size", unit: .bytes, "The size of the disk.", device)
  static let deviceTimeout = gauge(
    "iscsi_device_timeout", unit: .seconds, "How long a command may take before error handling begins.", device)

  /// All metrics, in the order in which they are printed.
  static let all = [
    daemonUp, daemonInfo, events, sessions, sessionInfo, state, io, supervised, recoveries, outageStart, outageAttempts,
    nextAttempt, deadline, lastOutage, timeouts, sent, received, pdus, errors, transportEvents, deviceInfo, deviceState,
    deviceSize, deviceTimeout,
  ]
}

extension IOState {
  /// The words for what can become of I/O.
  static let names = [IOState.flows, .waits(nil), .fails].map(\.name)
}
