// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The settings of a record in JSON, as its file has them.
func settingsJSON(of record: some KeyedRecord, showingSecrets: Bool) -> [String: String] {
  Dictionary(record.settings(includingSecrets: showingSecrets).map { ($0.key.name, $0.value) }) { $1 }
}

/// The record of a node in JSON.
struct NodeJSON: Encodable {
  struct Discovery: Encodable {
    let kind: String
    let address: String?
    let port: UInt16?
  }

  let target: String
  let portal: PortalJSON
  let interface: String
  let startup: String?
  let discovery: Discovery?
  let settings: [String: String]?

  /// What a listing has.
  init(listing record: NodeRecord) {
    target = record.target.description
    portal = PortalJSON(record.portal)
    interface = record.interface.name.description
    startup = record.startup.rawValue
    discovery = nil
    settings = nil
  }

  /// All of it.
  init(_ record: NodeRecord, showingSecrets: Bool) {
    target = record.target.description
    portal = PortalJSON(record.portal)
    interface = record.interface.name.description
    startup = nil
    discovery = Discovery(
      kind: record.discoveryKind.rawValue, address: record.discoveryAddress,
      port: record.discoveryAddress.map { _ in record.discoveryPort })
    settings = settingsJSON(of: record, showingSecrets: showingSecrets)
  }
}

/// `node list --json`.
struct NodeListDocument: JSONDocument {
  static let kind = "node-list"
  let nodes: [NodeJSON]

  init(_ nodes: [NodeRecord]) { self.nodes = nodes.map(NodeJSON.init(listing:)) }
}

/// `node show --json`, which `node apply` takes.
struct NodeShowDocument: JSONDocument {
  static let kind = "node-show"
  let nodes: [NodeJSON]

  init(_ nodes: [NodeRecord], showingSecrets: Bool) {
    self.nodes = nodes.map { NodeJSON($0, showingSecrets: showingSecrets) }
  }
}
