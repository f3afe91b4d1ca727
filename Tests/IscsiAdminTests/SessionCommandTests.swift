// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("session list")
struct SessionListTests {
  private func list(_ tree: borrowing SysfsTree, _ arguments: String..., terminal: Terminal = .plain) throws
    -> CommandOutput
  {
    let command = try SessionListCommand.parse(["--sysfs-root", tree.root.string] + arguments)
    return try command.output(for: terminal)
  }

  /// A healthy session, one in recovery, one whose replacement timeout ran out, and one just created.
  static func addLifecycle(to tree: borrowing SysfsTree) throws {
    try tree.add(.example(1))
    var failed = SessionSnapshot.example(2)
    failed.state = .failed
    failed.connection?.state = .failed
    failed.connection?.address = nil
    failed.connection?.port = nil
    failed.connection?.localPort = nil
    failed.host?.ipAddress = nil
    failed.devices[0].state = "blocked"
    try tree.add(failed)
    var free = failed
    free.id = SessionID(rawValue: 3)
    free.host?.number = HostNumber(rawValue: 3)
    free.state = .free
    free.replacementTimeout = -1
    free.devices = [7, 1].map { .example(host: HostNumber(rawValue: 3), lun: $0, block: "sd\($0)") }
    free.devices[0].state = "transport-offline"
    free.devices[1].state = "transport-offline"
    try tree.add(free)
    var created = SessionSnapshot(id: SessionID(rawValue: 12))
    created.state = .free
    created.targetState = .allocated
    try tree.add(created)
  }

  @Test("text")
  func text() throws {
    let tree = try SysfsTree()
    try Self.addLifecycle(to: tree)
    let output = try list(tree)
    #expect(output == CommandOutput(text: Golden.listText))
  }

  @Test("text on a narrow terminal with colours")
  func terminal() throws {
    let tree = try SysfsTree()
    try Self.addLifecycle(to: tree)
    let output = try list(tree, terminal: Terminal(width: 80, hasColour: true))
    #expect(output == CommandOutput(text: Golden.listTerminal))
  }

  @Test("JSON")
  func json() throws {
    let tree = try SysfsTree()
    try Self.addLifecycle(to: tree)
    #expect(try list(tree, "--json") == CommandOutput(text: Golden.listJSON))
  }

  @Test("only numbers")
  func quiet() throws {
    let tree = try SysfsTree()
    try Self.addLifecycle(to: tree)
    #expect(try list(tree, "-q") == CommandOutput(text: "1\n2\n3\n12\n"))
  }

  @Test("no sessions end with 21, whatever the form")
  func empty() throws {
    let tree = try SysfsTree()
    let message = "iscsi-admin: no active sessions\n"
    #expect(try list(tree) == CommandOutput(diagnostics: message, status: .noObjectsFound))
    #expect(try list(tree, "--quiet") == CommandOutput(status: .noObjectsFound))
    let json = try list(tree, "--json")
    #expect(json == CommandOutput(text: Golden.emptyListJSON, diagnostics: message, status: .noObjectsFound))
  }

  @Test("a tree that cannot be read is an error with its code")
  func unreadable() throws {
    let tree = try SysfsTree()
    try tree.makeDirectory("class")
    try tree.set("class/iscsi_session", to: .text(""))
    let path = tree.root.appending("class/iscsi_session")
    let output = try list(tree, "--json")
    #expect(output.text == "")
    #expect(output.diagnostics == "iscsi-admin: session list: \(path) cannot be read: Not a directory\n")
    #expect(output.status == .failure)
  }

  @Test("--json and --quiet exclude each other")
  func conflict() {
    #expect(throws: (any Error).self) { try SessionListCommand.parse(["--json", "--quiet"]) }
  }
}

@Suite("session show")
struct SessionShowTests {
  private func show(_ tree: borrowing SysfsTree, _ arguments: String..., terminal: Terminal = .plain) throws
    -> CommandOutput
  {
    let command = try SessionShowCommand.parse(["--sysfs-root", tree.root.string] + arguments)
    return try command.output(for: terminal)
  }

  @Test("text of a healthy session")
  func text() throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.userName = "alice"
    session.devices.insert(.init(host: HostNumber(rawValue: 1), channel: 0, target: 0, lun: 0), at: 0)
    session.devices[0].state = "running"
    session.devices[0].type = 12
    session.devices[0].vendor = "IET"
    session.devices[0].model = "Controller"
    session.devices[0].revision = "0001"
    try tree.add(session)
    #expect(try show(tree, "1") == CommandOutput(text: Golden.showText))
  }

  @Test("text of sessions that are not well, in the order asked for")
  func notWell() throws {
    let tree = try SysfsTree()
    try SessionListTests.addLifecycle(to: tree)
    let output = try show(tree, "12", "2", "3")
    let states = output.text.split(separator: "\n").filter { $0.hasPrefix("Session") || $0.hasPrefix("  State") }
    #expect(
      states == [
        "Session 12: -",
        "  State                       FREE (not logged in)",
        "Session 2: iqn.2026-11.org.example:disk2",
        "  State                       FAILED (I/O waits at most 120 s for the session to come back)",
        "Session 3: iqn.2026-11.org.example:disk2",
        "  State                       FREE (I/O fails until the session comes back)",
      ])
    #expect(output.text.contains("    Replacement               off (I/O waits for ever)\n"))
    #expect(output.status == .success)
  }

  @Test("JSON")
  func json() throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.userName = "alice"
    try tree.add(session)
    #expect(try show(tree, "--json") == CommandOutput(text: Golden.showJSON))
  }

  @Test("an unknown number ends with 2, and the known ones are still shown")
  func unknown() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    let output = try show(tree, "-q", "99", "1")
    #expect(output.text == "1\n")
    #expect(output.diagnostics == "iscsi-admin: session show 99: there is no session 99\n")
    #expect(output.status == .sessionNotFound)
  }

  @Test("no sessions end with 21")
  func empty() throws {
    let tree = try SysfsTree()
    let expected = CommandOutput(diagnostics: "iscsi-admin: no active sessions\n", status: .noObjectsFound)
    #expect(try show(tree) == expected)
  }

  @Test("what is no number is refused", arguments: ["x", "-1", "1x", "4294967296", "+1", ""])
  func badNumber(_ argument: String) {
    #expect(throws: (any Error).self) { try SessionShowCommand.parse(["--", argument]) }
  }
}
