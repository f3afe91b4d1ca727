// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `session list` for people: a line a session.
func sessionTable(_ sessions: [SessionSnapshot], for terminal: Terminal) -> String {
  var table = Table([
    Table.Column(header: "SID", alignment: .right), Table.Column(header: "TRANSPORT"), Table.Column(header: "STATE"),
    Table.Column(header: "CONN"), Table.Column(header: "PORTAL"),
    Table.Column(header: "TARGET", minimumWidth: 16), Table.Column(header: "DEVICES", minimumWidth: 8),
  ])
  for session in sessions {
    table.add([
      Table.Cell(session.id.description), Table.Cell(session.transport), session.stateCell, session.connectionCell,
      Table.Cell(session.portalText), Table.Cell(session.targetName),
      Table.Cell(session.devices.compactMap(\.blockDevice).joined(separator: ",")),
    ])
  }
  return table.lines(for: terminal).joined(separator: "\n") + "\n"
}

/// `session show` for people: a page a session, what matters most first; what is not known is left out.
///
/// - Parameters:
///   - report: The session, which exists.
///   - session: What the kernel shows of it.
///   - now: The time of day in seconds since 1970.
///   - terminal: Where the text goes to.
/// - Returns: The page.
func sessionPage(
  _ report: SessionReport, _ session: SessionSnapshot, at now: Double, for terminal: Terminal
) -> String {
  var lines = pageTitle(session)
  lines += fields(
    statusFields(report, session, at: now, for: terminal) + connectionFields(session, for: terminal)
      + identityFields(session))
  lines += section("Recovery", report.recovery.map(recoveryFields) ?? [])
  lines += section("Devices", deviceTable(session.devices)?.lines(for: terminal, indent: 4) ?? [])
  lines += section("Timeouts", timeoutFields(session, report.recovery))
  lines += section("Negotiated parameters", negotiatedFields(session.negotiated))
  return lines.joined(separator: "\n") + "\n"
}

/// A label and a value; a field without a value is not shown.
typealias Field = (label: String, value: String?)

/// The first line of a session's page.
func pageTitle(_ session: SessionSnapshot) -> [String] {
  ["Session \(session.id): \((session.targetName ?? "-").printable)"]
}

/// What a session is going through, and what becomes of I/O.
func statusFields(
  _ report: SessionReport, _ session: SessionSnapshot, at now: Double, for terminal: Terminal
) -> [Field] {
  let status = report.status
  let io = status.ioText(of: session, at: now).map { text in
    terminal.coloured(text, status.io?.cell(at: now).mood ?? .neutral)
  }
  return [("Status", terminal.coloured(status.stateText(at: now), status.state.cell.mood)), ("I/O", io)]
}

/// The kernel's words, and where the connection goes.
func connectionFields(_ session: SessionSnapshot, for terminal: Terminal) -> [Field] {
  let (state, connection) = (session.stateCell, session.connectionCell)
  return [
    ("State", terminal.coloured(state.text, state.mood)),
    ("Connection", terminal.coloured(connection.text, connection.mood)),
    ("Portal", session.connection?.portal.map { Portal(host: $0.host, port: $0.port, tag: session.tag).description }),
    ("Configured portal", session.connection?.persistentPortal?.description),
    ("Local address", session.host?.ipAddress?.printable),
    ("Local port", session.connection?.localPort.map(String.init)),
  ]
}

/// What tells a session from others.
func identityFields(_ session: SessionSnapshot) -> [Field] {
  [
    ("Target state", session.targetState?.rawValue),
    ("Transport", session.transport?.printable),
    ("Initiator", session.initiatorName?.printable),
    ("Interface", session.interfaceName?.printable),
    ("Network device", session.host?.networkDevice?.printable),
    ("SCSI host", session.host.map { "\($0.number)" + ($0.state.map { " (\($0.printable))" } ?? "") }),
    ("CHAP name", session.userName?.printable),
    ("Target's CHAP name", session.userNameIn?.printable),
  ]
}

