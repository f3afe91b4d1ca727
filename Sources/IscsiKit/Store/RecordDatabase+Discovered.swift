// SPDX-License-Identifier: Apache-2.0

/// What a discovery does to the records of nodes.
public struct DiscoveryEffects: OptionSet, Hashable, Sendable {
  /// The bits.
  public let rawValue: UInt8

  /// Effects from their bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Nodes that are new get a record.
  public static let add = DiscoveryEffects(rawValue: 1)
  /// Nodes that have a record get a new one, as it is configured: what was set in it is lost.
  public static let reset = DiscoveryEffects(rawValue: 2)
  /// Nodes that the same discovery has found before, and not now, lose their record.
  public static let remove = DiscoveryEffects(rawValue: 4)
}

extension RecordDatabase.Changes {
  /// Takes over what a discovery has found.
  ///
  /// - Parameters:
  ///   - found: What it has found over each interface, over which these nodes are to be logged in to: a record each.
  ///   - discovery: The discovery.
  ///   - configuration: What new records are like.
  ///   - effects: What is done.
  ///   - isKept: Whether the record of a node that is not found any more stays all the same, because a session has it in use.
  /// - Returns: The record of each portal that was found over each interface, as it is now or would be, in the order of
  ///   the answers.
  /// - Throws: `failed` for what cannot be read.
  @discardableResult
  public mutating func merge(
    _ found: [(interface: InterfaceRecord, targets: [DiscoveredTarget])], foundBy discovery: DiscoveryRecord,
    _ configuration: InitiatorConfiguration, _ effects: DiscoveryEffects, unless isKept: (NodeRecord) -> Bool
  ) throws(DatabaseError) -> [NodeRecord] {
    let (database, discovery) = (database, try database.asStored(discovery))
    let places = found.flatMap { interface, targets in
      targets.flatMap { target in target.portals.map { (interface, target.name, $0) } }
    }
    // One that comes without a tag is stored in the older form, and another with a tag takes its place.
    let makesOlderForm = places.contains { $0.2.tag == nil }
    let parts = try inParallel(places.count) {
      NodeFinder(in: database)
    } _: { (changes, finder, range) throws(DatabaseError) in
      var records: [NodeRecord] = []
      for (interface, target, portal) in places[range] {
        let record = configuration.node(target, at: portal, over: interface, foundBy: discovery)
        records.append(try changes.merge(record, effects, &finder, besideOlderForm: makesOlderForm))
      }
      return records
    }
    let records = parts.flatMap(\.self)
    if effects.contains(.remove) {
      // The portals that were told, which records of the older form do not have.
      try removeNodes(of: discovery, except: records.map(NodeLocation.init), unless: isKept)
    }
    return records
  }

  /// Takes over a node that was found; returns its record as it is now or would be.
  private mutating func merge(
    _ record: NodeRecord, _ effects: DiscoveryEffects, _ finder: inout NodeFinder, besideOlderForm: Bool
  ) throws(DatabaseError) -> NodeRecord {
    let stored = try finder.node(at: NodeLocation(of: record), orOlderOver: record.interface.name)
    if effects.contains(stored == nil ? .add : .reset) {
      let mayHaveOlderForm = besideOlderForm || !finder.isMissing(record.target.description)
      save(
        record, over: stored?.isInOlderForm == true ? nil : stored, isNew: true, dropsOlderForm: mayHaveOlderForm)
      return record
    }
    guard var known = stored?.record else { return record }
    // One of the older form does not know the tag, which the target has just told.
    known.portal = record.portal
    return known
  }

  /// Takes over what boot firmware names.
  ///
  /// - Parameters:
  ///   - found: The records of its targets.
  ///   - effects: What is done.
  ///   - isKept: Whether the record of a node that is not named any more stays all the same, because a session has it in use.
  /// - Returns: The records as they are now or would be.
  /// - Throws: `failed` for what cannot be read.
  @discardableResult
  public mutating func merge(
    firmware found: [NodeRecord], _ effects: DiscoveryEffects, unless isKept: (NodeRecord) -> Bool
  ) throws(DatabaseError) -> [NodeRecord] {
    var records: [NodeRecord] = []
    var finder = NodeFinder(in: database)
    for record in found {
      let stored = try finder.node(at: NodeLocation(of: record))
      if effects.contains(stored == nil ? .add : .reset) {
        save(record, over: stored, isNew: true)
        records.append(record)
      } else {
        records.append(stored?.record ?? record)
      }
    }
    guard effects.contains(.remove) else { return records }
    let locations = Set(found.map { NodeLocation(of: $0) })
    for (_, location) in try database.locations(from: .firmware) where !locations.contains(location) {
      guard let stored = try finder.node(at: location), stored.record.discoveryKind == .firmware else { continue }
      if !isKept(stored.record) { delete(stored) }
    }
    return records
  }

  /// Removes the records of nodes that a discovery found once.
  private mutating func removeNodes(
    of discovery: DiscoveryRecord, except found: [NodeLocation], unless isKept: (NodeRecord) -> Bool
  ) throws(DatabaseError) {
    let linked = try database.locations(from: .discovery(discovery))
    let shared = discovery.kind == .isns ? try database.locations(from: .isns) : []
    // Mostly the first time that a discovery is made.
    guard !linked.isEmpty || !shared.isEmpty else { return }
    let found = Set(found)
    // Where a portal is found with another tag, a session has the new record.
    let places = Set(found.map(\.withoutTag))
    func stays(_ stored: RecordDatabase.Stored<NodeRecord>, _ location: NodeLocation) -> Bool {
      !places.contains(location.withoutTag) && isKept(stored.record)
    }
    var finder = NodeFinder(in: database)
    for (link, location) in linked where !found.contains(location) {
      if let stored = try finder.node(at: location) {
        if !stays(stored, location) { delete(stored) }
      } else {
        deleteLink(link, of: discovery)
      }
    }
    // Without a record of the server, nothing but the nodes' own ones tells which it has found.
    for (_, location) in shared where !found.contains(location) {
      if let stored = try finder.node(at: location), stored.record.isFound(by: discovery), !stays(stored, location) {
        delete(stored)
      }
    }
  }
}

extension NodeRecord {
  /// Whether the record says that this discovery has found the node.
  func isFound(by discovery: DiscoveryRecord) -> Bool {
    guard discoveryKind == discovery.kind.ofNodes, discoveryPort == discovery.port else { return false }
    if discoveryAddress == discovery.address { return true }
    return discoveryAddress.flatMap { try? PortalHost($0) } == discovery.host
  }
}

extension InitiatorConfiguration {
  /// A new record of a node that a discovery has found.
  func node(
    _ target: TargetName, at portal: Portal, over interface: InterfaceRecord, foundBy discovery: DiscoveryRecord
  ) -> NodeRecord {
    var record = node(target, at: portal, over: interface)
    record.discoveryKind = discovery.kind.ofNodes
    record.discoveryAddress = discovery.address
    record.discoveryPort = discovery.port
    return record
  }
}

extension DiscoveryRecord.Kind {
  /// The word of nodes' records for it.
  fileprivate var ofNodes: NodeRecord.DiscoveryKind {
    switch self {
    case .sendTargets: .sendTargets
    case .isns: .isns
    }
  }
}
