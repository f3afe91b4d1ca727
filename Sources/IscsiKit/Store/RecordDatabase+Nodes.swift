// SPDX-License-Identifier: Apache-2.0

extension RecordDatabase {
  /// The nodes that a filter lets through.
  public func nodes(_ filter: NodeFilter = NodeFilter()) throws(DatabaseError) -> Listing<NodeRecord> {
    var listing = Listing<NodeRecord>()
    listing.problems = try forEachNode(filter) { listing.records.append($0) }
    return listing
  }

  /// Hands over the nodes that a filter lets through, one by one: there may be more than are good to have at once.
  ///
  /// - Parameters:
  ///   - filter: Which.
  ///   - body: Gets each record.
  /// - Returns: The files that cannot be used.
  /// - Throws: `failed` for a folder that cannot be read.
  @discardableResult
  public func forEachNode(
    _ filter: NodeFilter = NodeFilter(), _ body: (Stored<NodeRecord>) -> Void
  ) throws(DatabaseError) -> [RecordProblem] {
    guard let nodes = try open(.nodes) else { return [] }
    var reading = NodeReading(over: filter.interface)
    try readNodes(of: try targets(filter, in: nodes)[...], in: nodes, filter, &reading, body)
    return reading.listing.problems
  }

  /// Looks at the nodes that a filter lets through, many at the same time, on all processors that the process may use.
  ///
  /// - Parameters:
  ///   - filter: Which.
  ///   - start: What is collected of a part of them begins with this.
  ///   - makeBody: Makes what a thread does with each record; that gets what has been collected of the part, too.
  ///   - deliver: Gets what was collected, part for part in the order of the records; of many records not all of it at once.
  /// - Returns: The files that cannot be used.
  /// - Throws: `failed` for a folder that cannot be read.
  @discardableResult
  public func forEachNode<Part: Sendable>(
    _ filter: NodeFilter = NodeFilter(), collectingInto start: Part,
    by makeBody: @escaping @Sendable () -> (Stored<NodeRecord>, inout Part) -> Void, _ deliver: (Part) -> Void
  ) throws(DatabaseError) -> [RecordProblem] {
    guard let nodes = try open(.nodes) else { return [] }
    var rest = try targets(filter, in: nodes)[...]
    let folder = OpenFolder(nodes)
    var problems: [RecordProblem] = []
    while !rest.isEmpty {
      let targets = rest.prefix(Self.targetsAtOnce)
      rest = rest.dropFirst(targets.count)
      let parts = ParallelWork.map(targets.count, inPartsOf: Self.partSize) {
        var reading = NodeReading(over: filter.interface)
        let body = makeBody()
        return { range in
          Result { () throws(DatabaseError) in
            var part = start
            reading.listing.problems = []
            let first = targets.startIndex
            let some = targets[(first + range.lowerBound)..<(first + range.upperBound)]
            try readNodes(of: some, in: folder.directory, filter, &reading) { body($0, &part) }
            return (part, reading.listing.problems)
          }
        }
      }
      for result in parts {
        let (part, found) = try result.get()
        deliver(part)
        problems += found
      }
    }
    return problems
  }

  /// How many targets' records are looked at before what they have come to is delivered.
  private static let targetsAtOnce = 4096
  /// How many targets are worth a part of the work for themselves, where several threads look at them.
  private static let partSize = 32

  private func targets(_ filter: NodeFilter, in nodes: borrowing Directory) throws(DatabaseError) -> [String] {
    if let target = filter.target { [target.description] } else { try names(in: nodes, [Folder.nodes.rawValue]) }
  }

  private func readNodes(
    of targets: ArraySlice<String>, in nodes: borrowing Directory, _ filter: NodeFilter,
    _ reading: inout NodeReading, _ body: (Stored<NodeRecord>) -> Void
  ) throws(DatabaseError) {
    let top = Folder.nodes.rawValue
    for target in targets {
      guard let folder = open(target, in: nodes, [top, target], &reading.listing) else { continue }
      let names = try names(in: folder, [top, target])
      // One alone is beside no other.
      let older = names.count == 1 ? [] : names.compactMap(PortalFileName.init).filter { $0.tag == nil }
      for name in names {
        guard let portal = reading.portal(named: name) else {
          reading.listing.note([top, target, name], .stray)
          continue
        }
        guard portal.matches(filter) else { continue }
        reading.isBesideOlderForm = older.contains { $0.address == portal.address && $0.port == portal.port }
        try readNodes(of: target, at: name, portal, in: folder, &reading, body)
      }
    }
  }

  /// How nodes are read, and what was found besides them.
  fileprivate struct NodeReading {
    /// The interface that is meant; nil is any.
    var interface: InterfaceName?
    /// Whether a record of the same portal in the older form is beside those that are read.
    var isBesideOlderForm = true
    /// The problems; what is read is handed over.
    var listing = Listing<NodeRecord>()
    var reader = NodeReader()
    /// The portal whose name was read last: of thousands of targets, many are at the same one.
    private var lastPortal: (name: String, portal: PortalFileName)?

    init(over interface: InterfaceName? = nil) { self.interface = interface }

    /// The portal of a name; nil if it is none of a portal, or not as we and open-iscsi write it.
    mutating func portal(named name: String) -> PortalFileName? {
      if let lastPortal, lastPortal.name == name { return lastPortal.portal }
      guard let portal = PortalFileName(name), portal.description == name else { return nil }
      lastPortal = (name, portal)
      return portal
    }
  }

