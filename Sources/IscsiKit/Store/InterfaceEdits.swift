// SPDX-License-Identifier: Apache-2.0

/// Makes the record of an interface.
public struct InterfaceCreationEdit: RecordEdit {
  private let name: InterfaceName
  private let assignments: Assignments

  /// An edit that makes an interface with these settings.
  public init(_ name: InterfaceName, _ assignments: Assignments) {
    self.name = name
    self.assignments = assignments
  }

  /// Refuses with `builtIn`, `exists` or `setting`.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    guard !InterfaceRecord.builtIn.contains(where: { $0.name == name }) else {
      plan.refuse(.builtIn(name))
      return plan
    }
    let found = try database.interfaces(name)
    plan.warn(of: found.problems)
    if let stored = found.records.first {
      plan.refuse(.exists(.interface(stored.record)))
      return plan
    }
    do throws(RecordError) {
      plan.create(try assignments.applied(to: InterfaceRecord(name: name)))
    } catch {
      plan.refuse(.setting(error))
    }
    return plan
  }
}

/// Gives settings of an interface other values, also in the copies that the records of nodes over it have.
public struct InterfaceSettingEdit: RecordEdit {
  private let name: InterfaceName
  private let assignments: Assignments

  /// An edit of this interface by these values.
  public init(of name: InterfaceName, _ assignments: Assignments) {
    self.name = name
    self.assignments = assignments
  }

  /// Refuses with `builtIn`, `noInterface` or `setting`.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    guard let stored = try plan.find(name, in: database) else { return plan }
    let nodes = try plan.nodes(over: name, in: database)
    do throws(RecordError) {
      plan.change(stored, to: try assignments.applied(to: stored.record))
      for node in nodes {
        let interface = try assignments.applied(to: node.record.interface)
        var record = node.record
        record.interface = interface
        plan.change(node, to: record)
      }
    } catch {
      plan.refuse(.setting(error))
      plan.settle()
    }
    return plan
  }
}

/// Deletes an interface, and the nodes over it.
public struct InterfaceDeletionEdit: RecordEdit {
  private let name: InterfaceName
  private let uses: NodeUses

  /// An edit that deletes this interface.
  public init(of name: InterfaceName, unless uses: NodeUses) {
    self.name = name
    self.uses = uses
  }

  /// Refuses with `builtIn`, `noInterface` or, for a node over it, `inUse`; then nothing is deleted.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    guard let stored = try plan.find(name, in: database) else { return plan }
    for node in try plan.nodes(over: name, in: database) { plan.delete(node, unless: uses) }
    plan.delete(stored)
    plan.settle()
    return plan
  }
}

extension RecordPlan {
  /// The record of an interface that can be changed; else the plan says why there is none.
  fileprivate mutating func find(
    _ name: InterfaceName, in database: RecordDatabase
  ) throws(DatabaseError) -> RecordDatabase.Stored<InterfaceRecord>? {
    guard !InterfaceRecord.builtIn.contains(where: { $0.name == name }) else {
      refuse(.builtIn(name))
      return nil
    }
    let found = try database.interfaces(name)
    warn(of: found.problems)
    if found.records.isEmpty { refuse(.noInterface(name)) }
    return found.records.first
  }

  /// The records of nodes over an interface.
  fileprivate mutating func nodes(
    over name: InterfaceName, in database: RecordDatabase
  ) throws(DatabaseError) -> [RecordDatabase.Stored<NodeRecord>] {
    let found = try database.nodes(.init(interface: name))
    warn(of: found.problems)
    return found.records
  }
}
