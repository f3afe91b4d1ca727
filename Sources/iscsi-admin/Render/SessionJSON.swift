// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `session list --json`.
struct SessionListDocument: JSONDocument {
  static let kind = "session-list"
  let sessions: [SessionJSON]

  /// A listing of summaries.
  init(_ sessions: [SessionSnapshot]) { self.sessions = sessions.map { SessionJSON($0, .summary) } }
}

/// `session show --json`.
struct SessionShowDocument: JSONDocument {
  static let kind = "session-show"
  let sessions: [SessionJSON]

  /// Full descriptions, with what the daemon knows of each session.
  ///
  /// - Parameters:
  ///   - reports: The sessions.
  ///   - disks: Their disks in their surroundings, by name, if they are to be shown.
  init(_ reports: [SessionReport], _ disks: [String: DiskContext] = [:]) {
    sessions = reports.compactMap { report in
      report.session.map { SessionJSON($0, .full, report, disks) }
    }
  }
}

/// A session in JSON. The types of this file are apart from the model so that a change there cannot change the schema
/// unnoticed; what is nil is left out.
struct SessionJSON: Encodable {
  let id: UInt32
  let transport: String?
  let target: String?
  let targetPortalGroupTag: UInt16?
  let initiator: String?
  let interface: String?
  let state: String?
  let targetState: String?
  let creatorPort: Int32?
  let connection: ConnectionJSON?
  let host: HostJSON?
  let devices: [DeviceJSON]
  let timeouts: TimeoutsJSON?
  let negotiated: NegotiatedJSON?
  let authentication: AuthenticationJSON?
  let recovery: RecoveryJSON?
  let status: StatusJSON?
  let counters: [InitiatorTypes.Counter]?

  init(
    _ session: SessionSnapshot, _ detail: Sysfs.Detail, _ report: SessionReport? = nil,
    _ disks: [String: DiskContext] = [:]
  ) {
    recovery = report?.recovery.map(RecoveryJSON.init)
    status = report.map { StatusJSON($0.status) }
    counters = report?.counters
    id = session.id.rawValue
    transport = session.transport
    target = session.targetName
    targetPortalGroupTag = session.tag
    initiator = session.initiatorName
    interface = session.interfaceName
    state = session.state?.rawValue
    targetState = session.targetState?.rawValue
    creatorPort = session.creator
    connection = session.connection.map(ConnectionJSON.init)
    host = session.host.map(HostJSON.init)
    let items = report?.status.devices.map { ($0.device, $0.io) } ?? session.devices.map { ($0, nil) }
    devices = items.map { device, io in DeviceJSON(device, io, device.blockDevice.flatMap { disks[$0] }) }
    let isFull = detail == .full
    timeouts = isFull ? TimeoutsJSON(session) : nil
    negotiated = isFull ? NegotiatedJSON(session.negotiated) : nil
    authentication = isFull ? AuthenticationJSON(session) : nil
  }
}

/// A connection in JSON.
struct ConnectionJSON: Encodable {
  let id: UInt32
  let state: String?
  let portal: PortalJSON?
  let configuredPortal: PortalJSON?
  let localPort: UInt16?
  let expStatSN: UInt32?

  init(_ connection: ConnectionSnapshot) {
    id = connection.id.rawValue
    state = connection.state?.rawValue
    portal = connection.portal.map(PortalJSON.init)
    configuredPortal = connection.persistentPortal.map(PortalJSON.init)
    localPort = connection.localPort
    expStatSN = connection.expStatSN
  }
}

/// A portal in JSON; with its tag where that belongs to the portal and not to a session.
struct PortalJSON: Encodable, Hashable {
  let address: String
  let port: UInt16
  let targetPortalGroupTag: UInt16?

  /// Reads `host:port,tag`; nil for what is no portal.
  init?(_ text: String) {
    guard let portal = try? Portal(text) else { return nil }
    self.init(portal)
  }

  init(_ portal: Portal) {
    address = portal.host.description
    port = portal.port
    targetPortalGroupTag = portal.tag
  }
}

/// A SCSI host in JSON.
struct HostJSON: Encodable {
  let number: UInt32
  let driver: String?
  let state: String?
  let address: String?
  let hardwareAddress: String?
  let networkDevice: String?
  let initiator: String?
  let errorHandlingDeadlineSeconds: Int32?

