// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("iscsistart")
struct IscsistartTests {
  private final class Log: Sendable {
    let output = Mutex("")
    let errors = Mutex("")
    /// The devices that were to be set up.
    let devices = Mutex<[String]>([])
  }

  private struct Run: Equatable {
    let output: String
    let errors: String
    let status: IscsiKit.ExitStatus
    let devices: [String]
  }

  /// Runs a command line on a machine with a made-up sysfs, on a thread that it may block.
  private func run(
    _ words: String, in tree: borrowing SysfsTree, network: BootNetworkError? = nil
  ) async throws -> Run {
    let log = Log()
    var program = Iscsistart()
    program.machine.sysfs = Sysfs(root: tree.root)
    program.machine.boot.sysfs = Sysfs(root: tree.root)
    program.machine.boot.runtimeDirectory = tree.root.appending("run")
    program.machine.configurationFile = tree.root.appending("no-configuration")
    program.machine.network = { (entry) async throws(BootNetworkError) in
      if let network { throw network }
      log.devices.withLock { $0.append(entry.ethernet.device ?? "") }
    }
    program.console = Iscsistart.Console(
      say: { text in log.output.withLock { $0 += text } },
      complain: { line in log.errors.withLock { $0 += line + "\n" } })
    let (ready, arguments) = (program, words.split(separator: " ").map(String.init))
    return try await onOwnThread {
      let status = ready.run(arguments)
      return Run(
        output: log.output.withLock { $0 }, errors: log.errors.withLock { $0 }, status: status,
        devices: log.devices.withLock { $0 })
    }
  }

  @Test(
    "What is missing or wrong is told as by open-iscsi, with 7",
    arguments: [
      ("", "iscsistart: InitiatorName not set. Exiting iscsistart"),
      ("-i a", "iscsistart: Portal Group not set. Exiting iscsistart"),
      ("-i a -g 1", "iscsistart: TargetName not set. Exiting iscsistart"),
      ("-i a -t iqn.2026-11.org.example:b -g 1", "iscsistart: IP Address not set. Exiting iscsistart"),
      (
        "-i a -t bad/NAME -g 1 -a 10.0.0.1",
        "iscsistart: iscsistart Target Name invalid: ignoring|iscsistart: TargetName not set. Exiting iscsistart"
      ),
      ("-P foo", "iscsistart: Invalid --param foo. Missing value."),
      ("--param=foo=", "iscsistart: Invalid --param foo=. Missing value."),
      ("--bogus", "iscsistart: unrecognized option '--bogus'|Try `iscsistart --help' for more information."),
      ("-x", "iscsistart: invalid option -- 'x'|Try `iscsistart --help' for more information."),
      ("-i", "iscsistart: option requires an argument -- 'i'|Try `iscsistart --help' for more information."),
      (
        "-i a -t iqn.2026-11.org.example:b -g 1 -a 10.0.0",
        "iscsistart: \"10.0.0\": neither an address nor the name of a host"
      ),
      (
        "-i a -t iqn.2026-11.org.example:b -g 1 -a 10.0.0.1 -p 0",
        "iscsistart: 0 is no TCP port (1 to 65535)"
      ),
    ])
  func refusals(words: String, lines: String) async throws {
    let run = try await run(words, in: try SysfsTree())
    #expect(run.errors == lines.split(separator: "|").map { "\($0)\n" }.joined())
    #expect(run.status == .invalidArgument && run.output.isEmpty)
  }

  @Test("A parameter that is none is a failure, told after the version")
  func unknownParameter() async throws {
    let run = try await run(
      "-i iqn.2026-11.org.example:a -t iqn.2026-11.org.example:b -g 1 -a 10.0.0.1 -P node.nosuch=1", in: try SysfsTree()
    )
    #expect(run.errors == "iscsistart: version 2.1.8\niscsistart: Unknown parameter node.nosuch.\n")
    #expect(run.status == .failure)
  }

  @Test("Version and help go to standard output")
  func help() async throws {
    let tree = try SysfsTree()
    #expect(try await run("-v", in: tree).output == "iscsistart version 2.1.8\n")
    let help = try await run("--help", in: tree)
    #expect(help.output.hasPrefix("Usage: iscsistart [OPTION]\n") && help.status == .success && help.errors.isEmpty)
  }

