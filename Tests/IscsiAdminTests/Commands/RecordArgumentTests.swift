// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("Arguments of the commands of records")
struct RecordArgumentTests {
  private func refusal(_ arguments: [String]) throws -> CommandOutput {
    let error = try #require(throws: (any Error).self) { _ = try IscsiAdmin.parseAsRoot(arguments) }
    return IscsiAdmin.output(for: error, of: arguments)
  }

  private static let target = "iqn.2026-11.org.example:disk"

  @Test("The usual port of a discovery is that of its kind")
  func discoveryPorts() throws {
    #expect(try DiscoverySetCommand.parse(["san", "--kind", "isns", "a=b"]).selection.portal?.address == "san:3205")
    #expect(try DiscoverySetCommand.parse(["san", "a=b"]).selection.portal?.address == "san:3260")
    #expect(try DiscoveryDeleteCommand.parse(["san:99", "--kind", "isns"]).selection.portal?.address == "san:99")
    #expect(try DiscoveryDeleteCommand.parse(["san", "--kind", "isns"]).selection.portal?.address == "san:3205")
    #expect(try DiscoveryShowCommand.parse(["san", "--kind", "isns"]).selection.portal?.address == "san:3205")
    #expect(try DiscoveryShowCommand.parse([]).selection.portal == nil)
  }

  @Test(
    "No choice is not all, and all is no choice",
    arguments: [
      (
        ["node", "set", "node.startup=manual"],
        "no node: give a target's name, --portal or --interface, or --all for the records of all nodes; "
          + "see iscsi-admin node set --help"
      ),
      (
        ["node", "delete"],
        "no node: give a target's name, --portal or --interface, or --all for the records of all nodes; "
          + "see iscsi-admin node delete --help"
      ),
      (
        ["node", "delete", target, "--all"],
        "--all and the choice of nodes exclude each other; see iscsi-admin node delete --help"
      ),
      (["node", "set", target], "nothing to set: give KEY=VALUE; see iscsi-admin node set --help"),
      (
        ["node", "create", "-p", "san", "node.startup=manual"],
        "give one target's name; see iscsi-admin node create --help"
      ),
      (
        ["iface", "set", "eth1", "mtu"],
        "the value 'mtu' is invalid for '<key=value>': not KEY=VALUE; see iscsi-admin iface set --help"
      ),
      (
        ["iface", "show", "a/b"],
        "the value 'a/b' is invalid for '<name>': not a name of 1 to 64 octets without slashes; "
          + "see iscsi-admin iface show --help"
      ),
      (
        ["discovery", "list", "--kind", "slp"],
        "the value 'slp' is invalid for '--kind <kind>': neither sendtargets nor isns; "
          + "see iscsi-admin discovery list --help"
      ),
      (
        ["initiator-name", "--write"],
        "--prefix and --write need --generate; see iscsi-admin initiator-name --help"
      ),
      (
        ["initiator-name", "--generate", "--prefix", "host"],
        "the value 'host' is invalid for '--prefix <iqn.yyyy-mm.domain>': the name starts with none of iqn., eui. and "
          + "naa.; see iscsi-admin initiator-name --help"
      ),
    ] as [([String], String)])
  func refused(arguments: [String], line: String) throws {
    let output = try refusal(arguments)
    #expect(output.diagnostics == "iscsi-admin: \(line)\n")
    #expect(output.status == .invalidArgument)
  }

  @Test(
    "A secret on the command line is refused, and not repeated",
    arguments: [
      ["node", "set", target, "node.session.auth.password=topSecret"],
      ["node", "create", target, "-p", "san", "node.session.auth.password_in=topSecret"],
      ["node", "list", "node.session.auth.password=topSecret"],
      ["discovery", "set", "san", "discovery.sendtargets.auth.password=topSecret"],
      ["discovery", "set", "discovery.sendtargets.auth.password=topSecret"],
    ])
  func secret(arguments: [String]) throws {
    let output = try refusal(arguments)
    #expect(output.status == .invalidArgument)
    #expect(output.diagnosticLines.count == 1)
    #expect(output.diagnostics.contains("a secret on the command line is for all to read: give it as "))
    #expect(!output.diagnostics.contains("topSecret"))
  }

  @Test("Standard input gives one secret")
  func standardInput() throws {
    let arguments = [
      "node", "set", Self.target, "node.session.auth.password=@-", "node.session.auth.password_in=@-",
    ]
    #expect(try refusal(arguments).diagnostics.contains("two secrets are to come from standard input"))
  }

  @Test("The database is where the environment says")
  func environment() throws {
    #expect(RecordStore.variable == "ISCSI_DBROOT")
    #expect(try RecordStore.ofMachine(override: "/srv/iscsi").database.root == "/srv/iscsi")
  }
}
