// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin discover`.
struct DiscoverCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "discover",
    abstract: "Ask a portal which targets it has (SendTargets).",
    discussion: """
      Nothing is stored. Names that no target may have are refused, with the reason on standard error. \
      Ends with 21 if the portal has no targets.
      """)

  @Argument(
    help: "The portal: address or name, with :port unless it is 3260.", completion: SessionCompletion.portals,
    transform: parsePortal)
  var portal: Portal

  @OptionGroup var report: ReportOptions
  @OptionGroup var time: TimeoutOptions
  @OptionGroup(title: "Authentication") var authentication: AuthenticationOptions
  @OptionGroup(title: "Interface") var interface: InterfaceOptions
  @OptionGroup var initiator: InitiatorOptions
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: DiscoveryDocument {
    DiscoveryDocument(InitiatorTypes.Discovery(SendTargetsResponse(text: [], discoveryPortal: portal)), at: portal)
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let input = try input()
    let (daemon, name) = (daemon.initiator, initiator)
    let answer = try runBlocking { try await discover(input, by: daemon, or: name) }
    return try output(of: answer, for: terminal)
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
    if answer.targets.isEmpty { output.fail(NothingFound(portal: portal)) }
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

/// A discovery found no target.
struct NothingFound: DiagnosableError {
  let portal: Portal
  let exitStatus = ExitStatus.noObjectsFound
  var description: String { "discovery at \(portal.address): the portal has no targets" }
  var advice: String? { "allow this initiator's name on the target" }
}
