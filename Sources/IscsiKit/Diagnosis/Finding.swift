// SPDX-License-Identifier: Apache-2.0

/// What a rule has found out.
public struct Finding: Hashable, Sendable {
  /// How much it matters.
  public enum Severity: String, Hashable, Sendable, CaseIterable, Comparable {
    /// I/O, or the session, suffers from it now.
    case problem
    /// It will hurt when something else happens, or is set against what is best.
    case warning
    /// It is good to know.
    case note

    /// The worst comes first.
    public static func < (one: Severity, other: Severity) -> Bool { one.rank < other.rank }

    private var rank: Int {
      switch self {
      case .problem: 0
      case .warning: 1
      case .note: 2
      }
    }
  }

  /// The name of the rule, for scripts: `link-down`.
  public var rule: String
  /// How much it matters.
  public var severity: Severity
  /// What is the matter: one sentence without a full stop.
  public var what: String
  /// What that is known by, a fact each.
  public var evidence: [String]
  /// What mends it: a command for the shell, or, where none can, what to do; nil if there is nothing to be done.
  public var remedy: Remedy?

  /// What mends something.
  public enum Remedy: Hashable, Sendable {
    /// A command for the shell, and what it does if that is not plain.
    case command(String, String? = nil)
    /// Something that no command of this machine does.
    case advice(String)
  }
}

/// Something that can be the matter with a session, and how it is recognized: a value without state or I/O.
public struct DiagnosisRule: Sendable {
  /// Its name, for scripts: `link-down`. Never changes.
  public let name: String
  /// What it looks for, in a few words.
  public let summary: String
  /// What of the evidence speaks for it.
  private let test: @Sendable (Evidence) -> [Match]

  /// What a rule has found, without what is the same for all that it finds.
  struct Match {
    var severity: Finding.Severity
    var what: String
    var evidence: [String?]
    var remedy: Finding.Remedy?

    init(_ severity: Finding.Severity, _ what: String, evidence: [String?], remedy: Finding.Remedy? = nil) {
      self.severity = severity
      self.what = what
      self.evidence = evidence
      self.remedy = remedy
    }
  }

  init(_ name: String, _ summary: String, test: @escaping @Sendable (Evidence) -> Match?) {
    self.init(name, summary, all: { test($0).map { [$0] } ?? [] })
  }

  init(_ name: String, _ summary: String, all test: @escaping @Sendable (Evidence) -> [Match]) {
    self.name = name
    self.summary = summary
    self.test = test
  }

  /// What the rule finds in the evidence; nothing if it does not apply, or too little is known.
  public func findings(in evidence: Evidence) -> [Finding] {
    test(evidence).map { match in
      Finding(
        rule: name, severity: match.severity, what: match.what, evidence: match.evidence.compactMap(\.self),
        remedy: match.remedy)
    }
  }

  /// All rules: those about what is wrong now first, in the order in which a packet meets it.
  public static let all: [DiagnosisRule] =
    [noDaemon, linkDown, noRoute, portalRefuses, portalSilent, chapWrong, notAllowed, loginRefused]
    + [targetSilent, ioStuck, errorHandler, ioFails, devicesOffline, logoutWaits, retryClock, noSession]
    + [reinstated, duplicate, mtu]
    + [checkOffOnMultipath, checkOnRoot, shortWaitOfRoot, longWaitOnMultipath, shortWaitWithoutMultipath, queueing]
    + [deviceTimeout, idleCheck, halfCheck, slowCheck]
}

extension Evidence {
  /// What all rules find, the worst first; of the same severity in the order of the rules.
  public var findings: [Finding] {
    let findings = DiagnosisRule.all.flatMap { $0.findings(in: self) }
    return Finding.Severity.allCases.flatMap { severity in findings.filter { $0.severity == severity } }
  }
}
