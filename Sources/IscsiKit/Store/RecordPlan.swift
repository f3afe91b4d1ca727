// SPDX-License-Identifier: Apache-2.0

/// Something to do to records, as a value. What comes of it depends on the records that there are.
public protocol RecordEdit: Sendable {
  /// Finds out what is to change; nothing is written.
  func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan
}

extension RecordDatabase {
  /// Makes the changes that an edit comes to, together and with nobody else's between.
  ///
  /// - Parameters:
  ///   - edit: What to do.
  ///   - isTrial: Whether nothing is written.
  /// - Returns: What was done, or would be, and what was refused.
  /// - Throws: What keeps the database from being read or written.
  public func carryOut(_ edit: some RecordEdit, isTrial: Bool = false) throws(DatabaseError) -> RecordPlan {
    if isTrial { return try edit.plan(on: self) }
    return try change { (changes) throws(DatabaseError) in
      let plan = try edit.plan(on: self)
      for step in plan.steps { try step.add(to: &changes) }
      return plan
    }
  }
}

/// What is done to records, a step a record.
public struct RecordPlan: Sendable {
  /// What is done to a record.
  public enum Action: String, Hashable, Sendable {
    /// It is new.
    case created
    /// It has other settings.
    case changed
    /// It is gone.
    case deleted
    /// It is as it should be already.
    case unchanged
  }

  /// A record, and what is done to it.
  public struct Step: Sendable {
    /// What is done.
    public let action: Action
    /// The record as it is then, or as it was before it was deleted.
    public let subject: RecordSubject
    /// The settings that change; of a new record those that differ from the defaults.
    public let settings: [SettingChange]
    fileprivate let work: Work
  }

  /// The steps, in their order.
  public private(set) var steps: [Step] = []
  /// What is not done, and why.
  public private(set) var refusals: [RecordRefusal] = []
  /// What is odd without being in the way: files that are no records, records that stay because they are in use.
  public private(set) var warnings: [String] = []

  /// Nothing.
  init() {}

  mutating func refuse(_ refusal: RecordRefusal) { refusals.append(refusal) }
  mutating func warn(_ text: String) { warnings.append(text) }
  mutating func warn(of problems: [RecordProblem]) { warnings += problems.map(\.description) }

  /// Tells what about a record's secrets works but should not be.
  mutating func warn(ofSecretsIn record: NodeRecord) {
    for warning in record.authentication.warnings { warn("\(RecordSubject.node(record)): \(warning)") }
  }

  /// Gives all up if anything was refused.
  mutating func settle() {
    if !refusals.isEmpty { steps = [] }
  }

  private mutating func add(_ action: Action, _ subject: RecordSubject, _ settings: [SettingChange], _ work: Work) {
    steps.append(Step(action: action, subject: subject, settings: settings, work: work))
  }

  // MARK: - Nodes

  /// A new record, over one that it replaces if there is one; `defaults` is what it is without its own settings.
  mutating func create(
    _ record: NodeRecord, from defaults: NodeRecord, over stored: RecordDatabase.Stored<NodeRecord>? = nil
  ) {
    if record.target.iscsiName == nil { warn("\(record.target): \(TargetName.Warning.noFormat)") }
    add(.created, .node(record), SettingChange.list(from: defaults, to: record), .saveNode(record, over: stored))
  }

  mutating func change(_ stored: RecordDatabase.Stored<NodeRecord>, to record: NodeRecord) {
    let settings = SettingChange.list(from: stored.record, to: record)
    if settings.isEmpty {
      add(.unchanged, .node(record), [], .none)
    } else {
      add(.changed, .node(record), settings, .saveNode(record, over: stored))
    }
  }

  /// Deletes a record, or refuses to if it is in use.
  mutating func delete(_ stored: RecordDatabase.Stored<NodeRecord>, unless uses: NodeUses) {
    if let session = uses.session(of: stored.record) { return refuse(.inUse(.node(stored.record), session)) }
    add(.deleted, .node(stored.record), [], .deleteNode(stored))
  }

  // MARK: - Interfaces

  mutating func create(_ record: InterfaceRecord) {
    let settings = SettingChange.list(from: InterfaceRecord(name: record.name), to: record)
    add(.created, .interface(record), settings, .saveInterface(record, over: nil))
  }

  mutating func change(_ stored: RecordDatabase.Stored<InterfaceRecord>, to record: InterfaceRecord) {
    let settings = SettingChange.list(from: stored.record, to: record)
    if settings.isEmpty {
      add(.unchanged, .interface(record), [], .none)
    } else {
      add(.changed, .interface(record), settings, .saveInterface(record, over: stored))
    }
  }

  mutating func delete(_ stored: RecordDatabase.Stored<InterfaceRecord>) {
    add(.deleted, .interface(stored.record), [], .deleteInterface(stored))
  }

  // MARK: - Discoveries

  /// A new record; `defaults` is what it is without its own settings.
  mutating func create(_ record: DiscoveryRecord, from defaults: DiscoveryRecord) {
    add(
      .created, .discovery(record), SettingChange.list(from: defaults, to: record), .saveDiscovery(record, over: nil))
  }

  mutating func change(_ stored: RecordDatabase.Stored<DiscoveryRecord>, to record: DiscoveryRecord) {
    let settings = SettingChange.list(from: stored.record, to: record)
    if settings.isEmpty {
      add(.unchanged, .discovery(record), [], .none)
    } else {
      add(.changed, .discovery(record), settings, .saveDiscovery(record, over: stored))
    }
  }

  /// Deletes a discovery with what it has found, but those in use.
  mutating func delete(
    _ stored: RecordDatabase.Stored<DiscoveryRecord>, finding nodes: [NodeRecord], unless uses: NodeUses
  ) {
    for node in nodes {
      if let session = uses.session(of: node) {
        warn("\(RecordSubject.node(node)) stays: session \(session) uses it")
      } else {
        // The discovery's own step does it.
        add(.deleted, .node(node), [], .none)
      }
    }
    add(.deleted, .discovery(stored.record), [], .deleteDiscovery(stored, uses))
  }
}

/// What a step writes.
private enum Work: Sendable {
  case none
  case saveNode(NodeRecord, over: RecordDatabase.Stored<NodeRecord>?)
  case deleteNode(RecordDatabase.Stored<NodeRecord>)
  case saveInterface(InterfaceRecord, over: RecordDatabase.Stored<InterfaceRecord>?)
  case deleteInterface(RecordDatabase.Stored<InterfaceRecord>)
  case saveDiscovery(DiscoveryRecord, over: RecordDatabase.Stored<DiscoveryRecord>?)
  case deleteDiscovery(RecordDatabase.Stored<DiscoveryRecord>, NodeUses)
}

extension RecordPlan.Step {
  fileprivate func add(to changes: inout RecordDatabase.Changes) throws(DatabaseError) {
    switch work {
    case .none: break
    case .saveNode(let record, let stored):
      // No record goes that has no step.
      changes.save(record, over: stored, dropsOlderForm: false)
    case .deleteNode(let stored): changes.delete(stored)
    case .saveInterface(let record, let stored): changes.save(record, over: stored)
    case .deleteInterface(let stored): changes.delete(stored)
    case .saveDiscovery(let record, let stored): changes.save(record, over: stored)
    case .deleteDiscovery(let stored, let uses):
      try changes.delete(stored) { uses.session(of: $0) != nil }
    }
  }
}