  init(_ host: HostSnapshot) {
    errorHandlingDeadlineSeconds = host.errorHandlingDeadline
    number = host.number.rawValue
    driver = host.driver
    state = host.state
    address = host.ipAddress
    hardwareAddress = host.hardwareAddress
    networkDevice = host.networkDevice
    initiator = host.initiatorName
  }
}

/// A SCSI device in JSON.
struct DeviceJSON: Encodable {
  let address: String
  let lun: UInt64
  let state: String?
  let type: UInt8?
  let typeName: String?
  let vendor: String?
  let model: String?
  let revision: String?
  let blockDevice: String?
  let sizeBytes: UInt64?
  let timeoutSeconds: UInt32?
  let errorHandlingTimeoutSeconds: UInt32?
  let queueDepth: UInt32?
  let scheduler: String?
  let io: String?
  let disk: DiskJSON?

  init(_ device: DeviceSnapshot, _ io: IOState? = nil, _ disk: DiskContext? = nil) {
    self.io = io?.name
    self.disk = disk.map(DiskJSON.init)
    timeoutSeconds = device.timeout
    errorHandlingTimeoutSeconds = device.errorHandlingTimeout
    queueDepth = device.queueDepth
    scheduler = device.scheduler
    address = device.address
    lun = device.lun
    state = device.state
    type = device.type
    typeName = device.typeName
    vendor = device.vendor
    model = device.model
    revision = device.revision
    blockDevice = device.blockDevice
    sizeBytes = device.size
  }
}

/// A session's timeouts in JSON.
struct TimeoutsJSON: Encodable {
  let replacementTimeoutSeconds: Int32?
  let abortTimeoutSeconds: Int32?
  let luResetTimeoutSeconds: Int32?
  let targetResetTimeoutSeconds: Int32?
  let noopIntervalSeconds: UInt32?
  let noopTimeoutSeconds: UInt32?

  init(_ session: SessionSnapshot) {
    replacementTimeoutSeconds = session.replacementTimeout
    abortTimeoutSeconds = session.abortTimeout
    luResetTimeoutSeconds = session.luResetTimeout
    targetResetTimeoutSeconds = session.targetResetTimeout
    noopIntervalSeconds = session.connection?.noopInterval
    noopTimeoutSeconds = session.connection?.noopTimeout
  }
}

/// The negotiated parameters in JSON.
struct NegotiatedJSON: Encodable {
  let headerDigest: String?
  let dataDigest: String?
  let initialR2T: Bool?
  let immediateData: Bool?
  let firstBurstLengthBytes: UInt32?
  let maxBurstLengthBytes: UInt32?
  let maxRecvDataSegmentLengthBytes: UInt32?
  let maxXmitDataSegmentLengthBytes: UInt32?
  let maxOutstandingR2T: UInt16?
  let errorRecoveryLevel: UInt8?
  let dataPDUInOrder: Bool?
  let dataSequenceInOrder: Bool?

  init(_ negotiated: NegotiatedSnapshot) {
    headerDigest = negotiated.headerDigest?.rawValue
    dataDigest = negotiated.dataDigest?.rawValue
    initialR2T = negotiated.initialR2T
    immediateData = negotiated.immediateData
    firstBurstLengthBytes = negotiated.firstBurstLength
    maxBurstLengthBytes = negotiated.maxBurstLength
    maxRecvDataSegmentLengthBytes = negotiated.maxRecvDataSegmentLength
    maxXmitDataSegmentLengthBytes = negotiated.maxXmitDataSegmentLength
    maxOutstandingR2T = negotiated.maxOutstandingR2T
    errorRecoveryLevel = negotiated.errorRecoveryLevel
    dataPDUInOrder = negotiated.dataPDUInOrder
    dataSequenceInOrder = negotiated.dataSequenceInOrder
  }
}

/// The CHAP names in JSON; left out if there are none.
struct AuthenticationJSON: Encodable {
  let userName: String?
  let targetUserName: String?

  init?(_ session: SessionSnapshot) {
    guard session.userName != nil || session.userNameIn != nil else { return nil }
    userName = session.userName
    targetUserName = session.userNameIn
  }
}
