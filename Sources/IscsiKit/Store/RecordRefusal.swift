// SPDX-License-Identifier: Apache-2.0

/// A record, of whatever kind.
public enum RecordSubject: Hashable, Sendable, CustomStringConvertible {
  /// Of a node.
  case node(NodeRecord)
  /// Of an interface.
  case interface(InterfaceRecord)
  /// Of a discovery.
  case discovery(DiscoveryRecord)

  /// Which record it is: `iqn... at 10.0.0.1:3260,1 over default`.
  public var description: String {
    switch self {
    case .node(let record): "\(record.target) at \(record.portal) over \(record.interface.name)"
    case .interface(let record): "interface \(record.name)"
    case .discovery(let record): "discovery \(record.kind.rawValue) at \(record.portal.address)"
    }
  }
}

/// Why a record is not changed as somebody asks, or is not there to be.
public enum RecordRefusal: DiagnosableError, Hashable {
  /// No node is what this names.
  case noNode(NodeQuery)
  /// No node that this names has this `node.startup`.
  case noNodeWithStartup(NodeRecord.Startup, NodeQuery)
  /// There is no such interface.
  case noInterface(InterfaceName)
  /// There is no discovery at this portal; nil is any.
  case noDiscovery(Portal?)
  /// There is a record already.
  case exists(RecordSubject)
  /// A session has the record in use.
  case inUse(RecordSubject, SessionID)
  /// This interface there always is, as it is.
  case builtIn(InterfaceName)
  /// A key cannot have its value.
  case setting(RecordError)
  /// A key is to have two values.
  case repeated(key: String)
  /// A node is declared twice.
  case declaredTwice(RecordSubject)

  /// What is refused, and why.
  public var description: String {
    switch self {
    case .noNode(let selection) where selection.isAll: "there are no records of nodes"
    case .noNode(let selection): "there is no record of \(selection)"
    case .noNodeWithStartup(let startup, let selection):
      "no record of \(selection) has node.startup = \(startup.rawValue)"
    case .noInterface(let name): "there is no interface \(name)"
    case .noDiscovery(nil): "there are no records of discoveries"
    case .noDiscovery(let portal?): "there is no record of a discovery at \(portal.address)"
    case .exists(let subject): "there is a record of \(subject) already"
    case .inUse(let subject, let session): "\(subject) is in use by session \(session)"
    case .builtIn(let name): "the interface \(name) cannot be changed"
    case .setting(let error): error.description
    case .repeated(let key): "\(key) is given twice"
    case .declaredTwice(let subject): "\(subject) is declared twice"
    }
  }

  /// 21 for what is not there, 15 for what is in the way, 7 for what cannot be.
  public var exitStatus: ExitStatus {
    switch self {
    case .noNode, .noNodeWithStartup, .noInterface, .noDiscovery: .noObjectsFound
    case .exists, .inUse: .sessionExists
    case .builtIn, .setting, .repeated, .declaredTwice: .invalidArgument
    }
  }

  /// How to get on.
  public var advice: String? {
    switch self {
    case .noNode: "keep what a discovery finds: iscsi-admin discover PORTAL --save"
    case .noNodeWithStartup(let startup, let selection):
      "iscsi-admin node set \(selection.targets.isEmpty ? "TARGET" : selection.targets.map(\.description).joined(separator: " ")) "
        + "node.startup=\(startup.rawValue)"
    case .setting(let error): error.advice
    case .inUse(_, let session): "log out first: iscsi-admin logout \(session)"
    case .builtIn: "create an interface of another name"
    case .noInterface: "iscsi-admin iface list shows the interfaces"
    case .exists(.node): "change it with iscsi-admin node set, or give --replace"
    case .exists(.interface): "change it with iscsi-admin iface set"
    default: nil
    }
  }
}
