// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// Discoveries as `iscsiadm` lists them.
enum DiscoveryText {
  /// A discovery with what it has found.
  typealias Found = (discovery: DiscoveryRecord, nodes: [NodeRecord])

  /// All discoveries with what they have found, and the nodes that none has found.
  ///
  /// - Parameters:
  ///   - discoveries: The discoveries that have a record.
  ///   - isns: What iSNS servers without a record have found; left out where another one has a record.
  ///   - byHand: What was made by hand.
  ///   - firmware: What is from the boot firmware.
  /// - Returns: The text.
  static func tree(
    _ discoveries: [Found], isns: [NodeRecord], byHand: [NodeRecord], firmware: [NodeRecord]
  ) -> String {
    func section(_ title: String, _ kind: DiscoveryRecord.Kind) -> String {
      let lines = discoveries.filter { $0.discovery.kind == kind }.map { discovery, nodes in
        "DiscoveryAddress: \(discovery.address),\(discovery.port)\n" + NodeText.tree(nodes)
      }
      return "\(title):\n" + (lines.isEmpty ? none : lines.joined())
    }
    func section(_ title: String, _ nodes: [NodeRecord]) -> String {
      "\(title):\n" + (nodes.isEmpty ? none : NodeText.tree(nodes))
    }
    let hasServer = discoveries.contains { $0.discovery.kind == .isns }
    return section("SENDTARGETS", .sendTargets) + (hasServer ? section("iSNS", .isns) : section("iSNS", isns))
      + section("STATIC", byHand) + section("FIRMWARE", firmware)
  }

  private static let none = "No targets found.\n"
}
