// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

@Suite("set and tune")
struct SetCommandTests {
  /// A report with all that can become of a setting.
  private func report() throws -> TuningReport {
    var session = SessionSnapshot.example(1)
    session.targetName = try Samples.target(1).description
    let outcomes: [SettingOutcome] = [
      .init("noop-interval", .connection, old: "0", new: "5", .atNextLogin, note: .noopsStartAtLogin),
      .init("replacement-timeout", .session, old: "7", new: "120", .changed, note: .handWritten("7")),
      .init("abort-timeout", .session, old: "15", new: "15", .unchanged),
      .init("device-timeout", .device("1:0:0:1"), old: "30", new: "90", .changed),
      .init("device-eh-timeout", .device("1:0:0:1"), old: nil, new: "9", .failed, note: .refused("no such file")),
      .init("host-eh-deadline", .host(HostNumber(rawValue: 1)), old: "off", new: "60", .failed, note: .noHostReset),
    ]
    var report = TuningReport()
    report.entries = outcomes.map { TuningReport.Entry(InitiatorTypes.SetResult($0), of: session) }
    report.failures = [InitiatorTypes.Failure(try Samples.operationError(2, .connectionLost))]
    var record = NodeRecord(target: try Samples.target(1), portal: Samples.portal)
    let old = record
    record.timeouts.replacement = nil
    var plan = RecordPlan()
    plan.change(
      RecordDatabase.Stored(record: old, text: RecordText(), path: []), to: record)
    report.add(plan, of: TimeoutSettings([.replacement: .off, .logout: 15]), besides: TimeoutSettings())
    return report
  }

  @Test("What became of settings, place by place", arguments: [false, true])
  func outcomes(json: Bool) throws {
    let command = try SetCommand.parse(["1", "replacement-timeout=120"] + (json ? ["--json"] : []))
    var output = CommandOutput()
    let report = try report()
    try output.show(report, SetSettingsDocument(report, dryRun: false), EditReport(command.report, command.trial))
    try Golden.expect(output.text, is: json ? "set.json" : "set.txt")
    #expect(output.status == .transport)
    if !json { try Golden.expect(output.diagnostics, is: "set.stderr") }
  }

  @Test(
    "What is as it was is not called changed, also if it waits for a login, or if something else has failed",
    arguments: [false, true])
  func nothingChanged(isFailed: Bool) throws {
    var outcomes: [SettingOutcome] = [
      .init("noop-interval", .connection, old: "5", new: "5", .atNextLogin, note: .noopsAreOff)
    ]
    if isFailed {
      outcomes.append(
        .init("host-eh-deadline", .host(HostNumber(rawValue: 1)), old: "off", new: "60", .failed, note: .noHostReset))
    }
    var report = TuningReport()
    report.entries = outcomes.map { TuningReport.Entry(InitiatorTypes.SetResult($0), of: SessionSnapshot.example(1)) }
    let command = try SetCommand.parse(["1", "noop-interval=5"])
    var output = CommandOutput()
    try output.show(report, SetSettingsDocument(report, dryRun: false), EditReport(command.report, command.trial))
    let lines = output.text.split(separator: "\n")
    #expect(lines.first?.hasSuffix(isFailed ? ": not changed" : ": unchanged") == true)
    #expect(lines.last?.hasPrefix("  noop-interval: 5, as before; NOP-Outs are off") == true)
  }

  @Test("A profile that was applied and kept", arguments: [false, true])
  func profile(json: Bool) throws {
    let command = try TuneCommand.parse(["1", "--profile", "diskless", "--dry-run"] + (json ? ["--json"] : []))
    let report = try report()
    var document = TuneDocument(.diskless, dryRun: true, report)
    document.isVerified = true
    document.rules = TuneDocument.Rules(path: DeviceRules.standardPath.string, changed: true)
    var output = CommandOutput()
    try output.show(report, document, EditReport(command.report, command.trial), isVerified: true)
    try Golden.expect(output.text, is: json ? "tune.json" : "tune.txt")
  }

  @Test("The tables of timeouts and of profiles", arguments: ["", "--json"])
  func lists(form: String) throws {
    let arguments = ["--list"] + (form.isEmpty ? [] : [form])
    let suffix = form.isEmpty ? "txt" : "json"
    let timeouts = try SetCommand.parse(arguments).output(for: .plain)
    try Golden.expect(timeouts.text, is: "set-list.\(suffix)")
    let profiles = try TuneCommand.parse(arguments).output(for: .plain)
    try Golden.expect(profiles.text, is: "tune-list.\(suffix)")
    #expect(timeouts.status == .success && profiles.status == .success)
  }

