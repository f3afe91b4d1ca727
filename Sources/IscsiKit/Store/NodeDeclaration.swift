// SPDX-License-Identifier: Apache-2.0

/// A node as somebody wants it: which one, and the settings that matter. What is not declared stays as it is, or is as
/// configured in a new record.
public struct NodeDeclaration: Hashable, Sendable {
  /// The target.
  public let target: TargetName
  /// The portal. Without a tag it is each of its host and port.
  public let portal: Portal
  /// The interface.
  public let interface: InterfaceName
  /// The settings.
  public let settings: Assignments

  /// A declaration from its parts.
  public init(
    _ target: TargetName, at portal: Portal, over interface: InterfaceName = .standard,
    settings: Assignments = Assignments()
  ) {
    self.target = target
    self.portal = portal
    self.interface = interface
    self.settings = settings
  }

  /// What a node is known by; its tag is apart, since it need not be known.
  struct Key: Hashable {
    let target: TargetName
    let host: PortalHost
    let port: UInt16
    let interface: InterfaceName

    init(of record: NodeRecord) {
      target = record.target
      host = record.portal.host
      port = record.portal.port
      interface = record.interface.name
    }

    init(of declaration: NodeDeclaration) {
      target = declaration.target
      host = declaration.portal.host
      port = declaration.portal.port
      interface = declaration.interface
    }
  }

  /// Whether this record is meant: an unknown tag is like any.
  func means(_ record: NodeRecord) -> Bool {
    Key(of: record) == Key(of: self)
      && (portal.tag == nil || record.portal.tag == nil || portal.tag == record.portal.tag)
  }

  /// The records that are meant among those of the same key: with a tag the one that has it, or else one whose tag is not
  /// known.
  func choose(from records: [RecordDatabase.Stored<NodeRecord>]) -> [RecordDatabase.Stored<NodeRecord>] {
    guard let tag = portal.tag else { return records }
    let exact = records.filter { $0.record.portal.tag == tag }
    return exact.isEmpty ? records.filter { $0.record.portal.tag == nil } : exact
  }

  /// A record that is there, as declared.
  func applied(to record: NodeRecord) throws(RecordError) -> NodeRecord {
    var record = try settings.applied(to: record)
    record.portal.tag = portal.tag ?? record.portal.tag
    return record
  }

  /// A new record, without the settings that are declared and with them; or `noInterface`, or `setting`.
  func records(
    _ configuration: InitiatorConfiguration, in database: RecordDatabase
  ) throws(DatabaseError) -> Result<(defaults: NodeRecord, record: NodeRecord), RecordRefusal> {
    var bound = InterfaceRecord.builtIn.first { $0.name == interface }
    if bound == nil { bound = try database.interfaces(interface).records.first?.record }
    guard let bound else { return .failure(.noInterface(interface)) }
    let defaults = configuration.node(target, at: portal, over: bound)
    do throws(RecordError) {
      return .success((defaults, try settings.applied(to: defaults)))
    } catch {
      return .failure(.setting(error))
    }
  }
}

/// The nodes that are to be.
public struct NodeDeclarations: RecordEdit {
  /// How the records are brought to what is declared.
  public struct Options: Sendable {
    /// Where what is not declared of new records comes from.
    public var configuration: InitiatorConfiguration
    /// Whether records of nodes are deleted that are not declared.
    public var isPruning = false
    /// Which of those are in use and cannot be deleted.
    public var uses = NodeUses([])

    /// With this configuration, and without pruning.
    public init(configuration: InitiatorConfiguration) { self.configuration = configuration }
  }

  private let nodes: [NodeDeclaration]
  private let options: Options

  /// An edit that makes the nodes what is declared.
  public init(_ nodes: [NodeDeclaration], _ options: Options) {
    self.nodes = nodes
    self.options = options
  }

  /// Refuses with `declaredTwice`, `setting`, `noInterface` or `inUse`, and then all.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    let existing = try existing(in: database, &plan)
    // What has been declared is there for what is declared after it, which may mean the same without its tag.
    var known = existing
    let places = Dictionary(existing.values.joined().map { (NodeLocation(of: $0.record), $0.record) }) { $1 }
    // Where records are that are declared; some have been there.
    var declared: Set<NodeLocation> = []
    for node in nodes {
      let key = NodeDeclaration.Key(of: node)
      let matches = node.choose(from: known[key, default: []])
      guard !matches.isEmpty else {
        let new = try plan.create(node, options.configuration, in: database, places, &declared)
        if let new { known[key, default: []].append(new) }
        continue
      }
      guard matches.allSatisfy({ declared.insert(NodeLocation(of: $0.record)).inserted }) else {
        plan.refuse(.declaredTwice(.node(node.identity)))
        continue
      }
      do throws(RecordError) {
        for stored in matches { plan.change(stored, to: try node.applied(to: stored.record)) }
      } catch {
        plan.refuse(.setting(error))
      }
    }
    if options.isPruning {
      let others = existing.values.joined().filter { !declared.contains(NodeLocation(of: $0.record)) }
      for stored in others.sorted(by: { $0.path.lexicographicallyPrecedes($1.path) }) {
        plan.delete(stored, unless: options.uses)
      }
    }
    plan.settle()
    return plan
  }

  /// The records of the targets that are declared, or all if others are to go.
  private func existing(
    in database: RecordDatabase, _ plan: inout RecordPlan
  ) throws(DatabaseError) -> [NodeDeclaration.Key: [RecordDatabase.Stored<NodeRecord>]] {
    let targets = Set(nodes.map(\.target)).sorted()
    var records: [RecordDatabase.Stored<NodeRecord>] = []
    // No target is all targets, which is not meant here.
    if options.isPruning || !targets.isEmpty {
      let found = try NodeQuery(targets: options.isPruning ? [] : targets).find(in: database)
      records = found.nodes.records
      plan.warn(of: found.nodes.problems)
    }
    return Dictionary(grouping: records) { NodeDeclaration.Key(of: $0.record) }
  }
}

extension RecordPlan {
  /// Adds a declared record that is not there.
  ///
  /// - Parameters:
  ///   - node: What is declared.
  ///   - configuration: Where its other settings come from.
  ///   - database: Where its interface is.
  ///   - places: The records that are there: one without a tag has the place of all interfaces.
  ///   - declared: Where declared records are.
  /// - Returns: The record; nil if it is refused.
  /// - Throws: What keeps the database from being read.
  fileprivate mutating func create(
    _ node: NodeDeclaration, _ configuration: InitiatorConfiguration, in database: RecordDatabase,
    _ places: [NodeLocation: NodeRecord], _ declared: inout Set<NodeLocation>
  ) throws(DatabaseError) -> RecordDatabase.Stored<NodeRecord>? {
    switch try node.records(configuration, in: database) {
    case .failure(let refusal): refuse(refusal)
    case .success(let (defaults, record)):
      let location = NodeLocation(of: record)
      if let other = places[location] {
        refuse(.exists(.node(other)))
      } else if declared.insert(location).inserted {
        create(record, from: defaults)
        return .init(record: record, text: RecordText(), path: location.path)
      } else {
        refuse(.declaredTwice(.node(node.identity)))
      }
    }
    return nil
  }
}

extension NodeDeclaration {
  /// A record by what it is known by.
  fileprivate var identity: NodeRecord {
    var record = NodeRecord(target: target, portal: portal)
    record.interface.name = interface
    return record
  }
}
