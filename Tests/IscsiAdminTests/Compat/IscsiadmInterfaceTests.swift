// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

/// What `iscsiadm` says of interfaces, as in ``IscsiadmRecordTests``.
@Suite("iscsiadm and its interfaces")
struct IscsiadmInterfaceTests {
  @Test("Interfaces are made, bound, listed and removed with their nodes")
  func interfaces() async throws {
    let run = try RecordRun()
    try await run.expect(
      """
      $ -m iface
      > default tcp,<empty>,<empty>,<empty>,<empty>
      > iser iser,<empty>,<empty>,<empty>,<empty>
      = 0
      $ -m iface -P 2
      ! iscsiadm: Invalid info level 2. Try 0 - 1.
      = 7
      $ -m iface -I default -o new
      ! iscsiadm: iface default is a special interface and is not stored in ROOT/ifaces.
      ! iscsiadm: Could not create new interface default.
      = 7
      $ -m iface -I 10.0.0.1:3260:pv -o new
      > 10.0.0.1:3260:pv updated.
      > New interface 10.0.0.1:3260:pv added
      = 0
      $ -m iface -I 10.0.0.1:3260:pv -o update -n iface.net_ifacename -v eth0
      > 10.0.0.1:3260:pv updated.
      = 0
      $ -m iface -I 10.0.0.1:3260:pv -o update -n iface.hwaddress -v 00:11:22:33:44:55
      ! iscsiadm: Can not update interface binding from net_ifacename to hwaddress. You must delete the interface and create a new one
      ! iscsiadm: Could not update iface 10.0.0.1:3260:pv: invalid parameter
      = 7
      $ -m node -T iqn.2026-11.org.example:a -p 10.0.0.1:3260,1 -I 10.0.0.1:3260:pv -o new
      > New iSCSI node [tcp:[hw=,ip=,net_if=eth0,iscsi_if=10.0.0.1:3260:pv] 10.0.0.1,3260,1 iqn.2026-11.org.example:a] added
      = 0
      $ -m iface -P 1
      > Iface: 10.0.0.1:3260:pv
      > \tTarget: iqn.2026-11.org.example:a
      > \t\tPortal: 10.0.0.1:3260,1
      > Iface: default
      > Iface: iser
      = 0
      $ -m iface
      > 10.0.0.1:3260:pv tcp,<empty>,<empty>,eth0,<empty>
      > default tcp,<empty>,<empty>,<empty>,<empty>
      > iser iser,<empty>,<empty>,<empty>,<empty>
      = 0
      $ -m iface -I 10.0.0.1:3260:pv -o delete
      > 10.0.0.1:3260:pv unbound and deleted.
      = 0
      $ -m node
      ! iscsiadm: No records found
      = 21
      $ -m iface -I 10.0.0.1:3260:pv -o delete
      ! iscsiadm: Could not read iface info for 10.0.0.1:3260:pv.
      ! iscsiadm: Could not delete iface 10.0.0.1:3260:pv: invalid parameter
      = 7
      $ -m iface -o new
      ! iscsiadm: Could not add interface. No interface passed in.
      = 22
      """)
  }

