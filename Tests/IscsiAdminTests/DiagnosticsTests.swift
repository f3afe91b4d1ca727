// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("Diagnostics")
struct DiagnosticsTests {
  private let denied = SysfsError.unreadable(path: "/sys/class/iscsi_session", .permissionDenied)

  @Test("an error is one line: what failed, why, and what to do")
  func line() {
    #expect(
      diagnostic(denied, in: "session list")
        == "iscsi-admin: session list: /sys/class/iscsi_session cannot be read: Permission denied; run as root\n")
  }

  @Test("an error stays one line whatever others put into it")
  func hostile() {
    let error = SysfsError.unreadable(path: "/a\nb\u{1B}[31m", .ioError)
    let line = diagnostic(error, in: "show \u{7}")
    #expect(line.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && $0.value < 0x7F })
  }

  @Test("the first failure decides the exit code, and all are told")
  func firstFailure() {
    var output = CommandOutput()
    output.fail(SysfsError.noSession(SessionID(rawValue: 1)), in: "one")
    output.fail(denied, in: "two")
    #expect(output.status == .sessionNotFound)
    #expect(output.diagnostics.split(separator: "\n").count == 2)
  }

  @Test("a target cannot reach the terminal with control characters through a page or a table")
  func hostileTarget() throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.targetName = "iqn.evil\u{1B}]0;x\u{7}"
    session.initiatorName = "a\u{1B}b"
    session.devices[0].model = "\u{1B}[2J"
    session.host?.networkDevice = "e\u{9B}h"
    try tree.add(session)
    let read = try Sysfs(root: tree.root).sessions()
    let text = sessionTable(read, for: .plain) + read.map { sessionPage($0, for: .plain) }.joined()
    #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || ($0.value >= 0x20 && $0.value < 0x7F) })
    #expect(text.contains("iqn.evil\\u{1B}]0;x\\u{07}"))
  }
}
