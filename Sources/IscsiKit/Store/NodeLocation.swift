// SPDX-License-Identifier: Apache-2.0

/// Where the record of a node is: `nodes/TARGET/ADDRESS,PORT,TAG/INTERFACE`, or `nodes/TARGET/ADDRESS,PORT` in the older
/// form, which is also that of a portal whose tag is not known.
public struct NodeLocation: Hashable, Sendable {
  /// The folder of the target, which is its name.
  let target: String
  /// The name of the portal's folder, or of the record itself in the older form.
  let portal: PortalFileName
  /// The name of the record in its portal's folder.
  let interface: String?

  /// Where a record belongs.
  init(of record: borrowing NodeRecord) {
    target = record.target.description
    portal = PortalFileName(
      address: record.portal.host.description, port: record.portal.port, tag: record.portal.tag)
    interface = record.portal.tag == nil ? nil : record.interface.name.description
  }

  init(target: String, portal: PortalFileName, interface: String?) {
    self.target = target
    self.portal = portal
    self.interface = interface
  }

  /// The names on the way to the record, from the database's root on.
  var path: [String] { ["nodes", target, portal.description] + (interface.map { [$0] } ?? []) }

  /// Where a record of the same target, address and port is in the older form; nil if this is one.
  var inOlderForm: NodeLocation? {
    guard portal.tag != nil else { return nil }
    let older = PortalFileName(address: portal.address, port: portal.port)
    return NodeLocation(target: target, portal: older, interface: nil)
  }

  /// The same whatever the portal's tag.
  var withoutTag: NodeLocation {
    NodeLocation(
      target: target, portal: PortalFileName(address: portal.address, port: portal.port), interface: interface)
  }

  /// The name of the link that a discovery has to the record, which names the interface also in the older form.
  ///
  /// - Parameter path: Where the record is.
  /// - Returns: The name; nil for a record in the older form, which has no link.
  static func linkName(for path: [String]) -> String? {
    path.count == 4 ? path.dropFirst().joined(separator: ",") : nil
  }

  /// The record that a discovery's link is for; nil if it is no such name.
  init?(link: String) {
    // The name of an interface may have commas.
    let parts = link.split(separator: ",", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 5, let name = PortalFileName(parts[1...3].joined(separator: ",")) else { return nil }
    self.init(target: parts[0], portal: name, interface: parts[4])
  }
}

/// The name of a portal's file or folder: `ADDRESS,PORT` or `ADDRESS,PORT,TAG`. The address stands there as it was given.
struct PortalFileName: Hashable, Sendable, CustomStringConvertible {
  let address: String
  let port: UInt16
  let tag: PortalGroupTag?

  init(address: String, port: UInt16, tag: PortalGroupTag? = nil) {
    self.address = address
    self.port = port
    self.tag = tag
  }

  /// Reads a name; nil if it is none of a portal.
  init?(_ name: String) {
    let comma = UInt8(ascii: ","), octets = name.utf8
    guard let first = octets.firstIndex(of: comma), first > name.startIndex else { return nil }
    let address = String(name[..<first]), rest = name[octets.index(after: first)...]
    if let second = rest.utf8.firstIndex(of: comma) {
      guard let port = UInt16(rest[..<second]), let tag = PortalGroupTag(rest[octets.index(after: second)...]) else {
        return nil
      }
      self.init(address: address, port: port, tag: tag)
    } else {
      guard let port = UInt16(rest) else { return nil }
      self.init(address: address, port: port)
    }
  }

  var description: String { tag.map { "\(address),\(port),\($0)" } ?? "\(address),\(port)" }

  /// Whether a filter lets the portal through.
  func matches(_ filter: RecordDatabase.NodeFilter) -> Bool {
    guard filter.port == nil || filter.port == port else { return false }
    guard let wanted = filter.host, wanted.description != address else { return true }
    guard let host = try? PortalHost(address) else { return false }
    return filter.isSameHost(host, wanted)
  }
}
