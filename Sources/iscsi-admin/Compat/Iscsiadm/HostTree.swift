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
  var lines = [
    "Host Number: \(host.number)",
    "\tState: \(host.state ?? "Unknown")",
    "\tTransport: \(host.transport ?? emptyValue)",
    "\tInitiatorname: \(host.initiatorName ?? emptyValue)",
    "\tIPaddress: \(host.shownAddress)",
    "\tHWaddress: \(host.hardwareAddress ?? emptyValue)",
    "\tNetdev: \(host.networkDevice ?? emptyValue)",
  ]
  if level > 1, !sessions.isEmpty { lines += heading("Sessions:", stars: 9).map { "\t\($0)" } }
  let own = lines.map { "\($0.printableBesidesTabs)\n" }.joined()
  return own + (level > 1 ? sessionTree(sessions, SessionTreeParts(hostLevel: level), indent: "\t") : "")
}

extension HostSnapshot {
  fileprivate var shownAddress: String { ipAddress?.bracketed ?? emptyValue }
}
