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
    var listing = Listing<NodeRecord>()
    guard let nodes = try open(.nodes) else { return [] }
    let path = [Folder.nodes.rawValue]
    let targets = if let target = filter.target { [target.description] } else { try names(in: nodes, path) }
    for target in targets {
      let path = path + [target]
      guard let folder = open(target, in: nodes, path, &listing) else { continue }
      let entries = try names(in: folder, path).map { (name: $0, portal: PortalFileName($0)) }
      let older = entries.compactMap(\.portal).filter { $0.tag == nil }
      for (name, portal) in entries {
        guard let portal else {
          listing.note(path + [name], .stray)
          continue
        }
        guard portal.matches(filter) else { continue }
        try readNodes(of: target, at: portal, in: folder, filter.interface, &listing)
        let isBesideOlder = older.contains { $0.address == portal.address && $0.port == portal.port }
        for var record in listing.records {
          record.mayBeBesideOlderForm = isBesideOlder
          body(record)
        }
        listing.records.removeAll(keepingCapacity: true)
      }
    }
    return listing.problems
  }

  /// The record of a node over an interface; nil if there is none.
  func node(at location: NodeLocation) throws(DatabaseError) -> Stored<NodeRecord>? {
    var listing = Listing<NodeRecord>()
    return try node(at: location, &listing)
  }

  /// The record of a node over an interface; also one in the older form, which is as much its user's.
  func node(
    at location: NodeLocation, orOlderOver interface: InterfaceName
  ) throws(DatabaseError) -> Stored<NodeRecord>? {
    guard let nodes = try open(.nodes) else { return nil }
    var listing = Listing<NodeRecord>()
    let target = location.target
    guard let folder = open(target, in: nodes, [Folder.nodes.rawValue, target], &listing) else { return nil }
    try readNodes(
      of: target, at: location.portal, in: folder, location.interface.flatMap(InterfaceName.init), &listing)
    if listing.records.isEmpty, let older = location.inOlderForm {
      try readNodes(of: target, at: older.portal, in: folder, interface, &listing)
    }
    return listing.records.first
  }

  /// The record of a node; what is wrong with its file is noted.
  func node<Record>(
    at location: NodeLocation, _ notes: inout Listing<Record>
  ) throws(DatabaseError) -> Stored<NodeRecord>? {
    guard let nodes = try open(.nodes) else { return nil }
    var listing = Listing<NodeRecord>()
    defer { notes.problems += listing.problems }
    guard let folder = open(location.target, in: nodes, ["nodes", location.target], &listing) else { return nil }
    try readNodes(
      of: location.target, at: location.portal, in: folder, location.interface.flatMap(InterfaceName.init), &listing)
    return listing.records.first
  }

  /// Reads what a portal has: a folder of records, or one record in the older form.
  private func readNodes(
    of target: String, at portal: PortalFileName, in folder: borrowing Directory, _ interface: InterfaceName?,
    _ listing: inout Listing<NodeRecord>
  ) throws(DatabaseError) {
    let path = [Folder.nodes.rawValue, target, portal.description]
    guard portal.tag != nil else {
      return readNode(portal.description, in: folder, path, of: target, interface, &listing)
    }
    guard let records = open(portal.description, in: folder, path, &listing) else { return }
    let found = if let interface { [interface.description] } else { try names(in: records, path) }
    for name in found { readNode(name, in: records, path + [name], of: target, interface, &listing) }
  }

  private func readNode(
    _ name: String, in folder: borrowing Directory, _ path: [String], of target: String, _ interface: InterfaceName?,
    _ listing: inout Listing<NodeRecord>
  ) {
    guard let text = read(name, in: folder, path, &listing) else { return }
    do throws(RecordError) {
      var errors: [RecordError] = []
      let record = try NodeRecord(text, passingOver: &errors)
      guard record.target.description == target else { return listing.note(path, .misplaced) }
      guard interface == nil || record.interface.name == interface else { return }
      for error in errors { listing.note(path, .setting(error)) }
      listing.records.append(Stored(record: record, text: text, path: path))
    } catch {
      listing.note(path, .record(error))
    }
  }
}
