// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// Discoveries as `iscsiadm` lists them.
enum DiscoveryText {
  /// All discoveries with what they have found, and the nodes that none has found.
  static func tree(_ discoveries: [DiscoveryRecord], _ nodes: [NodeRecord]) -> String {
    func found(by discovery: DiscoveryRecord) -> [NodeRecord] {
      nodes.filter {
        $0.discoveryKind == (discovery.kind == .isns ? .isns : .sendTargets)
          && $0.discoveryAddress == discovery.host.description && $0.discoveryPort == discovery.port
          // Records in the older form are not linked to their discovery.
          && $0.portal.tag != nil
      }
    }
    func section(_ title: String, _ kind: DiscoveryRecord.Kind) -> String {
      let lines = discoveries.filter { $0.kind == kind }.map { discovery in
        "DiscoveryAddress: \(discovery.host),\(discovery.port)\n"
          + NodeText.tree(found(by: discovery), joinsPortals: true)
      }
      return "\(title):\n" + (lines.isEmpty ? none : lines.joined())
    }
    func section(_ title: String, _ kind: NodeRecord.DiscoveryKind) -> String {
      let made = nodes.filter { $0.discoveryKind == kind && $0.portal.tag != nil }
      return "\(title):\n" + (made.isEmpty ? none : NodeText.tree(made, joinsPortals: true))
    }
    // Discoveries by iSNS seldom have records.
    let isns =
      discoveries.contains { $0.kind == .isns }
      ? section("iSNS", DiscoveryRecord.Kind.isns) : section("iSNS", NodeRecord.DiscoveryKind.isns)
    return section("SENDTARGETS", DiscoveryRecord.Kind.sendTargets) + isns + section("STATIC", .byHand)
      + section("FIRMWARE", .firmware)
  }

  private static let none = "No targets found.\n"
}
