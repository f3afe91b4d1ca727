// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import IscsiKit
import SystemPackage

/// How much a command says, and in which form.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Print JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print errors only.")
  var quiet = false

  func validate() throws { try checkForm(json: json, quiet: quiet) }

  /// A table that is asked for by name, or its document.
  func output(of table: @autoclosure () -> String, or document: some JSONDocument) throws -> CommandOutput {
    var output = CommandOutput()
    if json { try output.show(document) } else { output.text = table() }
    return output
  }
}

/// The form of what a listing prints.
struct ListingOptions: ParsableArguments {
  @Flag(help: "Print JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print session numbers only, one a line.")
  var quiet = false

  func validate() throws { try checkForm(json: json, quiet: quiet) }
}

/// The names of the options that are given.
func names(of options: (name: String, isGiven: Bool)...) -> [String] { options.filter(\.isGiven).map(\.name) }

/// Refuses two forms at a time.
func checkForm(json: Bool, quiet: Bool) throws(ValidationError) {
  if json, quiet { throw ValidationError("--json and --quiet exclude each other") }
}

/// What the connection goes out through.
struct InterfaceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Connect through this network device.", valueName: "device"),
    completion: .shellCommand("ls /sys/class/net"))
  var interfaceDevice: String?

  @Option(
    help: ArgumentHelp("Connect through the network device with this MAC address.", valueName: "mac"),
    completion: .shellCommand("cat /sys/class/net/*/address"), transform: parseHardwareAddress)
  var interfaceMac: HardwareAddress?

  @Option(help: ArgumentHelp("Connect from this local address.", valueName: "ip"), transform: parseAddress)
  var interfaceAddress: IPAddress?

  func validate() throws {
    let given = [interfaceDevice != nil, interfaceMac != nil, interfaceAddress != nil].count { $0 }
    if given > 1 {
      throw ValidationError("--interface-device, --interface-mac and --interface-address exclude each other")
    }
  }

  /// The names of those that are given.
  var given: [String] {
    names(
      of: ("--interface-device", interfaceDevice != nil), ("--interface-mac", interfaceMac != nil),
      ("--interface-address", interfaceAddress != nil))
  }

  /// The interface that the options name; nil if they name none.
  var description: LoginDescription.InterfaceDescription? {
    guard let name = interfaceDevice ?? interfaceMac?.description ?? interfaceAddress?.description else { return nil }
    return LoginDescription.InterfaceDescription(
      name: name, device: interfaceDevice, hardwareAddress: interfaceMac?.description,
      sourceAddress: interfaceAddress?.description)
  }
}

/// Where the daemon is.
struct DaemonOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The daemon's socket.", valueName: "path", visibility: .hidden), completion: .file())
  var socket = Initiator.standardSocket.string

  /// Whether there is a socket, with a daemon behind it or not.
  var isThere: Bool { FileManager.default.fileExists(atPath: socket) }

  /// The daemon.
  var initiator: Initiator { Initiator(socket: FilePath(socket)) }

  /// What the daemon knows of sessions, and the counters of those that are named, or of all; nil without one, or if it does not
  /// answer soon.
  func survey(of ids: [SessionID]) -> DaemonSurvey? {
    guard isThere else { return nil }
    let daemon = initiator
    return runBlocking { try? await daemon.survey(of: ids, until: .now + .seconds(2)) }
  }

  /// What the daemon knows of sessions; nothing without one, or if it does not answer soon: the kernel's own word is here.
  func recoveries() -> [SessionID: InitiatorTypes.Recovery] {
    (try? initiator.blockingRecoveries(until: .now + .seconds(2))) ?? [:]
  }
}

/// How long a command may take.
struct TimeoutOptions: ParsableArguments {
  @Option(
    name: .customLong("timeout"),
    help: ArgumentHelp("Give up after this many seconds. (default: 30)", valueName: "s"), transform: parseTimeout)
  var wanted: UInt32?

  /// Seconds.
  var timeout: UInt32 { wanted ?? 30 }

  /// The same as a duration.
  var duration: Duration { .seconds(timeout) }
}

/// Who we are, for every command that logs in or discovers.
struct InitiatorOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Our name. Default: that of \(InitiatorNameFile.standardPath).", valueName: "iqn"),
    transform: parseInitiatorName)
  var initiatorName: InitiatorName?

  /// The name of the option, or else of the file.
  func resolve(file: InitiatorNameFile = InitiatorNameFile()) throws(InitiatorNameFileError) -> InitiatorName {
    if let initiatorName { initiatorName } else { try file.read() }
  }
}
