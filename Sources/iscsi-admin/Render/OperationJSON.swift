// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `discover --json`.
struct DiscoveryDocument: JSONDocument {
  static let kind = "discovery"

  struct Target: Encodable {
    let name: String
    let portals: [TaggedPortalJSON]
    let warnings: [String]
  }

  struct Refusal: Encodable {
    let text: String
    let reason: String
  }

  let portal: String
  let targets: [Target]
  let refused: [Refusal]

  init(_ answer: SendTargetsResponse, at portal: Portal) {
    self.portal = portal.address
    targets = answer.targets.map { target in
      Target(
        name: target.name.description, portals: target.portals.map(TaggedPortalJSON.init),
        warnings: target.warnings.map(\.description))
    }
    refused = answer.refused.map { Refusal(text: $0.text, reason: $0.reason.description) }
  }
}

/// A portal with its tag in JSON.
struct TaggedPortalJSON: Encodable {
  let address: String
  let port: UInt16
  let targetPortalGroupTag: UInt16?

  init(_ portal: Portal) {
    address = portal.host.description
    port = portal.port
    targetPortalGroupTag = portal.tag
  }
}

/// `login --json`.
struct LoginDocument: JSONDocument {
  static let kind = "login"

  struct Login: Encodable {
    let session: UInt32
    let host: UInt32
    let target: String
    let portal: TaggedPortalJSON
    let targetAlias: String?
    let chapAlgorithm: String?
    let devices: [DeviceJSON]
  }

  let logins: [Login]

  init(_ reports: [LoginReport]) {
    logins = reports.map { report in
      var portal = report.portal
      portal.tag = report.login.tag ?? portal.tag
      return Login(
        session: report.session.rawValue, host: report.host.rawValue, target: report.target.description,
        portal: TaggedPortalJSON(portal), targetAlias: report.login.targetAlias,
        chapAlgorithm: report.login.algorithm?.description, devices: report.devices.map(DeviceJSON.init))
    }
  }
}

/// `logout --json`.
struct LogoutDocument: JSONDocument {
  static let kind = "logout"

  struct Logout: Encodable {
    let session: UInt32
    let target: String?
    let portal: TaggedPortalJSON?
    let problems: [String]
  }

  let logouts: [Logout]

  init(_ reports: [LogoutReport]) {
    logouts = reports.map { report in
      Logout(
        session: report.session.rawValue, target: report.target, portal: report.portal.map(TaggedPortalJSON.init),
        problems: report.problems.map(\.description))
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
    sessions = rescanned.map { Rescan(session: $0.rawValue, devices: $1.map(DeviceJSON.init)) }
  }
}