/// What the daemon knows of a session.
func recoveryFields(_ recovery: InitiatorTypes.Recovery) -> [String] {
  let outage = recovery.outage ?? recovery.lastOutage
  let failure = outage?.lastFailure
  let owner = recovery.owner.map { owner in
    "user \(owner.userID)" + (owner.label.map { ", \($0.printable)" } ?? "") + ", \(clockText(owner.time))"
  }
  return fields(
    [
      ("Phase", SupervisionPhase(rawValue: recovery.phase)?.words ?? recovery.phase.printable),
      (recovery.outage == nil ? "Last outage" : "Outage", outage?.cause.printable),
      ("Network", outage?.network?.printable),
      ("Since", outage.map { clockText($0.since) }),
      ("Until", outage?.end.map(clockText)),
      ("I/O fails from", recovery.outage?.deadline.map(clockText)),
      ("Attempts", outage.map { String($0.attempts) }),
      ("Last failure", failure.map { "\($0.cause.printable), \(clockText($0.time))" }),
      ("Next attempt", outage?.nextAttempt.map(clockText)),
      ("Recoveries", recovery.recoveries == 0 ? nil : String(recovery.recoveries)),
      ("Asked for by", owner),
      ("Set when it is back", recovery.due.isEmpty ? nil : recovery.due.list),
    ], indent: 4)
}

private func deviceTable(_ devices: [DeviceSnapshot]) -> Table? {
  guard !devices.isEmpty else { return nil }
  var table = Table([
    Table.Column(header: "LUN", alignment: .right), Table.Column(header: "NAME"), Table.Column(header: "STATE"),
    Table.Column(header: "SIZE", alignment: .right), Table.Column(header: "TYPE"), Table.Column(header: "ADDRESS"),
    Table.Column(header: "MODEL", minimumWidth: 12),
  ])
  for device in devices {
    table.add([
      Table.Cell(String(device.lun)), Table.Cell(device.blockDevice), device.stateCell,
      Table.Cell(device.size.map(binarySize)), Table.Cell(device.typeName),
      Table.Cell(device.address), Table.Cell(device.modelText),
    ])
  }
  return table
}

/// The timeouts of a session, and of error handling on its host.
func timeoutFields(_ session: SessionSnapshot, _ recovery: InitiatorTypes.Recovery?) -> [String] {
  let seconds = { (value: Int32?) in value.map { "\($0) s" } }
  let check = { (value: UInt32?) in value.map { $0 == 0 ? "off" : "\($0) s" } }
  return fields(
    [
      ("Replacement", session.replacementText),
      ("NOP-Out interval", check(session.connection?.noopInterval)),
      ("NOP-Out timeout", check(session.connection?.noopTimeout)),
      ("", recovery?.noopsIdle == true ? "from the next login on: the kernel starts them with it" : nil),
      ("Abort", seconds(session.abortTimeout)),
      ("LU reset", seconds(session.luResetTimeout)),
      ("Target reset", seconds(session.targetResetTimeout)),
      ("Error handling deadline", session.host?.errorHandlingDeadline.map { $0 == -1 ? "off" : "\($0) s" }),
    ], indent: 4)
}

/// What was agreed on.
func negotiatedFields(_ negotiated: NegotiatedSnapshot) -> [String] {
  let flag = { (value: Bool?) in value.map { $0 ? "Yes" : "No" } }
  let number = { (value: UInt32?) in value.map(String.init) }
  return fields(
    [
      ("HeaderDigest", negotiated.headerDigest?.rawValue),
      ("DataDigest", negotiated.dataDigest?.rawValue),
      ("MaxRecvDataSegmentLength", number(negotiated.maxRecvDataSegmentLength)),
      ("MaxXmitDataSegmentLength", number(negotiated.maxXmitDataSegmentLength)),
      ("FirstBurstLength", number(negotiated.firstBurstLength)),
      ("MaxBurstLength", number(negotiated.maxBurstLength)),
      ("ImmediateData", flag(negotiated.immediateData)),
      ("InitialR2T", flag(negotiated.initialR2T)),
      ("MaxOutstandingR2T", negotiated.maxOutstandingR2T.map(String.init)),
      ("DataPDUInOrder", flag(negotiated.dataPDUInOrder)),
      ("DataSequenceInOrder", flag(negotiated.dataSequenceInOrder)),
      ("ErrorRecoveryLevel", negotiated.errorRecoveryLevel.map(String.init)),
    ], indent: 4)
}

/// Lines of a label and a value, all values of a page below each other.
func fields(_ fields: [Field], indent: Int = 2) -> [String] {
  let column = 30
  return fields.compactMap { label, value in
    guard let value else { return nil }
    let start = String(repeating: " ", count: indent) + label
    return start + String(repeating: " ", count: max(2, column - start.count)) + value
  }
}

/// Lines below a title; nothing without lines.
func section(_ title: String, _ lines: [String]) -> [String] {
  lines.isEmpty ? [] : ["", "  \(title)"] + lines
}
