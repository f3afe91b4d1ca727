// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin discover`.
struct DiscoverCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "discover",
    abstract: "Ask a portal which targets it has (SendTargets), or an iSNS server which there are.",
    discussion: """
      Nothing is stored without --save. Names that no target may have are refused, with the reason on standard error. \
      Ends with 21 if there are no targets.
      """)

  @Argument(
    help: ArgumentHelp(
      "Who is asked: address or name, with :port unless it is 3260, or 3205 of an iSNS server.", valueName: "portal"),
    completion: SessionCompletion.portals, transform: DiscoveryServer.init)
  var server: DiscoveryServer

  @Option(
    help: "How: sendtargets, or isns of an iSNS server. (default: sendtargets)",
    completion: .list(DiscoveryRecord.Kind.allCases.map(\.rawValue)), transform: parseDiscoveryKind)
  var kind: DiscoveryRecord.Kind = .sendTargets

  @Flag(
    help: """
      Keep the discovery and the nodes that it finds in the record database, over each interface that has a record or \
      else the default one. Records that are there stay as they are, but for the portal group tag, if that is another one now.
      """)
  var save = false

  @OptionGroup var report: ReportOptions
  @OptionGroup var time: TimeoutOptions
  @OptionGroup(title: "Authentication") var authentication: AuthenticationOptions
  @OptionGroup(title: "Interface") var interface: InterfaceOptions
  @OptionGroup var initiator: InitiatorOptions
  @OptionGroup var daemon: DaemonOptions

  /// Who is asked.
  var portal: Portal { server.portal(kind) }
  var isJSON: Bool { report.json }
  var emptyDocument: DiscoveryDocument {
    DiscoveryDocument(InitiatorTypes.Discovery(SendTargetsResponse(text: [], discoveryPortal: portal)), at: portal)
  }

  func validate() throws {
    if kind == .isns, authentication.user != nil || authentication.mutualUser != nil {
      throw ValidationError("an iSNS server is asked without authentication")
    }
    if save, interface.description != nil {
      throw ValidationError(
        "--save does not go with an interface: nodes are kept over those that have records, or the default one")
    }
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    // Once: a secret may come from standard input.
    let input = kind == .isns ? nil : try input()
    let answer = try input.map(askTarget) ?? askISNS()
    guard save, !answer.targets.isEmpty else { return try output(of: answer, for: terminal) }
    return try output(of: answer, for: terminal) { tell in
      try keep(answer, authentication: input?.authentication, in: .ofMachine(), tell)
    }
  }

  /// Keeps the discovery, and then what it has found: the links to the nodes are in the discovery's folder. `tell` gets what
  /// is kept, as soon as it is.
  func keep(
    _ answer: InitiatorTypes.Discovery, authentication: LoginDescription.AuthenticationDescription?,
    in store: RecordStore, _ tell: (RecordPlan) -> Void
  ) throws {
    let configuration = store.configuration
    var discovery = configuration.discovery(kind, at: portal.host, port: portal.port)
    if let authentication { discovery.authentication = RecordAuthentication(authentication) }
    let targets = answer.targets.compactMap { target in
      (try? TargetName(target.name)).map { name in
        DiscoveredTarget(name: name, portals: target.portals.compactMap { try? Portal($0) })
      }
    }
    let database = store.database
    let found = try database.discoveryInterfaces().map { FoundTargets(over: $0, targets) }
    tell(try database.carryOut(DiscoveryCreationEdit(discovery, configuration: configuration)))
    tell(try database.carryOut(FoundNodesEdit(found, foundBy: discovery, configuration: configuration)))
  }

  private func askTarget(_ input: InitiatorTypes.DiscoverInput) throws -> InitiatorTypes.Discovery {
    let (daemon, name) = (daemon.initiator, initiator)
    return try runBlocking { try await discover(input, by: daemon, or: name) }
  }

  /// Asks from here: the daemon has no part in it.
  private func askISNS() throws -> InitiatorTypes.Discovery {
    var discovery = ISNSDiscovery(initiator: try initiator.resolve(), timeout: time.duration)
    discovery.binding = try interface.description?.binding() ?? .automatic
    let (asked, portal) = (discovery, portal)
    return try runBlocking {
      do throws(OperationError) {
        return InitiatorTypes.Discovery(try await asked.run(at: portal))
      } catch {
        throw InitiatorError.failed(InitiatorTypes.Failure(error))
      }
    }
  }

  /// The discovery that the options describe.
  func input() throws -> InitiatorTypes.DiscoverInput {
    var input = InitiatorTypes.DiscoverInput(portal: portal.description)
    input.initiator = initiator.initiatorName?.description
    input.authentication = try authentication.resolve().described
    input.interface = interface.description
    input.timeout = Int(time.timeout)
    return input
  }

  /// What the command prints for an answer, after it was kept by `keeping`, which tells the records that are kept. What was
  /// found is printed also if that fails.
  func output(
    of answer: InitiatorTypes.Discovery, for terminal: Terminal,
    keeping: ((RecordPlan) -> Void) throws -> Void = { _ in }
  ) throws -> CommandOutput {
    var output = CommandOutput()
    output.warn(of: answer)
    if answer.targets.isEmpty {
      switch kind {
      case .sendTargets: output.fail(NothingFound(portal: portal))
      case .isns:
        output.fail(InitiatorTypes.Failure(OperationError(.discovery(portal), .isns(.query(.noSuchEntry)))))
      }
    }
    if !report.json, !report.quiet, !answer.targets.isEmpty {
      output.text = targetTable(answer.targets, for: terminal)
    }
    do { try keeping { output.tell($0, report) } } catch let error as any DiagnosableError { output.fail(error) }
    if report.json { try output.show(DiscoveryDocument(answer, at: portal)) }
    return output
  }
}

