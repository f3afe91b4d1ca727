// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

@Suite("iSNS from the command line", .timeLimit(.minutes(2)))
struct IscsiadmISNSTests {
  private static let name = "iqn.2026-11.org.example:disk"

  private func serve(_ change: @escaping (inout InMemoryISNSServer) -> Void = { _ in }) throws -> LoopbackTarget {
    var server = InMemoryISNSServer()
    server.attributes =
      .isns(target: Self.name, at: [(.v4(0x0A00_0001), 3260, 1), (.v4(0x0A00_0101), 3260, 2)])
      + .isns(target: ".bad", at: [(.v4(0x0A00_0001), 3260, 1)])
    change(&server)
    let node = server
    return try LoopbackTarget(servingOctets: { node })
  }

  /// Runs command lines on a database of their own that has an interface with a name for us. The server's address is
  /// SERVER in them and in what they print.
  private func run(_ lines: [String], at portal: Portal) async throws -> String {
    let root = FilePath("/tmp/iscsiadm-isns-\(UInt64.random(in: 0...UInt64.max))")
    _ = try TestProcess.run(["mkdir", "-p", root.appending("records").string])
    defer { _ = try? TestProcess.run(["rm", "-rf", root.string]) }
    let made = [
      "-m iface -I me -o new",
      "-m iface -I me -o update -n iface.initiatorname -v iqn.2026-11.org.example:host",
    ]
    for line in made { _ = await IscsiadmRun(line.split(separator: " ").map(String.init), on: root) }
    var transcript = ""
    for line in lines {
      let words = line.replacing("SERVER", with: portal.address).split(separator: " ").map(String.init)
      let result = await IscsiadmRun(words, on: root)
      transcript += "$ \(line)\n\(result.output)\(result.errors)= \(result.status.rawValue)\n"
    }
    return transcript.replacing(portal.address, with: "SERVER")
      .replacing("\(portal.host),\(portal.port)", with: "SERVER,PORT")
  }

