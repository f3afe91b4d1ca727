// SPDX-License-Identifier: Apache-2.0

/// What became of settings, place by place.
public struct TuningReport: Sendable {
  /// Where a setting was to be made.
  public enum Subject: Hashable, Sendable {
    /// In the record of a node.
    case record(NodeRecord)
    /// In a session that is up.
    case session(SessionID, target: String?)
  }

  /// A setting at a place.
  public struct Entry: Hashable, Sendable {
    /// Where.
    public let subject: Subject
    /// Where within.
    public let place: TimeoutPlace
    /// The disk's `H:C:T:L`, for a place in one.
    public let device: String?
    /// The setting, as ``Timeout`` or ``IOScheduler/settingName`` has it.
    public let setting: String
    /// What it was; nil if that is not known.
    public let old: String?
    /// What is wanted.
    public let new: String
    /// How it ended.
    public let result: SettingOutcome.Result
    /// The word for what has to be known of it, as ``SettingNote/word`` has it.
    public let note: String?
    /// The same in words; of a record, when it takes effect.
    public let message: String?
  }

  /// Each setting at each place: records last.
  public internal(set) var entries: [Entry] = []
  /// What failed as a whole: sessions that nothing could be set of.
  public internal(set) var failures: [any DiagnosableError] = []
  /// What is odd without being in the way.
  public internal(set) var warnings: [String] = []

  /// Nothing so far.
  init() {}

  /// The entries that are not as wanted.
  public var failed: [Entry] { entries.filter { $0.result == .failed } }

  /// Whether all is as wanted.
  public var isSettled: Bool {
    failures.isEmpty && entries.allSatisfy { $0.result == .unchanged || $0.result == .atNextLogin }
  }
}

extension TuningReport.Entry {
  /// What the daemon tells of a session.
  public init(_ result: InitiatorTypes.SetResult, of session: SessionSnapshot) {
    self.init(
      subject: .session(session.id, target: session.targetName),
      place: TimeoutPlace(rawValue: result.place) ?? .session, device: result.device, setting: result.setting,
      old: result.old, new: result.new,
      // A word that this program does not know is not a success.
      result: SettingOutcome.Result(rawValue: result.outcome) ?? .failed, note: result.note, message: result.message)
  }
}

extension TuningReport {
  /// Takes over what was done to records.
  ///
  /// - Parameters:
  ///   - plan: What was done.
  ///   - settings: What was wanted.
  ///   - live: What was set on sessions too.
  mutating func add(_ plan: RecordPlan, of settings: TimeoutSettings, besides live: TimeoutSettings) {
    warnings += plan.warnings
    failures += plan.refusals
    for step in plan.steps {
      guard case .node(let record) = step.subject else { continue }
      for (timeout, value) in settings.all {
        guard let key = timeout.details.recordKey else { continue }
        let change = step.settings.first { $0.key == key }
        let old = change.map { $0.old.flatMap { TimeoutValue($0)?.description ?? $0 } } ?? value.description
        entries.append(
          Entry(
            subject: .record(record), place: .record, device: nil, setting: timeout.rawValue, old: old,
            new: value.description, result: change == nil ? .unchanged : .changed, note: nil,
            message: change != nil && live[timeout] == nil ? "takes effect \(timeout.recordEffect)" : nil))
      }
    }
  }
}

extension Timeout {
  /// When a record's value takes effect, behind "takes effect".
  fileprivate var recordEffect: String { details.isLive ? "at the next login by the record" : details.effect }
}
