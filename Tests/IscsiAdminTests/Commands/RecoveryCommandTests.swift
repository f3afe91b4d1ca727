// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

/// Sessions in all kinds of trouble, with what the daemon knows of them, and disks that are used.
private final class Trouble {
  static let now = 1_795_000_100.0
  let tree: SysfsTree
  var sessions: [SessionSnapshot] = []
  var recoveries: [SessionID: InitiatorTypes.Recovery] = [:]

  init() throws {
    tree = try SysfsTree()
    add(1, .loggedIn, .up, "running", nil)
    add(2, .failed, .failed, "blocked", outage(since: Self.now - 20, timeout: 120, next: Self.now + 1.5))
    add(3, .free, .failed, "transport-offline", outage(since: Self.now - 7300, timeout: 30, next: nil))
    add(4, .failed, .failed, "blocked", outage(since: Self.now - 65, timeout: -1, next: Self.now + 2))
    sessions[3].host?.state = "recovery"
    add(5, .loggedIn, .up, "offline", nil)
    add(6, .loggedIn, .up, "running", nil)
    recoveries[sessions[5].id] = InitiatorTypes.Recovery(
      phase: "up", portal: "10.0.0.1:3260,1", recoveries: 0, network: "eth0 is without carrier",
      networkSince: Self.now - 95, noopsIdle: true)
    add(7, .free, .bound, nil, nil)
    // One that the daemon does not know, whose target has an odd name.
    add(8, .failed, .failed, "blocked", nil)
    sessions[7].targetName = "iqn.2026-11.org.example:\u{1B}[2J"
    add(9, .loggedIn, .up, "running", nil)
    recoveries[sessions[8].id] = InitiatorTypes.Recovery(
      phase: "up", portal: "10.0.0.1:3260,1", recoveries: 0, silentSince: Self.now - 7)
    add(10, .loggedIn, .up, nil, nil)
    sessions[9].targetState = .unbinding
    recoveries[sessions[9].id] = InitiatorTypes.Recovery(
      phase: "loggingOut", portal: "10.0.0.1:3260,1", recoveries: 0, removingSince: Self.now - 65)
    for session in sessions { try tree.add(session) }
    for (number, session) in sessions.enumerated() where session.devices.count == 1 {
      try tree.addBlockDevice(
        "sd\(session.id)", number: "8:\(number * 16)", holders: session.id.rawValue == 3 ? ["dm-0"] : [])
    }
    try tree.addBlockDevice("dm-0", number: "253:0", mapping: "mpatha", mappingUUID: "mpath-3600")
    try tree.makeDirectory("proc/self")
    try tree.set(
      "proc/self/mountinfo",
      to: .text("22 1 8:16 / /srv rw - ext4 /dev/sd2 rw\n23 1 253:0 / /var/lib/data rw - xfs /dev/dm-0 rw"))
    try tree.set("proc/swaps", to: .text("Filename Type Size Used Priority\n/dev/sd4 partition 1 0 -2"))
    try tree.link("dev/disk/by-id", "wwn-0x6001", to: "dev/sd3")
    try tree.link("dev/disk/by-path", "ip-10.0.0.1:3260-iscsi-iqn.2026-11.org.example:disk3-lun-1", to: "dev/sd3")
  }

  private func add(
    _ number: UInt32, _ state: KernelSessionState, _ connection: KernelConnectionState, _ device: String?,
    _ outage: InitiatorTypes.Outage?
  ) {
    var session = SessionSnapshot.example(number)
    session.state = state
    session.connection?.state = connection
    if let device { session.devices[0].state = device } else { session.devices = [] }
    if session.devices.isEmpty { session.targetState = .allocated }
    sessions.append(session)
    guard let outage else { return }
    recoveries[session.id] = InitiatorTypes.Recovery(
      phase: "recovering", portal: "10.0.0.1:3260,1", recoveries: 0, outage: outage)
  }