  /// Reads what a portal has by its name: a folder of records, or one record in the older form.
  fileprivate func readNodes(
    of target: String, at name: String, _ portal: PortalFileName, in folder: borrowing Directory,
    _ reading: inout NodeReading, _ body: (Stored<NodeRecord>) -> Void
  ) throws(DatabaseError) {
    let path = [Folder.nodes.rawValue, target, name]
    guard portal.tag != nil else { return readNode(name, in: folder, path, &reading, body) }
    guard let records = open(name, in: folder, path, &reading.listing) else { return }
    let found = if let interface = reading.interface { [interface.description] } else { try names(in: records, path) }
    for name in found { readNode(name, in: records, path + [name], &reading, body) }
  }

  private func readNode(
    _ name: String, in folder: borrowing Directory, _ path: [String], _ reading: inout NodeReading,
    _ body: (Stored<NodeRecord>) -> Void
  ) {
    guard let text = read(name, in: folder, path, &reading.listing) else { return }
    do throws(RecordError) {
      var errors: [RecordError] = []
      let record = try reading.reader.record(in: text, passingOver: &errors)
      guard record.target.description == path[1] else { return reading.listing.note(path, .misplaced) }
      guard reading.interface == nil || record.interface.name == reading.interface else { return }
      for error in errors { reading.listing.note(path, .setting(error)) }
      let isBesideOlderForm = reading.isBesideOlderForm
      body(Stored(record: record, text: text, path: path, mayBeBesideOlderForm: isBesideOlderForm))
    } catch {
      reading.listing.note(path, .record(error))
    }
  }
}

extension RecordDatabase.Changes {
  /// Looks at the nodes that a filter lets through, and changes them: many at the same time, on all processors that the process
  /// may use.
  ///
  /// - Parameters:
  ///   - filter: Which.
  ///   - start: What each part of them begins with.
  ///   - body: Gets each record, the changes that it may add to, and what has been collected of its part before it.
  /// - Returns: What was collected, part for part in the order of the records, and the files that cannot be used.
  /// - Throws: `failed` for a folder that cannot be read.
  public mutating func forEachNode<Part: Sendable>(
    _ filter: RecordDatabase.NodeFilter, collectingInto start: Part,
    _ body: @escaping @Sendable (RecordDatabase.Stored<NodeRecord>, inout Self, inout Part) -> Void
  ) throws(DatabaseError) -> (parts: [Part], problems: [RecordProblem]) {
    let database = database
    guard let nodes = try database.open(.nodes) else { return ([], []) }
    let targets = try database.targets(filter, in: nodes)
    let folder = OpenFolder(nodes)
    let found = try inParallel(targets.count) {
      RecordDatabase.NodeReading(over: filter.interface)
    } _: { (changes, reading, range) throws(DatabaseError) in
      var part = start
      reading.listing.problems = []
      try database.readNodes(of: targets[range], in: folder.directory, filter, &reading) { stored in
        body(stored, &changes, &part)
      }
      return (part, reading.listing.problems)
    }
    return (found.map(\.0), found.flatMap(\.1))
  }
}

/// Finds records of nodes by their places, one after the other, as long as nobody makes or deletes any: the folder of nodes is
/// opened once, and each record is read as what it has other than one before it.
struct NodeFinder {
  private let database: RecordDatabase
  private var reading = RecordDatabase.NodeReading()
  private var folder: OpenFolder?
  private var hasLooked = false
  /// The target that was looked for last, if it has no folder.
  private var missing: String?

  /// What was wrong with the files so far.
  var problems: [RecordProblem] { reading.listing.problems }

  /// Looks in a database.
  init(in database: RecordDatabase) { self.database = database }

  /// The record of a node over an interface; nil if there is none.
  mutating func node(
    at location: NodeLocation
  ) throws(DatabaseError) -> RecordDatabase.Stored<NodeRecord>? {
    try node(of: location.target, at: location.portal, over: location.interface.flatMap(InterfaceName.init))
  }

  /// The record of a node over an interface; also one in the older form, which is as much its user's.
  mutating func node(
    at location: NodeLocation, orOlderOver interface: InterfaceName
  ) throws(DatabaseError) -> RecordDatabase.Stored<NodeRecord>? {
    if let found = try node(at: location) { return found }
    guard let older = location.inOlderForm else { return nil }
    return try node(of: older.target, at: older.portal, over: interface)
  }

  /// Whether a target has no folder, and with it no record of any form.
  func isMissing(_ target: String) -> Bool { missing == target }

  private mutating func node(
    of target: String, at portal: PortalFileName, over interface: InterfaceName?
  ) throws(DatabaseError) -> RecordDatabase.Stored<NodeRecord>? {
    if !hasLooked {
      if let nodes = try database.open(.nodes) { folder = OpenFolder(nodes) }
      hasLooked = true
    }
    guard missing != target else { return nil }
    let path = [RecordDatabase.Folder.nodes.rawValue, target]
    let problemCount = problems.count
    guard let folder, let records = database.open(target, in: folder.directory, path, &reading.listing) else {
      // What cannot be opened may be there.
      if problems.count == problemCount { missing = target }
      return nil
    }
    reading.interface = interface
    var found: RecordDatabase.Stored<NodeRecord>?
    try database.readNodes(of: target, at: portal.description, portal, in: records, &reading) { found = found ?? $0 }
    return found
  }
}
