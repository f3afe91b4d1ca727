// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin boot connect`.
struct BootConnectCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "connect", abstract: "Set the network up and log in, as a boot from iSCSI needs it.",
    discussion: """
      All targets are logged in to at the same time, each for 15 minutes unless told otherwise; a target that has a session \
      is done. Several portals are ways to the same target: when each target has a session, the other ways have 10 \
      seconds more. The sessions stay in the kernel, with the timeouts of the profile diskless, and the daemon takes them \
      up as they are. Ends with 0 when each target has a session, else with the code of the first login that failed; 21 is \
      that nothing names a target.
      """)

  @Flag(help: "Log in to the targets of the boot firmware, whatever parameters name.")
  var firmware = false

  @Option(
    help: ArgumentHelp("Log in to this target, whatever parameters name.", valueName: "target"),
    transform: parseTargetName)
  var target: TargetName?

  @Option(
    name: [.short, .customLong("portal")],
    help: "Where it is: address or name, with :port unless it is 3260; may be given again for other ways to it.",
    transform: parsePortal)
  var portals: [Portal] = []

  @Option(
    help: ArgumentHelp("Make this logical unit of it visible and no other.", valueName: "number"), transform: parseLUN)
  var lun: LUN?

  @Option(
    help: ArgumentHelp("Set up a network device as the kernel's ip= would; may be given again.", valueName: "ip"),
    transform: parseBootInterface)
  var ip: [BootInterface] = []

  @Flag(help: "Leave the network as it is.")
  var noNetwork = false

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Set a key of open-iscsi's records or a timeout of iscsi-admin set; may be given again.", valueName: "key=value"),
    transform: parseAssignment)
  var settings: [AssignmentArgument] = []

  @Option(
    help: ArgumentHelp("The profile of timeouts. (default: diskless)", valueName: "name"),
    completion: .list(TuningProfile.allCases.map(\.rawValue)), transform: parseProfile)
  var profile: TuningProfile?

  @Option(
    help: ArgumentHelp("Seconds for which logins are tried again; 0 makes one attempt. (default: 900)", valueName: "s"),
    transform: parseSeconds)
  var timeout: UInt32?

  @Flag(help: "Do nothing, and say nothing, if nothing asks for a boot from iSCSI.")
  var ifConfigured = false

  @Option(
    help: ArgumentHelp(
      "Write to this file what the names of the boot's disk in /dev/disk/by-path end with, for a hook.",
      valueName: "file"),
    completion: .file(), transform: { FilePath($0) })
  var diskFile: FilePath?

  @Flag(
    help: """
      Leave notes in /run by which systemd-networkd, NetworkManager and ifupdown of the system leave the network devices alone \
      over which there are sessions then; also by rd.iscsi.hand_over.
      """)
  var handOver = false

  @OptionGroup var network: BootNetworkOptions
  @OptionGroup(title: "Authentication") var authentication: AuthenticationOptions
  @OptionGroup var initiator: InitiatorOptions
  @OptionGroup var source: BootSourceOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: BootConnectDocument { BootConnectDocument(BootNetworkOutcome(), []) }

  func validate() throws {
    if target == nil, !portals.isEmpty || lun != nil { throw ValidationError("--portal and --lun need --target") }
    if target != nil, portals.isEmpty { throw ValidationError("--target needs --portal") }
    if firmware, target != nil { throw ValidationError("--firmware and --target exclude each other") }
    if noNetwork, !ip.isEmpty { throw ValidationError("--ip and --no-network exclude each other") }
    try settings.checkSecrets()
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let input = source.sources.input(try arguments())
    let plan = BootPlan(input)
    var output = CommandOutput()
    guard !plan.isEmpty else {
      if !ifConfigured || plan.isAskedFor {
        if !plan.isAskedFor { for problem in plan.problems { output.warn(problem.description) } }
        output.fail(NothingToBoot(plan))
      }
      if report.json { try output.show(emptyDocument) }
      return output
    }
    let isQuiet = report.quiet
    var connection = BootConnection(
      input: input, network: noNetwork ? nil : network.network, writesNames: network.dns,
      tell: { line in if !isQuiet { StandardError.tell(line) } })
    connection.isOptional = ifConfigured
    connection.handover = handOver || input.parameters.handsOver ? BootHandover() : nil
    let ready = connection
    let outcome = runBlocking { await ready.run(plan) }
    if let diskFile {
      do throws(BootDiskFailure) { try outcome.writeDisks(to: diskFile) } catch { output.fail(error) }
    }
    try outcome.show(in: &output, report)
    return output
  }

  /// What the options ask for, by the means of parameters.
  func arguments() throws -> BootParameters {
    var parameters = BootParameters()
    parameters.initiator = initiator.initiatorName
    if firmware {
      parameters.usesFirmware = true
      parameters.isAskedFor = true
    }
    if let target {
      parameters.isAskedFor = true
      parameters.lun = lun
      parameters.targets = portals.map { portal in
        var found = BootTarget(name: target)
        (found.host, found.port, found.lun) = (portal.host, portal.port, lun)
        return found
      }
    }
    let authentication = try authentication.resolve()
    (parameters.authentication.name, parameters.authentication.secret) = (
      authentication.outgoing?.name, authentication.outgoing?.secret
    )
    (parameters.authentication.targetName, parameters.authentication.targetSecret) = (
      authentication.incoming?.name, authentication.incoming?.secret
    )
    parameters.authentication.algorithms = authentication.algorithms
    parameters.interfaces = ip
    parameters.profile = profile
    parameters.loginSeconds = timeout
    for setting in settings { parameters.settings.append(try setting.bootSetting()) }
    return parameters
  }
}

func parseBootInterface(_ text: String) throws(ValidationError) -> BootInterface {
  do { return try BootInterface(argument: text) } catch { throw ValidationError(error.reason) }
}

extension AssignmentArgument {
  /// The setting, with a secret from its file.
  fileprivate func bootSetting() throws -> BootParameters.Setting {
    guard isForSecret, value.hasPrefix("@") else { return BootParameters.Setting(key: key, value: value) }
    let secret = try SecretFile(String(value.dropFirst())).read().secret
    return BootParameters.Setting(key: key, secret: secret)
  }
}
