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
