// SPDX-License-Identifier: Apache-2.0

/// Settings that somebody wants, over what and where.
public struct TuningRequest: Sendable {
  /// A kind of place.
  public enum Place: Hashable, Sendable {
    /// The records of nodes, for later logins.
    case record
    /// The sessions that are up, with their disks.
    case live
  }

  /// What is wanted.
  public var settings: TimeoutSettings
  /// The sessions, by number: they and their records.
  public var sessions: [SessionID] = []
  /// The targets: all their sessions and records.
  public var targets: [TargetName] = []
  /// Whether all sessions and records are meant.
  public var isForAll = false
  /// Where alone; nil is wherever a setting can be.
  public var place: Place?

  /// A request for nothing so far.
  public init(_ settings: TimeoutSettings) { self.settings = settings }
}

extension TuningRequest {
  /// The sessions that are meant, in the order of the listing.
  ///
  /// - Throws: `noSession` for one that is not there.
  func chosen(from sessions: [SessionSnapshot]) throws(SettingRefusal) -> [SessionSnapshot] {
    for id in self.sessions where !sessions.contains(where: { $0.id == id }) { throw .noSession(id) }
    if isForAll { return sessions }
    let names = Set(targets.map(\.description))
    return sessions.filter { session in
      self.sessions.contains(session.id) || session.targetName.map(names.contains) ?? false
    }
  }

  /// What is to be done to records; nil for nothing.
  func edit(of sessions: [SessionSnapshot]) -> TuningEdit? {
    let values = settings.recordValues
    guard place != .live, !values.isEmpty else { return nil }
    return TuningEdit(
      targets: isForAll ? nil : targets, sessions: sessions.filter { self.sessions.contains($0.id) },
      assignments: Assignments(values))
  }

  /// Refuses what can be set nowhere.
  ///
  /// - Parameters:
  ///   - areSessions: Whether any session is meant.
  ///   - areRecords: Whether any record is.
  /// - Throws: `recordOnly`, `liveOnly`, `noRecord` or `noneUp`.
  func check(areSessions: Bool, areRecords: Bool) throws(SettingRefusal) {
    for (timeout, _) in settings.all {
      let isInRecords = timeout.details.recordKey != nil
      if place == .live, !timeout.details.isLive { throw .recordOnly(timeout) }
      if place == .record, !isInRecords { throw .liveOnly(timeout.rawValue) }
      let canBeInRecord = isInRecords && place != .live && areRecords
      let canBeLive = timeout.details.isLive && place != .record && areSessions
      guard canBeInRecord || canBeLive else {
        throw isInRecords && place != .live ? .noRecord(timeout.rawValue) : .noneUp(timeout.rawValue)
      }
    }
    guard settings.scheduler != nil else { return }
    if place == .record { throw .liveOnly(IOScheduler.settingName) }
    if !areSessions { throw .noneUp(IOScheduler.settingName) }
  }
}
