// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension SessionMetrics {
  /// The metrics of all sessions, as a survey has found them.
  static func families(of survey: SessionSurvey) -> [MetricFamily] {
    var values = MetricValues()
    // Who may not ask it does not know.
    if survey.silence?.exitStatus != .access { values.add(daemonUp, [], .truth(survey.daemon != nil)) }
    if let daemon = survey.daemon?.daemon {
      values.add(daemonInfo, [daemon.version, daemon.instance], .count(1))
      values.add(events, [], .count(daemon.eventCount))
    }
    values.add(sessions, [], .count(UInt64(survey.sessions.count)))
    for session in survey.sessions { add(session, in: survey, to: &values) }
    return all.map { MetricFamily(definition: $0, samples: values[$0]) }
  }

  private static func add(_ session: SessionSnapshot, in survey: SessionSurvey, to values: inout MetricValues) {
    let labels: [String?] = [session.id.description, session.targetName, session.configuredPortal?.address]
    values.add(
      sessionInfo,
      labels + [
        session.connection?.portal?.address, session.interfaceName, session.initiatorName, session.transport,
        session.host?.number.description,
      ], .count(1))
    let status = survey.status(of: session)
    for name in RecoveryState.names { values.add(state, labels + [name], .truth(name == status.state.name)) }
    if let current = status.io {
      for name in IOState.names { values.add(io, labels + [name], .truth(name == current.name)) }
    }
    // Without a daemon nobody knows.
    if survey.daemon != nil { values.add(supervised, labels, .truth(status.isSupervised)) }
    if let recovery = survey.recovery(of: session.id) { add(recovery, labels, to: &values) }
    for (name, seconds) in timeouts(of: session) { values.add(timeouts, labels + [name], .measure(seconds)) }
    if let counters = survey.daemon?.counters[session.id] { add(counters, labels, to: &values) }
    for device in session.devices { add(device, labels, to: &values) }
  }

  private static func add(_ recovery: InitiatorTypes.Recovery, _ labels: [String?], to values: inout MetricValues) {
    values.add(recoveries, labels, .count(UInt64(clamping: recovery.recoveries)))
    if let outage = recovery.outage {
      values.add(outageStart, labels, .measure(outage.since))
      values.add(outageAttempts, labels, .count(UInt64(clamping: outage.attempts)))
      if let time = outage.nextAttempt { values.add(nextAttempt, labels, .measure(time)) }
      switch OutageFacts(outage).deadline {
      case .at(let time): values.add(deadline, labels, .measure(time))
      case .never: values.add(deadline, labels, .measure(.infinity))
      case nil: break
      }
    }
    if let outage = recovery.lastOutage, let end = outage.end {
      values.add(lastOutage, labels, .measure(max(0, end - outage.since)))
    }
  }

  /// The names of the timeouts, and the timeouts that are known.
  private static func timeouts(of session: SessionSnapshot) -> [(String, Double)] {
    let known: [(String, Double?)] = [
      ("replacement", session.replacementTimeout.map { $0 < 0 ? .infinity : Double($0) }),
      ("noop_interval", session.connection?.noopInterval.map(Double.init)),
      ("noop_timeout", session.connection?.noopTimeout.map(Double.init)),
      ("abort", session.abortTimeout.map(Double.init)), ("lu_reset", session.luResetTimeout.map(Double.init)),
      ("target_reset", session.targetResetTimeout.map(Double.init)),
    ]
    return known.compactMap { name, seconds in seconds.map { (name, $0) } }
  }

  private static func add(_ counters: [InitiatorTypes.Counter], _ labels: [String?], to values: inout MetricValues) {
    for (index, counter) in counters.enumerated() {
      let value = MetricValue.count(counter.value)
      switch counters.count >= KernelStatistics.fixedCounterCount && index < KernelStatistics.fixedCounterCount
        ? CounterMeaning.known[counter.name] : nil
      {
      case .sent?: values.add(sent, labels, value)
      case .received?: values.add(received, labels, value)
      case .pdus(let direction, let type)?: values.add(pdus, labels + [direction, type], value)
      case .errors(let type)?: values.add(errors, labels + [type], value)
      case nil: values.add(transportEvents, labels + [counter.name], value)
      }
    }
  }

  private static func add(_ device: DeviceSnapshot, _ labels: [String?], to values: inout MetricValues) {
    let labels = labels + [device.blockDevice, String(device.lun)]
    values.add(deviceInfo, labels + [device.address, device.vendor, device.model, device.revision], .count(1))
    for known in KernelDeviceState.allCases {
      values.add(deviceState, labels + [known.rawValue], .truth(device.kernelState == known))
    }
    if let size = device.size { values.add(deviceSize, labels, .count(size)) }
    if let timeout = device.timeout { values.add(deviceTimeout, labels, .measure(Double(timeout))) }
  }
}

/// Samples by their metrics. Of two with the same labels the first counts: readers refuse a text with both.
private struct MetricValues {
  private var samples: [MetricDefinition: [MetricSample]] = [:]
  private var seen: [MetricDefinition: Set<[String?]>] = [:]

  subscript(definition: MetricDefinition) -> [MetricSample] { samples[definition] ?? [] }

  mutating func add(_ definition: MetricDefinition, _ labels: [String?], _ value: MetricValue) {
    // What a target or the kernel says may have anything in it.
    let labels = labels.map { $0?.printable }
    guard seen[definition, default: []].insert(labels).inserted else { return }
    samples[definition, default: []].append(MetricSample(labels: labels, value: value))
  }
}

/// What a counter of the kernel's structure counts.
private enum CounterMeaning {
  case sent
  case received
  case pdus(direction: String, type: String)
  case errors(type: String)

  /// By the names that the kernel's structure has.
  static let known: [String: CounterMeaning] = [
    "txdata_octets": .sent, "rxdata_octets": .received,
    "noptx_pdus": .pdus(direction: "sent", type: "nop_out"),
    "scsicmd_pdus": .pdus(direction: "sent", type: "scsi_command"),
    "tmfcmd_pdus": .pdus(direction: "sent", type: "task_management_request"),
    "login_pdus": .pdus(direction: "sent", type: "login_request"),
    "text_pdus": .pdus(direction: "sent", type: "text_request"),
    "dataout_pdus": .pdus(direction: "sent", type: "data_out"),
    "logout_pdus": .pdus(direction: "sent", type: "logout_request"),
    "snack_pdus": .pdus(direction: "sent", type: "snack_request"),
    "noprx_pdus": .pdus(direction: "received", type: "nop_in"),
    "scsirsp_pdus": .pdus(direction: "received", type: "scsi_response"),
    "tmfrsp_pdus": .pdus(direction: "received", type: "task_management_response"),
    "textrsp_pdus": .pdus(direction: "received", type: "text_response"),
    "datain_pdus": .pdus(direction: "received", type: "data_in"),
    "logoutrsp_pdus": .pdus(direction: "received", type: "logout_response"),
    "r2t_pdus": .pdus(direction: "received", type: "r2t"),
    "async_pdus": .pdus(direction: "received", type: "async_message"),
    "rjt_pdus": .pdus(direction: "received", type: "reject"),
    "digest_err": .errors(type: "digest"), "timeout_err": .errors(type: "timeout"),
  ]
}
