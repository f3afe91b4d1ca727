// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

@Suite("boot")
struct BootCommandTests {
  /// What a machine with firmware, and with these words on its command line, makes its plan from.
  private func input(_ commandLine: String, firmware: Bool = true) throws -> BootPlan.Input {
    let tree = try SysfsTree()
    try tree.addFirmware()
    var input = BootPlan.Input(
      parameters: BootParameters(KernelCommandLine(commandLine), place: "on the kernel's command line"),
      machineName: try InitiatorName("iqn.2026-11.org.example:machine"))
    if firmware { input.firmware = try FirmwareReader(sysfs: Sysfs(root: tree.root)).boots() }
    return input
  }

  private static let parameters =
    "netroot=iscsi:alice:wonderland12:queen:offwithherhead@10.0.0.1:::1:iqn.2026-11.org.example:disk rd.iscsi.profile=nosuch "
    + "vlan=eth0.5:eth0 ip=10.0.0.2::10.0.0.254:24::eth0.5:none:9000 nameserver=10.0.0.53 netroot=iscsi:[fd00::1]::::iqn.2026-11.org.example:disk"

  @Test("The plan is shown with what asks for each part of it, and without any secret")
  func show() throws {
    var file = try input("quiet", firmware: false)
    file.parameters = BootParameters(
      ShellAssignments(
        "ISCSI_TARGET_NAME=iqn.2026-11.org.example:disk\nISCSI_TARGET_IP=10.0.0.1\nISCSI_PASSWORD=wonderland12"),
      of: "/etc/iscsi/iscsi.initramfs")
    for (name, input) in [
      ("firmware", try input("quiet")), ("parameters", try input(Self.parameters)), ("file", file),
      ("dhcp", try input("root=dhcp BOOTIF=01-52-54-00-12-34-56", firmware: false)),
    ] {
      let plan = BootPlan(input)
      try Golden.expect(bootPlanText(input, plan), is: "boot-show-\(name).txt")
      let document = try BootPlanDocument((input, plan)).json()
      try Golden.expect(document, is: "boot-show-\(name).json")
      #expect(!document.contains("wonder") && !document.contains("offwith"))
    }
  }

  /// A machine's files below a folder of their own.
  private func machine(_ files: KeyValuePairs<String, String>) throws -> SysfsTree {
    let tree = try SysfsTree()
    for (path, text) in files {
      try tree.makeDirectory(path.split(separator: "/").dropLast().joined(separator: "/"))
      try tree.set(path, to: .text(text))
    }
    return tree
  }

  private func run(_ words: [String], in tree: borrowing SysfsTree) async throws -> CommandOutput {
    let arguments = ["boot"] + words + ["--root", tree.root.string]
    return try await onOwnThread {
      let command = try #require(try IscsiAdmin.command(arguments) as? any ReportingCommand)
      return try command.output(for: .plain)
    }
  }

