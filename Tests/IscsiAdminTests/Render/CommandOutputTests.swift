// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("Output of a command")
struct CommandOutputTests {
  private let denied = SysfsError.unreadable(path: "/sys/class/iscsi_session", .permissionDenied)

  @Test("An error is one line: what failed, why, and what to do")
  func line() {
    #expect(
      diagnostic(denied) == "iscsi-admin: /sys/class/iscsi_session cannot be read: Permission denied; run as root\n")
  }

  @Test("An error stays one line whatever others put into it")
  func hostile() {
    let line = diagnostic(SysfsError.unreadable(path: "/a\nb\u{1B}[31m\u{7}", .ioError))
    #expect(line.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && $0.value < 0x7F })
  }

  @Test("The first failure decides the exit code, and all are told")
  func firstFailure() {
    var output = CommandOutput()
    #expect(output.status == .success)
    output.fail(NoSession(selector: .id(SessionID(rawValue: 1))))
    output.fail(denied)
    #expect(output.status == .sessionNotFound)
    #expect(output.diagnosticLines.count == 2)
    #expect(output.failures.map(\.exitCode) == [2, 13])
    #expect(output.failures.map(\.session) == [1, nil])
  }

  @Test("A silent failure is in the exit code and the document only")
  func silent() {
    var output = CommandOutput()
    output.fail(NoSession(), isSilent: true)
    #expect(output.diagnostics == "")
    #expect(output.status == .noObjectsFound)
    #expect(output.failures.count == 1)
  }

  @Test("A warning changes neither the exit code nor the failures")
  func warning() {
    var output = CommandOutput()
    output.warn("odd\u{7}")
    #expect(output.diagnostics == "iscsi-admin: warning: odd\\u{07}\n")
    #expect(output.status == .success)
    #expect(output.failures.isEmpty)
  }

  @Test("A target cannot reach the terminal with control characters through a page or a table")
  func hostileTarget() throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.targetName = "iqn.evil\u{1B}]0;x\u{7}"
    session.initiatorName = "a\u{1B}b"
    session.devices[0].model = "\u{1B}[2J"
    session.host?.networkDevice = "e\u{9B}h"
    try tree.add(session)
    let read = try Sysfs(root: tree.root).sessions()
    let text =
      sessionTable(read, for: .plain)
      + read.map { sessionPage(SessionReport($0.id, $0, nil), $0, at: 0, for: .plain) }.joined()
    #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || ($0.value >= 0x20 && $0.value < 0x7F) })
    #expect(text.contains("iqn.evil\\u{1B}]0;x\\u{07}"))
  }
}
