// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension LoginDescription {
  /// The discovery at the portal that the description names; the target does not count.
  ///
  /// - Parameters:
  ///   - machine: Our name, if the description has none.
  ///   - alias: What the target's administrator is shown beside it.
  ///   - timeout: Seconds that it may take; nil is 30.
  ///   - sysfs: Where to look a MAC address up.
  /// - Returns: The discovery, and the portal to ask.
  /// - Throws: What is wrong with the description.
  func discovery(
    initiator machine: InitiatorName?, alias: String?, timeout: Int?, sysfs: FilePath
  ) throws(LoginDescriptionError) -> (SendTargetsDiscovery, Portal) {
    let name = try Self.parse(initiator, "initiator") { (text) throws(ISCSINameError) in try InitiatorName(text) }
    guard let name = name ?? machine else { throw LoginDescriptionError(field: "initiator", reason: "missing") }
    let portal = try Self.parse(portal, "portal") { (text) throws(PortalError) in try Portal(text) }
    guard let portal else { throw LoginDescriptionError(field: "portal", reason: "missing") }
    var discovery = SendTargetsDiscovery(initiator: name)
    discovery.alias = alias
    discovery.authentication = try authentication?.authentication() ?? .none
    discovery.binding = try interface?.binding() ?? .automatic
    if let timeout { discovery.timeout = .seconds(try Self.check(timeout, in: 1...3600, "timeout")) }
    discovery.sysfs = sysfs
    return (discovery, portal)
  }
}
