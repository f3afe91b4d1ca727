// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

@Suite("Output of operations")
struct OperationOutputTests {
  private static let forms: [(arguments: [String], extension: String)] = [([], "txt"), (["--json"], "json")]

  @Test("discover: targets, their warnings and what was refused", arguments: forms)
  func discovery(arguments: [String], form: String) throws {
    let command = try DiscoverCommand.parse(["san"] + arguments)
    let output = try command.output(of: Samples.discovery(), for: .plain)
    try Golden.expect(output.text, is: "discover.\(form)")
    try Golden.expect(output.diagnostics, is: "discover.stderr")
    #expect(output.status == .success)
  }

  @Test("discover: a portal without targets ends with 21", arguments: forms)
  func emptyDiscovery(arguments: [String], form: String) throws {
    let command = try DiscoverCommand.parse(["san"] + arguments)
    let output = try command.output(of: SendTargetsResponse(text: [], discoveryPortal: Samples.portal), for: .plain)
    try Golden.expect(output.text, is: "discover-empty.\(form)")
    #expect(
      output.diagnostics
        == "iscsi-admin: discovery at san:3260: the portal has no targets; allow this initiator's name on the target\n")
    #expect(output.status == .noObjectsFound)
  }

  @Test("discover: a thousand refusals are cut to those that are listed, and the rest is counted")
  func manyRefusals() throws {
    let text = Array(repeating: Array("nonsense\0".utf8), count: 1000).flatMap(\.self)
    let output = try DiscoverCommand.parse(["san", "--quiet"])
      .output(of: SendTargetsResponse(text: text, discoveryPortal: Samples.portal), for: .plain)
    #expect(output.diagnosticLines.count == SendTargetsResponse.maxRefusals + 2)
    #expect(output.diagnosticLines.dropLast().last == "iscsi-admin: refused 744 more")
    #expect(output.text == "")
  }

  @Test("login: all well", arguments: forms)
  func login(arguments: [String], form: String) throws {
    var second = try Samples.login(2)
    second.login.targetAlias = "backup"
    second.login.algorithm = .sha256
    second.devices = []
    let output = try LoginOutcome([.success(try Samples.login(1)), .success(second)])
      .output(ReportOptions.parse(arguments))
    try Golden.expect(output.text, is: "login.\(form)")
    #expect(output.diagnostics == "")
    #expect(output.status == .success)
  }

  @Test("login: what failed, and a session whose scan failed", arguments: forms)
  func partialLogin(arguments: [String], form: String) throws {
    var unscanned = try Samples.login(1)
    unscanned.devices = []
    unscanned.scanFailure = OperationError(.scan(unscanned.session), .scanTimedOut)
    let output = try LoginOutcome([
      .success(unscanned),
      .failure(try Samples.operationError(2, .login(.rejected(.authenticationFailure)))),
      .success(try Samples.login(3)),
      .failure(try Samples.operationError(4, .sessionExists(SessionID(rawValue: 7)))),
    ]).output(ReportOptions.parse(arguments))
    try Golden.expect(output.text, is: "login-partial.\(form)")
    try Golden.expect(output.diagnostics, is: "login-partial.stderr")
    #expect(output.status == .requestTimeout)
  }

  @Test("login --all: what is odd in the discovery is told too")
  func loginOfAll() throws {
    let output = try LoginOutcome([.success(try Samples.login(1))], after: (Samples.portal, Samples.discovery()))
      .output(ReportOptions.parse([]))
    try Golden.expect(output.diagnostics, is: "discover.stderr")
    #expect(output.status == .success)
  }

  @Test("login --all: a portal without usable targets ends with 21, after what was refused")
  func loginOfNothing() throws {
    let answer = SendTargetsResponse(text: Array("nonsense\0".utf8), discoveryPortal: Samples.portal)
    let output = try LoginOutcome([], after: (Samples.portal, answer)).output(ReportOptions.parse(["--json"]))
    #expect(output.diagnosticLines.map { $0.prefix(24) } == ["iscsi-admin: refused non", "iscsi-admin: discovery a"])
    #expect(output.failures.map(\.portal?.address) == ["san"])
    #expect(output.status == .noObjectsFound)
  }

  @Test("logout: all well, with a problem, failed, and not there", arguments: forms)
  func logout(arguments: [String], form: String) throws {
    var disconnected = try Samples.logout(2)
    disconnected.problems = [.notConnected]
    let nameless = LogoutReport(session: SessionID(rawValue: 3))
    let failure = OperationError(.logout(SessionID(rawValue: 4), target: nil), .kernel(.timedOut(.destroySession)))
    let output = try LogoutOutcome(
      [.success(try Samples.logout(1)), .success(disconnected), .success(nameless), .failure(failure)],
      missing: [NoSession(selector: .target(try Samples.target(9)), portal: Samples.portal)]
    ).output(ReportOptions.parse(arguments))
    try Golden.expect(output.text, is: "logout.\(form)")
    try Golden.expect(output.diagnostics, is: "logout.stderr")
    #expect(output.status == .noObjectsFound)
  }

  @Test("session rescan: disks, no disks, and a session that is gone", arguments: forms)
  func rescan(arguments: [String], form: String) throws {
    let ids = [1, 2, 99].map(SessionID.init(rawValue:))
    let output = try SessionRescanCommand.parse(arguments).output(of: [
      (ids[0], .success([.example(host: HostNumber(rawValue: 1), lun: 1, block: "sda")])),
      (ids[1], .success([])),
      (ids[2], .failure(OperationError(.scan(ids[2]), .noSession))),
    ])
    try Golden.expect(output.text, is: "session-rescan.\(form)")
    try Golden.expect(output.diagnostics, is: "session-rescan.stderr")
    #expect(output.status == .sessionNotFound)
  }

  @Test("session rescan without sessions ends with 21", arguments: [[], ["--json"], ["--quiet"]])
  func emptyRescan(arguments: [String]) throws {
    let tree = try SysfsTree()
    let output = try SessionRescanCommand.parse(["--sysfs-root", tree.root.string] + arguments).output(for: .plain)
    #expect(output.diagnostics == "iscsi-admin: no active sessions\n")
    #expect(output.status == .noObjectsFound)
  }

  @Test("probe: units of every kind, and one that fails", arguments: forms)
  func probe(arguments: [String], form: String) throws {
    let output = try Samples.probe().output(ReportOptions.parse(arguments), for: .plain)
    try Golden.expect(output.text, is: "probe.\(form)")
    try Golden.expect(output.diagnostics, is: "probe.stderr")
    #expect(output.status == .failure)
  }

  @Test("version", arguments: forms)
  func version(arguments: [String], form: String) throws {
    let output = try VersionCommand.parse(arguments).output(for: .plain)
    try Golden.expect(output.text, is: "version.\(form)")
    #expect(output.diagnostics == "")
  }

  @Test("Quiet commands print errors only")
  func quiet() throws {
    let options = try ReportOptions.parse(["-q"])
    #expect(try LoginOutcome([.success(try Samples.login(1))]).output(options).text == "")
    #expect(try LogoutOutcome([.success(try Samples.logout(1))]).output(options).text == "")
    let probe = try Samples.probe().output(options, for: .plain)
    #expect(probe.text == "")
    #expect(probe.diagnosticLines.count == 1)
    #expect(try VersionCommand.parse(["-q"]).output(for: .plain).text == "\(versionText)\n")
  }

  @Test("A command that gets nowhere says so in its document too, and ends with the code of the reason")
  func nothingDone() throws {
    let arguments = ["san", "--user", "me", "--initiator-name", "iqn.2026-11.org.example:host", "--json"]
    let output = try DiscoverCommand.parse(arguments).output(for: .plain)
    try Golden.expect(output.text, is: "discover-failed.json")
    #expect(output.status == .invalidArgument)
    #expect(output.diagnosticLines.count == 1)
  }

  @Test("A logout that finds no session touches nothing", arguments: [["5"], ["--all"]])
  func nothingToLogOut(arguments: [String]) throws {
    let tree = try SysfsTree()
    let output = try LogoutCommand.parse(["--sysfs-root", tree.root.string, "--json"] + arguments).output(for: .plain)
    #expect(output.status == (arguments == ["5"] ? .sessionNotFound : .noObjectsFound))
    #expect(output.failures.count == 1)
    #expect(output.text.contains("\"logouts\" : [\n\n  ]"))
  }
}
