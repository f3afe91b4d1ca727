// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `discover --json`.
struct DiscoveryDocument: JSONDocument {
  static let kind = "discovery"

  struct Target: Encodable {
    let name: String
    let portals: [PortalJSON]
    let warnings: [String]
  }

  struct Refusal: Encodable {
    let text: String
    let reason: String
  }

  let portal: PortalJSON
  let targets: [Target]
  let refused: [Refusal]
  let refusedCount: Int

  init(_ answer: InitiatorTypes.Discovery, at portal: Portal) {
    self.portal = PortalJSON(portal)
    targets = answer.targets.map { target in
      Target(name: target.name, portals: target.portals.compactMap(PortalJSON.init), warnings: target.warnings)
    }
    refused = answer.refused.map { Refusal(text: $0.text, reason: $0.reason) }
    refusedCount = answer.refusedCount
  }
}

/// `login --json`.
struct LoginDocument: JSONDocument {
  static let kind = "login"

  struct Login: Encodable {
    let session: UInt32
    let host: UInt32
    let target: String
    let portal: PortalJSON?
    let targetAlias: String?
    let chapAlgorithm: String?
    let devices: [DeviceJSON]
  }

  let logins: [Login]

  init(_ sessions: [InitiatorTypes.LoggedIn]) {
    logins = sessions.map { session in
      Login(
        session: session.session, host: session.host, target: session.target, portal: PortalJSON(session.portal),
        targetAlias: session.targetAlias, chapAlgorithm: session.chapAlgorithm,
        devices: session.devices.compactMap(\.snapshot).map { DeviceJSON($0) })
    }
  }
}

/// `logout --json`.
struct LogoutDocument: JSONDocument {
  static let kind = "logout"

  struct Logout: Encodable {
    let session: UInt32
    let target: String?
    let portal: PortalJSON?
    let problems: [String]
  }

  let logouts: [Logout]

  init(_ results: [InitiatorTypes.LogoutResult]) {
    logouts = results.map { result in
      Logout(
        session: result.session, target: result.target, portal: result.portal.flatMap(PortalJSON.init),
        problems: result.problems)
    }
  }
}

/// `session rescan --json`.
struct RescanDocument: JSONDocument {
  static let kind = "session-rescan"

  struct Rescan: Encodable {
    let session: UInt32
    let devices: [DeviceJSON]
  }

  let sessions: [Rescan]

  init(_ rescanned: [(SessionID, [DeviceSnapshot])]) {
    sessions = rescanned.map { Rescan(session: $0.rawValue, devices: $1.map { DeviceJSON($0) }) }
  }
}

/// `probe --json`.
struct ProbeDocument: JSONDocument {
  static let kind = "probe"

  struct Unit: Encodable {
    let lun: UInt64
    let type: UInt8?
    let typeName: String?
    let state: String?
    let vendor: String?
    let model: String?
    let revision: String?
    let serialNumber: String?
    let identifier: String?
    let sizeBytes: UInt64?
    let logicalBlockSizeBytes: UInt32?
    let physicalBlockSizeBytes: UInt32?
    let thinProvisioned: Bool?
    let writeProtected: Bool?
    let removable: Bool?
    let accessState: String?
    let accessPreferred: Bool?
    let targetPortGroup: UInt16?
    let readMicroseconds: Int64?

    init(_ unit: ProbeReport.Unit) {
      let found = unit.description
      lun = unit.lun.linuxNumber
      type = found?.type.rawValue
      typeName = found?.type.description
      state = found?.state
      vendor = found?.vendor
      model = found?.product
      revision = found?.revision
      serialNumber = found?.serialNumber
      identifier = found?.identifier?.description
      sizeBytes = found?.size
      logicalBlockSizeBytes = found?.logicalBlockSize
      physicalBlockSizeBytes = found?.physicalBlockSize
      thinProvisioned = found?.isThinProvisioned
      writeProtected = found?.isWriteProtected
      removable = found?.isRemovable
      accessState = found?.access?.state?.description
      accessPreferred = found?.access?.isPreferred
      targetPortGroup = found?.access?.portGroup
      readMicroseconds = unit.readMicroseconds
    }
  }

  let target: String
  let portal: PortalJSON
  let units: [Unit]

  init(_ report: ProbeReport) {
    target = report.target.description
    portal = PortalJSON(report.portal)
    units = report.units.map(Unit.init)
  }
}

/// `version --json`.
struct VersionDocument: JSONDocument {
  static let kind = "version"
  let programVersion: String
}
