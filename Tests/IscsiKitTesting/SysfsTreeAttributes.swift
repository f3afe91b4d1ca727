// SPDX-License-Identifier: Apache-2.0
public import IscsiKit

extension SysfsTree {
  /// The files of a session's entry in its class, as kernel 6.1 and `iscsi_tcp` have them.
  static func attributes(of session: SessionSnapshot) -> [(String, Attribute)] {
    let negotiated = session.negotiated
    return [
      ("abort_tmo", number(session.abortTimeout)), ("creator", number(session.creator)),
      ("data_pdu_in_order", flag(negotiated.dataPDUInOrder)),
      ("data_seq_in_order", flag(negotiated.dataSequenceInOrder)), ("erl", number(negotiated.errorRecoveryLevel)),
      ("fast_abort", flag(session.fastAbort)), ("first_burst_len", number(negotiated.firstBurstLength)),
      ("ifacename", text(session.interfaceName)), ("immediate_data", flag(negotiated.immediateData)),
      ("initial_r2t", flag(negotiated.initialR2T)), ("initiatorname", text(session.initiatorName)),
      ("lu_reset_tmo", number(session.luResetTimeout)), ("max_burst_len", number(negotiated.maxBurstLength)),
      ("max_outstanding_r2t", number(negotiated.maxOutstandingR2T)),
      ("password", .text("this must not be read")), ("password_in", .text("this must not be read")),
      ("recovery_tmo", session.replacementTimeout == -1 ? .text("off") : number(session.replacementTimeout)),
      ("state", text(session.state?.rawValue ?? "NO WORD FOR IT")),
      ("target_id", session.targetNumber.map { .text(String($0)) } ?? .text("-1")),
      ("target_state", session.targetState.map { .text($0.rawValue) } ?? .absent),
      ("targetname", text(session.targetName)), ("tgt_reset_tmo", number(session.targetResetTimeout)),
      ("tpgt", number(session.tag)), ("username", text(session.userName)), ("username_in", text(session.userNameIn)),
    ]
  }

  /// The files of a connection's entry in its class.
  static func attributes(
    of connection: ConnectionSnapshot, _ negotiated: NegotiatedSnapshot
  ) -> [(String, Attribute)] {
    [
      ("address", connection.address.map(Attribute.text) ?? .unreadable),
      ("data_digest", flag(negotiated.dataDigest.map { $0 == .crc32c })),
      ("exp_statsn", number(connection.expStatSN)),
      ("header_digest", flag(negotiated.headerDigest.map { $0 == .crc32c })),
      ("local_port", connection.localPort.map { .text(String($0)) } ?? .unreadable),
      ("max_recv_dlength", number(negotiated.maxRecvDataSegmentLength)),
      ("max_xmit_dlength", number(negotiated.maxXmitDataSegmentLength)),
      ("persistent_address", text(connection.persistentAddress)),
      ("persistent_port", number(connection.persistentPort)), ("ping_tmo", number(connection.noopTimeout)),
      ("port", connection.port.map { .text(String($0)) } ?? .unreadable),
      ("recv_tmo", number(connection.noopInterval)),
      ("state", text(connection.state?.rawValue ?? "no word for it")),
    ]
  }

  /// The files of a SCSI device; INQUIRY texts are padded as targets pad them.
  static func attributes(of device: DeviceSnapshot) -> [(String, Attribute)] {
    let padded = { (text: String?, width: Int) -> Attribute in
      .text((text ?? "") + String(repeating: " ", count: max(0, width - (text ?? "").utf8.count)))
    }
    return [
      ("delete", .text("")), ("model", padded(device.model, 16)), ("rescan", .text("")),
      ("rev", padded(device.revision, 4)), ("state", text(device.state)), ("type", number(device.type)),
      ("vendor", padded(device.vendor, 8)), ("timeout", number(device.timeout)),
      ("eh_timeout", number(device.errorHandlingTimeout)), ("queue_depth", number(device.queueDepth)),
    ]
  }

