// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// The record database, which is open-iscsi's: both can be used in turn on it.
///
/// Reading takes no lock and waits for nobody: a record is replaced as a whole, so that a reader sees the old one or the
/// new one. What names one record does not read the others. Changes go through `change`.
public struct RecordDatabase: Sendable {
  /// The folder that has `nodes`, `ifaces` and `send_targets`.
  public let root: FilePath
  /// Where writers lock each other out.
  let lockDirectory: FilePath
  /// In which order records are read.
  public var order = Order.byName

  /// An order of records.
  public enum Order: Hashable, Sendable {
    /// By target, portal and interface.
    case byName
    /// As the file system has their names, which is how open-iscsi lists them.
    case asStored
  }

  /// The most octets that are read of a record; open-iscsi's have about 3000.
  private static let sizeLimit = 1 << 18

  /// A database at a folder, which need not be there yet.
  public init(root: FilePath, lockDirectory: FilePath = "/run/lock/iscsi") {
    self.root = root
    self.lockDirectory = lockDirectory
  }

  /// The machine's database.
  ///
  /// It is where the environment (`ISCSI_DBROOT`) or the configuration says; otherwise where there are records; otherwise
  /// in `/var/lib/iscsi` if that is there, and in `/etc/iscsi`.
  ///
  /// - Parameters:
  ///   - override: The environment's word.
  ///   - configuration: `iscsid.conf`.
  /// - Throws: `relativeRoot` for a word that is a path from wherever a program happens to run.
  public init(override: String?, configuration: InitiatorConfiguration) throws(DatabaseError) {
    for (origin, path) in [("ISCSI_DBROOT", override), ("iscsid.dbroot", configuration.databaseRoot)] {
      guard let path, !path.isEmpty else { continue }
      // The machine's own records are not what is meant.
      guard path.hasPrefix("/") else { throw .relativeRoot(origin, path: path) }
      self.init(root: FilePath(path))
      return
    }
    self.init(root: Self.found(below: "/"))
  }

  /// Where a machine's records are: Debian up to 12 has them in `/etc/iscsi`, others in `/var/lib/iscsi`.
  static func found(below root: FilePath) -> FilePath {
    let places = [root.appending("etc/iscsi"), root.appending("var/lib/iscsi")]
    func hasRecords(_ place: FilePath, mayBeEmpty: Bool) -> Bool {
      guard let directory = try? Directory(path: place) else { return false }
      return [Folder.nodes, .interfaces, .sendTargets, .isns].contains { folder in
        guard let names = try? directory.linkedDirectory(folder.rawValue).names() else { return false }
        return mayBeEmpty || names.contains { $0 != "iface.example" }
      }
    }
    // An empty folder may be anybody's doing, such as a container's that mounts it.
    for mayBeEmpty in [false, true] {
      if let place = places.first(where: { hasRecords($0, mayBeEmpty: mayBeEmpty) }) { return place }
    }
    return (try? Directory(path: places[1])) == nil ? places[0] : places[1]
  }

  /// The folders of the database.
  enum Folder: String {
    case nodes
    case interfaces = "ifaces"
    case sendTargets = "send_targets"
    case isns
    case byHand = "static"
    case firmware = "fw"
  }

  /// Which nodes are meant; what is nil is any.
  public struct NodeFilter: Sendable {
    /// The target.
    public var target: TargetName?
    /// The portal's host.
    public var host: PortalHost?
    /// Which hosts are the same, by default the same address or name; without reading any record.
    public var isSameHost: @Sendable (PortalHost, PortalHost) -> Bool = { $0 == $1 }
    /// The portal's port.
    public var port: UInt16?
    /// The interface.
    public var interface: InterfaceName?

    /// All nodes, or those with this.
    public init(
      target: TargetName? = nil, host: PortalHost? = nil, port: UInt16? = nil, interface: InterfaceName? = nil
    ) {
      self.target = target
      self.host = host
      self.port = port
      self.interface = interface
    }
  }

