// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin login`.
struct LoginCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "login",
    abstract: "Log in to targets; their disks appear.",
    discussion: """
      Several logins run at a time. The sessions live in the kernel and stay when this program ends. A login that \
      fails leaves nothing behind. Ends with the code of the first login that failed; 15 is a session that exists.
      """)

  @Argument(help: ArgumentHelp("The targets' names.", valueName: "target"), transform: parseTargetName)
  var targets: [TargetName] = []

  @Option(
    name: .shortAndLong, help: "The portal: address or name, with :port unless it is 3260.",
    completion: SessionCompletion.portals, transform: parsePortal)
  var portal: Portal

  @Flag(help: "Log in to every target and portal that a discovery at --portal finds.")
  var all = false

  @Option(
    name: .customLong("lun"), help: ArgumentHelp("Make this logical unit visible and no other; may be given again."),
    transform: parseLUN)
  var luns: [LUN] = []

  @Flag(help: "Make no logical unit visible.")
  var noScan = false

  @OptionGroup var report: ReportOptions
  @OptionGroup var time: TimeoutOptions
  @OptionGroup(title: "Authentication") var authentication: AuthenticationOptions
  @OptionGroup(title: "Interface") var interface: InterfaceOptions
  @OptionGroup(title: "Session") var session: SessionSettings
  @OptionGroup var initiator: InitiatorOptions

  var isJSON: Bool { report.json }
  var emptyDocument: LoginDocument { LoginDocument([]) }

  func validate() throws {
    if !all, targets.isEmpty {
      throw ValidationError("no target: give the targets' names, or --all for all that a discovery finds")
    }
    if all, !targets.isEmpty { throw ValidationError("--all and targets' names exclude each other") }
    if noScan, !luns.isEmpty { throw ValidationError("--lun and --no-scan exclude each other") }
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let initiator = try initiator.resolve()
    let options = try options()
    let isProgressShown = !report.quiet
    let discovery = all ? discovery(initiator: initiator, options: options) : nil
    let (portal, places) = (portal, places)
    let outcome = try runBlocking {
      let link = try await KernelLink.open()
      if link.hasLoadedModule, isProgressShown { StandardError.warn("loaded the kernel module iscsi_tcp") }
      let answer = try await discovery?.run(at: portal)
      let found = answer?.targets.flatMap { target in target.portals.map { (target.name, $0) } }
      let requests = (found ?? places).map { target, portal in
        LoginRequest(initiator: initiator, target: target, portal: portal, options: options)
      }
      let progress = LoginProgress(requests, isShown: isProgressShown)
      let results = await KernelSessions(link: link).login(requests) { progress.note($0, $1) }
      progress.end()
      return LoginOutcome(results, after: answer.map { (portal, $0) })
    }
    return try outcome.output(report)
  }

  /// How to log in.
  func options() throws -> SessionOptions {
    var options = session.options
    options.authentication = try authentication.resolve()
    options.binding = interface.binding
    options.interfaceName = interface.name
    options.timeouts.login = time.duration
    options.scan = noScan ? .none : luns.isEmpty ? .all : .only(luns)
    return options
  }

  /// What the command line names, each once.
  private var places: [(TargetName, Portal)] {
    var known: Set<TargetName> = []
    return targets.filter { known.insert($0).inserted }.map { ($0, portal) }
  }

  /// The discovery of what `--all` logs in to.
  private func discovery(initiator: InitiatorName, options: SessionOptions) -> SendTargetsDiscovery {
    var discovery = SendTargetsDiscovery(initiator: initiator)
    discovery.authentication = options.authentication
    discovery.binding = options.binding
    discovery.timeout = time.duration
    return discovery
  }
}
