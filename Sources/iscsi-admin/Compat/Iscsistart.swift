// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import SystemPackage

/// open-iscsi's `iscsistart`, which makes the sessions that a machine boots from. It needs neither a daemon nor a record
/// nor anything that can be written, and leaves its sessions to a daemon that comes later.
struct Iscsistart: Sendable {
  /// What it works on.
  struct Machine: Sendable {
    var sysfs = Sysfs()
    /// open-iscsi's configuration, which holds for targets of firmware.
    var configurationFile = InitiatorConfiguration.standardPath
    /// Where a daemon looks for what is left to it.
    var boot = BootInitiator.Machine()
    /// How the network is set up.
    var network: @Sendable (FirmwareEntry) async throws(BootNetworkError) -> Void = {
      (entry) async throws(BootNetworkError) in try await BootNetwork().setUp(entry)
    }
  }

  /// Where it writes, as it goes.
  struct Console: Sendable {
    /// Takes text for standard output, as it is.
    var say: @Sendable (String) -> Void = { text in _ = try? FileDescriptor.standardOutput.writeText(text) }
    /// Takes a line for standard error, without its end.
    var complain: @Sendable (String) -> Void = { line in StandardError.write(line + "\n") }

    /// Writes a line with the program's name before it.
    func log(_ text: String) { complain("iscsistart: \(text.printable)") }
  }

  /// The name that it was called by.
  var program = "iscsistart"
  var machine = Machine()
  var console = Console()

  /// Does what the arguments say.
  ///
  /// - Parameter arguments: What follows the program's name.
  /// - Returns: 0; 7 for wrong arguments, 21 if there is no firmware to ask, 1 if a login failed.
  func run(_ arguments: [String]) -> ExitStatus {
    let options: IscsistartOptions
    do throws(IscsistartOptions.Refusal) {
      options = try IscsistartOptions(arguments)
    } catch {
      switch error {
      case .mistake(let mistake):
        console.complain(mistake.line(of: program))
        console.complain("Try `iscsistart --help' for more information.")
      case .parameterWithoutValue(let text): console.log("Invalid --param \(text). Missing value.")
      }
      return .invalidArgument
    }
    // Whoever looks at the processes of a machine that waits for its disk must not see them.
    let set = options.parameters.filter { NodeRecord.keys[$0.name]?.role == .secret }.map(\.value)
    for secret in [options.password, options.targetPassword].compactMap(\.self) + set { ProcessArguments.hide(secret) }
    if options.actions.contains(.help) {
      console.say(Self.help)
      return .success
    }
    if options.actions.contains(.version) {
      console.say("iscsistart version \(openISCSIVersion)\n")
      return .success
    }
    do throws(IscsistartError) {
      return try run(options)
    } catch {
      for line in error.lines { console.log(line) }
      if let output = error.output { console.say("\(output)\n") }
      return error.status
    }
  }

  private func run(_ options: IscsistartOptions) throws(IscsistartError) -> ExitStatus {
    if options.actions.contains(.setUpNetwork) {
      try setUpNetwork()
      if options.actions == [.setUpNetwork] { return .success }
    }
    if options.actions.contains(.showFirmware) {
      console.say(FirmwareText.records(try targets(or: "Could not get list of targets from firmware.")))
      return .success
    }
    var records =
      try options.actions.contains(.logInToFirmware) ? firmwareNodes(options) : [node(options)]
    console.log("version \(openISCSIVersion)")
    for index in records.indices {
      records[index].applyBootDefaults()
      for parameter in options.parameters {
        do throws(RecordError) {
          try records[index].set(parameter.name, to: parameter.value)
        } catch {
          throw IscsistartError(.failure, Self.words(error, parameter))
        }
      }
    }
    return try logIn(records)
  }

  // MARK: - Firmware

  /// The targets of firmware; what is wrong with some is told.
  private func targets(or failure: String) throws(IscsistartError) -> [FirmwareEntry] {
    let targets = FirmwareTargets(of: machine.sysfs)
    for problem in targets.problems { console.log(problem.description) }
    guard !targets.entries.isEmpty else { throw IscsistartError(.noObjectsFound, output: failure) }
    return targets.entries
  }

