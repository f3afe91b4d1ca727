// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin set`.
struct SetCommand: RecordCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Change timeouts: in records, of sessions that are up, and of their disks.",
    discussion: """
      Takes the names that --list shows, and the keys of records. A value is a number of seconds, or off, also written -1, where \
      --list has that. A setting is made wherever it can be, in the records of \
      what is named and on its sessions, unless --record or --live is given. All is checked before anything is changed, \
      and what the kernel has afterwards is read back and told, place by place. Ends with 2 if a session does not exist, \
      with 21 if there is neither record nor session, and with 1 if something could not be set; the rest is.
      """)

  @Argument(
    help: ArgumentHelp(
      "Session numbers, target names, and a NAME=VALUE for each setting.", valueName: "session|name=value"),
    completion: TuningCompletion.words, transform: TuningArgument.init)
  var words: [TuningArgument] = []

  @OptionGroup var named: NamedSessions

  @Flag(help: "All sessions and all records.")
  var all = false

  @Flag(help: "Change records only: for logins from now on.")
  var record = false

  @Flag(help: "Change sessions that are up only, with their disks.")
  var live = false

  @Flag(help: "Show all timeouts, and change nothing.")
  var list = false

  @OptionGroup var location: SysfsLocation
  @OptionGroup var trial: TrialOptions
  @OptionGroup var report: ReportOptions
  @OptionGroup var daemon: DaemonOptions

  var isJSON: Bool { report.json }
  var emptyDocument: SetSettingsDocument { SetSettingsDocument() }

  func validate() throws {
    if list { return }
    if record, live { throw ValidationError("--record and --live exclude each other; without them both are changed") }
    if words.assignments.isEmpty { throw ValidationError("nothing to set: give NAME=VALUE; --list shows the names") }
    let isNamed = !named.selectors.isEmpty || !words.selectors.isEmpty
    if !all, !isNamed { throw ValidationError("no session: give session numbers or target names, or --all") }
    if all, isNamed { throw ValidationError("--all and the choice of sessions exclude each other") }
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    if list { return try report.output(of: timeoutTable(for: terminal), or: TimeoutListDocument()) }
    return try perform(on: try .ofMachine(), for: terminal)
  }

  func perform(on store: RecordStore, for terminal: Terminal) throws -> CommandOutput {
    let (request, isTrial) = (try request(), trial.dryRun)
    let tuning = Tuning(initiator: daemon.initiator, database: store.database, sysfs: location.sysfs)
    let report = try runBlocking { try await tuning.carryOut(request, isTrial: isTrial) }
    var output = CommandOutput()
    try output.show(report, SetSettingsDocument(report, dryRun: isTrial), EditReport(self.report, trial))
    return output
  }

  /// What is asked for.
  func request() throws(SettingRefusal) -> TuningRequest {
    var request = TuningRequest(try words.assignments.settings())
    request.select(words.selectors + named.selectors)
    request.isForAll = all
    request.place = record ? .record : live ? .live : nil
    return request
  }
}

/// An argument that names sessions, or gives a setting a value.
enum TuningArgument: Hashable {
  case selector(SessionSelector)
  case assignment(AssignmentArgument)

  /// Reads `NAME=VALUE`, a number or a name of a target, which has no equals sign.
  init(_ text: String) throws(ValidationError) {
    if let assignment = AssignmentArgument(text) {
      self = .assignment(assignment)
    } else {
      self = .selector(try SessionSelector(text))
    }
  }
}

extension [TuningArgument] {
  /// What names sessions.
  var selectors: [SessionSelector] {
    compactMap { argument in
      if case .selector(let selector) = argument { selector } else { nil }
    }
  }

  /// What is to be set.
  var assignments: [AssignmentArgument] {
    compactMap { argument in
      if case .assignment(let assignment) = argument { assignment } else { nil }
    }
  }
}

extension [AssignmentArgument] {
  /// The settings that they are.
  func settings() throws(SettingRefusal) -> TimeoutSettings {
    var settings = TimeoutSettings()
    for assignment in self { try settings.add(assignment.key, assignment.value) }
    return settings
  }
}

extension TuningRequest {
  /// Adds what arguments name.
  mutating func select(_ selectors: [SessionSelector]) {
    for selector in selectors {
      switch selector {
      case .id(let id): sessions.append(id)
      case .target(let name): targets.append(name)
      }
    }
  }
}

/// What a shell offers for settings.
enum TuningCompletion {
  /// Names of settings with their equals sign, sessions' numbers and targets' names.
  static let words = CompletionKind.custom { _, _, _ in
    let sessions = (try? Sysfs().sessions(.summary)) ?? []
    return Timeout.allCases.map { "\($0)=" } + ["\(IOScheduler.settingName)="] + sessions.map(\.id.description)
      + Set(sessions.compactMap(\.targetName)).sorted()
  }
}
