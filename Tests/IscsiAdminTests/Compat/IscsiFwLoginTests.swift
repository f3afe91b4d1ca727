// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("iscsi_fw_login")
struct IscsiFwLoginTests {
  @Test("It is iscsiadm -m fw -l, whatever firmware there is", arguments: [nil, "firmware", "firmware/ibft/target0"])
  func login(directory: String?) async throws {
    let tree = try SysfsTree()
    if let directory { try tree.makeDirectory(directory) }
    let expected = await IscsiadmRun("-m fw -l", in: tree)
    var lines: [String] = []
    var program = Iscsiadm()
    program.machine.sysfs = Sysfs(root: tree.root)
    program.console = IscsiadmConsole(say: { _ in Issue.record("nothing is there") }, complain: { lines.append($0) })
    let status = IscsiFwLogin.run(by: program)
    #expect(status == expected.status && status != .success)
    #expect(lines.map { $0 + "\n" }.joined() == expected.errors && lines.first?.hasPrefix("iscsiadm: ") == true)
  }

  @Test("Who asks for help is not logged in", arguments: ["-h", "--help"])
  func help(option: String) {
    var lines: [String] = []
    var program = Iscsiadm()
    program.machine.sysfs = Sysfs(root: "/nonexistent")
    program.console = IscsiadmConsole(say: { lines.append($0) }, complain: { Issue.record("\($0)") })
    #expect(IscsiFwLogin.run([option], by: program) == .success)
    #expect(lines.first?.hasPrefix("Usage: iscsi_fw_login") == true)
  }

  @Test("Each name that is installed is one of a program")
  func names() throws {
    let root = FilePath(#filePath).removingLastComponent().appending("../../..")
    let octets = try #require(FileManager.default.contents(atPath: root.appending("Makefile").string))
    let lines = String(decoding: octets, as: UTF8.self).split(separator: "\n")
    let names = try #require(lines.first { $0.hasPrefix("COMPAT_NAMES := ") }).split(separator: " ").dropFirst(2)
    #expect(names.count == 7)
    for name in names { #expect(Personality(rawValue: String(name)) != nil, "\(name)") }
  }
}