  @Test(
    "Settings, sessions and targets stand in any order, and options name them as well",
    arguments: [
      ["1", "iqn.2026-11.org.example:disk1", "replacement-timeout=off", "device-timeout=9"],
      [
        "device-timeout=9", "node.session.timeo.replacement_timeout=-1", "--session", "1", "--target",
        "iqn.2026-11.org.example:disk1",
      ],
    ])
  func arguments(words: [String]) throws {
    let request = try SetCommand.parse(words).request()
    #expect(request.settings == TimeoutSettings([.replacement: .off, .device: 9]))
    #expect(request.sessions == [SessionID(rawValue: 1)])
    #expect(try request.targets == [Samples.target(1)])
    #expect(!request.isForAll && request.place == nil)
  }

  @Test("--record, --live and --all")
  func places() throws {
    #expect(try SetCommand.parse(["--all", "--live", "io-scheduler=none"]).request().place == .live)
    let request = try SetCommand.parse(["--all", "--record", "login-timeout=9"]).request()
    #expect(request.place == .record && request.isForAll)
  }

  @Test(
    "A command line that says too little or too much is refused",
    arguments: [
      ["1"], ["replacement-timeout=1"], ["1", "--all", "replacement-timeout=1"],
      ["1", "--record", "--live", "replacement-timeout=1"], ["a/b", "replacement-timeout=1"],
    ])
  func refused(words: [String]) { #expect(throws: (any Error).self) { try SetCommand.parse(words) } }

  @Test(
    "So is one of tune",
    arguments: [
      ["1"], ["--profile", "diskless"], ["--profile", "x", "1"], ["--profile", "diskless", "--root", "1"],
      ["--profile", "diskless", "--all", "1"], ["--profile", "diskless", "--all", "--root"],
      ["--profile", "diskless", "--all", "--session", "1"],
    ])
  func tuneRefused(words: [String]) { #expect(throws: (any Error).self) { try TuneCommand.parse(words) } }

  @Test(
    "tune takes the options of set that name sessions",
    arguments: [
      (["--session", "9"], 2), (["--target", "iqn.2026-11.org.example:none"], 21), (["--session", "1"], 20),
      (["--target", "iqn.2026-11.org.example:disk1"], 20), (["--all"], 20),
    ] as [([String], UInt8)])
  func tuneSelection(words: [String], status: UInt8) async throws {
    let fixture = try RecordFixture.example()
    let tree = try sysfsWithSession()
    let (store, sysfs) = (fixture.store, tree.root.string)
    let output = try await onOwnThread {
      try TuneCommand.parse(["--sysfs-root", sysfs, "--socket", sysfs + "/none", "--profile", "default"] + words)
        .output(on: store)
    }
    // What is found is for the daemon, which is not there.
    #expect(output.status.rawValue == status)
    let empty = try SysfsTree()
    let root = empty.root.string
    let none = try await onOwnThread {
      try TuneCommand.parse(["--sysfs-root", root, "--profile", "default"] + words).output(on: store).status
    }
    #expect(none == (words.first == "--session" ? .sessionNotFound : .noObjectsFound))
  }

  @Test("A value that cannot be ends with 7, before a daemon is asked")
  func badValue() async throws {
    let fixture = try RecordFixture.example()
    for words in [["device-timeout=0"], ["noop-interval=off"], ["nothing=1"], ["io-scheduler=noop"]] {
      let tree = try sysfsWithSession()
      let (store, arguments) = (fixture.store, ["--sysfs-root", tree.root.string, "1"] + words)
      let output = try await onOwnThread { try SetCommand.parse(arguments).output(on: store) }
      #expect(output.status == .invalidArgument && output.text == "", "\(words)")
    }
  }

  @Test("Records are set without a daemon")
  func records() async throws {
    let fixture = try RecordFixture.example()
    let tree = try sysfsWithSession()
    let (store, sysfs) = (fixture.store, tree.root.string)
    let output = try await onOwnThread {
      try SetCommand.parse(["--sysfs-root", sysfs, "--record", "--session", "1", "replacement-timeout=9"])
        .output(on: store)
    }
    #expect(output.status == .success && output.diagnostics == "")
    let replacements = try fixture.nodes().map(\.timeouts.replacement)
    #expect(replacements.count { $0 == .seconds(9) } == 1 && replacements.count == 3)
    #expect(output.text.contains("replacement-timeout: 120 -> 9; takes effect at the next login"))
  }

  @Test("A file of rules that is not ours stops tune before anything is set")
  func foreignRules() async throws {
    let fixture = try RecordFixture.example()
    try fixture.write("# mine\n", to: "rules")
    let tree = try sysfsWithSession()
    let (store, sysfs) = (fixture.store, tree.root.string)
    let output = try await onOwnThread {
      let rules = store.database.root.appending("rules").string
      return try TuneCommand.parse(
        ["--sysfs-root", sysfs, "--profile", "diskless", "--persist", "--rules", rules, "1"]
      ).output(on: store)
    }
    #expect(output.status == .sessionExists && output.diagnostics.contains("is not ours"))
    let missing = try await onOwnThread {
      try TuneCommand.parse(["--sysfs-root", sysfs, "--profile", "default", "9"]).output(on: store)
    }
    #expect(missing.status == .sessionNotFound)
  }
}
