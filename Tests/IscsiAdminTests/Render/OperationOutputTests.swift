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
    #expect(output.diagnosticLines.dropLast().last == "iscsi-admin: warning: refused 744 more")
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
      // The exit code tells of it only if nothing else has failed.
      .failure(try Samples.operationError(4, .sessionExists(SessionID(rawValue: 7)))),
      .success(unscanned),
      .failure(try Samples.operationError(2, .login(.rejected(.authenticationFailure)))),
      .success(try Samples.login(3)),
    ]).output(ReportOptions.parse(arguments))
    try Golden.expect(output.text, is: "login-partial.\(form)")
    try Golden.expect(output.diagnostics, is: "login-partial.stderr")
    #expect(output.status == .requestTimeout)
  }

  @Test("login: a record that cannot be used is a failure before a session that is there, and in the document")
  func refusedLogin() throws {
    let refusal = NoRecordToLogIn(refusal: .noNodeWithStartup(.automatic, NodeQuery()))
    let exists = Result<LoginReport, _>.failure(try Samples.operationError(4, .sessionExists(SessionID(rawValue: 7))))
    let output = try LoginOutcome([InitiatorTypes.LoginResult(exists)], without: [refusal])
      .output(ReportOptions.parse(["--json"]))
    #expect(output.status == .noObjectsFound && output.failures.count == 2)
    #expect(output.text.contains(refusal.description))
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
    #expect(output.diagnosticLines.map { $0.prefix(24) } == ["iscsi-admin: warning: re", "iscsi-admin: discovery a"])
    #expect(output.failures.map(\.portal?.address) == ["san"])
    #expect(output.status == .noObjectsFound)
  }

  @Test("logout: all well, with a problem, failed, and not there", arguments: forms)
  func logout(arguments: [String], form: String) throws {
    var disconnected = try Samples.logout(2)
    disconnected.problems = [.notConnected]
    let nameless = LogoutReport(session: SessionID(rawValue: 3))
    let failure = OperationError(.logout(SessionID(rawValue: 4), target: nil), .kernel(.timedOut(.destroySession)))
    let ids = (1...4).map { SessionID(rawValue: $0) }
    let output = try LogoutOutcome(
      [
        (ids[0], .success(try Samples.logout(1))), (ids[1], .success(disconnected)), (ids[2], .success(nameless)),
        (ids[3], .failure(failure)),
      ],
      missing: [NoSession(selector: .target(try Samples.target(9)), portal: Samples.portal)]
    ).output(ReportOptions.parse(arguments))
    try Golden.expect(output.text, is: "logout.\(form)")
    try Golden.expect(output.diagnostics, is: "logout.stderr")
    #expect(output.status == .noObjectsFound)
  }

  @Test("logout --all: a session that has gone meanwhile is no failure")
  func logoutOfAll() throws {
    let (first, gone) = (SessionID(rawValue: 1), SessionID(rawValue: 2))
    let results = [
      InitiatorTypes.LogoutResult(.success(try Samples.logout(1)), of: first),
      InitiatorTypes.LogoutResult(.failure(OperationError(.logout(gone, target: nil), .noSession)), of: gone),
    ]
    let all = try LogoutOutcome(results, ofAll: true).output(ReportOptions.parse([]))
    #expect(all.status == .success)
    #expect(all.diagnosticLines.isEmpty)
    #expect(all.text.hasPrefix("session 1: logged out of "))
    #expect(try LogoutOutcome(results).output(ReportOptions.parse([])).status == .sessionNotFound)
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

  @Test("session statistics", arguments: forms)
  func statistics(arguments: [String], form: String) throws {
    let counters = [("txdata_octets", 4096), ("scsicmd_pdus", 67), ("eh_abort_cnt", 0)] as [(String, UInt64)]
    let output = try SessionStatisticsCommand.parse(["3"] + arguments)
      .output(of: counters.map { InitiatorTypes.Counter(name: $0.0, value: $0.1) })
    try Golden.expect(output.text, is: "session-statistics.\(form)")
    #expect(output.status == .success)
  }

  private static func result(
    _ note: SettingNote, _ result: SettingOutcome.Result = .changed
  ) -> InitiatorTypes.SetResult {
    InitiatorTypes.SetResult(
      SettingOutcome("replacement-timeout", .session, old: "7", new: "off", result, note: note))
  }

  @Test("session set: what the kernel does not have is a failure")
  func notSet() throws {
    let id = SessionID(rawValue: 1)
    let output = try SessionSetCommand.parse(["1", "--replacement-timeout", "-1"])
      .output(of: [(id, .success([Self.result(.keptByKernel("7"), .failed)]))])
    #expect(output.status == .failure && output.text == "")
    #expect(output.failures.map(\.session) == [1])
  }

  @Test("session set: a session that is changed, and one that is not there", arguments: forms)
  func set(arguments: [String], form: String) throws {
    let ids = [1, 9].map(SessionID.init(rawValue:))
    let failure = InitiatorTypes.Failure(OperationError(.set(ids[1]), .noSession))
    let output = try SessionSetCommand.parse(["1", "9", "--replacement-timeout", "-1"] + arguments)
      .output(of: [(ids[0], .success([Self.result(.handWritten("7"))])), (ids[1], .failure(.failed(failure)))])
    try Golden.expect(output.text, is: "session-set.\(form)")
    #expect(output.status == .sessionNotFound)
    #expect(output.diagnostics.contains("replacement-timeout: recovery_tmo had been written by hand (7)"))
  }

  @Test("session set: a daemon that goes between two sessions leaves what was done before in the report")
  func daemonGone() async throws {
    let ids = [1, 9, 2, 3].map(SessionID.init(rawValue:))
    var asked: [UInt32] = []
    let results = await SessionSetCommand.results(of: ids) { (id) throws(InitiatorError) in
      asked.append(id.rawValue)
      switch id.rawValue {
      case 1: return [Self.result(.handWritten("7"))]
      case 9: throw .failed(InitiatorTypes.Failure(OperationError(.set(id), .noSession)))
      default: throw .daemon(.closed)
      }
    }
    #expect(asked == [1, 9, 2])
    let output = try SessionSetCommand.parse(["1", "9", "2", "3", "--replacement-timeout", "-1"]).output(of: results)
    #expect(output.text == "session 1: changed\n")
    #expect(output.failures.map(\.exitCode) == [2, 18])
    let document = try SessionSetCommand.parse(["1", "9", "2", "3", "--replacement-timeout", "-1", "--json"])
      .output(of: results).text
    #expect(document.contains("\"sessions\" : [\n    1\n  ]"))
  }

  @Test("session show: what the daemon knows of a session that is being recovered", arguments: forms)
  func recovery(arguments: [String], form: String) throws {
    let outage = InitiatorTypes.Outage(
      cause: "the kernel reported NOP_TIMEDOUT (1022)", kernelError: 1022, kernelErrorName: "NOP_TIMEDOUT",
      network: "eth0 is without carrier", since: 1_795_000_000, attempts: 2,
      lastFailure: InitiatorTypes.Attempt(
        number: 2, portal: "10.0.0.1:3260,1", cause: "no answer in time", time: 1_795_000_015.25),
      nextAttempt: 1_795_000_016.5, replacementTimeout: 120, deadline: 1_795_000_120)
    var last = outage
    last.end = 1_795_000_100
    var recovery = InitiatorTypes.Recovery(
      phase: "recovering", portal: "10.0.0.1:3260,1", recoveries: 1, network: "eth0 is without carrier", outage: outage,
      lastOutage: last,
      owner: SessionOwner(userID: 0, processID: 7, label: "csi", time: 1_794_990_000))
    recovery.dueTimeouts = LoginDescription.TimeoutsDescription(
      TimeoutSettings([.noopInterval: 3, .replacement: .off]))
    recovery.dueScheduler = "default"
    var session = SessionSnapshot.example(1)
    (session.state, session.devices[0].state) = (.failed, "blocked")
    session.connection?.state = .failed
    var output = CommandOutput()
    let report = SessionReport(session.id, session, recovery, at: 1_795_000_016)
    try SessionShowCommand.parse(arguments).show([report], at: 1_795_000_016, in: &output, for: .plain)
    try Golden.expect(output.text, is: "session-show-recovery.\(form)")
  }

  @Test("monitor: an event a line, for people and as JSON")
  func event() throws {
    let event = InitiatorTypes.Event(
      sequence: 9, time: 1_795_000_000.125, kind: "lost", session: 1, target: "iqn.2026-11.org.example:disk1",
      portal: "10.0.0.1:3260,1", message: "connection lost: the kernel reported\nNOP_TIMEDOUT (1022)",
      kernelError: 1022)
    #expect(
      eventText(event)
        == "2026-11-18T11:06:40.125Z session 1 iqn.2026-11.org.example:disk1 at 10.0.0.1:3260: connection lost: "
        + "the kernel reported\\nNOP_TIMEDOUT (1022)")
    #expect(
      try eventLine(event)
        == #"{"kernelError":1022,"kind":"lost","message":"connection lost: the kernel reported\nNOP_TIMEDOUT (1022)","#
        + #""portal":"10.0.0.1:3260,1","sequence":9,"session":1,"target":"iqn.2026-11.org.example:disk1","#
        + #""time":1795000000.125}"#)
    let missed = InitiatorTypes.Event(
      sequence: 9, time: 1_795_000_000.125, kind: InitiatorTypes.Event.missedKind, message: "not known")
    #expect(eventText(missed) == "2026-11-18T11:06:40.125Z -: not known")
    #expect(
      try eventLine(missed) == #"{"kind":"missed","message":"not known","sequence":9,"time":1795000000.125}"#)
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
    #expect(try LogoutOutcome([(SessionID(rawValue: 1), .success(try Samples.logout(1)))]).output(options).text == "")
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
