// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

/// What `iscsiadm` says of records, command after command, on a machine without sessions and daemon.
///
/// The transcripts are those of open-iscsi 2.1.8, in which `$` begins a command line, `>` a line of standard output, `!`
/// one of standard error, and `=` the exit code.
@Suite("iscsiadm and its records")
struct IscsiadmRecordTests {
  @Test("A node is made, shown, changed and removed")
  func node() async throws {
    let run = try RecordRun()
    try await run.expect(
      """
      $ -m node
      ! iscsiadm: No records found
      = 21
      $ -m node -P 2
      ! iscsiadm: Invalid info level 2. Try 0 or 1.
      = 7
      $ -m node -o new
      ! iscsiadm: Error while adding record: 
      = 0
      $ -m node -T iqn.2026-11.org.example:a -p 10.0.0.1:3260,1 -o new
      > New iSCSI node [tcp:[hw=,ip=,net_if=,iscsi_if=default] 10.0.0.1,3260,1 iqn.2026-11.org.example:a] added
      = 0
      $ -m node -T iqn.2026-11.org.example:a -p [fe80::7]:3261 -o new
      > New iSCSI node [tcp:[hw=,ip=,net_if=,iscsi_if=default] fe80::7,3261,-1 iqn.2026-11.org.example:a] added
      = 0
      $ -m node -T iqn.2026-11.org.example:b -p host1 -o new
      > New iSCSI node [tcp:[hw=,ip=,net_if=,iscsi_if=default] host1,3260,-1 iqn.2026-11.org.example:b] added
      = 0
      $ -m node
      > 10.0.0.1:3260,1 iqn.2026-11.org.example:a
      > [fe80::7]:3261,4294967295 iqn.2026-11.org.example:a
      > [host1]:3260,4294967295 iqn.2026-11.org.example:b
      = 0
      $ -m node -P 1
      > Target: iqn.2026-11.org.example:a
      > \tPortal: 10.0.0.1:3260,1
      > \t\tIface Name: default
      > \tPortal: [fe80::7]:3261,-1
      > \t\tIface Name: default
      > Target: iqn.2026-11.org.example:b
      > \tPortal: [host1]:3260,-1
      > \t\tIface Name: default
      = 0
      $ -m node -T iqn.2026-11.org.example:a -p 10.0.0.1:3261
      ! iscsiadm: No records found
      = 21
      $ -m node -T iqn.2026-11.org.example:a -o update -n node.startup -v automatic
      = 0
      $ -m node -T iqn.2026-11.org.example:a -p 10.0.0.1 -o update -n node.startup -v sometimes
      ! iscsiadm: unknown value format 'sometimes' for parameter name 'node.startup'
      ! iscsiadm: Unknown parameter node.startup.
      ! iscsiadm: Could not execute operation on all records: invalid parameter
      = 7
      $ -m node -T iqn.2026-11.org.example:a -p 10.0.0.1 -o update -n nosuch -v 1
      ! iscsiadm: Cannot modify nosuch. Invalid param name.
      ! iscsiadm: Could not execute operation on all records: invalid parameter
      = 7
      $ -m node -T iqn.2026-11.org.example:a -p 10.0.0.1 -o update -n node.tpgt -v 2
      ! iscsiadm: Cannot modify node.tpgt. It is used to look up the record and cannot be changed.
      ! iscsiadm: Could not execute operation on all records: invalid parameter
      = 7
      $ -m node -T iqn.2026-11.org.example:a -o update -n iface.net_ifacename -v eth0
      ! iscsiadm: Cannot modify iface.net_ifacename. Use iface mode to update this value.
      = 7
      $ -m node -T iqn.2026-11.org.example:a -o update -n node.startup
      ! iscsiadm: update requires name and value
      = 7
      $ -m node -I nosuch
      ! iscsiadm: Could not read iface info for nosuch.
      = 3
      $ -m node -l -u
      ! iscsiadm: Invalid parameters. Both login and logout passed in
      = 7
      $ -m node -L bogus
      ! iscsiadm: Invalid loginall option bogus.
      ! Try `iscsiadm --help' for more information.
      = 7
      $ -m node -U onboot
      ! iscsiadm: Invalid logoutall option onboot.
      ! Try `iscsiadm --help' for more information.
      = 7
      $ -m node -u
      ! iscsiadm: No matching sessions found
      = 21
      $ -m node -R
      ! iscsiadm: No session found.
      = 21
      $ -m node -T iqn.2026-11.org.example:b -o delete
      = 0
      $ -m node -T iqn.2026-11.org.example:b -o delete
      ! iscsiadm: No records found
      = 21
      """)
  }

