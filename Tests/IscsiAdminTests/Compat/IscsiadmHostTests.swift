// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("iscsiadm -m host, -m fw and the rest")
struct IscsiadmHostTests {
  private func tree() throws -> SysfsTree {
    let tree = try SysfsTree()
    try tree.add(IscsiadmSessionTests.session(1))
    var other = IscsiadmSessionTests.lost(10, .failed, device: "blocked")
    other.host?.hardwareAddress = "00:11:22:33:44:55"
    other.host?.networkDevice = "eth0"
    other.host?.initiatorName = "iqn.2026-11.org.example:card"
    other.host?.ipAddress = "fd00::2"
    try tree.add(other)
    try tree.makeDirectory("module/scsi_transport_iscsi")
    try tree.set("module/scsi_transport_iscsi/version", to: .text("2.0-870"))
    return tree
  }

  @Test("Hosts are listed with what the level asks for", arguments: 0...4)
  func levels(level: Int) async throws {
    let run = await IscsiadmRun("-m host -P \(level) -H 99", in: try tree())
    try Golden.expect(run.output, is: "iscsiadm-host-\(level).txt")
    #expect(run.status == .success)
  }

  struct Answer: CustomTestStringConvertible, Sendable {
    let words: String
    let output: String
    let errors: String
    let status: IscsiKit.ExitStatus
    var testDescription: String { words }

    init(_ words: String, _ errors: String, _ status: IscsiKit.ExitStatus, output: String = "") {
      self.words = words
      self.output = output
      self.errors = errors
      self.status = status
    }
  }

  @Test(
    "What cards have, software has not",
    arguments: [
      Answer("-C chap", "CHAP mode requires host no and valid operation", .invalidArgument),
      Answer(
        "-C chap -H 1 -o show", "Received iferror -22: Invalid argument.|get_chap_info failed. errno=0", .failure),
      Answer(
        "-C chap -H 99 -o show", "Could not read proc_name for host99 rc 5.|Could not match hostno 99 to transport.",
        .driverNotFound),
      Answer("-C chap -H 1 -o new", "Chap username/password not provided.", .success),
      Answer("-C chap -H 1 -o delete", "Invalid chap table index.", .success),
      Answer("-C chap -H 1 -o delete -x 1", "CHAP Delete failed.", .failure, output: "Deleting CHAP index: 1|"),
      Answer("-C chap -H 1 -o login", "Invalid operation.", .invalidArgument),
      Answer("-C flashnode -H 1", "No flashnodes attached to host 1.", .noObjectsFound),
      Answer(
        "-C flashnode -H 1 -x 1", "Could not read info for flashnode 1 of host 1, No such file or directory",
        .sessionNotFound),
      Answer("-C flashnode -H 1 -o new", "Invalid type mentioned for flashnode", .invalidArgument),
      Answer(
        "-C flashnode -H 1 -o new -A ipv4", "Creation of flashnode for host 1 failed.", .failure,
        output: "Create new flashnode for host 1.|"),
      Answer("-C flashnode -H 1 -o delete", "Invalid flashnode index", .invalidArgument),
      Answer(
        "-C flashnode -H 1 -o login -x 2", "Login to flashnode 2 of host 1 failed.", .login,
        output: "Login to flashnode 2.|"),
      Answer(
        "-C flashnode -H 1 -o logout -x 2", "Logout of flashnode 2 of host 1 failed.", .logout,
        output: "Logout flashnode 2.|"),
      Answer(
        "-C flashnode -H 1 -o update -x 2",
        "Could not read info for flashnode 2, No such file or directory|Update for flashnode 2 of host 1 failed.",
        .sessionNotFound),
      Answer("-C flashnode -H 1 -x 2 -o delete -o new", "Invalid operation", .invalidArgument),
      Answer("-C stats -H 1", "get_host_stats failed. errno=0", .failure),
      Answer("-C ping", "Invalid Sub Mode", .success),
      Answer("-P 5", "Invalid info level 5. Try 0 - 4.", .invalidArgument),
      Answer("-H aa:bb:cc:dd:ee:ff", "Could not match MAC to host.", .invalidArgument),
    ])
  func submodes(answer: Answer) async throws {
    let run = await IscsiadmRun("-m host \(answer.words)", in: try tree())
    #expect(run.output == answer.output.replacing("|", with: "\n"))
    #expect(run.errors == answer.errors.split(separator: "|").map { "iscsiadm: \($0)\n" }.joined())
    #expect(run.status == answer.status)
  }

  @Test("A host can be named by its hardware address")
  func hardwareAddress() async throws {
    let run = await IscsiadmRun("-m host -C flashnode -H 00:11:22:33:44:55", in: try tree())
    #expect(run.errors == "iscsiadm: No flashnodes attached to host 10.\n")
  }

  @Test("Without hosts there is nothing to list")
  func nothing() async throws {
    let run = await IscsiadmRun("-m host", in: try SysfsTree())
    #expect(run.errors == "iscsiadm: No iSCSI hosts.\n" && run.status == .noObjectsFound)
  }

  @Test("Without firmware there are no targets in it", arguments: ["-m fw", "-m fw -l -W", "-m fw -n a -v b"])
  func firmware(words: String) async throws {
    let tree = try SysfsTree()
    let bare = await IscsiadmRun(words, in: tree)
    #expect(bare.errors == "iscsiadm: Could not get list of targets from firmware. (err 22)\n")
    #expect(bare.output.isEmpty && bare.status == .sysfsLookup)
    try tree.makeDirectory("firmware")
    let empty = await IscsiadmRun(words, in: tree)
    #expect(empty.errors == "iscsiadm: Could not get list of targets from firmware. (err 21)\n")
    #expect(empty.status == .noObjectsFound)
  }

  @Test("Help and version go to standard output")
  func help() async throws {
    let tree = try SysfsTree()
    let help = await IscsiadmRun("-h", in: tree)
    try Golden.expect(help.output, is: "iscsiadm-help.txt")
    #expect(help.status == .success && help.errors.isEmpty)
    #expect(await IscsiadmRun("--version", in: tree).output == "iscsiadm version 2.1.8\n")
  }

  @Test("Without a mode help is named")
  func noMode() async throws {
    let run = await IscsiadmRun("", in: try SysfsTree())
    #expect(run.errors == "Try `iscsiadm --help' for more information.\n")
    #expect(run.output.isEmpty && run.status == .invalidArgument)
  }

  @Test("That the daemon cannot be ended is told and no failure")
  func kill() async throws {
    let tree = try SysfsTree()
    let wrong = await IscsiadmRun("-k 1", in: tree)
    #expect(wrong.errors == "iscsiadm: Invalid iscsid priority 1. Priority must be 0.\n" && wrong.status == .success)
    let run = await IscsiadmRun("-k 0", in: tree)
    #expect(
      run.errors == """
        iscsiadm: can not connect to iSCSI daemon (111)!
        iscsiadm: initiator reported error (20 - could not connect to iscsid)
        iscsiadm: Could not stop iscsid. Trying sending iscsid SIGTERM or SIGKILL signals manually

        """)
    #expect(run.status == .success)
  }
}
