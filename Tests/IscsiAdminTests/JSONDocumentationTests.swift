// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Testing

@testable import IscsiKit
@testable import iscsi_admin

/// docs/json.md against the documents that the commands print.
@Suite("Documentation of the JSON documents")
struct JSONDocumentationTests {
  private static let allKinds = [
    DiscoveryDocument.kind, LoginDocument.kind, LogoutDocument.kind, SessionListDocument.kind, SessionShowDocument.kind,
    RescanDocument.kind, SetDocument.kind, StatisticsDocument.kind, ProbeDocument.kind, VersionDocument.kind,
    NodeListDocument.kind, NodeShowDocument.kind, InterfaceListDocument.kind, InterfaceShowDocument.kind,
    SetSettingsDocument.kind, TuneDocument.kind, TimeoutListDocument.kind, ProfileListDocument.kind,
    DiscoveryListDocument.kind, DiscoveryShowDocument.kind, RecordChangesDocument.kind, InitiatorNameDocument.kind,
    ExplanationDocument.kind, RecoveryDocument.kind, BootPlanDocument.kind, BootNetworkDocument.kind,
    BootConnectDocument.kind, BootCheckDocument.kind,
  ]

  /// The section of what `monitor` prints, which is no document.
  private static let events = "Events"

  /// The keys that each section of the page explains, by the first word in its heading.
  ///
  /// A key stands in the first cell of a table's row.
  private func documentation() throws -> [String: Set<String>] {
    var sections: [String: Set<String>] = [:]
    var section = ""
    for line in try Golden.contents(Golden.root + "/docs/json.md").split(separator: "\n") {
      if line.hasPrefix("## ") {
        section = String(line.dropFirst(3).drop { $0 == "`" }.prefix { $0 != "`" && $0 != " " })
      } else if line.hasPrefix("| `") {
        let cell = line.dropFirst(2).prefix { $0 != "|" }
        sections[section, default: []].formUnion(cell.split { " `,".contains($0) }.map(String.init))
      }
    }
    return sections
  }

  /// The keys of a document's kind in all golden documents.
  private func printed() throws -> [String: Set<String>] {
    var keys: [String: Set<String>] = [:]
    for (name, text) in try Golden.documents() {
      let document = try JSONDecoder().decode(JSONTree.self, from: Data(text.utf8))
      guard case .object(let members) = document, case .text(let kind)? = members["kind"] else {
        Issue.record("\(name) has no kind")
        continue
      }
      #expect(members["version"] == .other, "\(name)")
      // Those with a point are the keys of records, which open-iscsi has named.
      keys[kind, default: []].formUnion(document.keys.filter { !$0.contains(".") })
    }
    let event = InitiatorTypes.Event(
      sequence: 1, time: 1, kind: "lost", session: 1, target: "t", portal: "p", message: "m", kernelError: 1,
      attempt: 1,
      nextAttempt: 1, outageSeconds: 1)
    keys[Self.events] = try JSONDecoder().decode(JSONTree.self, from: Data(try eventLine(event).utf8)).keys
    return keys
  }

  @Test("Every kind of document has an example and a section")
  func kinds() throws {
    #expect(try Set(printed().keys) == Set(Self.allKinds + [Self.events]))
    #expect(try Set(Self.allKinds).subtracting(documentation().keys).isEmpty)
  }

  @Test("Every key of every document, and of an event, is explained", arguments: allKinds + [events])
  func complete(kind: String) throws {
    let sections = try documentation()
    let shared = sections.filter { !Self.allKinds.contains($0.key) }.values.reduce(into: Set<String>()) {
      $0.formUnion($1)
    }
    let explained = shared.union(sections[kind] ?? [])
    #expect(try printed()[kind, default: []].subtracting(explained) == [])
  }

  @Test("No key is explained that no document has")
  func current() throws {
    let printed = try printed()
    let all = printed.values.reduce(into: Set<String>()) { $0.formUnion($1) }
    for (section, keys) in try documentation() {
      #expect(keys.subtracting(printed[section] ?? all) == [], "\(section)")
    }
  }
}

/// A JSON value as far as its keys matter.
private enum JSONTree: Decodable, Hashable {
  case object([String: JSONTree])
  case list([JSONTree])
  case text(String)
  case other

  init(from decoder: any Decoder) throws {
    if let members = try? [String: JSONTree](from: decoder) {
      self = .object(members)
    } else if let elements = try? [JSONTree](from: decoder) {
      self = .list(elements)
    } else if let text = try? String(from: decoder) {
      self = .text(text)
    } else {
      self = .other
    }
  }

  /// All keys within.
  var keys: Set<String> {
    switch self {
    case .object(let members): members.values.reduce(into: Set(members.keys)) { $0.formUnion($1.keys) }
    case .list(let elements): elements.reduce(into: Set<String>()) { $0.formUnion($1.keys) }
    case .text, .other: []
    }
  }
}