  @Test("A secret is shown only where that is asked for, and is never part of an error")
  func secrets() async throws {
    let run = try RecordRun()
    _ = await run.run("-m node -T iqn.2026-11.org.example:a -p 10.0.0.1 -o new")
    _ = await run.run(
      "-m node -T iqn.2026-11.org.example:a -o update -n node.session.auth.password -v secretsecret")
    let masked = await run.run("-m node -T iqn.2026-11.org.example:a")
    #expect(masked.output.contains("\nnode.session.auth.password = ********\n"))
    #expect(masked.output.contains("\nnode.session.auth.username = <empty>\n"))
    #expect(!masked.output.contains("secretsecret"))
    let shown = await run.run("-m node -T iqn.2026-11.org.example:a -S")
    #expect(shown.output.contains("\nnode.session.auth.password = secretsecret\n"))
    // open-iscsi's three keys of later versions have no line.
    #expect(masked.output.count(where: { $0 == "\n" }) == 109)
  }

  @Test(
    "Line ends behind a value do not count, and one in a secret takes nothing away",
    arguments: [
      "node.session.auth.password", "node.session.auth.password_in", "discovery.sendtargets.auth.password",
      "discovery.sendtargets.auth.password_in", "node.session.auth.username",
    ])
  func lineEnds(_ key: String) async throws {
    let run = try RecordRun()
    let record =
      key.hasPrefix("node.")
      ? ["-m", "node", "-T", "iqn.2026-11.org.example:a", "-p", "10.0.0.1:3260,1"]
      : ["-m", "discoverydb", "-t", "st", "-p", "10.0.0.1"]
    _ = await run.run(record + ["-o", "new"])
    func set(_ value: String) async -> IscsiKit.ExitStatus {
      await run.run(record + ["-o", "update", "-n", key, "-v", value]).status
    }
    func isSet(to value: String) async -> Bool {
      await run.run(record + ["-S"]).output.contains("\n\(key) = \(value)\n")
    }
    for (index, end) in ["\n", "\r\n", "\n\n", "\r"].enumerated() {
      #expect(await set("secretsecret\(index)" + end) == .success)
      #expect(await isSet(to: "secretsecret\(index)"))
    }
    for value in ["secret\nsecret", "secret\rsecret", "\nsecretsecret", String(repeating: "s", count: 256)] {
      let result = await run.run(record + ["-o", "update", "-n", key, "-v", value])
      #expect(result.status == .invalidArgument)
      #expect(await isSet(to: "secretsecret3"))
    }
    #expect(await set("\n") == .success)
    #expect(await isSet(to: "<empty>"))
  }

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

