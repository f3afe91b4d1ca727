// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin login`.
struct LoginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "login",
    abstract: "Log in to targets; their disks appear.",
    discussion: """
      Several logins run at a time. The sessions live in the kernel and stay when this program ends. A login that \
      fails leaves nothing behind. Ends with the code of the first login that failed; 15 is a session that exists.
      """)

  @Argument(help: "The targets' names.", transform: parseTargetName)
  var targets: [TargetName] = []

  @Option(
    name: .shortAndLong, help: "The portal: address or name, with :port unless it is 3260.", transform: parsePortal)
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

  func validate() throws {
    if all != targets.isEmpty {
      throw ValidationError("give the targets' names, or --all for all that discovery finds")
    }
    if noScan, !luns.isEmpty { throw ValidationError("--lun and --no-scan exclude each other") }
  }

  func run() throws {
    let initiator = try initiator.resolve()
    let options = try options()
    let report = report
    let find = finder(initiator: initiator, options: options)
    let outcome = try runBlocking {
      let link = try await KernelLink.open()
      let requests = try await find().map { target, portal in
        LoginRequest(initiator: initiator, target: target, portal: portal, options: options)
      }
      let progress = LoginProgress(requests, isShown: !report.quiet)
      let results = await KernelSessions(link: link).login(requests) { progress.note($0, $1) }
      progress.end()
      return LoginOutcome(results)
    }
    try outcome.output(report, for: .standardOutput).emit()
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

  /// Where to log in: what the command line names, or what a discovery finds.
  private func finder(
    initiator: InitiatorName, options: SessionOptions
  ) -> @Sendable () async throws -> [(TargetName, Portal)] {
    let (targets, portal) = (targets, portal)
    guard all else { return { targets.map { ($0, portal) } } }
    var discovery = SendTargetsDiscovery(initiator: initiator)
    discovery.authentication = options.authentication
    discovery.binding = options.binding
    discovery.timeout = time.duration
    return { [discovery] in
      let found = try await discovery.run(at: portal).targets
      guard !found.isEmpty else { throw NothingFound(portal: portal) }
      return found.flatMap { target in target.portals.map { (target.name, $0) } }
    }
  }
}

/// What a session is set to.
struct SessionSettings: ParsableArguments {
  @Option(
    help: ArgumentHelp("Seconds that I/O waits for a lost session; -1 is for ever, 0 fails it at once.", valueName: "s")
  )
  var replacementTimeout: Int32 = 120

  @Option(
    help: ArgumentHelp("Seconds of silence before the target is asked for a sign of life; 0 is never.", valueName: "s"))
  var noopInterval: UInt32 = 5

  @Option(help: ArgumentHelp("Seconds that this sign of life may take; 0 is off.", valueName: "s"))
  var noopTimeout: UInt32 = 5

  @Option(
    help: ArgumentHelp("HeaderDigest, best first: None, CRC32C or both with a comma.", valueName: "list"),
    transform: parseDigests)
  var headerDigest: [Digest] = [.none]

  @Option(
    help: ArgumentHelp("DataDigest, best first: None, CRC32C or both with a comma.", valueName: "list"),
    transform: parseDigests)
  var dataDigest: [Digest] = [.none]

  func validate() throws {
    guard replacementTimeout >= -1 else { throw ValidationError("--replacement-timeout is -1, 0 or more") }
  }

  /// The same as options of a login.
  var options: SessionOptions {
    var options = SessionOptions()
    options.timeouts.replacement = replacementTimeout == -1 ? nil : .seconds(replacementTimeout)
    options.timeouts.noopInterval = .seconds(noopInterval)
    options.timeouts.noopTimeout = .seconds(noopTimeout)
    options.operational.headerDigest = headerDigest
    options.operational.dataDigest = dataDigest
    return options
  }
}

/// A discovery found nothing to log in to.
private struct NothingFound: DiagnosableError {
  let portal: Portal
  let exitStatus = ExitStatus.noObjectsFound
  var description: String { "discovery at \(portal.address): the portal has no targets" }
  var advice: String? { "allow this initiator's name on the target" }
}

private func parseLUN(_ text: String) throws(ValidationError) -> LUN {
  guard let number = UInt64(text), let lun = LUN(number: number) else {
    throw ValidationError("\(text.debugDescription) is no logical unit number (0 to 16383)")
  }
  return lun
}

private func parseDigests(_ text: String) throws(ValidationError) -> [Digest] {
  var digests: [Digest] = []
  for word in text.split(separator: ",", omittingEmptySubsequences: false) {
    guard let digest = Digest(rawValue: String(word)), !digests.contains(digest) else {
      throw ValidationError("\(text.debugDescription) is not None, CRC32C or both with a comma")
    }
    digests.append(digest)
  }
  return digests
}
