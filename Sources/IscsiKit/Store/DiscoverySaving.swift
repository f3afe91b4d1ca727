// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// What a discovery has found over an interface, over which it is to be logged in to.
public struct FoundTargets: Sendable {
  /// The interface.
  public var interface: InterfaceRecord
  /// The targets.
  public var targets: [DiscoveredTarget]

  /// What was found over an interface.
  public init(over interface: InterfaceRecord = .standard, _ targets: [DiscoveredTarget]) {
    self.interface = interface
    self.targets = targets
  }
}

/// Keeps a discovery among the records; one that is there stays as it is.
public struct DiscoveryCreationEdit: RecordEdit {
  private let discovery: DiscoveryRecord
  private let configuration: InitiatorConfiguration

  /// An edit that keeps this discovery, whose settings that are not its own come from the configuration.
  public init(_ discovery: DiscoveryRecord, configuration: InitiatorConfiguration) {
    self.discovery = discovery
    self.configuration = configuration
  }

  /// Refuses nothing.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    let found = try database.discoveries(discovery.kind, at: discovery.portal)
    plan.warn(of: found.problems)
    if let stored = found.records.first {
      plan.change(stored, to: stored.record)
    } else {
      plan.create(
        discovery, from: configuration.discovery(discovery.kind, at: discovery.host, port: discovery.port))
    }
    return plan
  }
}

/// Makes records of what a discovery has found. Those that are there stay as they are: somebody may have edited them. One of a
/// portal that the discovery has found with another portal group tag before gets the new tag, since both stand for one
/// session.
public struct FoundNodesEdit: RecordEdit {
  private let found: [FoundTargets]
  private let discovery: DiscoveryRecord
  private let configuration: InitiatorConfiguration

  /// An edit that makes records.
  ///
  /// - Parameters:
  ///   - found: What was found.
  ///   - discovery: By what.
  ///   - configuration: What new records are like.
  public init(_ found: [FoundTargets], foundBy discovery: DiscoveryRecord, configuration: InitiatorConfiguration) {
    self.found = found
    self.discovery = discovery
    self.configuration = configuration
  }

  /// Refuses nothing. There is a step for each portal that was found over each interface, in the order of the answers.
  public func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    // The places of records that stand for what was found; one has its new tag once.
    var taken: Set<[String]> = []
    let discovery = try database.asStored(discovery)
    let records = made(by: discovery).filter { taken.insert(NodeLocation(of: $0).path).inserted }
    var others = NodesByPlace(discovery)
    var finder = NodeFinder(in: database)
    for record in records {
      if let stored = try finder.node(at: NodeLocation(of: record), orOlderOver: record.interface.name) {
        plan.change(stored, to: stored.record)
      } else if let stored = try others.take(like: record, besides: &taken, from: database) {
        var moved = stored.record
        moved.portal.tag = record.portal.tag
        plan.change(stored, to: moved)
      } else {
        plan.create(record, from: record)
      }
    }
    return plan
  }

  /// The records of all that was found as they are made of it, in the order of the answers.
  private func made(by discovery: DiscoveryRecord) -> [NodeRecord] {
    found.flatMap { part in
      part.targets.flatMap { target in
        target.portals.map { configuration.node(target.name, at: $0, over: part.interface, foundBy: discovery) }
      }
    }
  }
}

/// The records that a discovery has made before, by target, portal and interface, whatever the portal group tag. A target's are read
/// once, when the first is asked for: it may announce thousands of portals.
private struct NodesByPlace {
  private struct Place: Hashable {
    var target: TargetName
    var host: PortalHost
    var port: UInt16
    var interface: InterfaceName

    init(_ record: NodeRecord) {
      (target, host, port) = (record.target, record.portal.host, record.portal.port)
      interface = record.interface.name
    }
  }

  private let discovery: DiscoveryRecord
  private var read: Set<TargetName> = []
  private var stored: [Place: [RecordDatabase.Stored<NodeRecord>]] = [:]

  init(_ discovery: DiscoveryRecord) { self.discovery = discovery }

