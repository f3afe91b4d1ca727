// SPDX-License-Identifier: Apache-2.0

/// What makes two sessions the same to a user: target, portal and interface.
///
/// The portal group tag is not a part of it, as it is none to open-iscsi: a portal has one tag at a time, and records of
/// one portal with several tags stand for the same sessions.
public struct SessionKey: Hashable, Sendable {
  /// The target's name.
  public let target: String
  /// The portal that is configured, as text with its port.
  public let portal: String
  /// The name of the interface.
  public let interface: String

  private init(_ target: String, _ portal: Portal, _ interface: String) {
    self.target = target
    self.portal = portal.address
    self.interface = interface
  }

  /// The key of a session in the kernel. What sysfs does not show is empty, and then like that of no other session.
  public init(_ session: SessionSnapshot) {
    target = session.targetName ?? ""
    portal = session.configuredPortal?.address ?? "session \(session.id)"
    interface = session.interfaceName ?? "default"
  }

  /// The key of the session that is asked for.
  public init(_ request: LoginRequest) {
    target = request.target.description
    portal = request.portal.address
    interface = request.options.interfaceName
  }

  /// The key of the session that a record of a node stands for.
  public init(_ record: NodeRecord) {
    target = record.target.description
    portal = record.portal.address
    interface = record.interface.name.description
  }
}

// Of a host that has a name the same session has another key: a login by the name and one by the address behind it must
// not come to two sessions.
extension SessionKey {
  /// The key of a session in the kernel by the address that it is connected to; nil if its portal is no name, or it has no
  /// connection.
  static func byAddress(_ session: SessionSnapshot) -> SessionKey? {
    guard let portal = session.configuredPortal, case .name = portal.host,
      let address = session.connection?.address.flatMap({ IPAddress($0) })
    else { return nil }
    return SessionKey(
      session.targetName ?? "", Portal(host: .address(address, scope: nil), port: portal.port),
      session.interfaceName ?? "default")
  }

  /// The key of the session that is asked for, by the address that the name of its portal's host stands for; nil for one
  /// that needs a scope, which a name does not tell.
  static func byAddress(_ request: LoginRequest, _ address: SocketAddress) -> SessionKey? {
    guard address.scope == 0 else { return nil }
    return SessionKey(
      request.target.description, Portal(host: .address(address.address, scope: nil), port: request.portal.port),
      request.options.interfaceName)
  }
}

extension SessionSnapshot {
  /// The portal that was configured, or else the one that is connected; nil if sysfs shows neither.
  public var configuredPortal: Portal? {
    guard var portal = connection?.persistentPortal ?? connection?.portal else { return nil }
    portal.tag = tag
    return portal
  }
}
