// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// A setting that could not be made at a place.
struct SettingFailure: DiagnosableError {
  let entry: TuningReport.Entry

  /// 1.
  let exitStatus = ExitStatus.failure

  /// Where, what and why.
  var description: String {
    "\(entry.where): \(entry.setting) cannot be set to \(entry.new): \(entry.message ?? "the kernel does not have it")"
  }

  /// What it is about.
  var subject: FailureSubject {
    switch entry.subject {
    case .record(let record): FailureSubject(target: record.target.description, portal: record.portal)
    case .session(let id, let target): FailureSubject(target: target, session: id)
    }
  }
}

/// Not all that a profile says is so.
struct UnsettledProfile: DiagnosableError {
  /// 1.
  let exitStatus = ExitStatus.failure
  /// What was found.
  let description = "not all of the profile is so afterwards"
  /// How to see what.
  let advice: String? = "the same command with --dry-run tells what is not"
}

extension CommandOutput {
  /// Says what became of settings.
  ///
  /// - Parameters:
  ///   - report: What was done.
  ///   - document: The same for JSON.
  ///   - form: The form.
  ///   - isVerified: Whether a second look found all as wanted; nil without one.
  /// - Throws: What keeps the JSON document from being made.
  mutating func show(
    _ report: TuningReport, _ document: some JSONDocument, _ form: EditReport, isVerified: Bool? = nil
  ) throws {
    for warning in report.warnings { warn(warning) }
    for failure in report.failures { fail(failure) }
    for entry in report.failed {
      let failure = SettingFailure(entry: entry)
      fail(failure, about: failure.subject)
    }
    if isVerified == false, failures.isEmpty { fail(UnsettledProfile()) }
    if form.isJSON {
      try show(document)
    } else if !form.isQuiet {
      text = report.text(isTrial: form.isTrial)
      if let rules = (document as? TuneDocument)?.rules { text += rules.text(isTrial: form.isTrial) }
    }
  }
}

extension TuneDocument.Rules {
  fileprivate func text(isTrial: Bool) -> String {
    "\(path.printable): \(changed ? isTrial ? "would be changed" : "changed" : "unchanged")\n"
  }
}

extension TuningReport {
  /// Each subject, then a line for each of its settings that is not failed, which are told as failures.
  fileprivate func text(isTrial: Bool) -> String {
    var text = ""
    var rest = entries[...]
    while let first = rest.first {
      let group = rest.prefix { $0.subject == first.subject }
      rest = rest.dropFirst(group.count)
      let isFailed = group.contains { $0.result == .failed }
      let word =
        if group.contains(where: \.isChange) {
          (isTrial ? "would be changed" : "changed") + (isFailed ? " in part" : "")
        } else {
          isFailed ? "not changed" : "unchanged"
        }
      text += "\(first.heading.printable): \(word)\n"
      text += group.filter { $0.result != .failed }.map { "  \($0.line.printable)\n" }.joined()
    }
    return text
  }
}

extension TuningReport.Entry {
  /// Whether it is of a record.
  var isInRecord: Bool { place == .record }

  /// The record or the session.
  var heading: String {
    switch subject {
    case .record(let record): "record of \(RecordSubject.node(record))"
    case .session(let id, let target): "session \(id)" + (target.map { ", \($0)" } ?? "")
    }
  }

  /// The session or record, and the device.
  var `where`: String {
    let device = device.map { ", device \($0)" } ?? ""
    switch subject {
    case .record: return heading + device
    case .session(let id, _): return "session \(id)\(device)"
    }
  }

  /// Whether something is another than before. A setting whose effect waits for a login may be what it was.
  fileprivate var isChange: Bool { (result == .changed || result == .atNextLogin) && old != new }

  /// `device 2:0:0:1: device-timeout: 30 -> 90`, and what has to be known of it.
  fileprivate var line: String {
    let place = device.map { "device \($0): " } ?? ""
    let change = result == .unchanged || old == new ? "\(new), as before" : "\(old ?? "(unknown)") -> \(new)"
    return "\(place)\(setting): \(change)" + (message.map { "; \($0)" } ?? "")
  }
}

/// `set --list` for people.
func timeoutTable(for terminal: Terminal) -> String {
  var table = Table([
    Table.Column(header: "NAME"), Table.Column(header: "DEFAULT", alignment: .right),
    Table.Column(header: "LEAST", alignment: .right), Table.Column(header: "OFF"), Table.Column(header: "LIVE"),
    Table.Column(header: "WHERE", minimumWidth: 20), Table.Column(header: "RECORD", minimumWidth: 20),
  ])
  for timeout in Timeout.allCases {
    let details = timeout.details
    table.add([
      Table.Cell(timeout.rawValue), Table.Cell(details.standard.description),
      Table.Cell(String(details.range.lowerBound)), Table.Cell(details.offMeaning == nil ? "no" : "yes"),
      Table.Cell(details.isLive ? "yes" : "no"), Table.Cell(details.path), Table.Cell(details.recordKey),
    ])
  }
  var lines = table.lines(for: terminal)
  lines += [
    "",
    "In seconds, \(Timeout.longest) at most; off can be written as -1. What each is, and when a change takes effect:",
  ]
  for timeout in Timeout.allCases {
    let details = timeout.details
    lines.append("  \(timeout): \(details.summary)")
    if let meaning = details.zeroMeaning { lines.append("    0: \(meaning)") }
    if let meaning = details.offMeaning { lines.append("    off: \(meaning)") }
    lines.append("    takes effect \(details.effect)")
  }
  lines += [
    "", "Besides, \(IOScheduler.settingName)=NAME gives the disks of a session another I/O scheduler, at once.",
  ]
  return lines.map { $0 + "\n" }.joined()
}

/// `tune --list` for people.
func profileTable(for terminal: Terminal) -> String {
  TuningProfile.allCases.map { profile in
    let settings = profile.settings.words.map { "  \($0) = \($1)\n" }.joined()
    return "\(profile.rawValue): \(profile.summary)\n\(settings)"
  }.joined(separator: "\n")
}

extension TimeoutSettings {
  /// Names and values for people, to whom a scheduler that is let go of is told as what disks have instead.
  fileprivate var words: [(name: String, value: String)] {
    texts.map { name, value in
      (name, resetsScheduler && name == IOScheduler.settingName ? "the kernel's" : value)
    }
  }

  /// The same in one line.
  var list: String { words.map { "\($0) \($1)" }.joined(separator: ", ") }
}
