// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension RecordDatabase {
  /// Changes records: waits for the right to, lets `body` look and collect changes, and makes them in their order.
  ///
  /// What `body` reads does not have its changes yet. If it throws nothing is changed, but the root may be there, which was not.
  public func change<Value>(
    _ body: (inout Changes) throws(DatabaseError) -> Value
  ) throws(DatabaseError) -> Value {
    let lock = try DatabaseLock(in: lockDirectory)
    let files = StagedFiles(below: root)
    var changes = Changes(database: self, files)
    let result = Result { () throws(DatabaseError) in
      let value = try body(&changes)
      if !changes.pending.isEmpty { try DatabaseWriter(root, files).make(changes.pending) }
      return value
    }
    files.remove()
    _ = consume lock
    return try result.get()
  }

  /// Lets `body` look and collect changes that nobody makes, for what it finds. It waits for no right to change anything.
  public func preview<Result>(
    _ body: (inout Changes) throws(DatabaseError) -> Result
  ) throws(DatabaseError) -> Result {
    var changes = Changes(database: self, nil)
    return try body(&changes)
  }

  /// Changes that are made together.
  public struct Changes {
    let database: RecordDatabase
    fileprivate var pending: [DatabaseChange] = []
    private var nodeLines = NodeLines(.stored)
    /// Where new files are written; none where nothing comes of the changes.
    private let files: StagedFiles?
    private let root: String
    private var lastDiscovery: (address: String, port: UInt16, name: String?)?
    private var lastPortal: (portal: Portal, name: String)?
    /// How many records are worth a part of the work for themselves, where several threads work on them.
    private static let partSize = 32

    fileprivate init(database: RecordDatabase, _ files: StagedFiles?) {
      self.database = database
      self.files = files
      root = database.root.string
    }

    /// Lets parts of a piece of work collect changes at the same time, on all processors that the process may use. They come in
    /// the order of the parts.
    ///
    /// - Parameters:
    ///   - count: How many things there are to work on.
    ///   - reader: What a thread reads the database with.
    ///   - body: Works on some of them, by their numbers.
    /// - Returns: What comes of the parts, in their order.
    /// - Throws: What the first part that fails throws.
    mutating func inParallel<Reader, Value: Sendable>(
      _ count: Int, readingWith reader: @escaping @Sendable () -> Reader,
      _ body: @escaping @Sendable (inout Changes, inout Reader, Range<Int>) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> [Value] {
      let (database, files) = (database, files)
      let results = ParallelWork.map(count, inPartsOf: Self.partSize) {
        var (changes, reader) = (Changes(database: database, files), reader())
        return { range in
          Result { () throws(DatabaseError) in
            changes.pending = []
            let value = try body(&changes, &reader, range)
            // Of a part alone the writer knows best how it is flushed.
            guard let files, count > Self.partSize else { return (value, changes.pending) }
            return (value, try files.staging(changes.pending, isFlushed: false))
          }
        }
      }
      var values: [Value] = []
      for result in results {
        let (value, changes) = try result.get()
        values.append(value)
        pending += changes
      }
      return values
    }

    /// Stores the record of a node.
    ///
    /// - Parameters:
    ///   - record: What is stored, and where: by its target, portal and interface.
    ///   - stored: The record that it replaces; what that has of others' keys and comments is kept.
    ///   - isNew: Whether it is made anew: others who were let read the old one may not read it.
    ///   - dropsOlderForm: Whether one of its portal in the older form goes, too, if the tag is known. That is open-iscsi's way,
    ///     which does not ask of which interface it is.
    public mutating func save(
      _ record: consuming NodeRecord, over stored: Stored<NodeRecord>? = nil, isNew: Bool = false,
      dropsOlderForm: Bool = true
    ) {
      let text = (stored?.text ?? RecordText()).rewritten(
        nodeLines.lines(of: &record), keys: record.storedLayout.names, isKnown: { NodeRecord.keys[$0] != nil })
      // What is changed in its place has its link, and of thousands nothing else has to be looked at. The link of what an iSNS server
      // has told of moves when the server gets a record.
      if !isNew, let stored, isPath(stored.path, of: record),
        !(dropsOlderForm && stored.mayBeBesideOlderForm && !stored.isInOlderForm),
        stored.record.isSameNode(as: record), record.discoveryKind != .isns
      {
        return pending.append(.put(stored.path, .octets(text)))
      }
      let location = NodeLocation(of: record)
      let path = location.path
      // The link first: one that leads nowhere for a moment is better than a record that its discovery does not know.
      let links = self.links(to: record, at: path)
      let old = stored.map { self.links(to: $0.record, at: NodeLocation(of: $0.record).path) } ?? []
      pending += (old.filter { !links.contains($0) } + links.dropFirst()).map { .remove($0) }
      if let link = links.first { pending.append(.link(link, to: "\(root)/\(path[0])/\(path[1])/\(path[2])")) }
      if isNew, stored != nil { pending.append(.restrict(path)) }
      pending.append(.put(path, .octets(text)))
      if dropsOlderForm, let older = location.inOlderForm { pending.append(.remove(older.path)) }
      // The same portal in another spelling: there must not be two records of one node.
      if let stored, stored.path != path { pending.append(.remove(stored.path)) }
    }

    /// Whether a path is where the record of a node belongs; without any other text being made for most of thousands.
    private mutating func isPath(_ path: [String], of record: borrowing NodeRecord) -> Bool {
      guard path.count == (record.portal.tag == nil ? 3 : 4), path[1] == record.target.description else { return false }
      if path.count == 4, path[3] != record.interface.name.description { return false }
      let portal = record.portal
      if let last = lastPortal, last.portal == portal { return path[2] == last.name }
      let name = NodeLocation(of: record).portal.description
      lastPortal = (portal, name)
      return path[2] == name
    }

    private static func text<Record: KeyedRecord>(
      of record: Record, over text: RecordText?, isKnown: (String) -> Bool
    ) -> [UInt8] {
      let layout = record.storedLayout
      return (text ?? RecordText()).rewritten(layout.lines(of: record), keys: layout.names, isKnown: isKnown)
    }

    /// Removes the record of a node.
    public mutating func delete(_ stored: Stored<NodeRecord>) {
      pending.append(.remove(stored.path))
      pending += links(to: stored.record, at: NodeLocation(of: stored.record).path).map { .remove($0) }
    }

    /// Stores the record of an interface.
    public mutating func save(_ record: InterfaceRecord, over stored: Stored<InterfaceRecord>? = nil) {
      let text = Self.text(of: record, over: stored?.text) { InterfaceRecord.keys[$0] != nil }
      pending.append(.put([Folder.interfaces.rawValue, record.name.description], .octets(text)))
    }

    /// Removes the record of an interface.
    public mutating func delete(_ stored: Stored<InterfaceRecord>) {
      pending.append(.remove(stored.path))
    }

    /// Removes the file of an interface's name, whatever it has.
    public mutating func deleteInterface(_ name: InterfaceName) {
      pending.append(.remove([Folder.interfaces.rawValue, name.description]))
    }

    /// Stores the record of a discovery.
    public mutating func save(_ record: DiscoveryRecord, over stored: Stored<DiscoveryRecord>? = nil) {
      var record = record
      if let stored { record.spelling = stored.record.spelling }
      let keys = DiscoveryRecord.keys(of: record.kind)
      let text = Self.text(of: record, over: stored?.text) { keys[$0] != nil }
      pending.append(.put(stored?.path ?? record.path, .octets(text)))
    }

    /// Removes the record of a discovery, and those of the nodes that it has found.
    ///
    /// - Parameters:
    ///   - stored: The discovery.
    ///   - isKept: Whether the record of a node stays all the same, because a session has it in use.
    /// - Throws: `failed` for a folder that cannot be read.
    public mutating func delete(
      _ stored: Stored<DiscoveryRecord>, unless isKept: (NodeRecord) -> Bool
    ) throws(DatabaseError) {
      var finder = NodeFinder(in: database)
      for (link, location) in try database.locations(from: .discovery(stored.record)) {
        if let node = try finder.node(at: location), !isKept(node.record) { delete(node) }
        deleteLink(link, of: stored.record)
      }
      pending.append(.remove(stored.path))
    }

    /// Removes the link that a discovery has to a node.
    mutating func deleteLink(_ link: String, of discovery: DiscoveryRecord) {
      pending.append(.remove(discovery.path.dropLast() + [link]))
    }

    /// Where a record has its link: with the discovery that has found the node, or with those made by hand. Where else a link
    /// to it may be comes after that. Records in the older form have none.
    private mutating func links(to record: NodeRecord, at path: [String]) -> [[String]] {
      guard let name = NodeLocation.linkName(for: path), name.utf8.count <= 255 else { return [] }
      switch record.discoveryKind {
      case .byHand: return [[Folder.byHand.rawValue, name]]
      case .firmware: return [[Folder.firmware.rawValue, name]]
      case .sendTargets, .offloadSendTargets:
        return discoveryFolder(of: record).map { [[Folder.sendTargets.rawValue, $0, name]] } ?? []
      case .isns:
        // The server's folder comes with its record. Without one, links are side by side in the folder of all servers.
        let shared = [Folder.isns.rawValue, name]
        guard let discovery = discoveryFolder(of: record) else { return [shared] }
        let own = [Folder.isns.rawValue, discovery, name]
        return database.hasFolder(ofISNSServer: discovery) ? [own, shared] : [shared]
      }
    }

    /// The name of the folder of the discovery that has found a node; thousands are found by the same one.
    private mutating func discoveryFolder(of record: NodeRecord) -> String? {
      guard let address = record.discoveryAddress else { return nil }
      if let last = lastDiscovery, last.address == address, last.port == record.discoveryPort { return last.name }
      // The address is any text; one that is no host cannot be that of a discovery.
      let name =
        (try? PortalHost(address)) == nil
        ? nil : PortalFileName(address: address, port: record.discoveryPort).description
      lastDiscovery = (address, record.discoveryPort, name)
      return name
    }
  }

  /// Whether an iSNS server, by the name of its folder, has one.
  private func hasFolder(ofISNSServer name: String) -> Bool {
    do throws(Errno) {
      _ = try Directory(path: root).linkedDirectory(Folder.isns.rawValue).directory(name)
      return true
    } catch {
      return false
    }
  }
}

extension NodeRecord {
  /// Whether another record is of the same node, found by the same discovery.
  fileprivate func isSameNode(as other: NodeRecord) -> Bool {
    target == other.target && portal == other.portal && interface.name == other.interface.name
      && discoveryKind == other.discoveryKind && discoveryAddress == other.discoveryAddress
      && discoveryPort == other.discoveryPort
  }
}
