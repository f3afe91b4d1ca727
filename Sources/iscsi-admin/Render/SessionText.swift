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
func sessionPage(
  _ session: SessionSnapshot, _ recovery: InitiatorTypes.Recovery? = nil, for terminal: Terminal
) -> String {
  var lines = ["Session \(session.id): \((session.targetName ?? "-").printable)"]
  let consequence = session.consequence.map { " (\($0))" } ?? ""
  let state = terminal.coloured(session.stateCell.text, session.stateCell.mood) + consequence
  lines += fields([
    ("State", state),
    ("Connection", terminal.coloured(session.connectionCell.text, session.connectionCell.mood)),
    ("Portal", session.connection?.portal.map { Portal(host: $0.host, port: $0.port, tag: session.tag).description }),
    ("Configured portal", session.connection?.persistentPortal?.description),
    ("Local address", session.host?.ipAddress?.printable),
    ("Local port", session.connection?.localPort.map(String.init)),
    ("Target state", session.targetState?.rawValue),
    ("Transport", session.transport?.printable),
    ("Initiator", session.initiatorName?.printable),
    ("Interface", session.interfaceName?.printable),
    ("Network device", session.host?.networkDevice?.printable),
    ("SCSI host", session.host.map { "\($0.number)" + ($0.state.map { " (\($0.printable))" } ?? "") }),
    ("CHAP name", session.userName?.printable),
    ("Target's CHAP name", session.userNameIn?.printable),
  ])
  lines += section("Recovery", recovery.map { recoveryFields($0) } ?? [])
  lines += section("Devices", deviceTable(session.devices)?.lines(for: terminal, indent: 4) ?? [])
  lines += section("Timeouts", timeoutFields(session))
  lines += section("Negotiated parameters", negotiatedFields(session.negotiated))
  return lines.joined(separator: "\n") + "\n"
}

private func recoveryFields(_ recovery: InitiatorTypes.Recovery) -> [String] {
  let outage = recovery.outage ?? recovery.lastOutage
  let failure = outage?.lastFailure
  let owner = recovery.owner.map { owner in
    "user \(owner.userID)" + (owner.label.map { ", \($0.printable)" } ?? "") + ", \(clockText(owner.time))"
  }
  return fields(
    [
      ("Phase", recovery.phase.printable),
      (recovery.outage == nil ? "Last outage" : "Outage", outage?.cause.printable),
      ("Network", outage?.network?.printable),
      ("Since", outage.map { clockText($0.since) }),
      ("Until", outage?.end.map(clockText)),
      ("Attempts", outage.map { String($0.attempts) }),
      ("Last failure", failure.map { "\($0.cause.printable), \(clockText($0.time))" }),
      ("Next attempt", outage?.nextAttempt.map(clockText)),
      ("Recoveries", recovery.recoveries == 0 ? nil : String(recovery.recoveries)),
      ("Asked for by", owner),
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

private func timeoutFields(_ session: SessionSnapshot) -> [String] {
  let seconds = { (value: Int32?) in value.map { "\($0) s" } }
  let check = { (value: UInt32?) in value.map { $0 == 0 ? "off" : "\($0) s" } }
  return fields(
    [
      ("Replacement", session.replacementText),
      ("NOP-Out interval", check(session.connection?.noopInterval)),
      ("NOP-Out timeout", check(session.connection?.noopTimeout)),
      ("Abort", seconds(session.abortTimeout)),
      ("LU reset", seconds(session.luResetTimeout)),
      ("Target reset", seconds(session.targetResetTimeout)),
    ], indent: 4)
}

private func negotiatedFields(_ negotiated: NegotiatedSnapshot) -> [String] {
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
private func fields(_ fields: [(label: String, value: String?)], indent: Int = 2) -> [String] {
  let column = 30
  return fields.compactMap { label, value in
    guard let value else { return nil }
    let start = String(repeating: " ", count: indent) + label
    return start + String(repeating: " ", count: max(2, column - start.count)) + value
  }
}

private func section(_ title: String, _ lines: [String]) -> [String] {
  lines.isEmpty ? [] : ["", "  \(title)"] + lines
}
