// SPDX-License-Identifier: Apache-2.0

extension Portal {
  /// This portal, which the target at `sender` named, as it can be used on this machine; nil for 0.0.0.0 and [::],
  /// which would lead back to this machine.
  ///
  /// The name of an interface in it would be one of the target's machine. A link-local IPv6 address is on the link that
  /// leads to `sender`, so it gets that scope, and any other address has none.
  func named(by sender: Portal) -> Portal? {
    guard case .address(let address, _) = host else { return self }
    guard address.octets.contains(where: { $0 != 0 }) else { return nil }
    var scope: String?
    if address.isLinkLocal, case .address(_, let senderScope) = sender.host { scope = senderScope }
    var portal = self
    portal.host = .address(address, scope: scope)
    return portal
  }
}
