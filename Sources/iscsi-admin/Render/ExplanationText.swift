// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What `explain` says of a session or a portal: the state, then what was found, the worst first.
func explanation(_ evidence: Evidence, for terminal: Terminal) -> String {
  let findings = evidence.findings
  var lines = [evidence.headline(for: terminal)]
  if findings.isEmpty { lines.append("  nothing is the matter, as far as can be seen from here") }
  for finding in findings {
    lines.append("")
    lines.append("  " + terminal.coloured(finding.severity.word, finding.severity.mood) + finding.what.printable)
    lines += finding.evidence.map { "           - \($0.printable)" }
    switch finding.remedy {
    case .command(let command, nil)?: lines.append("           > \(command.printable)")
    case .command(let command, let effect?)?:
      lines.append("           > \(command.printable)")
      lines.append("             (\(effect.printable))")
    case .advice(let text)?: lines.append("           > \(text.printable)")
    case nil: break
    }
  }
  return lines.joined(separator: "\n") + "\n"
}

extension Evidence {
  /// What it is about, and its state.
  fileprivate func headline(for terminal: Terminal) -> String {
    let name = (target ?? "-").printable
    let place = portal.map { " at \($0.address)" } ?? ""
    guard let session else {
      return "\(name)\(place)\(interfaceText.printable): " + terminal.coloured("no session", .bad)
    }
    let status = status
    let mood: Mood = status.state.isOperational ? .good : status.io == .fails ? .bad : .warning
    let io = status.io.map { ", I/O \($0.name)" } ?? ""
    return "Session \(session.id), \(name)\(place): " + terminal.coloured(status.state.cell.text + io, mood)
  }
}

extension Finding.Severity {
  /// The word that a line begins with, as wide as all of them.
  fileprivate var word: String {
    switch self {
    case .problem: "PROBLEM  "
    case .warning: "WARNING  "
    case .note: "NOTE     "
    }
  }

  fileprivate var mood: Mood {
    switch self {
    case .problem: .bad
    case .warning: .warning
    case .note: .neutral
    }
  }
}

/// `explain --json`.
struct ExplanationDocument: JSONDocument {
  static let kind = "explanation"
  let subjects: [Subject]

  init(_ evidence: [Evidence]) { subjects = evidence.map(Subject.init) }

  /// A session, or a portal without one.
  struct Subject: Encodable {
    let session: UInt32?
    let target: String?
    let portal: PortalJSON?
    let recoveryState: String?
    let io: String?
    let findings: [FindingJSON]

    init(_ evidence: Evidence) {
      session = evidence.session?.id.rawValue
      target = evidence.target
      portal = evidence.portal.map(PortalJSON.init)
      recoveryState = evidence.session == nil ? nil : evidence.status.state.name
      io = evidence.status.io?.name
      findings = evidence.findings.map(FindingJSON.init)
    }
  }

  /// A finding.
  struct FindingJSON: Encodable {
    let rule: String
    let severity: String
    let what: String
    let evidence: [String]
    let command: String?
    let advice: String?

    init(_ finding: Finding) {
      rule = finding.rule
      severity = finding.severity.rawValue
      what = finding.what
      evidence = finding.evidence
      switch finding.remedy {
      case .command(let text, let effect)?: (command, advice) = (text, effect)
      case .advice(let text)?: (command, advice) = (nil, text)
      case nil: (command, advice) = (nil, nil)
      }
    }
  }
}