  @Test("Files and the command line below another root are read, and the command line wins")
  func root() async throws {
    let tree = try machine([
      "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.2026-11.org.example:file",
      "etc/iscsi/iscsi.initramfs":
        "ISCSI_TARGET_NAME=iqn.2026-11.org.example:disk\nISCSI_TARGET_IP='10.0.0.1'\nISCSI_IP=eth0:dhcp\nISCSI_X=1",
      "proc/cmdline": "quiet iscsi_target_port=3261", "etc/cmdline.d/10.conf": "iscsi_target_port=3262",
    ])
    let output = try await run(["show"], in: tree)
    #expect(
      output.text.contains(
        "Login      iqn.2026-11.org.example:disk at 10.0.0.1:3261 (ISCSI_TARGET_NAME in /etc/iscsi/iscsi.initramfs)\n"))
    #expect(
      output.text.contains("as iqn.2026-11.org.example:file")
        && output.text.contains("Network    eth0: DHCP (ISCSI_IP in /etc/iscsi/iscsi.initramfs)\n"))
    #expect(
      output.text.contains("Settings   /etc/iscsi/iscsi.initramfs: ISCSI_TARGET_NAME, ISCSI_TARGET_IP, ISCSI_IP\n"))
    #expect(
      output.diagnostics
        == "iscsi-admin: warning: /etc/iscsi/iscsi.initramfs: ISCSI_X: there is no such parameter (did you mean ISCSI_IP?)\n"
    )
    #expect(output.status == .success)
  }

  @Test("Where nothing asks for iSCSI, each command ends with 21, and with --if-configured in silence")
  func nothing() async throws {
    let tree = try machine(["proc/cmdline": "root=UUID=1 quiet"])
    for verb in ["show", "network", "connect"] {
      let output = try await run([verb, "--json"], in: tree)
      #expect(output.status == .noObjectsFound && output.diagnostics.contains("nothing names a target"))
      #expect(output.text.contains("\"kind\" : \"boot-"))
    }
    let silent = try await run(["connect", "--if-configured"], in: tree)
    #expect(silent.status == .success && silent.text.isEmpty && silent.diagnostics.isEmpty)
    let wrong = try machine(["proc/cmdline": "netroot=iscsi:nowhere"])
    let told = try await run(["connect", "--if-configured"], in: wrong)
    #expect(told.status == .invalidArgument && told.diagnostics.contains("no login can be made: netroot: "))
    #expect(!told.diagnostics.contains("nothing names"))
  }

  @Test("A firmware's table with a mistake is told with --if-configured, too")
  func brokenFirmware() async throws {
    let tree = try machine([
      "proc/cmdline": "quiet", "sys/firmware/ibft/target0/flags": "3", "sys/firmware/ibft/target0/ip-addr": "10.0.0.1",
    ])
    let told = try await run(["connect", "--if-configured"], in: tree)
    #expect(told.status == .invalidArgument && told.diagnostics.contains("no login can be made"))
  }

  @Test("Who may not read what asks for a boot is told that, and not that nothing does")
  func denied() throws {
    var parameters = BootParameters()
    (parameters.isAskedFor, parameters.lacksPermission) = (true, true)
    parameters.problems = [BootProblem(parameter: "/etc/iscsi/iscsi.initramfs", reason: "it cannot be read")]
    let nothing = NothingToBoot(BootPlan(BootPlan.Input(parameters: parameters)))
    #expect(nothing.exitStatus == .access && nothing.advice == "ask as root")
    #expect(nothing.description.contains("/etc/iscsi/iscsi.initramfs: it cannot be read"))
    // The name alone asks for none.
    parameters.isAskedFor = false
    #expect(NothingToBoot(BootPlan(BootPlan.Input(parameters: parameters))).exitStatus == .noObjectsFound)
    #expect(BootNetworkError.failed(device: "eth0", .notPermitted).exitStatus == .access)
    #expect(BootNetworkError.failed(device: "eth0", .timedOut).exitStatus == .failure)
  }

  @Test("A login that nobody can make is missed, whatever other targets have")
  func refusedLogin() throws {
    var plan = BootPlan(try input(Self.parameters))
    plan.logins[0].record.interface.initiatorName = nil
    var outcome = BootConnectOutcome()
    let (requests, places) = BootConnection.requests(plan, &outcome)
    #expect(requests.count == 1 && places == [1] && outcome.refusals.count == 1)
    let output = try print(outcome)
    #expect(output.status != .success)
  }

  @Test(
    "Arguments that do not fit together are refused",
    arguments: [
      "--portal 10.0.0.1", "--target iqn.2026-11.org.example:disk", "--lun 1", "--set x",
      "--firmware --target iqn.2026-11.org.example:disk --portal 10.0.0.1", "--no-network --ip dhcp", "--ip perhaps",
      "--set node.session.auth.password=wonderland12",
    ])
  func refused(words: String) throws {
    let arguments = ["boot", "connect"] + words.split(separator: " ").map(String.init)
    let error = #expect(throws: (any Error).self) { try IscsiAdmin.command(arguments) }
    let output = IscsiAdmin.output(for: try #require(error), of: arguments)
    #expect(output.status == .invalidArgument && !output.diagnostics.contains("wonderland12"))
  }

  @Test("Arguments come to parameters, which go before all others")
  func arguments() throws {
    let file = try TemporaryFile("wonderland12\n")
    let command = try #require(
      try BootConnectCommand.parseAsRoot([
        "--target", "iqn.2026-11.org.example:disk", "--portal", "10.0.0.1:3261", "-p", "[fd00::1]", "--lun", "3",
        "--initiator-name", "iqn.2026-11.org.example:me", "--user", "alice", "--password-file", file.path.string,
        "--profile", "multipath", "--timeout", "60", "--ip", "10.0.0.2:::24::eth0:none", "--set", "device-timeout=44",
      ]) as? BootConnectCommand)
    let parameters = try command.arguments().over(BootParameters(KernelCommandLine(Self.parameters)))
    let plan = BootPlan(BootPlan.Input(parameters: parameters))
    #expect(plan.logins.map(\.record.portal.description) == ["10.0.0.1:3261,1", "[fd00::1]:3260,1"])
    let options = try plan.logins[0].request().options
    #expect(
      options.authentication.outgoing?.secret == Secret("wonderland12") && options.timeouts.replacement == .seconds(5))
    #expect(options.devices.timeout == 44 && options.timeouts.loginRetryWindow == .seconds(60))
    #expect(options.scan == .only([try #require(LUN(number: 3))]))
    #expect(plan.links.count == 1 && plan.links[0].targets == [IPAddress("10.0.0.1")])
  }

  @Test("A login that is tried again is told with its reason, its number, and how long that goes on")
  func progress() throws {
    var event = SessionEvent(
      time: 100, kind: .loginDelayed, target: "iqn.2026-11.org.example:disk", portal: try Portal("10.0.0.1"),
      message: "login attempt 3 failed: connection refused")
    event.attempt = 3
    event.nextAttempt = 103
    #expect(
      bootProgress(event, left: .seconds(869))
        == "login to iqn.2026-11.org.example:disk at 10.0.0.1:3260 failed: connection refused "
        + "(attempt 3, next in 3 s, gives up in 14 min)")
    event.kind = .loggedIn
    #expect(bootProgress(event, left: nil) == nil)
  }

  private func outcome() throws -> BootConnectOutcome {
    var outcome = BootConnectOutcome()
    var report = BootLinkReport(source: "ip", device: "eth0")
    (report.address, report.prefixLength, report.gateway) = (IPAddress("10.0.0.2"), 24, IPAddress("10.0.0.254"))
    report.nameServers = [try #require(IPAddress("10.0.0.53"))]
    report.targets = [try #require(IPAddress("10.0.0.1"))]
    report.rootPath = "iscsi:10.0.0.1:::1:iqn.2026-11.org.example:disk"
    outcome.network.reports = [report]
    let logins = BootPlan(try input(Self.parameters)).logins
    let error = OperationError(
      .login(logins[0].record.target, logins[0].record.portal), .sessionExists(SessionID(rawValue: 4)))
    outcome.logins = [.init(login: logins[0], result: .failure(error), isMissed: false)]
    let other = OperationError(.login(logins[1].record.target, logins[1].record.portal), .cancelled)
    outcome.logins.append(.init(login: logins[1], result: .failure(other), isMissed: false))
    outcome.isReached = true
    return outcome
  }

  private func print(_ outcome: BootConnectOutcome, _ options: String...) throws -> CommandOutput {
    var output = CommandOutput()
    try outcome.show(in: &output, try ReportOptions.parse(options))
    return output
  }

  @Test("A session that is there already is success, and another way that is given up is no failure")
  func connected() throws {
    let outcome = try outcome()
    let text = try print(outcome)
    try Golden.expect(text.text, is: "boot-connect.txt")
    try Golden.expect(text.diagnostics, is: "boot-connect.stderr")
    #expect(text.status == .success)
    try Golden.expect(try print(outcome, "--json").text, is: "boot-connect.json")
    try Golden.expect(try BootNetworkDocument(outcome.network).json(), is: "boot-network.json")
    try Golden.expect(outcome.network.reports.map { $0.line + "\n" }.joined(), is: "boot-network.txt")
  }

  @Test("A target that is missed gives the exit code, and then what the network lacks is told too")
  func missed() throws {
    var outcome = try outcome()
    let login = try #require(outcome.logins.last)
    let error = OperationError(
      .login(login.login.record.target, login.login.record.portal), .login(.rejected(.authenticationFailure)))
    outcome.logins[1] = .init(login: login.login, result: .failure(error), isMissed: true)
    outcome.isReached = false
    let link = BootLink(source: "ip", device: .named("eth9"), addressing: .linkOnly)
    outcome.network.failures = [BootLinkFailure(link: link, reason: .noDevice("eth9"))]
    let output = try print(outcome)
    #expect(output.status == .authentication && output.failures.count == 2)
    // It stood there when it happened.
    #expect(!output.diagnostics.contains("eth9"))
  }

  @Test("A check tells what is well and what is not, with what mends it, and ends with 1 if a boot would fail")
  func check() throws {
    var evidence = BootEvidence(kernel: "6.12.1-amd64")
    evidence.session = .example(1)
    evidence.networkDevices = ["eth0"]
    evidence.image = InitramfsImage(
      path: "/boot/initrd.img-6.12.1-amd64", names: ["scripts/functions", "usr/bin/iscsi-admin"])
    evidence.plan = BootPlan(try input("quiet", firmware: false))
    for (arguments, form) in [([String](), "txt"), (["--json"], "json")] {
      let command = try #require(try BootCheckCommand.parseAsRoot(arguments) as? BootCheckCommand)
      let output = try command.output(of: evidence, for: .plain)
      try Golden.expect(output.text, is: "boot-check.\(form)")
      #expect(
        output.status == .failure && output.diagnostics == "iscsi-admin: this machine would not boot: 3 problems\n")
    }
  }

  @Test("A check that could not look into the image does not end as if the machine could boot")
  func unchecked() throws {
    var evidence = BootEvidence(kernel: "6.12.1-amd64")
    evidence.modules = KernelModules(
      dependencies: ["iscsi_tcp", "libiscsi", "scsi_transport_iscsi", "sd_mod"].map { "kernel/\($0).ko:\n" }.joined(),
      builtIn: "")
    for (failure, status) in [
      (InitramfsImageError.unreadable("/boot/i", .permissionDenied), IscsiKit.ExitStatus.access),
      (.enclosed("/boot/i", "squashfs-root.img"), .failure),
    ] {
      evidence.imageFailure = failure
      let command = try #require(try BootCheckCommand.parseAsRoot([]) as? BootCheckCommand)
      let output = try command.output(of: evidence, for: .plain)
      #expect(output.status == status && output.diagnostics.contains("it is not known whether this machine would boot"))
    }
  }

  @Test("What is left for the managers of the network is left where somebody asks for it")
  func handover() throws {
    let plain = try #require(try BootConnectCommand.parseAsRoot(["--if-configured"]) as? BootConnectCommand)
    let hook = try #require(try BootConnectCommand.parseAsRoot(["--hand-over"]) as? BootConnectCommand)
    #expect(!plain.handOver && hook.handOver)
    for (line, isAskedFor) in [("quiet", false), ("rd.iscsi.hand_over", true), ("iscsi_hand_over=0", false)] {
      #expect(BootParameters(KernelCommandLine(line)).handsOver == isAskedFor)
    }
    #expect(BootParameters(ShellAssignments("ISCSI_HAND_OVER=1"), of: "file").over(BootParameters()).handsOver)
  }

  @Test("A check below another root looks at nothing of this machine")
  func checkElsewhere() async throws {
    let tree = try machine(["proc/sys/kernel/osrelease": "6.12", "proc/cmdline": "quiet"])
    let output = try await run(["check"], in: tree)
    #expect(output.status == .failure && output.text.contains("there is no initramfs image for kernel 6.12 in /boot"))
  }

  @Test("A root that is no folder is no system to look at", arguments: ["nosuch", "proc/cmdline"])
  func checkNowhere(path: String) throws {
    let tree = try machine(["proc/cmdline": "quiet"])
    let root = tree.root.appending(path).string
    let command = try #require(try BootCheckCommand.parseAsRoot(["--root", root]) as? BootCheckCommand)
    let error = #expect(throws: NoSuchRoot.self) { try command.perform(for: .plain) }
    #expect(error?.exitStatus == .invalidArgument && error?.description == "--root: no such folder: \(root)")
  }
}