  @Test("The transport of a node stays while a session is there", arguments: ["iface", "node"])
  func transportInUse(_ prefix: String) async throws {
    let run = try RecordRun()
    let tree = try SysfsTree()
    let session = SessionSnapshot.example(1)
    try tree.add(session)
    let target = try #require(session.targetName), portal = try #require(session.configuredPortal)
    _ = await run.run("-m node -T \(target) -p \(portal.address),1 -o new")
    let words = ["-m", "node", "-T", target, "-o", "update", "-n", prefix + ".transport_name", "-v", "iser"]
    let result = await run.run(words, sysfs: tree.root)
    #expect(
      result.errors == """
        iscsiadm: Cannot modify node/iface transport name while a session is using it. Log out the session then update record.

        """)
    #expect(result.status == .sessionExists)
    #expect(try run.database.nodes().records.map(\.record.interface.transport) == ["tcp"])
    #expect(await run.run(words).status == .success)
    #expect(try run.database.nodes().records.map(\.record.interface.transport) == ["iser"])
  }

  @Test("The record of a discovery is made, changed and removed")
  func discoveries() async throws {
    let run = try RecordRun()
    try await run.expect(
      """
      $ -m discovery
      = 21
      $ -m discovery -P 1
      > SENDTARGETS:
      > No targets found.
      > iSNS:
      > No targets found.
      > STATIC:
      > No targets found.
      > FIRMWARE:
      > No targets found.
      = 21
      $ -m discovery -t st
      ! iscsiadm: Please specify portal as <ipaddr>[:<ipport>]
      = 7
      $ -m discoverydb -p 10.0.0.1
      ! iscsiadm: Invalid command. Portal not needed or Possibly missing discovery --type.
      = 7
      $ -m discovery -p 10.0.0.1
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found!
      = 7
      $ -m discoverydb -t st -p 10.0.0.1 -o update -n discovery.sendtargets.reopen_max -v 0
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found.
      = 6
      $ -m discoverydb -t st -p 10.0.0.1 -o new
      > New discovery record for [10.0.0.1,3260] added.
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o update -n discovery.sendtargets.reopen_max -v 0
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o update -n nosuch -v 0
      ! iscsiadm: Cannot modify nosuch. Invalid param name.
      = 7
      $ -m discoverydb -t isns -p 10.0.0.1 -o new
      > New discovery record for [10.0.0.1,3205] added.
      = 0
      $ -m discoverydb
      > 10.0.0.1:3260 via sendtargets
      > 10.0.0.1:3205 via isns
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o delete
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o delete
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found.
      = 6
      """)
  }

  @Test("Operations on a discovery's record that do not go together are refused, after it was looked for")
  func combinedOperations() async throws {
    let run = try RecordRun()
    let refused = "! iscsiadm: Operation is not supported.\n= 7"
    try await run.expect(
      """
      $ -m discoverydb -t st -p 10.0.0.1 -o update
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found.
      = 6
      $ -m discoverydb -t st -p 10.0.0.1 -o apply
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found.
      = 6
      $ -m discoverydb -t st -p 10.0.0.1 -o new -o delete
      > New discovery record for [10.0.0.1,3260] added.
      = 0
      $ -m discoverydb -t st -p 10.0.0.1 -o update
      ! iscsiadm: Update requires name and value.
      = 7
      $ -m discoverydb -t st -p 10.0.0.1 -o show -o delete
      \(refused)
      $ -m discoverydb -t st -p 10.0.0.1 -o update -o delete -n discovery.sendtargets.reopen_max -v 1
      \(refused)
      $ -m discoverydb -t st -p 10.0.0.1 -o nonpersistent
      \(refused)
      $ -m discoverydb -t st -p 10.0.0.1 -o login
      \(refused)
      $ -m discoverydb -t st -p 10.0.0.1 -o delete
      = 0
      """)
  }

  @Test("Operations on nodes that do not go together are refused, and change nothing")
  func combinedNodeOperations() async throws {
    let run = try RecordRun()
    _ = await run.run("-m node -T iqn.2026-11.org.example:a -p 10.0.0.1:3260,1 -o new")
    for words in ["-o new -o delete", "-o show -o delete", "-o new -o show", "-o apply", "-o nonpersistent -o update"] {
      let result = await run.run("-m node -T iqn.2026-11.org.example:a -p 10.0.0.2:3260,1 " + words)
      #expect(result.errors == "iscsiadm: operation is not supported.\n" && result.status == .invalidArgument)
    }
    #expect(await run.run("-m node").output == "10.0.0.1:3260,1 iqn.2026-11.org.example:a\n")
  }

  @Test("A discovery of no type, or of one that there is not, is that of the record at its portal")
  func discoveriesOfNoType() async throws {
    let run = try RecordRun()
    try await run.expect(
      """
      $ -m discoverydb -t st -p 10.0.0.1 -o new
      > New discovery record for [10.0.0.1,3260] added.
      = 0
      $ -m discovery -o delete
      ! iscsiadm: Invalid operation.
      = 7
      $ -m discovery -t bogus -p 10.0.0.1 -o update
      ! iscsiadm: Operations new and update for discovery mode is not supported. Use discoverydb mode.
      = 7
      $ -m discovery -t bogus -p 10.0.0.1 -o nonpersistent
      ! iscsiadm: Invalid operation.
      = 7
      $ -m discoverydb -t bogus -p 10.0.0.1 -o show
      ! iscsiadm: Invalid command. Possibly missing discovery --type.
      = 7
      $ -m discoverydb -t bogus -o nonpersistent
      ! iscsiadm: Invalid operation. Operation not supported.
      = 7
      $ -m discoverydb -t bogus -o show
      > 10.0.0.1:3260 via sendtargets
      = 0
      $ -m discovery -p 10.0.0.1 -o delete
      = 0
      $ -m discovery -t bogus -p 10.0.0.1 -o delete
      ! iscsiadm: Discovery record [10.0.0.1,3260] not found!
      = 7
      """)
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

  @Test("A target's name in none of the standard's formats is one")
  func formatlessNames() async throws {
    let run = try RecordRun()
    try await run.expect(
      """
      $ -m node -T mytarget -p 10.0.0.1:3260,1 -o new
      > New iSCSI node [tcp:[hw=,ip=,net_if=,iscsi_if=default] 10.0.0.1,3260,1 mytarget] added
      = 0
      $ -m node
      > 10.0.0.1:3260,1 mytarget
      = 0
      $ -m node -T mytarget -o update -n node.startup -v automatic
      = 0
      $ -m node -T mytarget -u
      ! iscsiadm: No matching sessions found
      = 21
      $ -m node -T mytarge -o delete
      ! iscsiadm: No records found
      = 21
      $ -m node -T mytarget -o delete
      = 0
      $ -m node
      ! iscsiadm: No records found
      = 21
      """)
  }

  @Test("One more session is logged in to by each record that stands for the session's")
  func oneMoreSession() async throws {
    let run = try RecordRun()
    let tree = try SysfsTree()
    let session = SessionSnapshot.example(1)
    try tree.add(session)
    let target = try #require(session.targetName), portal = try #require(session.configuredPortal)
    for tag in [1, 2] { _ = await run.run("-m node -T \(target) -p \(portal.address),\(tag) -o new") }
    let result = await run.run(["-m", "session", "-r", "1", "-o", "new"], sysfs: tree.root)
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("Logging in to [") && $0.hasSuffix("] (multiple)") })
  }

  @Test(
    "A name that would leave its folder, or that no target can have, is refused",
    arguments: ["../x", "x/y", "..", "-x", ".hidden", "*", "iqn.2026-11.org.example:a\u{1}b"])
  func hostileNames(_ name: String) async throws {
    let run = try RecordRun()
    let result = await run.run(["-m", "node", "-T", name, "-p", "10.0.0.1", "-o", "new"])
    #expect(result.status == .invalidArgument)
    #expect(result.errors.hasPrefix("iscsiadm: ") && result.output.isEmpty)
    #expect(!result.errors.unicodeScalars.contains("\u{1}"))
    let portal = await run.run(["-m", "node", "-T", "iqn.2026-11.org.example:a", "-p", name, "-o", "new"])
    #expect(portal.status != .success)
  }

  @Test("Without a daemon a login says so, for each record")
  func noDaemon() async throws {
    let run = try RecordRun()
    _ = await run.run("-m node -T iqn.2026-11.org.example:a -p 10.0.0.1 -o new")
    try await run.expect(
      """
      $ -m node -l
      > Logging in to [iface: default, target: iqn.2026-11.org.example:a, portal: 10.0.0.1,3260]
      ! iscsiadm: iscsid is not running. Could not start it up automatically using the startup command in the \
      iscsid.conf iscsid.startup setting. Please check that the file exists or that your init scripts have started iscsid.
      ! iscsiadm: can not connect to iSCSI daemon (111)!
      ! iscsiadm: Could not login to [iface: default, target: iqn.2026-11.org.example:a, portal: 10.0.0.1,3260].
      ! iscsiadm: initiator reported error (20 - could not connect to iscsid)
      ! iscsiadm: Could not log into all portals
      = 20
      """)
  }

  @Test("A record whose session is there keeps no other from being logged in to")
  func presentSession() async throws {
    let run = try RecordRun()
    let tree = try SysfsTree()
    let session = SessionSnapshot.example(1)
    try tree.add(session)
    let target = try #require(session.targetName), portal = try #require(session.configuredPortal)
    _ = await run.run("-m node -T \(target) -p \(portal) -o new")
    _ = await run.run("-m node -T iqn.2026-11.org.example:zzz -p 10.0.0.1 -o new")
    let result = await run.run(["-m", "node", "-l"], sysfs: tree.root)
    #expect(
      result.output
        == "Logging in to [iface: default, target: iqn.2026-11.org.example:zzz, portal: 10.0.0.1,3260]\n")
    #expect(result.errors.hasPrefix("iscsiadm: default: 1 session requested, but 1 already present.\n"))
    #expect(result.status == .sessionExists)
    #expect(await run.run(["-m", "node", "-o", "delete"], sysfs: tree.root).status == .sessionExists)
    #expect(await run.run(["-m", "node"], sysfs: tree.root).output.hasSuffix(" \(target)\n"))
  }
}
