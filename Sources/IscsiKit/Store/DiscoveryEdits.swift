// SPDX-License-Identifier: Apache-2.0

/// Which discoveries somebody means; what is not given is any.
public struct DiscoveryQuery: Hashable, Sendable {
  /// The kind.
  public var kind: DiscoveryRecord.Kind?
  /// The portal that is asked; its tag does not count.
  public var portal: Portal?

  /// All discoveries, or those with this.
  public init(kind: DiscoveryRecord.Kind? = nil, portal: Portal? = nil) {
    self.kind = kind
    self.portal = portal
  }

  /// The records, by kind and portal.
  public func find(in database: RecordDatabase) throws(DatabaseError) -> RecordDatabase.Listing<DiscoveryRecord> {
    var listing = RecordDatabase.Listing<DiscoveryRecord>()
    for kind in kind.map({ [$0] }) ?? DiscoveryRecord.Kind.allCases {
      let found = try database.discoveries(kind, at: portal)
      listing.records += found.records
      listing.problems += found.problems
    }
    return listing
  }
}

/// Gives settings of discoveries other values, of all that are meant or of none.
public struct DiscoverySettingEdit: RecordEdit {
  private let selection: DiscoveryQuery
  private let assignments: Assignments

  /// An edit of these discoveries by these values.
  public init(of selection: DiscoveryQuery, _ assignments: Assignments) {
    self.selection = selection
    self.assignments = assignments
  }

  /// Refuses with `noDiscovery` or `setting`.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    let found = try selection.find(in: database)
    plan.warn(of: found.problems)
    if found.records.isEmpty { plan.refuse(.noDiscovery(selection.portal)) }
    do throws(RecordError) {
      for stored in found.records { plan.change(stored, to: try assignments.applied(to: stored.record)) }
    } catch {
      plan.refuse(.setting(error))
      plan.settle()
    }
    return plan
  }
}

/// Deletes discoveries with the nodes that they have found, but those in use.
public struct DiscoveryDeletionEdit: RecordEdit {
  private let selection: DiscoveryQuery
  private let uses: NodeUses

  /// An edit that deletes these discoveries.
  public init(of selection: DiscoveryQuery, unless uses: NodeUses) {
    self.selection = selection
    self.uses = uses
  }

  /// Refuses with `noDiscovery`. Nodes that are in use stay, with a warning.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    let found = try selection.find(in: database)
    plan.warn(of: found.problems)
    if found.records.isEmpty { plan.refuse(.noDiscovery(selection.portal)) }
    var finder = NodeFinder(in: database)
    for stored in found.records {
      var nodes: [NodeRecord] = []
      for (_, location) in try database.locations(from: .discovery(stored.record)) {
        if let node = try finder.node(at: location) { nodes.append(node.record) }
      }
      plan.delete(stored, finding: nodes, unless: uses)
    }
    return plan
  }
}