  private func firmwareNodes(_ options: IscsistartOptions) throws(IscsistartError) -> [NodeRecord] {
    let failure = "Could not get boot entry."
    let entries = try targets(or: failure)
    guard entries.contains(where: { $0.target.flags.contains(.bootSelected) }),
      entries.contains(where: { $0.ethernet.flags.contains(.bootSelected) })
    else { throw IscsistartError(.noObjectsFound, output: failure) }
    let file = options.configurationFile.map { FilePath($0) } ?? machine.configurationFile
    do throws(DatabaseError) {
      let configuration = try InitiatorConfiguration(path: file)
      return entries.map { configuration.node($0) }
    } catch {
      throw IscsistartError(error.exitStatus, error.description)
    }
  }

  private func setUpNetwork() throws(IscsistartError) {
    var failed = false
    // A card that does iSCSI itself has its network by itself.
    for entry in try targets(or: "Could not setup fw entries.") where entry.transport == "tcp" {
      let device = entry.ethernet.device ?? ""
      console.say("Setting up software interface \(device)\n")
      let setUp = machine.network
      let failure = runBlocking { () async -> BootNetworkError? in
        do throws(BootNetworkError) {
          try await setUp(entry)
          return nil
        } catch {
          return error
        }
      }
      guard let failure else { continue }
      console.log(failure.description)
      console.say("Setting up software interface \(device) failed\n")
      failed = true
    }
    if failed { throw IscsistartError(.failure) }
  }

  // MARK: - Logins

  /// The node that the options name.
  private func node(_ options: IscsistartOptions) throws(IscsistartError) -> NodeRecord {
    func required<Value>(_ value: Value?, _ name: String) throws(IscsistartError) -> Value {
      guard let value else { throw IscsistartError(.invalidArgument, "\(name) not set. Exiting iscsistart") }
      return value
    }
    func refused(_ text: String, _ reason: String) -> IscsistartError {
      IscsistartError(.invalidArgument, "\(text.debugDescription): \(reason)")
    }
    if let name = options.target, (try? TargetName(name)) == nil {
      console.log("iscsistart Target Name invalid: ignoring")
    }
    let initiator = try required(options.initiator, "InitiatorName")
    let tag = try required(options.tag, "Portal Group")
    let target = try required(options.target.flatMap { try? TargetName($0) }, "TargetName")
    let address = try required(options.address, "IP Address")
    guard let host = try? PortalHost(IscsiadmPortal(address).host) else {
      throw refused(address, "neither an address nor the name of a host")
    }
    guard let port = UInt16(exactly: options.port), port > 0 else {
      throw IscsistartError(.invalidArgument, "\(options.port) is no TCP port (1 to 65535)")
    }
    var record = NodeRecord(
      target: target, portal: Portal(host: host, port: port, tag: PortalGroupTag(exactly: tag)))
    record.interface.initiatorName = initiator
    record.authentication.name = options.user
    record.authentication.targetName = options.targetUser
    for (password, path) in [
      (options.password, \RecordAuthentication.secret), (options.targetPassword, \RecordAuthentication.targetSecret),
    ] {
      guard let password, !password.isEmpty else { continue }
      guard let secret = Secret(password) else {
        throw IscsistartError(.invalidArgument, "a password has 1 to 255 octets on one line")
      }
      record.authentication[keyPath: path] = secret
    }
    return record
  }

  private static func words(_ error: RecordError, _ parameter: IscsiadmOptions.Parameter) -> String {
    switch error {
    case .badValue, .missing, .otherIPVersion: error.description
    case .unknownKey, .identity: "Unknown parameter \(parameter.name)."
    }
  }

