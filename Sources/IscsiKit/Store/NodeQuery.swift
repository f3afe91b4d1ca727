// SPDX-License-Identifier: Apache-2.0

/// Which nodes somebody means; what is not given is any.
public struct NodeQuery: Hashable, Sendable, CustomStringConvertible {
  /// The targets; none is any.
  public var targets: [TargetName]
  /// The portal. Without a tag it is each of its host and port.
  public var portal: Portal?
  /// The interface.
  public var interface: InterfaceName?

  /// All nodes, or those with this.
  public init(targets: [TargetName] = [], portal: Portal? = nil, interface: InterfaceName? = nil) {
    self.targets = targets
    self.portal = portal
    self.interface = interface
  }

  /// Whether all nodes are meant.
  public var isAll: Bool { targets.isEmpty && portal == nil && interface == nil }

  /// `a node at 10.0.0.1:3260 over eth1`.
  public var description: String {
    (targets.isEmpty ? "a node" : targets.map(\.description).joined(separator: ", "))
      + (portal.map { " at \($0)" } ?? "") + (interface.map { " over \($0)" } ?? "")
  }

  /// Finds the nodes. The records of targets that are not named are not read.
  ///
  /// - Returns: The records in the order of the database, or of the targets; the files that are none; and `noNode` for
  ///   each target that has none, or for all.
  /// - Throws: `failed` for a folder that cannot be read.
  public func find(
    in database: RecordDatabase
  ) throws(DatabaseError) -> (nodes: RecordDatabase.Listing<NodeRecord>, missing: [RecordRefusal]) {
    var listing = RecordDatabase.Listing<NodeRecord>()
    var missing: [RecordRefusal] = []
    var known: Set<TargetName?> = []
    let wanted: [TargetName?] = targets.isEmpty ? [nil] : targets
    for target in wanted where known.insert(target).inserted {
      var found = try database.nodes(
        .init(target: target, host: portal?.host, port: portal?.port, interface: interface))
      if let tag = portal?.tag { found.records.removeAll { $0.record.portal.tag != tag } }
      listing.records += found.records
      listing.problems += found.problems
      if found.records.isEmpty {
        missing.append(.noNode(NodeQuery(targets: target.map { [$0] } ?? [], portal: portal, interface: interface)))
      }
    }
    return (listing, missing)
  }
}
