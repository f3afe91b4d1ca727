// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin explain`.
struct ExplainCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Tell what is the matter with a session, how that is known, and what mends it.",
    discussion: """
      Looks at the kernel, the daemon, the route, the network device, and, if the session is not up, at the portal, to \
      which it connects without logging in. Works without the daemon with what the others tell. Ends with 0 whatever it \
      finds; with 2 if there is no such session, and with 21 if nothing here is a session's.
      """)

  @Argument(
    help: ArgumentHelp(
      "A session's number, a target's name, a disk (sda, /dev/sda, a link to it, what is made of it) or a mount point.",
      valueName: "sid|target|device"), completion: SessionCompletion.selectors, transform: SessionSubject.init)
  var subject: SessionSubject

  @Flag(help: "Print JSON.")
  var json = false

  @OptionGroup var location: SysfsLocation
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { json }
  var emptyDocument: ExplanationDocument { ExplanationDocument([]) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let sysfs = location.sysfs
    let all = try sysfs.sessions()
    let inventory = try? location.inventory()
    let sessions = subject.sessions(among: all, inventory, sysfs: sysfs.root)
    // Records add to what is known, and need not be there to be read.
    let records = Self.records(of: subject.targets(of: sessions), in: try? RecordStore.ofMachine().database)
    let places = subject.isTarget(sessions) ? SessionSubject.missing(records, among: all) : []
    guard !sessions.isEmpty || !places.isEmpty else { throw subject.nothing }
    let collector = EvidenceCollector(sysfs: sysfs, initiator: daemon.initiator, inventory: inventory)
    let recorded = SessionSubject.recorded(sessions, by: records)
    return try output(
      of: runBlocking { await collector.evidence(about: sessions, and: places, among: all, by: recorded) },
      for: terminal)
  }

  /// What the command prints.
  func output(of evidence: [Evidence], for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    if json {
      try output.show(ExplanationDocument(evidence))
    } else {
      output.text = evidence.map { explanation($0, for: terminal) }.joined(separator: "\n")
    }
    return output
  }

  /// The records of targets; none if they cannot be read.
  static func records(of targets: [TargetName], in database: RecordDatabase?) -> [NodeRecord] {
    guard let database, !targets.isEmpty else { return [] }
    return (try? NodeQuery(targets: targets).find(in: database))?.nodes.records.map(\.record) ?? []
  }
}
