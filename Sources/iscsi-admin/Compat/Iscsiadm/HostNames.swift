// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Synchronization

/// Which hosts are the same for `-p`: those that have an address in common, where one of them is a name.
final class HostNames: Sendable {
  /// What was looked up. Most commands look nothing up, and to make the type of the table is a tenth of a short one's work.
  private let known = Mutex<Table?>(nil)

  private final class Table {
    var addresses: [PortalHost: Set<IPAddress>] = [:]
  }

  /// Whether two hosts are the same; nil if nobody knows, as a name has no address. A name is looked up once.
  func areSame(_ one: PortalHost, _ other: PortalHost) -> Bool? {
    if one == other { return true }
    if case .address = one, case .address = other { return false }
    let (addresses, others) = (addresses(of: one), addresses(of: other))
    return addresses.isEmpty || others.isEmpty ? nil : !addresses.isDisjoint(with: others)
  }

  private func addresses(of host: PortalHost) -> Set<IPAddress> {
    if let addresses = known.withLock({ $0?.addresses[host] }) { return addresses }
    let addresses = Set(host.addresses)
    known.withLock { known in
      let table = known ?? Table()
      table.addresses[host] = addresses
      known = table
    }
    return addresses
  }
}