  private func outage(since: Double, timeout: Int32, next: Double?) -> InitiatorTypes.Outage {
    InitiatorTypes.Outage(
      cause: "the kernel reported NOP_TIMEDOUT (1022)", kernelError: 1022, kernelErrorName: "NOP_TIMEDOUT",
      network: timeout == 120 ? "eth0 is without carrier" : nil, since: since, attempts: 3,
      lastFailure: InitiatorTypes.Attempt(
        number: 3, portal: "10.0.0.1:3260,1", cause: "no answer in time", time: since + 3),
      nextAttempt: next, replacementTimeout: timeout, deadline: timeout < 0 ? nil : since + Double(timeout))
  }

  var roots: [String] {
    [
      "--sysfs-root", tree.root.string, "--proc-root", tree.root.string + "/proc", "--dev-root",
      tree.root.string + "/dev",
    ]
  }

  func reports(_ ids: [UInt32] = []) -> [SessionReport] {
    sessions.filter { ids.isEmpty || ids.contains($0.id.rawValue) }
      .map { session in
        let counters = ["txdata_octets", "scsicmd_pdus"].map { InitiatorTypes.Counter(name: $0, value: 4711) }
        return SessionReport(
          session.id, session, recoveries[session.id], counters: ids == [3] ? counters : nil,
          at: Self.now)
      }
  }

  /// The text without the directory that stands for the machine.
  func hidingRoot(_ text: String) -> String { text.replacing(tree.root.string, with: "") }
}

@Suite("recovery")
struct RecoveryCommandTests {
  private func output(_ arguments: [String] = [], _ terminal: Terminal = .plain) throws -> (CommandOutput, String) {
    let trouble = try Trouble()
    let command = try RecoveryCommand.parse(trouble.roots + arguments)
    let output = try Self.output(of: command, trouble.reports(), terminal)
    return (output, trouble.hidingRoot(output.text))
  }

  private static func output(
    of command: RecoveryCommand, _ reports: [SessionReport], _ terminal: Terminal = .plain
  ) throws -> CommandOutput {
    var output = CommandOutput()
    try command.show(reports, at: Trouble.now, in: &output, for: terminal)
    return output
  }

  @Test("Each session that is not operational has a line, with cause, deadline, disks and mounts")
  func text() throws {
    let (output, text) = try self.output()
    try Golden.expect(text, is: "recovery.txt")
    #expect(output.status == .failure && output.diagnostics == "")
    #expect(!text.contains("\u{1B}"))
  }

  @Test("On a terminal it is cut and coloured")
  func terminal() throws {
    try Golden.expect(output([], Terminal(width: 120, hasColour: true)).1, is: "recovery-terminal.txt")
  }

  @Test("JSON")
  func json() throws {
    try Golden.expect(output(["--json"]).1, is: "recovery.json")
  }

  @Test("Only the numbers of those that are not operational")
  func quiet() throws {
    #expect(try output(["-q"]).1 == "2\n3\n4\n5\n6\n7\n8\n9\n10\n")
  }

  @Test("Where all is well it is silent and ends with 0", arguments: [[], ["-q"], ["--json"]])
  func well(arguments: [String]) throws {
    let trouble = try Trouble()
    let command = try RecoveryCommand.parse(trouble.roots + arguments)
    let output = try Self.output(of: command, trouble.reports([1]))
    #expect(output.status == .success && output.diagnostics == "")
    if arguments == ["--json"] {
      try Golden.expect(output.text, is: "recovery-none.json")
    } else {
      #expect(output.text == "")
    }
  }

  @Test("It reads sysfs by itself, and without a daemon")
  func alone() throws {
    let trouble = try Trouble()
    let command = try RecoveryCommand.parse(trouble.roots + ["-q", "--socket", trouble.tree.root.string + "/none"])
    let output = try command.output(for: .plain)
    #expect(output.text == "2\n3\n4\n5\n7\n8\n10\n" && output.status == .failure)
  }

  @Test("A session that is not there ends with 2, and the others are told of all the same")
  func missing() throws {
    let trouble = try Trouble()
    let arguments = ["99", "2", "1", "-q", "--socket", trouble.tree.root.string + "/none"]
    let output = try RecoveryCommand.parse(trouble.roots + arguments).output(for: .plain)
    #expect(output.text == "2\n" && output.status == .sessionNotFound)
    #expect(output.diagnosticLines.count == 1)
  }

