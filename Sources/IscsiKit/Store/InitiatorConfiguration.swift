// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// What the administrator has configured for new records (`iscsid.conf`), by the grammar of records.
///
/// A record takes these values when it is made; existing ones keep theirs.
public struct InitiatorConfiguration: Hashable, Sendable {
  /// Where open-iscsi and every distribution keep it.
  public static let standardPath: FilePath = "/etc/iscsi/iscsid.conf"
  /// The most octets that are read of the file.
  private static let sizeLimit = 1 << 20

  private let text: RecordText
  /// What new records of nodes are like; a discovery makes thousands.
  private let node: NodeRecord?

  /// Nothing is configured.
  public init() { self.init(RecordText()) }

  /// Reads a file. A missing one configures nothing.
  public init(path: FilePath) throws(DatabaseError) {
    let octets: [UInt8]
    do {
      octets = try FileContents(of: path, limit: Self.sizeLimit + 1).octets
    } catch .noSuchFileOrDirectory {
      octets = []
    } catch {
      throw .failed("read", path: path.string, error)
    }
    guard octets.count <= Self.sizeLimit else { throw .failed("read", path: path.string, .fileTooLarge) }
    self.init(RecordText(octets))
  }

  /// Takes a text for the file.
  init(_ text: RecordText) {
    self.text = text
    node = NodeRecord.keys.standardRecord.map { standard in
      var record = standard
      _ = NodeRecord.keys.read(text, into: &record, onlySettings: true)
      return record
    }
  }

  /// What in the file cannot be used, and is as if it did not stand there. It is looked for when it is asked for.
  public var problems: [String] {
    let errors = NodeRecord.keys.errors(in: text) + DiscoveryRecord.keys(of: .sendTargets).errors(in: text)
    var problems = text.problems.map(\.description)
    for problem in errors.map(\.description) where !problems.contains(problem) { problems.append(problem) }
    return problems
  }

  /// A new record of a node.
  public func node(_ target: TargetName, at portal: Portal, over interface: InterfaceRecord = .standard) -> NodeRecord {
    var record = node ?? NodeRecord(target: target, portal: portal)
    record.target = target
    record.portal = portal
    record.interface = interface
    return record
  }

  /// A new record of a discovery.
  public func discovery(_ kind: DiscoveryRecord.Kind, at host: PortalHost, port: UInt16) -> DiscoveryRecord {
    var record = DiscoveryRecord(kind, at: host, port: port)
    _ = DiscoveryRecord.keys(of: kind).read(text, into: &record, onlySettings: true)
    return record
  }

  /// `iscsid.safe_logout`: whether a session whose disks are in use is not logged out. Yes unless the file says No.
  public var protectsUsedDisks: Bool { text["iscsid.safe_logout"] != "No" }

  /// `iscsid.startup`: the shell's command that starts the daemon for an iscsiadm that needs it; nil if there is none.
  public var startCommand: String? { text["iscsid.startup"].flatMap { $0.isEmpty ? nil : $0 } }

  /// `iscsid.dbroot`: where the record database is, as it is written; nil leaves that to what is found.
  var databaseRoot: String? { text["iscsid.dbroot"] }
}
