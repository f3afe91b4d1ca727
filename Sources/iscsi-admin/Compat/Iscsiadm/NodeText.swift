// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import SystemPackage

/// Nodes as `iscsiadm` names them.
enum NodeText {
  /// How a portal group tag stands in a line.
  enum TagStyle {
    /// A tag that is not known is -1.
    case signed
    /// A tag that is not known is 4294967295.
    case unsigned
  }

  /// The line of a node: `10.0.0.1:3260,1 iqn...`.
  static func line(_ record: NodeRecord, tag: TagStyle) -> String { "\(portal(record.portal, tag)) \(record.target)\n" }

  /// Nodes by target, each portal with its interface; those of a target, and of a portal, behind its first.
  static func tree(_ records: [NodeRecord]) -> String {
    var tree = Tree(joinsPortals: true)
    return records.joinedByPortal.map { tree.lines(of: $0) }.joined()
  }

  /// Nodes by target, each portal with its interface. Consecutive nodes of a target are below one line.
  struct Tree {
    /// Whether consecutive nodes of a portal are below one line, too.
    private let joinsPortals: Bool
    private var last: (target: TargetName, portal: Portal)?

    init(joinsPortals: Bool = false) { self.joinsPortals = joinsPortals }

    /// The lines of the next node.
    mutating func lines(of record: NodeRecord) -> String {
      let isSameTarget = record.target == last?.target
      let isSamePortal = joinsPortals && isSameTarget && record.portal == last?.portal
      last = (record.target, record.portal)
      return (isSameTarget ? "" : "Target: \(record.target)\n")
        + (isSamePortal ? "" : "\tPortal: \(portal(record.portal, .signed))\n")
        + "\t\tIface Name: \(record.interface.name)\n"
    }
  }

  /// `10.0.0.1:3260,1`; what has no dot is taken for an IPv6 address.
  static func portal(_ portal: Portal, _ style: TagStyle) -> String {
    let unknown = style == .signed ? "-1" : "4294967295"
    return "\(address(portal)),\(portal.tag.map(String.init) ?? unknown)"
  }

  /// `10.0.0.1:3260`.
  static func address(_ portal: Portal) -> String { "\(portal.host.description.bracketed):\(portal.port)" }

  /// `[iface: default, target: iqn..., portal: 10.0.0.1,3260]`.
  static func label(_ record: NodeRecord) -> String {
    "[iface: \(record.interface.name), target: \(record.target), portal: \(record.portal.host),\(record.portal.port)]"
  }

  /// The same of a login, which may be one of several.
  static func label(_ login: NodeLogin) -> String {
    label(login.record) + (login.sessionCount > 1 ? " (multiple)" : "")
  }

  /// Why a record stays.
  static func refusedRemoval(_ record: NodeRecord) -> String {
    "This command will remove the record \(label(record)), but a session is using it. "
      + "Logout session then rerun command to remove record."
  }

  /// What an interface is told with that a discovery is to use and that there is not.
  static func noInterface(_ name: String, _ database: RecordDatabase) -> String {
    "Could not read iface info for \(name). Make sure an iface config with the file name and "
      + "iface.iscsi_ifacename \(name) is in \(database.root.appending("ifaces"))."
  }

  /// What a record that was made is told with.
  static func added(_ record: NodeRecord) -> String {
    let interface = record.interface
    let binding =
      "hw=\(interface.hardwareAddress ?? ""),ip=\(interface.address ?? ""),net_if=\(interface.networkDevice ?? ""),"
      + "iscsi_if=\(interface.name)"
    let portal = "\(record.portal.host),\(record.portal.port),\(record.portal.tag.map(String.init) ?? "-1")"
    return "New iSCSI node [\(interface.transport):[\(binding)] \(portal) \(record.target)] added\n"
  }
}

extension [NodeRecord] {
  /// The records with those of a target, and of a portal, behind its first.
  fileprivate var joinedByPortal: [NodeRecord] {
    func groups<Key: Hashable>(_ records: [NodeRecord], by key: (NodeRecord) -> Key) -> [[NodeRecord]] {
      var (places, groups): ([Key: Int], [[NodeRecord]]) = ([:], [])
      for record in records {
        if let place = places[key(record)] {
          groups[place].append(record)
        } else {
          places[key(record)] = groups.count
          groups.append([record])
        }
      }
      return groups
    }
    return groups(self, by: \.target).flatMap { groups($0, by: \.portal).joined() }
  }
}