  @Test("A target and a disk stand for their sessions, each once; one without sessions ends with 21")
  func named() throws {
    let trouble = try Trouble()
    let target = try #require(trouble.reports([2]).first?.session?.targetName)
    let arguments = trouble.roots + ["-q", "--socket", trouble.tree.root.string + "/none"]
    let output = try RecoveryCommand.parse(arguments + [target, "2", "sd3"]).output(for: .plain)
    #expect(output.text == "2\n3\n" && output.status == .failure)
    let none = try RecoveryCommand.parse(arguments + ["iqn.2026-11.org.example:nobody", "--wait"]).output(for: .plain)
    #expect(none.text == "" && none.status == .noObjectsFound)
  }

  @Test("How many are not operational is told as a number of sessions is", arguments: [(1, 1), (1, 2), (2, 2)])
  func count(count: Int, total: Int) {
    let expected = ["1 of 1 session is", "1 of 2 sessions is", "2 of 2 sessions are"].map { $0 + " not operational" }
    #expect(NotOperational(count: count, of: total).description == expected[count + total - 2])
  }

  @Test("Users of disks that cannot be told are left out with a warning")
  func unreadableMounts() throws {
    let trouble = try Trouble()
    trouble.tree.remove("proc")
    let output = try Self.output(of: RecoveryCommand.parse(trouble.roots), trouble.reports([2]))
    #expect(output.text.contains("sd2") && output.status == .failure)
    #expect(output.diagnostics.contains("warning: users and names of disks are left out: "))
  }

  @Test("A timeout is for a wait")
  func arguments() throws {
    #expect(throws: (any Error).self) { try RecoveryCommand.parse(["--timeout", "3"]) }
    #expect(
      try RecoveryCommand.parse(["--wait", "--timeout", "3", "7"]).subjects == [.session(SessionID(rawValue: 7))])
  }

  @Test("A wait ends when all are operational, and when its time is over")
  func wait() async throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.state = .failed
    try tree.add(session)
    let arguments = ["--sysfs-root", tree.root.string, "--socket", tree.root.string + "/none", "--wait", "-q"]
    let late = try await onOwnThread {
      try RecoveryCommand.parse(arguments + ["--timeout", "1"]).output(for: .plain)
    }
    #expect(late.text == "1\n" && late.status == .failure)
    try tree.set("state", of: session.id, to: .text("LOGGED_IN"))
    let ended = try await onOwnThread { try RecoveryCommand.parse(arguments).output(for: .plain) }
    #expect(ended.text == "" && ended.status == .success)
    // What is gone does not come back.
    let gone = try await onOwnThread { try RecoveryCommand.parse(arguments + ["9"]).output(for: .plain).status }
    #expect(gone == .sessionNotFound)
  }
}

@Suite("session show --verbose")
struct SessionDetailsTests {
  private func page(_ id: UInt32, _ arguments: [String] = []) throws -> String {
    let trouble = try Trouble()
    let command = try SessionShowCommand.parse(trouble.roots + ["-v"] + arguments)
    var output = CommandOutput()
    try command.show(trouble.reports([id]), at: Trouble.now, in: &output, for: .plain)
    return trouble.hidingRoot(output.text)
  }

  @Test("What is wrong and what hangs until when comes first", arguments: [1, 2, 3, 4, 5, 8, 10])
  func page(id: UInt32) throws { try Golden.expect(page(id), is: "session-show-verbose-\(id).txt") }

  @Test("JSON has the disks in their surroundings")
  func json() throws { try Golden.expect(page(3, ["--json"]), is: "session-show-verbose.json") }
}

@Suite("Words for recovery")
struct RecoveryWordsTests {
  @Test(
    "Lengths of time have two units at most",
    arguments: [
      (0, "0 s"), (0.9, "0 s"), (1, "1 s"), (59.99, "59 s"), (60, "1 min"), (100, "1 min 40 s"), (3600, "1 h"),
      (3661, "1 h 1 min"), (86_400, "1 d"), (90_061, "1 d 1 h"), (-5, "0 s"), (.infinity, "0 s"), (.nan, "0 s"),
      (1e300, "11574074074 d 1 h"),
    ] as [(Double, String)])
  func duration(seconds: Double, text: String) { #expect(durationText(seconds) == text) }
}
