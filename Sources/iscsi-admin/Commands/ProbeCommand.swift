// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import IscsiKit

/// Looks at a target from user space, without the kernel's initiator and without root.
struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Log in to a target from user space and list its units.",
    discussion: """
      Makes no device and needs no root. Every unit is asked what it is, and block 0 of each disk is read. \
      URL is iscsi://[user[%secret]@]host[:port]/target-name[/lun]; a secret in it can be seen by every user of this \
      machine, so prefer --password-file.
      """)

  // Parsed in `run`: an error of the argument parser would print the whole text, with the secret that may be in it.
  @Argument(help: "The target, and the unit if only one is of interest.")
  var url: String

  @Flag(name: .long, help: "Print JSON (version 1).")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing; the exit code tells.")
  var quiet = false

  @Option(name: .long, help: ArgumentHelp("Give up after this many seconds.", valueName: "s"))
  var timeout: UInt32 = 30

  @OptionGroup(title: "Authentication") var authentication: AuthenticationOptions
  @OptionGroup var initiator: InitiatorOptions

  func validate() throws {
    guard timeout > 0 else { throw ValidationError("--timeout must be at least 1 second") }
  }

  func run() throws {
    let (url, seconds) = (try TargetURL(url), timeout)
    let authentication = try authentication.resolve(url: (url.user, url.secret))
    let initiator = try initiator.resolve()
    let report = try runBlocking {
      try await Self.probe(
        url, authentication: authentication, initiator: initiator, until: .now.advanced(by: .seconds(seconds)))
    }
    if !quiet { try show(report) }
    if let failed = report.units.first(where: { $0.error != nil }) {
      throw ProbeFailure(lun: failed.lun, reason: failed.error ?? "")
    }
  }

  /// Asks a target's units, one after the other. A unit's own failure is in the report, all else is thrown.
  static func probe(
    _ url: TargetURL, authentication: Authentication, initiator: InitiatorName, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> ProbeReport {
    let session = try await UserspaceInitiator.connect(
      to: url.target, at: url.portal, authentication: authentication, initiator: initiator, until: deadline)
    var report = ProbeReport(target: url.target.description, portal: session.portal.address)
    let luns = if let lun = url.lun { [lun] } else { try await session.reportLUNs(until: deadline) }
    for lun in luns {
      var unit = ProbeReport.Unit(lun: lun)
      do {
        let description = try await session.identify(lun, until: deadline)
        unit.apply(description)
        if description.type.hasBlocks, description.isConnected, description.readiness == .ready {
          let time = try await session.readFirstBlock(of: lun, until: deadline)
          unit.readMicroseconds = time.components.seconds * 1_000_000 + time.components.attoseconds / 1_000_000_000_000
        }
      } catch {
        guard error.isOfUnit else { throw error }
        unit.error = error.reason.description
      }
      report.units.append(unit)
    }
    // The findings are complete: a target that does not answer the logout takes nothing from them.
    try? await session.disconnect(until: deadline)
    return report
  }

  private func show(_ report: ProbeReport) throws {
    guard json else {
      print("\(report.target) at \(report.portal)")
      for line in Self.align([ProbeReport.columns] + report.rows) { print(line) }
      return
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(report), as: UTF8.self))
  }

  /// Rows as lines with their columns below each other; every row has as many cells as the first.
  private static func align(_ rows: [[String]]) -> [String] {
    let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
      return String(
        line.prefix(1 + (line.lastIndex { $0 != " " }.map { line.distance(from: line.startIndex, to: $0) } ?? 0)))
    }
  }
}

/// A unit of the target could not be asked or read; the others are in the report.
struct ProbeFailure: DiagnosableError {
  let lun: UInt64
  let reason: String
  let exitStatus = ExitStatus.failure

  var description: String { "LUN \(lun) failed: \(reason)" }
}
