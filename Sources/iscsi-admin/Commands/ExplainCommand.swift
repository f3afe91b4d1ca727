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
      valueName: "sid|target|device"), completion: SessionCompletion.selectors)
  var subject: String

  @Flag(help: "Print JSON.")
  var json = false

  @OptionGroup var location: SysfsLocation
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { json }
  var emptyDocument: ExplanationDocument { ExplanationDocument([]) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let sysfs = location.sysfs
    let all = try sysfs.sessions()
    let inventory = try? DiskInventory(sysfs: sysfs.root)
    let subject = try ExplainSubject(subject)
    let sessions = subject.sessions(among: all, inventory, sysfs: sysfs.root)
    var places: [EvidenceCollector.Place] = []
    if sessions.isEmpty, case .target(let name) = subject { places = self.places(of: name) }
    guard !sessions.isEmpty || !places.isEmpty else { throw subject.nothing }
    let collector = EvidenceCollector(sysfs: sysfs, initiator: daemon.initiator, inventory: inventory)
    let (chosen, sought) = (sessions, places)
    return try output(
      of: runBlocking { await collector.evidence(about: chosen, and: sought, among: all) }, for: terminal)
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

  /// Where the records say that the target is; none if they cannot be read.
  private func places(of target: TargetName) -> [EvidenceCollector.Place] {
    let found = try? NodeQuery(targets: [target]).find(in: RecordStore.ofMachine().database)
    return found?.nodes.records.map { .init(target: $0.record.target, portal: $0.record.portal) } ?? []
  }
}