  @Test("Targets are found, kept and listed as open-iscsi does, with a record of the server and without")
  func found() async throws {
    let server = try serve()
    let transcript = try await run(
      [
        "-m discovery -t isns -p SERVER -I me -o nonpersistent", "-m node", "-m discovery -t isns -p SERVER -I me",
        "-m discovery", "-m discovery -P 1", "-m discoverydb -t isns -p SERVER -I me -D -P 1", "-m discovery",
        "-m discovery -P 1",
      ], at: server.portal)
    let lines = """
      10.0.0.1:3260,1 \(Self.name)
      10.0.1.1:3260,2 \(Self.name)

      """
    let tree = """
      Target: \(Self.name)
      \tPortal: 10.0.0.1:3260,1
      \t\tIface Name: me
      \tPortal: 10.0.1.1:3260,2
      \t\tIface Name: me

      """
    let refused = "iscsiadm: Discovery TargetName invalid: .bad\n"
    let (before, after) = (
      "SENDTARGETS:\nNo targets found.\niSNS:\n", "STATIC:\nNo targets found.\nFIRMWARE:\nNo targets found.\n"
    )
    #expect(
      transcript == """
        $ -m discovery -t isns -p SERVER -I me -o nonpersistent
        \(lines)\(refused)= 0
        $ -m node
        iscsiadm: No records found
        = 21
        $ -m discovery -t isns -p SERVER -I me
        \(lines)\(refused)= 0
        $ -m discovery
        = 21
        $ -m discovery -P 1
        \(before)\(tree)\(after)= 0
        $ -m discoverydb -t isns -p SERVER -I me -D -P 1
        \(tree)\(refused)= 0
        $ -m discovery
        SERVER via isns
        = 0
        $ -m discovery -P 1
        \(before)DiscoveryAddress: SERVER,PORT
        \(tree)\(after)= 0

        """)
  }

  @Test(
    "A failure is told in open-iscsi's words, with its code",
    arguments: [
      (
        ISNSFunction.query, ISNSStatus.noSuchEntry,
        """
        iscsiadm: iSNS discovery failed: No such entry
        iscsiadm: Could not perform iSNS discovery: iSNS query failed
        = 25

        """
      ),
      (
        .query, ISNSStatus(rawValue: 99),
        """
        iscsiadm: iSNS discovery failed: Unknown iSNS status code
        iscsiadm: Could not perform iSNS discovery: iSNS query failed
        = 25

        """
      ),
      (
        .register, .sourceUnauthorized,
        """
        iscsiadm: Could not register iqn.2026-11.org.example:host with iSNS server: Source unauthorized.
        iscsiadm: Could not perform iSNS discovery: iSNS registration failed
        = 26

        """
      ),
    ])
  func refused(function: ISNSFunction, status: ISNSStatus, text: String) async throws {
    let server = try serve {
      $0.wantsRegistration = true
      $0.statuses[function] = status
    }
    let line = "-m discovery -t isns -p SERVER -I me"
    #expect(try await run([line], at: server.portal) == "$ \(line)\n" + text)
  }

  @Test("A server that is not there is told so, and one without targets too")
  func nothing() async throws {
    let line = "-m discovery -t isns -p SERVER -I me"
    let empty = try serve { $0.attributes = [] }
    #expect(try await run([line], at: empty.portal) == "$ \(line)\niscsiadm: No portals found\n= 21\n")
    let gone = try TestListener().portal
    #expect(
      try await run([line], at: gone) == """
        $ \(line)
        socket disconnect, killing socket
        Warning: Timed out while waiting for reply
        iscsiadm: iSNS discovery failed: Internal error
        iscsiadm: Could not perform iSNS discovery: iSNS query failed
        = 25

        """)
  }

  // MARK: - iscsi-admin discover

  private func discover(_ portal: Portal, _ arguments: String...) async throws -> CommandOutput {
    let words = [portal.address, "--kind", "isns", "--initiator-name", "iqn.2026-11.org.example:host"] + arguments
    return try await onOwnThread { try DiscoverCommand.parse(words).output(for: .plain) }
  }

  @Test("iscsi-admin discover: an iSNS server's targets, as those of a target")
  func command() async throws {
    let server = try serve()
    let output = try await discover(server.portal)
    #expect(
      output.text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) } == [
        ["PORTAL", "TARGET"], ["10.0.0.1:3260,1", Self.name], ["10.0.1.1:3260,2", Self.name],
      ])
    #expect(
      output.diagnostics
        == "iscsi-admin: warning: refused .bad: the name begins with '.'\n")
    let document = try await discover(server.portal, "--json")
    #expect(
      document.text.contains("\"kind\" : \"discovery\"") && document.text.contains("\"port\" : \(server.portal.port)"))
  }

  @Test(
    "iscsi-admin discover: a server without targets ends with 21, whichever way it says so", arguments: [false, true])
  func emptyCommand(saysSo: Bool) async throws {
    let server = try serve {
      $0.attributes = []
      if saysSo { $0.statuses[.query] = .noSuchEntry }
    }
    let output = try await discover(server.portal, "--json")
    #expect(output.status == .noObjectsFound)
    #expect(
      output.diagnostics.contains(
        "\(server.portal.address) failed: the iSNS server has no targets for this initiator; put"))
    #expect(output.text.contains("\"exitCode\" : 21") && output.text.contains("\"targets\" : [\n\n  ]"))
  }

  @Test("iscsi-admin discover: the port is that of iSNS, and no secret goes to a server")
  func arguments() throws {
    #expect(try DiscoverCommand.parse(["san", "--kind", "isns"]).portal.address == "san:3205")
    #expect(try DiscoverCommand.parse(["[fe80::1]:99", "--kind", "isns"]).portal.address == "[fe80::1]:99")
    #expect(try DiscoverCommand.parse(["san"]).portal.address == "san:3260")
    #expect(throws: (any Error).self) { try DiscoverCommand.parse(["san", "--kind", "isns", "--user", "me"]) }
    #expect(throws: (any Error).self) { try DiscoverCommand.parse(["san", "--kind", "slp"]) }
  }
}
