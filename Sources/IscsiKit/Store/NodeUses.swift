// SPDX-License-Identifier: Apache-2.0

/// Which nodes have a session, as of one moment.
public struct NodeUses: Sendable {
  private let sessions: [String: [SessionSnapshot]]

  /// From the sessions that there are.
  public init(_ sessions: [SessionSnapshot]) {
    self.sessions = Dictionary(grouping: sessions) { $0.targetName ?? "" }
  }

  /// The session of a node; nil if it has none.
  ///
  /// It has the record's target and interface, and the portal that was configured. Where either is known by a host's name
  /// and the other is not, they may well be one: only the port counts then.
  public func session(of record: NodeRecord) -> SessionID? {
    sessions[record.target.description]?.first { session in
      guard (session.interfaceName ?? "default") == record.interface.name.description else { return false }
      guard let portal = session.connection?.persistentPortal ?? session.connection?.portal else { return true }
      guard portal.port == record.portal.port else { return false }
      return switch (portal.host, record.portal.host) {
      case (.name, .address), (.address, .name): true
      case (let one, let other): one == other
      }
    }?.id
  }
}
