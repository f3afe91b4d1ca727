// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin discover`.
struct DiscoverCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "discover",
    abstract: "Ask a portal which targets it has (SendTargets), or an iSNS server which there are.",
    discussion: """
      Nothing is stored. Names that no target may have are refused, with the reason on standard error. \
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
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    try output(of: kind == .isns ? askISNS() : askTarget(), for: terminal)
  }

  private func askTarget() throws -> InitiatorTypes.Discovery {
    let input = try input()
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

  /// What the command prints for an answer.
  func output(of answer: InitiatorTypes.Discovery, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    output.warn(of: answer)
    if answer.targets.isEmpty {
      switch kind {
      case .sendTargets: output.fail(NothingFound(portal: portal))
      case .isns:
        output.fail(InitiatorTypes.Failure(OperationError(.discovery(portal), .isns(.query(.noSuchEntry)))))
      }
    }
    if report.json {
      try output.show(DiscoveryDocument(answer, at: portal))
    } else if !report.quiet, !answer.targets.isEmpty {
      output.text = targetTable(answer.targets, for: terminal)
    }
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
