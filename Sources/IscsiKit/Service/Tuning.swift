// SPDX-License-Identifier: Apache-2.0

/// Sets timeouts where they are: in records, in the kernel's sessions and in disks.
public struct Tuning: Sendable {
  private let initiator: Initiator
  private let database: RecordDatabase
  private let sysfs: Sysfs

  /// Tuning by these.
  ///
  /// - Parameters:
  ///   - initiator: The daemon, which changes what is up.
  ///   - database: The records.
  ///   - sysfs: Where the sessions are seen.
  public init(initiator: Initiator, database: RecordDatabase, sysfs: Sysfs = Sysfs()) {
    self.initiator = initiator
    self.database = database
    self.sysfs = sysfs
  }

  /// Does what is asked for. It is checked as a whole before anything changes; after that, a place that fails keeps no other
  /// from its change.
  ///
  /// - Parameters:
  ///   - request: What to set.
  ///   - isTrial: Whether nothing is changed, and the report is what would become of it.
  /// - Returns: What became of each setting at each place, by what the kernel shows afterwards.
  /// - Throws: `SettingRefusal`, `RecordRefusal`, `SysfsError`, `DatabaseError`, or `InitiatorError` without a daemon; nothing
  ///   has been changed then.
  public func carryOut(_ request: TuningRequest, isTrial: Bool = false) async throws -> TuningReport {
    let sessions = try request.chosen(from: sysfs.sessions(.summary))
    let edit = request.edit(of: sessions)
    let plan = try edit.map { edit throws(DatabaseError) in try database.carryOut(edit, isTrial: true) } ?? RecordPlan()
    if let refusal = plan.refusals.first { throw refusal }
    try request.check(areSessions: !sessions.isEmpty, areRecords: !plan.steps.isEmpty)
    var report = TuningReport()
    let live = request.place == .record ? TimeoutSettings() : request.settings.live
    if !live.isEmpty {
      for session in sessions { try await set(live, of: session, &report, isTrial: isTrial) }
    }
    guard let edit else { return report }
    do throws(DatabaseError) {
      report.add(isTrial ? plan : try database.carryOut(edit), of: request.settings, besides: live)
    } catch {
      // What was done to sessions is done, and to be told.
      report.failures.append(error)
    }
    return report
  }

  private func set(
    _ settings: TimeoutSettings, of session: SessionSnapshot, _ report: inout TuningReport, isTrial: Bool
  ) async throws(InitiatorError) {
    do throws(InitiatorError) {
      let results = try await initiator.set(
        LoginDescription.TimeoutsDescription(settings), scheduler: settings.scheduler,
        resetsScheduler: settings.resetsScheduler, of: session.id, isTrial: isTrial)
      report.entries += results.map { TuningReport.Entry($0, of: session) }
    } catch {
      // Without a daemon nothing can be done at all; but what was done before it went is to be told.
      if error.isBeforeCall, report.entries.isEmpty, report.failures.isEmpty { throw error }
      var failure = InitiatorTypes.Failure(error)
      failure.session = failure.session ?? session.id.rawValue
      failure.target = failure.target ?? session.targetName
      report.failures.append(failure)
    }
  }
}
