// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The record of an interface in JSON.
struct InterfaceJSON: Encodable {
  let name: String
  let transport: String
  let networkDevice: String?
  let hardwareAddress: String?
  let address: String?
  let initiator: String?
  let settings: [String: String]?

  init(_ record: InterfaceRecord, withSettings: Bool) {
    name = record.name.description
    transport = record.transport
    networkDevice = record.networkDevice
    hardwareAddress = record.hardwareAddress
    address = record.address
    initiator = record.initiatorName
    settings = withSettings ? settingsJSON(of: record, showingSecrets: false) : nil
  }
}

/// `iface list --json`.
struct InterfaceListDocument: JSONDocument {
  static let kind = "iface-list"
  let interfaces: [InterfaceJSON]

  init(_ interfaces: [InterfaceRecord]) { self.interfaces = interfaces.map { InterfaceJSON($0, withSettings: false) } }
}

/// `iface show --json`.
struct InterfaceShowDocument: JSONDocument {
  static let kind = "iface-show"
  let interfaces: [InterfaceJSON]

  init(_ interfaces: [InterfaceRecord]) { self.interfaces = interfaces.map { InterfaceJSON($0, withSettings: true) } }
}

/// The record of a discovery in JSON.
struct DiscoveryRecordJSON: Encodable {
  let discoveryKind: String
  let portal: PortalJSON
  let startup: String?
  let settings: [String: String]?

  /// What a listing has.
  init(listing record: DiscoveryRecord) {
    discoveryKind = record.kind.rawValue
    portal = PortalJSON(record.portal)
    startup = record.startup.rawValue
    settings = nil
  }

  /// All of it.
  init(_ record: DiscoveryRecord, showingSecrets: Bool) {
    discoveryKind = record.kind.rawValue
    portal = PortalJSON(record.portal)
    startup = nil
    settings = settingsJSON(of: record, showingSecrets: showingSecrets)
  }
}

/// `discovery list --json`.
struct DiscoveryListDocument: JSONDocument {
  static let kind = "discovery-list"
  let discoveries: [DiscoveryRecordJSON]

  init(_ discoveries: [DiscoveryRecord]) { self.discoveries = discoveries.map(DiscoveryRecordJSON.init(listing:)) }
}

/// `discovery show --json`.
struct DiscoveryShowDocument: JSONDocument {
  static let kind = "discovery-show"
  let discoveries: [DiscoveryRecordJSON]

  init(_ discoveries: [DiscoveryRecord], showingSecrets: Bool) {
    self.discoveries = discoveries.map { DiscoveryRecordJSON($0, showingSecrets: showingSecrets) }
  }
}