  @Test("An update of an interface sets what its file has, and in its nodes that alone")
  func interfaceUpdates() async throws {
    let run = try RecordRun()
    let stays = "Can not update interface binding from net_ifacename to hwaddress."
    try await run.expect(
      """
      $ -m iface -I nosuch -P 1
      = 0
      $ -m iface -I e4 -o new -n iface.net_ifacename -v eth0
      > e4 updated.
      > New interface e4 added
      = 0
      $ -m iface -I e4 -o update -n iface.hop_limit -v 5
      ! iscsiadm: Cannot modify iface.hop_limit. Invalid param name.
      ! iscsiadm: Could not update iface e4: invalid parameter
      = 7
      $ -m iface -I e4 -o update -n iface.ttl -v 5
      > e4 updated.
      = 0
      $ -m iface -I e6 -o new -n iface.ipaddress -v fd00::6
      > e6 updated.
      > New interface e6 added
      = 0
      $ -m iface -I e6 -o update -n iface.hop_limit -v 5
      > e6 updated.
      = 0
      $ -m iface -I e6 -o update -n iface.ttl -v 5
      ! iscsiadm: Cannot modify iface.ttl. Invalid param name.
      ! iscsiadm: Could not update iface e6: invalid parameter
      = 7
      $ -m iface -I odd -o new -n iface.nosuch -v 1
      > New interface odd added
      ! iscsiadm: Cannot modify iface.nosuch. Invalid param name.
      ! iscsiadm: Could not update iface odd: invalid parameter
      = 7
      $ -m iface -I odd -o delete
      > odd unbound and deleted.
      = 0
      $ -m node -T iqn.2026-11.org.example:a -p 10.0.0.1:3260,1 -I e4 -o new
      > New iSCSI node [tcp:[hw=,ip=,net_if=eth0,iscsi_if=e4] 10.0.0.1,3260,1 iqn.2026-11.org.example:a] added
      = 0
      $ -m iface -I e4 -o new
      > e4 updated.
      > New interface e4 added
      = 0
      $ -m iface -I e4 -o update -n iface.mtu -v 9000
      > e4 updated.
      = 0
      """)
    let interface = try #require(try run.database.nodes().records.first).record.interface
    #expect(interface.networkDevice == "eth0")
    let listing = await run.run("-m node -T iqn.2026-11.org.example:a").output
    #expect(listing.contains("iface.mtu = 9000\n") && listing.contains("iface.net_ifacename = eth0\n"))
    _ = await run.run("-m iface -I e4 -o update -n iface.net_ifacename -v eth0")
    let unbinding = await run.run(["-m", "iface", "-I", "e4", "-o", "update", "-n", "iface.hwaddress", "-v", ""])
    #expect(unbinding.errors.contains(stays) && unbinding.status == .invalidArgument)
    let missing = await run.run("-m iface -I nosuch -P 1")
    #expect(missing.errors.contains("Failed to open") && missing.status == .database)
  }

  @Test("An interface with nothing but the address of a card is asked over and logged in to in vain")
  func cardAddress() async throws {
    let run = try RecordRun()
    let refusal = "Cannot bind 10.0.0.2 to net/scsi interface. This is not supported with software iSCSI (iscsi_tcp)."
    try await run.expect(
      """
      $ -m iface -I card -o new
      > card updated.
      > New interface card added
      = 0
      $ -m iface -I card -o update -n iface.ipaddress -v 10.0.0.2
      > card updated.
      = 0
      $ -m iface -I card -o update -n iface.initiatorname -v iqn.2026-11.org.example:me
      > card updated.
      = 0
      $ -m discoverydb -t st -p 127.0.0.1 -o new
      > New discovery record for [127.0.0.1,3260] added.
      = 0
      $ -m discoverydb -t st -p 127.0.0.1 -o update -n discovery.sendtargets.reopen_max -v 1
      = 0
      $ -m discoverydb -t st -p 127.0.0.1 -I card -D
      ! iscsiadm: \(refusal)
      ! iscsiadm: cannot make connection to 127.0.0.1: Success
      ! iscsiadm: \(refusal)
      ! iscsiadm: cannot make connection to 127.0.0.1: Success
      ! iscsiadm: connection login retries (reopen_max) 1 exceeded
      ! iscsiadm: Could not perform SendTargets discovery: iSCSI PDU timed out
      = 11
      $ -m node -T iqn.2026-11.org.example:a -p 127.0.0.1:3260,1 -I card -o new
      > New iSCSI node [tcp:[hw=,ip=10.0.0.2,net_if=,iscsi_if=card] 127.0.0.1,3260,1 iqn.2026-11.org.example:a] added
      = 0
      $ -m node -I card -l
      > Logging in to [iface: card, target: iqn.2026-11.org.example:a, portal: 127.0.0.1,3260]
      ! iscsiadm: Could not login to [iface: card, target: iqn.2026-11.org.example:a, portal: 127.0.0.1,3260].
      ! iscsiadm: initiator reported error (8 - connection timed out)
      ! iscsiadm: Could not log into all portals
      = 8
      $ -m node -I card -l -W
      > Logging in to [iface: card, target: iqn.2026-11.org.example:a, portal: 127.0.0.1,3260]
      = 0
      """)
  }
}
