// SPDX-License-Identifier: Apache-2.0

/// What makes two sessions the same to a user: target, portal and interface.
public struct SessionKey: Hashable, Sendable {
  /// The target's name.
  public let target: String
  /// The portal that is configured, as text with its port.
  public let portal: String
  /// The name of the interface.
  public let interface: String

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

extension SessionSnapshot {
  /// The portal that was configured, or else the one that is connected; nil if sysfs shows neither.
  public var configuredPortal: Portal? {
    guard var portal = connection?.persistentPortal ?? connection?.portal else { return nil }
    portal.tag = tag
    return portal
  }
}
