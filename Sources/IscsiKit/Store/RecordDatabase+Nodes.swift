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
    var reading = NodeReading(over: filter.interface)
    guard let nodes = try open(.nodes) else { return [] }
    let top = Folder.nodes.rawValue
    let targets = if let target = filter.target { [target.description] } else { try names(in: nodes, [top]) }
    for target in targets {
      guard let folder = open(target, in: nodes, [top, target], &reading.listing) else { continue }
      let entries = try names(in: folder, [top, target]).map { (name: $0, portal: PortalFileName($0)) }
      let older = entries.compactMap(\.portal).filter { $0.tag == nil }
      for (name, portal) in entries {
        guard let portal else {
          reading.listing.note([top, target, name], .stray)
          continue
        }
        guard portal.matches(filter) else { continue }
        reading.isBesideOlderForm = older.contains { $0.address == portal.address && $0.port == portal.port }
        try readNodes(of: target, at: portal, in: folder, &reading, body)
      }
    }
    return reading.listing.problems
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

    init(over interface: InterfaceName? = nil) { self.interface = interface }
  }

  /// Reads what a portal has: a folder of records, or one record in the older form.
  fileprivate func readNodes(
    of target: String, at portal: PortalFileName, in folder: borrowing Directory, _ reading: inout NodeReading,
    _ body: (Stored<NodeRecord>) -> Void
  ) throws(DatabaseError) {
    let name = portal.description
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

/// Finds records of nodes by their places, one after the other, as long as nobody makes or deletes any: the folder of nodes is
/// opened once, and each record is read as what it has other than one before it.
struct NodeFinder {
  private let database: RecordDatabase
  private var reading = RecordDatabase.NodeReading()
  private var folder: OpenFolder?
  private var hasLooked = false

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

  private mutating func node(
    of target: String, at portal: PortalFileName, over interface: InterfaceName?
  ) throws(DatabaseError) -> RecordDatabase.Stored<NodeRecord>? {
    if !hasLooked {
      if let nodes = try database.open(.nodes) { folder = OpenFolder(nodes) }
      hasLooked = true
    }
    let path = [RecordDatabase.Folder.nodes.rawValue, target]
    guard let folder, let records = database.open(target, in: folder.directory, path, &reading.listing) else {
      return nil
    }
    reading.interface = interface
    var found: RecordDatabase.Stored<NodeRecord>?
    try database.readNodes(of: target, at: portal, in: records, &reading) { found = found ?? $0 }
    return found
  }
}