  /// Takes the first record that stands for the same session as another, and whose place is not taken; nil if there is none. A
  /// target that announces a portal with other tags each time has no more records than tags at a time.
  mutating func take(
    like record: NodeRecord, besides taken: inout Set<[String]>, from database: RecordDatabase
  ) throws(DatabaseError) -> RecordDatabase.Stored<NodeRecord>? {
    guard record.portal.tag != nil else { return nil }
    if read.insert(record.target).inserted {
      try database.forEachNode(.init(target: record.target)) { [discovery] found in
        guard !found.isInOlderForm, found.record.isFound(by: discovery) else { return }
        stored[Place(found.record), default: []].append(found)
      }
    }
    let place = Place(record)
    guard let index = stored[place]?.firstIndex(where: { !taken.contains($0.path) }) else { return nil }
    let found = stored[place]?.remove(at: index)
    if let found { taken.insert(found.path) }
    return found
  }
}

extension RecordPlan {
  /// The records of nodes that there are when it is carried out, without those that it deletes.
  var nodes: [NodeRecord] {
    steps.compactMap { step in
      guard step.action != .deleted, case .node(let record) = step.subject else { return nil }
      return record
    }
  }
}

/// Deletes records of nodes that a discovery has found and does not find any more, but those in use, and those that
/// somebody has edited: they would not be made again as they were.
struct VanishedNodesEdit: RecordEdit {
  let nodes: [NodeRecord]
  let discovery: DiscoveryRecord
  /// What new records are like.
  let configuration: InitiatorConfiguration
  /// Reads the sessions that there are; called when nobody else can change records.
  let sessions: @Sendable () throws(SysfsError) -> [SessionSnapshot]

  /// What another has taken over meanwhile is left alone, and so is all where the discovery is not repeated any more. A
  /// record that was edited has a step that changes nothing.
  func plan(on database: RecordDatabase) throws(DatabaseError) -> RecordPlan {
    var plan = RecordPlan()
    guard try database.isRepeated(discovery) else { return plan }
    let uses: NodeUses
    do throws(SysfsError) { uses = NodeUses(try sessions()) } catch {
      guard case .unreadable(let path, let errno) = error else { throw .failed("read", path: "sessions", .ioError) }
      throw .failed("read", path: path, errno)
    }
    let interfaces = InterfaceRecord.builtIn + (try database.interfaces().records.map(\.record))
    var finder = NodeFinder(in: database)
    for node in nodes {
      guard let stored = try finder.node(at: NodeLocation(of: node)), stored.record.isFound(by: discovery) else {
        continue
      }
      if isEdited(stored, among: interfaces) {
        plan.change(stored, to: stored.record)
      } else {
        plan.delete(stored, unless: uses)
      }
    }
    return plan
  }

  /// Whether a record is another than the discovery would make of the node now. So is one that was made before the
  /// configuration was changed: one record too many does less harm than one too few.
  private func isEdited(_ stored: RecordDatabase.Stored<NodeRecord>, among interfaces: [InterfaceRecord]) -> Bool {
    let record = stored.record
    let interface = interfaces.first { $0.name == record.interface.name } ?? record.interface
    let made = configuration.node(record.target, at: record.portal, over: interface, foundBy: discovery)
    guard SettingChange.list(from: made, to: record).isEmpty else { return true }
    // A key that is not known here was written by somebody.
    return stored.text.lines.contains { line in
      if case .entry(let key, _) = line { NodeRecord.keys[key] == nil } else { false }
    }
  }
}

extension RecordDatabase {
  /// Over what nodes are to be logged in to that a discovery finds, as open-iscsi has it: all interfaces that users have
  /// made, or else the default one.
  public func discoveryInterfaces() throws(DatabaseError) -> [InterfaceRecord] {
    let made = try interfaces().records.map(\.record).filter { $0.transport == "tcp" }
    return made.isEmpty ? [.standard] : made
  }

  /// Whether there still is a record of a discovery that the daemon is to repeat.
  func isRepeated(_ discovery: DiscoveryRecord) throws(DatabaseError) -> Bool {
    try discoveries(discovery.kind, at: discovery.portal).records.first?.record.isRepeated ?? false
  }

  /// The nodes that a discovery has found: their own records and the discovery's links both say so.
  func nodes(foundBy discovery: DiscoveryRecord) throws(DatabaseError) -> [NodeRecord] {
    var locations = try locations(from: .discovery(discovery)).map(\.location)
    // What an iSNS server has found before it had a record is among that of all servers.
    if discovery.kind == .isns { locations += try self.locations(from: .isns).map(\.location) }
    var nodes: [NodeRecord] = []
    var finder = NodeFinder(in: self)
    for location in locations {
      if let node = try finder.node(at: location)?.record, node.isFound(by: discovery) { nodes.append(node) }
    }
    return nodes
  }
}
