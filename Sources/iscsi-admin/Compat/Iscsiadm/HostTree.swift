// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// A host's line in `iscsiadm -m host`.
func hostLine(_ host: HostSnapshot) -> String {
  let addresses = "\(host.shownAddress),[\(host.hardwareAddress ?? emptyValue)],\(host.networkDevice ?? emptyValue)"
  let line =
    "\(host.transport ?? emptyValue): [\(host.number)] \(addresses) \(host.initiatorName ?? emptyValue)"
  return line.printable + "\n"
}

/// A host's tree.
///
/// - Parameters:
///   - host: The host.
///   - sessions: Its sessions in the order of listings.
///   - level: 1 for the host alone, up to 4 for all.
/// - Returns: The lines.
func hostTree(_ host: HostSnapshot, _ sessions: [ListedSession], level: Int) -> String {
  var tree = TreeText(indent: "")
  tree.line(label: "Host Number: ", host.number.description)
  tree.line(label: "\tState: ", host.state ?? "Unknown")
  tree.line(label: "\tTransport: ", host.transport ?? emptyValue)
  tree.line(label: "\tInitiatorname: ", host.initiatorName ?? emptyValue)
  tree.line(label: "\tIPaddress: ", host.shownAddress)
  tree.line(label: "\tHWaddress: ", host.hardwareAddress ?? emptyValue)
  tree.line(label: "\tNetdev: ", host.networkDevice ?? emptyValue)
  if level > 1, !sessions.isEmpty { tree.indented(by: "\t") { $0.heading("Sessions:", stars: 9) } }
  return tree.text + (level > 1 ? sessionTree(sessions, SessionTreeParts(hostLevel: level), indent: "\t") : "")
}

extension HostSnapshot {
  fileprivate var shownAddress: String { ipAddress?.bracketed ?? emptyValue }
}