  /// A record as it is stored.
  public struct Stored<Record: Sendable>: Sendable {
    /// The record.
    public var record: Record
    /// The text of the file, with what is not the record's.
    let text: RecordText
    /// Where the file is, from the root on.
    let path: [String]
    /// Whether it is a node's record of the form without a folder for its portal.
    public var isInOlderForm: Bool { path.count == 3 }
    /// Whether there may be one in that form of the same portal, too, which may have to go when this one is written. Only whoever
    /// has seen the names beside it knows better.
    var mayBeBesideOlderForm = true
  }

  /// Records, and the files that are none.
  public struct Listing<Record: Sendable>: Sendable {
    /// The records, in the database's order.
    public internal(set) var records: [Stored<Record>] = []
    /// Files that cannot be used; they hide no other.
    public internal(set) var problems: [RecordProblem] = []

    /// Whether all files are records, though there may be settings that cannot be used.
    var isComplete: Bool {
      problems.allSatisfy { problem in if case .setting = problem.reason { true } else { false } }
    }

    mutating func note(_ path: [String], _ reason: RecordProblem.Reason) {
      problems.append(RecordProblem(path: path.joined(separator: "/"), reason: reason))
    }
  }

  /// The interfaces that have a record; those that there always are have none.
  public func interfaces(_ name: InterfaceName? = nil) throws(DatabaseError) -> Listing<InterfaceRecord> {
    var listing = Listing<InterfaceRecord>()
    guard let folder = try open(.interfaces) else { return listing }
    let path = [Folder.interfaces.rawValue]
    let found = if let name { [name.description] } else { try names(in: folder, path) }
    for name in found where name != "iface.example" {
      guard let text = read(name, in: folder, path + [name], &listing) else { continue }
      do throws(RecordError) {
        var errors: [RecordError] = []
        let record = try InterfaceRecord(text, passingOver: &errors)
        guard record.name.description == name else {
          listing.note(path + [name], .misplaced)
          continue
        }
        for error in errors { listing.note(path + [name], .setting(error)) }
        listing.records.append(Stored(record: record, text: text, path: path + [name]))
      } catch {
        listing.note(path + [name], .record(error))
      }
    }
    return listing
  }

  /// The discoveries.
  ///
  /// - Parameters:
  ///   - kind: Which kind.
  ///   - portal: Whom they ask; nil is anybody. The tag does not count.
  /// - Returns: The records, and the files that are none.
  /// - Throws: `failed` for a folder that cannot be read.
  public func discoveries(
    _ kind: DiscoveryRecord.Kind, at portal: Portal? = nil
  ) throws(DatabaseError) -> Listing<DiscoveryRecord> {
    var listing = Listing<DiscoveryRecord>()
    guard let folder = try open(kind.folder) else { return listing }
    let path = [kind.folder.rawValue]
    for name in try names(in: folder, path) {
      guard let file = PortalFileName(name), file.tag == nil else { continue }
      guard file.matches(NodeFilter(host: portal?.host, port: portal?.port)) else { continue }
      guard let entry = open(name, in: folder, path + [name], &listing) else { continue }
      let path = path + [name, kind.fileName]
      guard let text = read(kind.fileName, in: entry, path, &listing) else { continue }
      do throws(RecordError) {
        var errors: [RecordError] = []
        let record = try DiscoveryRecord(text, kind, passingOver: &errors)
        for error in errors { listing.note(path, .setting(error)) }
        listing.records.append(Stored(record: record, text: text, path: path))
      } catch {
        listing.note(path, .record(error))
      }
    }
    return listing
  }

  /// A discovery with its address as the record that there is of it spells it: open-iscsi keeps an IPv6 address as it was given.
  func asStored(_ discovery: DiscoveryRecord) throws(DatabaseError) -> DiscoveryRecord {
    guard case .address(let address, _) = discovery.host, address.isIPv6,
      let stored = try discoveries(discovery.kind, at: discovery.portal).records.first
    else { return discovery }
    var discovery = discovery
    discovery.spelling = stored.record.spelling
    return discovery
  }

  /// How nodes have come into the database.
  public enum Origin: Hashable, Sendable {
    /// By a discovery.
    case discovery(DiscoveryRecord)
    /// By an iSNS server that had no record then.
    case isns
    /// By hand.
    case byHand
    /// From the boot firmware.
    case firmware

