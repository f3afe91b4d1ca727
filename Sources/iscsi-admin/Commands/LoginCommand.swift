// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin login`.
struct LoginCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "login",
    abstract: "Log in to targets; their disks appear.",
    discussion: """
      The daemon logs in, keeps the sessions, and logs them in again when they are lost. Several logins run at a time. A \
      login that fails leaves nothing behind. Without --portal the records of nodes say where targets are and how to log \
      in to them (see iscsi-admin node): options that say how are then refused. --all --portal asks the portal for its \
      targets as the options say, and without authentication if it refuses that: targets may have other users for \
      discoveries, or none. Ends with the code of the first login that failed: 15 if all that did have a session \
      already, 20 if no daemon runs.
      """)

  @Argument(help: ArgumentHelp("The targets' names.", valueName: "target"), transform: parseTargetName)
  var targets: [TargetName] = []

  @Option(
    name: .shortAndLong,
    help: "The portal: address or name, with :port unless it is 3260. (default: those of the targets' records)",
    completion: SessionCompletion.portals, transform: parsePortal)
  var portal: Portal?

  @Flag(
    help: "Log in to every target and portal that a discovery at --portal finds, or to every node that has a record.")
  var all = false

  @Option(
    help: ArgumentHelp("Of the nodes that have a record, only those of this node.startup.", valueName: "word"),
    completion: .list(NodeRecord.Startup.allCases.map(\.rawValue)), transform: parseStartup)
  var startup: NodeRecord.Startup?

  @Option(
    name: .customLong("lun"), help: ArgumentHelp("Make this logical unit visible and no other; may be given again."),
    transform: parseLUN)
  var luns: [LUN] = []

  @Flag(help: "Make no logical unit visible.")
  var noScan = false

  @Option(
    help: ArgumentHelp(
      "Seconds for which a login that fails for now is tried again; 0 makes one attempt. (default: 0)", valueName: "s"),
    transform: parseSeconds)
  var retry: UInt32?

  @Flag(help: "Begin the logins and do not wait; iscsi-admin monitor tells how they end.")
  var noWait = false

  @OptionGroup var report: ReportOptions
  @OptionGroup var time: TimeoutOptions
  @OptionGroup(title: "Authentication") var authentication: AuthenticationOptions
  @OptionGroup(title: "Interface") var interface: InterfaceOptions
  @OptionGroup(title: "Session") var session: SessionSettings
  @OptionGroup var initiator: InitiatorOptions
  @OptionGroup var location: SysfsLocation
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: LoginDocument { LoginDocument([]) }

  func validate() throws {
    if !all, targets.isEmpty {
      throw ValidationError("no target: give the targets' names, or --all for all that a discovery or the records have")
    }
    if startup != nil, portal != nil { throw ValidationError("--startup and --portal exclude each other") }
    if all, !targets.isEmpty { throw ValidationError("--all and targets' names exclude each other") }
    if noScan, !luns.isEmpty { throw ValidationError("--lun and --no-scan exclude each other") }
    if portal == nil, !given.isEmpty {
      throw ValidationError(
        "\(given.list("and")) \(given.count == 1 ? "needs" : "need") --portal: without it the records of the "
          + "targets say how to log in (iscsi-admin node set)")
    }
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    guard let portal else { return try performByRecords(try .ofMachine()) }
    let template = try template(at: portal)
    let isProgressShown = !report.quiet && !noWait
    let discovery = all ? discovery(template) : nil
    let (places, name, daemon, waits) = (places(at: portal), initiator, daemon.initiator, !noWait)
    let outcome = try runBlocking {
      let answer: InitiatorTypes.Discovery? =
        if let discovery { try await discoverForLogin(discovery, by: daemon, or: name) } else { nil }
      let found = answer?.targets.flatMap { target in target.portals.map { (target.name, $0) } }
      let logins = (found ?? places).map { target, portal in template.to(target, at: portal) }
      let progress = LoginProgress(logins, isShown: isProgressShown)
      var input = InitiatorTypes.LoginInput(logins: logins)
      input.wait = waits
      let results = logins.isEmpty ? [] : try await daemon.login(input) { progress.note($0, $1) }
      progress.end()
      return LoginOutcome(results, after: answer.map { (portal, $0) })
    }
    var output = try outcome.output(report)
    for target in targets where target.iscsiName == nil { output.warn("\(target): \(TargetName.Warning.noFormat)") }
    return output
  }

  /// How to log in, to whatever target.
  func template(at portal: Portal) throws -> LoginDescription {
    var login = LoginDescription(target: "", portal: portal.description)
    login.initiator = initiator.initiatorName?.description
    login.authentication = try authentication.resolve().described
    login.interface = interface.description
    login.timeouts = session.timeouts
    login.timeouts?.login = Int64(time.timeout)
    login.timeouts?.loginRetryWindow = Int64(retry ?? 0)
    login.parameters = session.parameters
    if noScan { login.scan = "none" }
    if !luns.isEmpty { login.luns = luns.map(\.linuxNumber) }
    return login
  }

  /// What the command line names, each once.
  private func places(at portal: Portal) -> [(String, String)] {
    var known: Set<TargetName> = []
    return targets.filter { known.insert($0).inserted }.map { ($0.description, portal.description) }
  }

  /// The discovery of what `--all` logs in to.
  private func discovery(_ template: LoginDescription) -> InitiatorTypes.DiscoverInput {
    var input = InitiatorTypes.DiscoverInput(portal: template.portal)
    input.initiator = template.initiator
    input.authentication = template.authentication
    input.interface = template.interface
    input.timeout = Int(time.timeout)
    return input
  }
}

extension LoginDescription {
  /// The same login to a target at a portal.
  fileprivate func to(_ target: String, at portal: String) -> LoginDescription {
    var login = self
    login.target = target
    login.portal = portal
    return login
  }
}