  private func logIn(_ records: [NodeRecord]) throws(IscsistartError) -> ExitStatus {
    var requests: [LoginRequest] = []
    for record in records {
      do throws(LoginDescriptionError) {
        requests.append(try record.loginRequest())
      } catch {
        // One that nobody can log in to keeps no other from it: the root disk may be another one's.
        console.log("\(record.target): \(error.description)")
      }
    }
    guard !requests.isEmpty else { return .failure }
    let isWhole = requests.count == records.count
    let (logins, boot, console) = (requests, machine.boot, console)
    return runBlocking { () async -> ExitStatus in
      do throws(KernelError) {
        let initiator = try await BootInitiator(boot)
        let status = await Self.logIn(logins, by: initiator, console)
        return isWhole ? status : .failure
      } catch {
        console.log("\(error.description)\(error.advice.map { "; \($0)" } ?? "")")
        return .failure
      }
    }
  }

  private static func logIn(
    _ requests: [LoginRequest], by initiator: BootInitiator, _ console: Console
  ) async -> ExitStatus {
    var status = ExitStatus.success
    // What goes on in all of them is told as it happens, how each ends in their order.
    await initiator.logIn(requests) { event in
      if let text = IscsistartText.progress(event) { console.log(text) }
    } finished: { index, result in
      console.say("iscsistart: \(IscsistartText.begin(requests[index]).printable)\n")
      for line in IscsistartText.end(requests[index], result) { console.log(line) }
      if case .failure = result { status = .failure }
    }
    return status
  }

  private static let help = """
    Usage: iscsistart [OPTION]

    Logs in to the targets that a machine boots from; the sessions stay when it ends.

      -c, --config=FILE          read FILE in place of /etc/iscsi/iscsid.conf, with -b
      -i, --initiatorname=NAME   log in as NAME (needed without -b)
      -t, --targetname=NAME      log in to the target NAME (needed without -b)
      -g, --tgpt=TAG             its portal group tag (needed without -b)
      -a, --address=ADDRESS      its address (needed without -b)
      -p, --port=PORT            its port (3260)
      -u, --username=NAME        our CHAP name
      -w, --password=SECRET      its secret
      -U, --username_in=NAME     the target's CHAP name
      -W, --password_in=SECRET   its secret
      -P, --param=KEY=VALUE      set a key of the node's record; may be given several times
      -b, --fwparam_connect      log in to the targets that the firmware names
      -N, --fwparam_network      set up the network as the firmware has it
      -f, --fwparam_print        print what the firmware names
      -d, --debug=LEVEL          accepted
      -h, --help                 show this
      -v, --version              show the version

    """
}

/// Why `iscsistart` did nothing: lines for standard error, a line that open-iscsi has on standard output, and the exit
/// code.
struct IscsistartError: Error, Hashable {
  let lines: [String]
  let output: String?
  let status: ExitStatus

  init(_ status: ExitStatus, _ lines: String..., output: String? = nil) {
    self.lines = lines
    self.output = output
    self.status = status
  }
}

/// Logins in the words of `iscsistart`.
enum IscsistartText {
  /// What is logged in to.
  static func begin(_ request: LoginRequest) -> String {
    let portal = request.portal
    return "Logging into \(request.target) \(portal.address),\(portal.tag.map { "\($0)" } ?? "-1")"
  }

  /// What has gone wrong and is tried again; nil for what is no news.
  static func progress(_ event: SessionEvent) -> String? {
    switch event.kind {
    case .loginDelayed, .redirected: "\(event.target) at \(event.portal.address): \(event.message)"
    default: nil
    }
  }

  /// How a login ended.
  static func end(_ request: LoginRequest, _ result: Result<LoginReport, OperationError>) -> [String] {
    switch result {
    case .success(let report):
      let portal = "\(request.portal.host),\(request.portal.port)"
      let line =
        "Connection\(report.session):0 to [target: \(request.target), portal: \(portal)] through "
        + "[iface: \(request.options.interfaceName)] is operational now"
      return [line] + (report.scanFailure.map { ["\($0)"] } ?? [])
    case .failure(let error):
      // That there is a session is what a second call for it comes to, and no news.
      let reason = error.exitStatus == .sessionExists ? [] : ["\(error)"]
      // A portal that cannot be reached was tried for as long as a login may take: that time has run out.
      let status = error.exitStatus == .transport ? .transportTimeout : error.exitStatus
      return reason + ["initiator reported error (\(status.rawValue) - \(status.openISCSIText))"]
    }
  }
}