  private static func text(_ value: String?) -> Attribute { value.map(Attribute.text) ?? .null }

  private static func number(_ value: (some BinaryInteger)?) -> Attribute {
    value.map { .text(String($0)) } ?? .absent
  }

  private static func flag(_ value: Bool?) -> Attribute { number(value.map { $0 ? 1 : 0 }) }
}

extension SessionSnapshot {
  /// A healthy session of `iscsi_tcp` with one disk, as a kernel shows it after login and scan: target
  /// `iqn.2026-11.org.example:disk<id>` at 10.0.0.1:3260,1, host number and disk name after `id`.
  public static func example(_ id: UInt32) -> SessionSnapshot {
    var session = SessionSnapshot(id: SessionID(rawValue: id))
    session.transport = "tcp"
    session.targetName = "iqn.2026-11.org.example:disk\(id)"
    session.tag = 1
    session.initiatorName = "iqn.2026-11.org.example:client"
    session.interfaceName = "default"
    session.state = .loggedIn
    session.targetState = .scanned
    session.targetNumber = 0
    session.creator = 172
    session.replacementTimeout = 120
    session.abortTimeout = 15
    session.luResetTimeout = 30
    session.targetResetTimeout = 30
    session.fastAbort = true
    session.negotiated = .example
    session.connection = .example
    session.host = .example(HostNumber(rawValue: id))
    session.devices = [.example(host: HostNumber(rawValue: id), lun: 1, block: "sd\(id)")]
    return session
  }
}

extension NegotiatedSnapshot {
  /// The parameters of a session between Linux targets and initiators with their defaults.
  public static var example: NegotiatedSnapshot {
    var negotiated = NegotiatedSnapshot()
    negotiated.headerDigest = Digest.none
    negotiated.dataDigest = Digest.none
    negotiated.initialR2T = true
    negotiated.immediateData = true
    negotiated.firstBurstLength = 65_536
    negotiated.maxBurstLength = 262_144
    negotiated.maxRecvDataSegmentLength = 262_144
    negotiated.maxXmitDataSegmentLength = 8192
    negotiated.maxOutstandingR2T = 1
    negotiated.errorRecoveryLevel = 0
    negotiated.dataPDUInOrder = true
    negotiated.dataSequenceInOrder = true
    return negotiated
  }
}

extension ConnectionSnapshot {
  /// A connection that is up, to 10.0.0.1:3260.
  public static var example: ConnectionSnapshot {
    var connection = ConnectionSnapshot(id: .leading)
    connection.state = .up
    connection.address = "10.0.0.1"
    connection.port = 3260
    connection.localPort = 40_000
    connection.persistentAddress = "10.0.0.1"
    connection.persistentPort = 3260
    connection.noopTimeout = 5
    connection.noopInterval = 5
    connection.expStatSN = 63
    return connection
  }
}

extension HostSnapshot {
  /// The host that `iscsi_tcp` makes for a session.
  public static func example(_ number: HostNumber) -> HostSnapshot {
    var host = HostSnapshot(number: number)
    host.driver = "iscsi_tcp"
    host.state = "running"
    host.ipAddress = "10.0.0.2"
    host.errorHandlingDeadline = -1
    return host
  }
}

extension DeviceSnapshot {
  /// A running disk of 32 MiB.
  public static func example(host: HostNumber, lun: UInt64, block: String) -> DeviceSnapshot {
    var device = DeviceSnapshot(host: host, channel: 0, target: 0, lun: lun)
    device.state = "running"
    device.type = 0
    device.vendor = "IET"
    device.model = "VIRTUAL-DISK"
    device.revision = "0001"
    device.blockDevice = block
    device.size = 33_554_432
    device.timeout = 30
    device.errorHandlingTimeout = 10
    device.queueDepth = 32
    device.scheduler = "mq-deadline"
    return device
  }
}
