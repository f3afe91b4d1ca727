// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("iscsiadm and boot firmware")
struct IscsiadmFirmwareTests {
  private let nodes = """
    10.0.0.1:3260,1 iqn.2026-11.org.example:disk
    10.0.0.1:3260,1 iqn.2026-11.org.example:disk-chap

    """

  private func tree() throws -> SysfsTree {
    let tree = try SysfsTree()
    try tree.addFirmware()
    return tree
  }

  @Test(
    "The firmware's targets are printed to the last octet as open-iscsi does", arguments: ["-m fw", "-m fw -n a -v b"])
  func print(words: String) async throws {
    let run = await IscsiadmRun(words, in: try tree())
    try Golden.expect(run.output, is: "firmware.txt")
    #expect(run.errors.isEmpty && run.status == .success)
  }

  @Test(
    "An address that a DHCP server has given is told as such", arguments: [("origin", "3"), ("dhcp", "10.0.0.254")])
  func dhcp(field: String, value: String) async throws {
    let tree = try tree()
    try tree.set("firmware/ibft/ethernet0/\(field)", to: .text(value))
    #expect(await IscsiadmRun("-m fw", in: tree).output.contains("iface.bootproto = DHCP\n"))
  }

  @Test("A target that cannot be used is told of, and is no failure beside another")
  func broken() async throws {
    let tree = try tree()
    try tree.set("firmware/ibft/target0/port", to: .text("0"))
    let run = await IscsiadmRun("-m fw", in: tree)
    #expect(run.errors == "iscsiadm: ibft/target0/port: 0 is no TCP port\n" && run.status == .success)
    #expect(run.output.contains("disk-chap") && !run.output.contains("disk\n"))
    try tree.set("firmware/ibft/target1/flags", to: .text("0"))
    let none = await IscsiadmRun("-m fw", in: tree)
    #expect(
      none.errors == """
        iscsiadm: ibft/target0/port: 0 is no TCP port
        iscsiadm: Could not get list of targets from firmware. (err 21)

        """)
    #expect(none.status == .noObjectsFound && none.output.isEmpty)
  }

  @Test("A discovery makes records, keeps or resets those that are there, and removes what the firmware names no more")
  func discovery() async throws {
    let tree = try tree()
    let database = RecordDatabase(root: tree.root.appending("records"), lockDirectory: tree.root.appending("lock"))
    let first = await IscsiadmRun("-m discovery -t fw -o nonpersistent", in: tree)
    #expect(first.output == nodes && first.errors.isEmpty && first.status == .success)
    #expect(try database.nodes().records.isEmpty)
    #expect(await IscsiadmRun("-m discovery -t fw", in: tree).output == nodes)
    let records = try database.nodes(from: .firmware).records.map(\.record)
    #expect(
      records.map(\.target.description).sorted() == ["disk", "disk-chap"].map { "iqn.2026-11.org.example:\($0)" })
    #expect(records.allSatisfy { $0.discoveryKind == .firmware && $0.authentication.method == .none })
    _ = await IscsiadmRun("-m node -o update -n node.session.queue_depth -v 99", in: tree)
    _ = await IscsiadmRun("-m discoverydb -t fw -D -o new", in: tree)
    #expect(try database.nodes().records.allSatisfy { $0.record.queueDepth == 99 })
    let tree1 = await IscsiadmRun("-m discovery -t fw -P 1", in: tree)
    #expect(tree1.output.hasPrefix("Target: iqn.2026-11.org.example:disk\n\tPortal: 10.0.0.1:3260,1\n"))
    #expect(try database.nodes().records.allSatisfy { $0.record.queueDepth == 32 })
    try tree.set("firmware/ibft/target0/flags", to: .text("0"))
    _ = await IscsiadmRun("-m discovery -t fw -o delete", in: tree)
    #expect(try database.nodes().records.map(\.record.target.description) == ["iqn.2026-11.org.example:disk-chap"])
  }

  @Test(
    "What the firmware alone tells cannot be set for a login",
    arguments: [
      ("iface.net_ifacename", "b", "Cannot override interface parameters for firmware logins"),
      ("iface.hwaddress", "b", "Cannot override interface parameters for firmware logins"),
      ("a", "b", "Unknown parameter a."), ("node.name", "b", "Unknown parameter node.name."),
    ])
  func parameters(name: String, value: String, line: String) async throws {
    let run = await IscsiadmRun("-m fw -l -n \(name) -v \(value)", in: try tree())
    #expect(run.errors == "iscsiadm: \(line)\niscsiadm: Could not merge user params\n")
    #expect(run.status == .invalidArgument && run.output.isEmpty)
  }

  @Test("A discovery makes records over the interfaces that are named, or over those that users have made")
  func interfaces() async throws {
    let tree = try tree()
    let database = RecordDatabase(root: tree.root.appending("records"), lockDirectory: tree.root.appending("lock"))
    func found(_ words: String) async throws -> [String] {
      _ = await IscsiadmRun("-m discovery -t fw " + words, in: tree)
      return Set(try database.nodes().records.map(\.record.interface.name.description)).sorted()
    }
    #expect(try await found("") == ["default"])
    for name in ["e1", "e2"] {
      _ = await IscsiadmRun("-m iface -I \(name) -o new -n iface.net_ifacename -v \(name)", in: tree)
    }
    #expect(try await found("") == ["e1", "e2"])
    #expect(try database.nodes().records.count == 4)
    #expect(try database.nodes().records.first?.record.interface.networkDevice == "e1")
    #expect(try database.nodes().records.first?.record.interface.initiatorName != nil)
    #expect(try await found("-I e2") == ["e2"])
    #expect(try await found("-I default -I e1") == ["default", "e1"])
    let line =
      "iscsiadm: Could not read iface info for nosuch. Make sure an iface config with the file name and "
      + "iface.iscsi_ifacename nosuch is in \(database.root)/ifaces.\n"
    let some = await IscsiadmRun("-m discovery -t fw -I nosuch -I e1", in: tree)
    #expect(some.output == nodes && some.errors == line)
    let none = await IscsiadmRun("-m discovery -t fw -I nosuch", in: try SysfsTree())
    #expect(none.errors.hasPrefix("iscsiadm: Could not read iface info for nosuch."))
    #expect(none.errors.hasSuffix("\niscsiadm: Could not perform fw discovery.\n") && none.status != .success)
  }

  @Test("Logins that fail are told, and do not show in the status")
  func noDaemon() async throws {
    let run = await IscsiadmRun("-m fw -l", in: try tree())
    let label = "[iface: default, target: iqn.2026-11.org.example:disk, portal: 10.0.0.1,3260]"
    #expect(run.output.hasPrefix("Logging in to \(label)\n"))
    #expect(run.errors.contains("iscsiadm: Could not login to \(label).\n") && run.status == .success)
    #expect(await IscsiadmRun("-m discovery -t fw -l", in: try tree()).status == .daemonNotConnected)
  }
}
