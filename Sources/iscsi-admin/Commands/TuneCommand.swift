// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin tune`.
struct TuneCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune", abstract: "Bring sessions to a profile of timeouts, and keep it.",
    discussion: """
      Sets what the profile says on sessions that are up and on their disks, reads it back, and fails unless the kernel \
      has it. --persist keeps it: in the records, for later logins, and in \
      \(DeviceRules.standardPath), by which udev sets disks whenever they appear.
      """)

  @Option(
    help: ArgumentHelp("The profile; --list shows all.", valueName: "profile"),
    completion: .list(TuningProfile.allCases.map(\.rawValue)), transform: parseProfile)
  var profile: TuningProfile?

  @Argument(
    help: ArgumentHelp("Session numbers or target names.", valueName: "session"),
    completion: SessionCompletion.selectors, transform: SessionSelector.init)
  var selectors: [SessionSelector] = []

  @OptionGroup var named: NamedSessions

  @Flag(help: "All sessions.")
  var all = false

  @Flag(help: "The sessions below the root file system and below swap space.")
  var root = false

  @Flag(help: "Keep it over logins and boots.")
  var persist = false

  @Flag(help: "Show all profiles, and change nothing.")
  var list = false

  @Option(
    help: ArgumentHelp("Write this file of udev rules.", valueName: "path", visibility: .hidden), completion: .file())
  var rules = DeviceRules.standardPath.string

  @OptionGroup var location: SysfsLocation
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: TuneDocument { TuneDocument(profile, dryRun: trial.dryRun) }

  func validate() throws {
    if list { return }
    if profile == nil { throw ValidationError("no profile: give --profile; --list shows the profiles") }
    let choices = [!wanted.isEmpty, all, root].count { $0 }
    if choices == 0 { throw ValidationError("no session: give session numbers or target names, --all or --root") }
    if choices > 1 { throw ValidationError("--all, --root and the choice of sessions exclude each other") }
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    if list { return try report.output(of: profileTable(for: terminal), or: ProfileListDocument()) }
    return try perform(on: try .ofMachine(), for: terminal)
  }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    guard let profile else { throw ValidationError("no profile") }
    let isTrial = trial.dryRun
    let sessions = try chosen(from: location.sysfs.sessions())
    var request = TuningRequest(profile.settings)
    request.sessions = sessions.map(\.id)
    request.place = persist ? nil : .live
    // Before anything changes: a file that is not ours is not found out half way.
    if persist { _ = try keep(profile, of: sessions, isTrial: true) }
    let tuning = Tuning(initiator: daemon.initiator, database: store.database, sysfs: location.sysfs)
    let call = request
    let (report, isVerified): (TuningReport, Bool?) = try runBlocking {
      let report = try await tuning.carryOut(call, isTrial: isTrial)
      if isTrial { return (report, nil) }
      // What has failed is not looked at once more: it may be a disk that waits.
      guard report.failures.isEmpty, report.failed.isEmpty else { return (report, false) }
      // What was done is told, also if the second look finds no answer.
      return (report, (try? await tuning.carryOut(call, isTrial: true))?.isSettled ?? false)
    }
    var document = TuneDocument(profile, dryRun: isTrial, report)
    document.isVerified = isVerified
    var output = CommandOutput()
    if persist { document.rules = keepRules(for: profile, of: sessions, isTrial: isTrial, &output) }
    if persist, !report.entries.contains(where: \.isInRecord) {
      output.warn("there is no record of these sessions: the profile is not kept for later logins")
    }
    try output.show(report, document, EditReport(self.report, trial), isVerified: isVerified)
    return output
  }

  /// The sessions that are named.
  private var wanted: [SessionSelector] { selectors + named.selectors }

  /// The sessions that are meant.
  private func chosen(from sessions: [SessionSnapshot]) throws -> [SessionSnapshot] {
    if root {
      let found = try DeviceUsers(sysfs: location.sysfs.root).sessionsOfSystem(among: sessions)
      if found.isEmpty { throw NoSystemSession() }
      return found
    }
    if all {
      if sessions.isEmpty { throw NoSession() }
      return sessions
    }
    if let missing = wanted.first(where: { selector in !sessions.contains(where: selector.matches) }) {
      throw NoSession(selector: missing)
    }
    return sessions.filter { session in wanted.contains { $0.matches(session) } }
  }

  /// Writes the rules when the sessions are set already: a failure is told beside what was done to them.
  private func keepRules(
    for profile: TuningProfile, of sessions: [SessionSnapshot], isTrial: Bool, _ output: inout CommandOutput
  ) -> TuneDocument.Rules? {
    for session in sessions where session.checkedTarget == nil {
      output.warn(
        "session \(session.id): \((session.targetName ?? "").debugDescription) is no name that a udev rule could have; "
          + "its disks are not kept so over boots")
    }
    do throws(DeviceRulesError) { return try keep(profile, of: sessions, isTrial: isTrial) } catch {
      output.fail(error)
      return nil
    }
  }

  /// Writes the rules of the sessions' targets, or finds out whether they would change.
  private func keep(
    _ profile: TuningProfile, of sessions: [SessionSnapshot], isTrial: Bool
  ) throws(DeviceRulesError) -> TuneDocument.Rules {
    let targets = sessions.compactMap(\.checkedTarget)
    let path = FilePath(rules)
    let change = { (rules: inout DeviceRules) throws(DeviceRulesError) in
      for target in targets { try rules.set(profile.deviceSettings, of: target) }
    }
    guard isTrial else {
      return TuneDocument.Rules(path: path.string, changed: try DeviceRules.update(path: path, change))
    }
    let old = try DeviceRules(path: path)
    var new = old
    try change(&new)
    return TuneDocument.Rules(path: path.string, changed: new != old)
  }
}

extension SessionSnapshot {
  /// The target's name, if it is one.
  fileprivate var checkedTarget: TargetName? { targetName.flatMap { try? TargetName($0) } }
}

/// The system stands on no iSCSI disk.
struct NoSystemSession: DiagnosableError, Hashable {
  /// 21.
  let exitStatus = ExitStatus.noObjectsFound
  /// What there is not.
  let description = "neither the root file system nor swap space is on a disk of a session"
  /// What else to name.
  let advice: String? = "name the session; iscsi-admin session list shows the sessions"
}

func parseProfile(_ text: String) throws(ValidationError) -> TuningProfile {
  guard let profile = TuningProfile(rawValue: text) else {
    throw ValidationError("not \(TuningProfile.allCases.map(\.rawValue).list("or"))")
  }
  return profile
}
