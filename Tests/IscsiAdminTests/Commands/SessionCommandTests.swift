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
    try Golden.expect(output.text, is: "session-list.txt")
    #expect(output.diagnostics == "" && output.status == .success)
  }

  @Test("text on a narrow terminal with colours")
  func terminal() throws {
    let tree = try SysfsTree()
    try Self.addLifecycle(to: tree)
    let output = try list(tree, terminal: Terminal(width: 80, hasColour: true))
    try Golden.expect(output.text, is: "session-list-terminal.txt")
  }

  @Test("JSON")
  func json() throws {
    let tree = try SysfsTree()
    try Self.addLifecycle(to: tree)
    try Golden.expect(try list(tree, "--json").text, is: "session-list.json")
  }

  @Test("only numbers")
  func quiet() throws {
    let tree = try SysfsTree()
    try Self.addLifecycle(to: tree)
    #expect(try list(tree, "-q").text == "1\n2\n3\n12\n")
  }

  @Test("no sessions end with 21, whatever the form", arguments: [[], ["--quiet"], ["--json"]])
  func empty(arguments: [String]) throws {
    let tree = try SysfsTree()
    let output = try SessionListCommand.parse(["--sysfs-root", tree.root.string] + arguments).output(for: .plain)
    #expect(output.status == .noObjectsFound)
    #expect(output.diagnostics == (arguments == ["--quiet"] ? "" : "iscsi-admin: no active sessions\n"))
    if arguments == ["--json"] {
      try Golden.expect(output.text, is: "session-list-empty.json")
    } else {
      #expect(output.text == "")
    }
  }

  @Test("a tree that cannot be read is an error with its code, in the document too")
  func unreadable() throws {
    let tree = try SysfsTree()
    try tree.makeDirectory("class")
    try tree.set("class/iscsi_session", to: .text(""))
    let path = tree.root.appending("class/iscsi_session").string
    let output = try list(tree, "--json")
    #expect(output.text.contains("\"message\" : \"\(path) cannot be read: Not a directory\""))
    #expect(output.diagnostics == "iscsi-admin: \(path) cannot be read: Not a directory\n")
    #expect(output.status == .failure)
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
    try Golden.expect(try show(tree, "1").text, is: "session-show.txt")
  }

  @Test("text of sessions that are not well, in the order asked for")
  func notWell() throws {
    let tree = try SysfsTree()
    try SessionListTests.addLifecycle(to: tree)
    let output = try show(tree, "12", "2", "3")
    let states = output.text.split(separator: "\n").filter {
      $0.hasPrefix("Session") || $0.hasPrefix("  Stat") || $0.hasPrefix("  I/O")
    }
    #expect(
      states == [
        "Session 12: -",
        "  Status                      logging in",
        "  State                       FREE",
        "Session 2: iqn.2026-11.org.example:disk2",
        "  Status                      recovering",
        "  I/O                         waits; until when is not known without the daemon (replacement timeout: 120 s)",
        "  State                       FAILED",
        "Session 3: iqn.2026-11.org.example:disk2",
        "  Status                      failing I/O",
        "  I/O                         fails until the session is back",
        "  State                       FREE",
      ])
    #expect(output.text.contains("    Replacement               off (I/O waits for ever)\n"))
    #expect(output.status == .success)
  }

  @Test("JSON")
  func json() throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.userName = "alice"
    session.userNameIn = "storage"
    session.host?.networkDevice = "eth1"
    session.host?.hardwareAddress = "02:00:00:00:00:01"
    session.host?.initiatorName = "iqn.2026-11.org.example:client"
    try tree.add(session)
    try Golden.expect(try show(tree, "--json").text, is: "session-show.json")
  }

  @Test(
    "a session is named by its number, target, disk or mount point, and shown once",
    arguments: [
      (["1"], "1\n", 0), (["iqn.2026-11.org.example:disk2"], "2\n", 0), (["/dev/sd1"], "1\n", 0), (["/srv"], "2\n", 0),
      (["sd2", "1", "2", "/srv"], "2\n1\n", 0), (["iqn.2026-11.org.example:none"], "", 21),
      (["sdz", "sd1"], "1\n", 21),
      (["7", "sd1"], "1\n", 2),
    ] as [([String], String, UInt8)])
  func named(subjects: [String], ids: String, status: UInt8) throws {
    let tree = try SysfsTree()
    for number: UInt32 in [1, 2] {
      try tree.add(.example(number))
      try tree.addBlockDevice("sd\(number)", number: "8:\(number * 16)")
    }
    for name in ["proc", "proc/self"] { try tree.makeDirectory(name) }
    try tree.set("proc/self/mountinfo", to: .text("22 1 8:32 / /srv rw - ext4 /dev/sd2 rw"))
    let command = try SessionShowCommand.parse(
      ["--sysfs-root", tree.root.string, "--proc-root", tree.root.string + "/proc", "-q"] + subjects)
    let output = try command.output(for: .plain)
    #expect(output.text == ids && output.status.rawValue == status)
    #expect(output.diagnosticLines.count == (status == 0 ? 0 : 1))
  }

  @Test("an unknown number ends with 2, and the known ones are still shown")
  func unknown() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    let output = try show(tree, "-q", "99", "1")
    #expect(output.text == "1\n")
    #expect(output.diagnostics == "iscsi-admin: there is no session 99; iscsi-admin session list shows the sessions\n")
    #expect(output.status == .sessionNotFound)
    #expect(try show(tree, "--json", "99", "1").failures.map(\.session) == [99])
  }

  @Test("no sessions end with 21")
  func empty() throws {
    let tree = try SysfsTree()
    let output = try show(tree)
    #expect(output.text == "")
    #expect(output.diagnostics == "iscsi-admin: no active sessions\n")
    #expect(output.status == .noObjectsFound)
  }
}
