// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin probe`: looks at a target from user space, without the kernel's initiator and without root.
struct ProbeCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Log in to a target from user space and list its units.",
    discussion: """
      Makes no device and needs no root. Every unit is asked what it is, and block 0 of each disk is read. \
      The URL is iscsi://[user@]host[:port]/target-name[/lun]. \
      Mutual CHAP is refused (27), since nothing here could check the target's proof: iscsi-admin login does.
      """)

  @Argument(help: "The target, and the unit if only one is of interest.", transform: parseTargetURL)
  var url: TargetURL

  @OptionGroup var report: ReportOptions
  @OptionGroup var time: TimeoutOptions
  @OptionGroup(title: "Authentication") var authentication: AuthenticationOptions
  @OptionGroup var initiator: InitiatorOptions

  var isJSON: Bool { report.json }
  var emptyDocument: ProbeDocument { ProbeDocument(ProbeReport(target: url.target, portal: url.portal)) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let (url, duration) = (url, time.duration)
    let authentication = try authentication.resolve(urlUser: url.user)
    let initiator = try initiator.resolve()
    let report = try runBlocking {
      try await Self.probe(
        url, authentication: authentication, initiator: initiator, until: .now.advanced(by: duration))
    }
    return try report.output(self.report, for: terminal)
  }

  /// Asks a target's units, one after the other. What fails with a unit is in the report; what fails before the first
  /// is thrown.
  static func probe(
    _ url: TargetURL, authentication: Authentication, initiator: InitiatorName, until deadline: ContinuousClock.Instant
  ) async throws(ProbeFailure) -> ProbeReport {
    let session: UserspaceInitiator
    let luns: [LUN]
    do throws(UserspaceError) {
      session = try await UserspaceInitiator.connect(
        to: url.target, at: url.portal, authentication: authentication, initiator: initiator, until: deadline)
      luns = if let lun = url.lun { [lun] } else { try await session.reportLUNs(until: deadline) }
    } catch {
      throw ProbeFailure(url: url, error: error)
    }
    var report = ProbeReport(target: url.target, portal: session.portal, isOfOneUnit: url.lun != nil)
    for lun in luns {
      let unit = await look(at: lun, through: session, until: deadline)
      report.units.append(unit)
      // Any error but a unit's own has ended the session.
      if let error = unit.error, !error.isOfUnit { return report }
    }
    // The findings are complete: a target that does not answer the logout takes nothing from them.
    try? await session.disconnect(until: deadline)
    return report
  }

  private static func look(
    at lun: LUN, through session: UserspaceInitiator, until deadline: ContinuousClock.Instant
  ) async -> ProbeReport.Unit {
    var unit = ProbeReport.Unit(lun)
    do throws(UserspaceError) {
      let description = try await session.identify(lun, until: deadline)
      unit.description = description
      if description.type.hasBlocks, description.isConnected, description.readiness == .ready {
        unit.readTime = try await session.readFirstBlock(of: lun, until: deadline)
      }
    } catch {
      unit.error = error
    }
    return unit
  }
}

/// The unit that was asked for by its number does not exist.
struct MissingUnit: DiagnosableError {
  let lun: LUN
  let exitStatus = ExitStatus.noObjectsFound
  var description: String { "the target has no unit \(lun)" }
  var advice: String? { "leave the number out to list the units" }
}

/// A probe that found no unit.
struct ProbeFailure: DiagnosableError {
  let url: TargetURL
  let error: UserspaceError
  var exitStatus: ExitStatus { error.exitStatus }
  var description: String { error.description }
  var advice: String? { error.advice }
}