/// Asks the daemon for a discovery, or makes it here if there is no daemon: it needs the network only.
func discover(
  _ input: InitiatorTypes.DiscoverInput, by daemon: Initiator, or name: InitiatorOptions
) async throws -> InitiatorTypes.Discovery {
  do throws(InitiatorError) {
    return try await daemon.discover(input)
  } catch .daemon(.notConnected) {
    return try await daemon.discoverHere(
      input, defaultInitiator: { () throws(InitiatorNameFileError) in try name.resolve() })
  }
}

/// The same for what is then logged in to, where the authentication that is given is that of the logins. A target may have
/// none for discoveries, or another one, and refuse ours there: then it is asked without. What it tells is no worse for
/// that, since the logins prove who each side is.
func discoverForLogin(
  _ input: InitiatorTypes.DiscoverInput, by daemon: Initiator, or name: InitiatorOptions
) async throws -> InitiatorTypes.Discovery {
  do {
    return try await discover(input, by: daemon, or: name)
  } catch let refusal as InitiatorError where refusal.exitStatus == .authentication && input.authentication != nil {
    var open = input
    open.authentication = nil
    // If that is refused as well, the first refusal is the one that tells something.
    do { return try await discover(open, by: daemon, or: name) } catch { throw refusal }
  }
}

/// Who is asked for targets; which port it is if none is given depends on how.
struct DiscoveryServer {
  private let target: Portal
  private let isns: Portal

  init(_ text: String) throws(ValidationError) {
    target = try parsePortal(text)
    do throws(PortalError) {
      isns = try Portal(text, defaultPort: ISNSDiscovery.defaultPort)
    } catch {
      throw ValidationError(error.description)
    }
  }

  func portal(_ kind: DiscoveryRecord.Kind) -> Portal { kind == .isns ? isns : target }
}

/// A discovery found no target.
struct NothingFound: DiagnosableError {
  let portal: Portal
  let exitStatus = ExitStatus.noObjectsFound
  var description: String { "discovery at \(portal.address): the portal has no targets" }
  var advice: String? { "allow this initiator's name on the target" }
}

extension CommandOutput {
  /// Adds which records are new, and what has changed in others.
  mutating func tell(_ plan: RecordPlan, _ report: ReportOptions) {
    for warning in plan.warnings { warn(warning) }
    guard !report.json, !report.quiet else { return }
    for step in plan.steps where step.action != .unchanged {
      // What a new record has is what is configured.
      text += step.action == .created ? "\(step.subject.description.printable): created\n" : step.text(isTrial: false)
    }
  }
}

extension RecordAuthentication {
  /// How a record has what was given for a discovery.
  fileprivate init(_ given: LoginDescription.AuthenticationDescription) {
    self.init()
    method = .chap
    (name, secret) = (given.user, Secret(given.secret))
    (targetName, targetSecret) = (given.mutualUser, given.mutualSecret.flatMap { Secret($0) })
    let wanted = (given.algorithms ?? []).compactMap { word in CHAPAlgorithm.allCases.first { $0.description == word } }
    if !wanted.isEmpty { algorithms = wanted }
  }
}