  @Test(
    "Without firmware each of its options says so on standard output, with 21",
    arguments: [
      ("-f", "Could not get list of targets from firmware."), ("-N", "Could not setup fw entries."),
      ("-b", "Could not get boot entry."),
    ])
  func noFirmware(words: String, line: String) async throws {
    let run = try await run(words, in: try SysfsTree())
    #expect(run.output == line + "\n" && run.errors.isEmpty && run.status == .noObjectsFound)
  }

  @Test("The firmware's fields are printed to the last octet as open-iscsi does", arguments: ["-f", "--fwparam_print"])
  func print(words: String) async throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    let run = try await run(words, in: tree)
    try Golden.expect(run.output, is: "firmware.txt")
    #expect(run.errors.isEmpty && run.status == .success)
  }

  @Test("The network is set up for each target, and what fails is told")
  func network() async throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    let good = try await run("-N", in: tree)
    #expect(good.output == "Setting up software interface san0\nSetting up software interface san0\n")
    #expect(good.status == .success && good.devices == ["san0", "san0"])
    let bad = try await run("-N", in: tree, network: .failed(device: "san0", .notPermitted))
    #expect(bad.output.hasPrefix("Setting up software interface san0\nSetting up software interface san0 failed\n"))
    #expect(bad.errors.hasPrefix("iscsistart: san0 cannot be set up: ") && bad.status == .failure)
  }

  @Test("Targets of which the firmware has booted with none are not logged in to", arguments: ["target0", "ethernet0"])
  func notSelected(entry: String) async throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    try tree.set("firmware/ibft/\(entry)/flags", to: .text("1"))
    let run = try await run("-b", in: tree)
    #expect(run.output == "Could not get boot entry.\n" && run.status == .noObjectsFound)
  }

  @Test("All options are understood, in both forms")
  func options() throws {
    let short = try IscsistartOptions([
      "-i", "a", "-t", "b", "-g2", "-a", "10.0.0.1", "-p", "3261", "-u", "u", "-w", "s", "-U", "v", "-W", "r", "-d8",
      "-c",
      "f", "-P", "x=1=2", "word", "-bfNv", "-h",
    ])
    let long = try IscsistartOptions([
      "--initiatorname=a", "--targetname", "b", "--tgpt=2", "--addr=10.0.0.1", "--port=3261", "--username=u",
      "--password=s", "--username_in=v", "--password_in=r", "--debug=8", "--config=f", "--param=x=1=2",
      "--fwparam_connect", "--fwparam_print", "--fwparam_network", "--version", "--help",
    ])
    #expect(short == long)
    #expect(short.initiator == "a" && short.target == "b" && short.tag == 2 && short.address == "10.0.0.1")
    #expect(short.port == 3261 && short.user == "u" && short.password == "s" && short.targetUser == "v")
    #expect(short.targetPassword == "r" && short.configurationFile == "f" && short.debugLevel == 8)
    #expect(short.parameters == [.init(name: "x", value: "1=2")])
    #expect(short.actions == [.logInToFirmware, .showFirmware, .setUpNetwork, .version, .help])
  }

  private func request() throws -> LoginRequest {
    LoginRequest(
      initiator: try InitiatorName("iqn.2026-11.org.example:a"), target: try TargetName("iqn.2026-11.org.example:b"),
      portal: Portal(host: try PortalHost("10.0.0.1"), tag: 1))
  }

  @Test("A login is told in open-iscsi's words, and a failure with its reason")
  func texts() throws {
    let request = try request()
    #expect(IscsistartText.begin(request) == "Logging into iqn.2026-11.org.example:b 10.0.0.1:3260,1")
    let operation = OperationError.Operation.login(request.target, request.portal)
    #expect(
      IscsistartText.end(request, .failure(OperationError(operation, .sessionExists(SessionID(rawValue: 1)))))
        == ["initiator reported error (15 - session exists)"])
    #expect(
      IscsistartText.end(request, .failure(OperationError(operation, .transport(.refused)))) == [
        "login to iqn.2026-11.org.example:b at 10.0.0.1:3260 failed: connection refused",
        "initiator reported error (8 - connection timed out)",
      ])
  }
}