    /// The folder of the links to them.
    fileprivate var path: [String] {
      switch self {
      case .discovery(let record): record.path.dropLast()
      case .isns: [Folder.isns.rawValue]
      case .byHand: [Folder.byHand.rawValue]
      case .firmware: [Folder.firmware.rawValue]
      }
    }
  }

  /// The nodes of an origin, in the order of their links; the older form of records has none.
  public func nodes(from origin: Origin) throws(DatabaseError) -> Listing<NodeRecord> {
    var listing = Listing<NodeRecord>()
    var finder = NodeFinder(in: self)
    for (_, location) in try locations(from: origin) {
      if let found = try finder.node(at: location) { listing.records.append(found) }
    }
    listing.problems = finder.problems
    return listing
  }

  /// Where the nodes of an origin are.
  func locations(from origin: Origin) throws(DatabaseError) -> [(link: String, location: NodeLocation)] {
    let path = origin.path
    guard let first = path.first.flatMap(Folder.init), let folder = try open(first) else { return [] }
    var names: [String] = []
    if path.count == 1 {
      names = try self.names(in: folder, path)
    } else {
      var listing = Listing<DiscoveryRecord>()
      guard let entry = open(path[1], in: folder, path, &listing) else { return [] }
      names = try self.names(in: entry, path)
    }
    return names.compactMap { name in NodeLocation(link: name).map { (name, $0) } }
  }

  // MARK: - Folders and files

  func open(_ folder: Folder) throws(DatabaseError) -> Directory? {
    do throws(Errno) {
      let root = try Directory(path: root)
      // Administrators move these folders to other places.
      return try root.linkedDirectory(folder.rawValue)
    } catch {
      if error == .noSuchFileOrDirectory { return nil }
      throw .failed("read", path: root.appending(folder.rawValue).string, error)
    }
  }

  func open<Record>(
    _ name: String, in folder: borrowing Directory, _ path: @autoclosure () -> [String],
    _ listing: inout Listing<Record>
  ) -> Directory? {
    do throws(Errno) {
      return try folder.directory(name)
    } catch {
      switch error {
      case .noSuchFileOrDirectory: break
      case .notDirectory, .tooManySymbolicLinkLevels: listing.note(path(), .stray)
      default: listing.note(path(), .unreadable(error))
      }
      return nil
    }
  }

  func names(
    in folder: borrowing Directory, _ path: @autoclosure () -> [String]
  ) throws(DatabaseError) -> [String] {
    do throws(Errno) {
      let names = try folder.names()
      return order == .byName && names.count > 1 ? names.sorted() : names
    } catch {
      throw .failed("read", path: root.appending(path().joined(separator: "/")).string, error)
    }
  }

  func read<Record>(
    _ name: String, in folder: borrowing Directory, _ path: [String], _ listing: inout Listing<Record>
  ) -> RecordText? {
    do throws(Errno) {
      let text = RecordText(try folder.contents(name, limit: Self.sizeLimit))
      if text.isEmpty {
        listing.note(path, .empty)
        return nil
      }
      return text
    } catch {
      // One that has gone meanwhile is no problem.
      if error == .isDirectory || error == .tooManySymbolicLinkLevels {
        listing.note(path, .stray)
      } else if error != .noSuchFileOrDirectory {
        listing.note(path, .unreadable(error))
      }
      return nil
    }
  }
}

extension DiscoveryRecord.Kind {
  /// The folder that its records are in.
  var folder: RecordDatabase.Folder {
    switch self {
    case .sendTargets: .sendTargets
    case .isns: .isns
    }
  }

  /// The name of the record among the links to what it has found.
  var fileName: String {
    switch self {
    case .sendTargets: "st_config"
    case .isns: "isns_config"
    }
  }
}

extension DiscoveryRecord {
  /// Where the record is, from the database's root on.
  var path: [String] {
    [kind.folder.rawValue, PortalFileName(address: address, port: port).description, kind.fileName]
  }
}
