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
  func means(_ record: NodeRecord) -> Bool { Key(of: record) == Key(of: self) && hasTag(of: record) }

  /// Whether the tags do not tell the two apart.
  func hasTag(of record: NodeRecord) -> Bool {
    portal.tag == nil || record.portal.tag == nil || portal.tag == record.portal.tag
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
    var known: Set<NodeDeclaration> = []
    let existing = try existing(in: database, &plan)
    var kept: Set<NodeLocation> = []
    for node in nodes {
      let key = NodeDeclaration(node.target, at: node.portal, over: node.interface)
      let matches = existing[NodeDeclaration.Key(of: node), default: []].filter { node.hasTag(of: $0.record) }
      let isNew = matches.allSatisfy { kept.insert(NodeLocation(of: $0.record)).inserted }
      guard known.insert(key).inserted, isNew else {
        plan.refuse(.declaredTwice(.node(NodeRecord(target: node.target, portal: node.portal, over: node.interface))))
        continue
      }
      if matches.isEmpty {
        switch try node.records(options.configuration, in: database) {
        case .success(let (defaults, record)): plan.create(record, from: defaults)
        case .failure(let refusal): plan.refuse(refusal)
        }
      } else {
        do throws(RecordError) {
          for stored in matches { plan.change(stored, to: try node.applied(to: stored.record)) }
        } catch {
          plan.refuse(.setting(error))
        }
      }
    }
    if options.isPruning {
      for stored in existing.values.joined().sorted(by: { $0.path.lexicographicallyPrecedes($1.path) })
      where !kept.contains(NodeLocation(of: stored.record)) {
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
      let found = try NodeSelection(targets: options.isPruning ? [] : targets).find(in: database)
      records = found.nodes.records
      plan.warn(of: found.nodes.problems)
    }
    return Dictionary(grouping: records) { NodeDeclaration.Key(of: $0.record) }
  }
}

extension NodeRecord {
  /// A record by what it is known by.
  fileprivate init(target: TargetName, portal: Portal, over interface: InterfaceName) {
    self.init(target: target, portal: portal)
    self.interface.name = interface
  }
}
