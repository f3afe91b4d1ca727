// SPDX-License-Identifier: Apache-2.0

/// Gives settings of nodes other values: one that no record takes changes none, and a node that is not there keeps no other
/// from its change.
public struct NodeSettingEdit: RecordEdit {
  private let selection: NodeQuery
  private let assignments: Assignments

  /// An edit of these nodes by these values.
  public init(of selection: NodeQuery, _ assignments: Assignments) {
    self.selection = selection
    self.assignments = assignments
  }

  /// Refuses with `setting` what no record takes, and with `noNode` what is not there.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    let found = try selection.find(in: database)
    plan.warn(of: found.nodes.problems)
    do throws(RecordError) {
      for stored in found.nodes.records {
        let record = try assignments.applied(to: stored.record)
        if record.authentication != stored.record.authentication { plan.warn(ofSecretsIn: record) }
        plan.change(stored, to: record)
      }
    } catch {
      // One for all: it is not a matter of the record.
      plan.refuse(.setting(error))
      plan.settle()
    }
    found.missing.forEach { plan.refuse($0) }
    return plan
  }
}

/// Makes the record of a node.
public struct NodeCreationEdit: RecordEdit {
  private let declaration: NodeDeclaration
  private let configuration: InitiatorConfiguration
  private let isReplacing: Bool

  /// An edit that makes a record.
  ///
  /// - Parameters:
  ///   - declaration: The node and its settings.
  ///   - configuration: Where its other settings come from.
  ///   - isReplacing: Whether a record that is there is replaced, with all its settings.
  public init(_ declaration: NodeDeclaration, configuration: InitiatorConfiguration, isReplacing: Bool = false) {
    self.declaration = declaration
    self.configuration = configuration
    self.isReplacing = isReplacing
  }

  /// Refuses with `exists`, `noInterface` or `setting`.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    let portal = declaration.portal
    let listing = try database.nodes(.init(target: declaration.target, host: portal.host, port: portal.port))
    plan.warn(of: listing.problems)
    switch try declaration.records(configuration, in: database) {
    case .failure(let refusal): plan.refuse(refusal)
    case .success(var (defaults, record)):
      let meant = declaration.choose(from: listing.records.filter { declaration.means($0.record) }).first
      // Without tags a portal has one record, whatever its interface.
      let stored = meant ?? listing.records.first { NodeLocation(of: $0.record) == NodeLocation(of: record) }
      let tag = declaration.portal.tag ?? stored?.record.portal.tag
      (defaults.portal.tag, record.portal.tag) = (tag, tag)
      if let stored, !isReplacing {
        plan.refuse(.exists(.node(stored.record)))
      } else {
        plan.warn(ofSecretsIn: record)
        plan.create(record, from: defaults, over: stored)
      }
    }
    return plan
  }
}

/// Deletes records of nodes, but those in use.
public struct NodeDeletionEdit: RecordEdit {
  private let selection: NodeQuery
  private let uses: NodeUses

  /// An edit that deletes these nodes.
  public init(of selection: NodeQuery, unless uses: NodeUses) {
    self.selection = selection
    self.uses = uses
  }

  /// Refuses with `inUse` and `noNode`; the others are deleted.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    let found = try selection.find(in: database)
    plan.warn(of: found.nodes.problems)
    for stored in found.nodes.records { plan.delete(stored, unless: uses) }
    found.missing.forEach { plan.refuse($0) }
    return plan
  }
}

/// Gives settings of the records that sessions go by, or that name targets, other values. What has no record needs none.
struct TuningEdit: RecordEdit {
  /// The targets whose records are all meant; nil is every target.
  let targets: [TargetName]?
  /// The sessions whose own records are meant too.
  let sessions: [SessionSnapshot]
  /// The values.
  let assignments: Assignments

  /// Refuses with `setting` what no record takes.
  func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    let names = targets.map { $0 + sessions.compactMap { $0.targetName.flatMap { try? TargetName($0) } } }
    // None is any to a query.
    guard names?.isEmpty != true else { return plan }
    let found = try NodeQuery(targets: names ?? []).find(in: database).nodes
    plan.warn(of: found.problems)
    let uses = NodeUses(sessions)
    do throws(RecordError) {
      for stored in found.records {
        let isNamed = targets?.contains(stored.record.target) ?? true
        guard isNamed || uses.session(of: stored.record) != nil else { continue }
        plan.change(stored, to: try assignments.applied(to: stored.record))
      }
    } catch {
      plan.refuse(.setting(error))
      plan.settle()
    }
    return plan
  }
}
