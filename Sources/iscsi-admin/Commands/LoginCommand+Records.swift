// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `iscsi-admin login` without a portal.
extension LoginCommand {
  /// Logs in as the records of the targets say.
  func performByRecords(_ store: RecordStore) throws -> CommandOutput {
    let found = try NodeQuery(targets: targets).find(in: store.database)
    let records = found.nodes.records.map(\.record).filter { startup == nil || $0.startup == startup }
    let (logins, unusable) = self.logins(by: records)
    var refusals: [any DiagnosableError] = found.missing.map(NoRecordToLogIn.init)
    refusals += unusable
    if records.isEmpty, refusals.isEmpty, let startup {
      refusals.append(RecordRefusal.noNodeWithStartup(startup, NodeQuery(targets: targets)))
    }
    let results = try logins.isEmpty ? [] : logIn(logins)
    var output = try LoginOutcome(results, without: refusals).output(report)
    for problem in found.nodes.problems { output.warn(problem.description) }
    return output
  }

  /// Logs in, and tells how that gets on.
  private func logIn(_ logins: [LoginDescription]) throws -> [InitiatorTypes.LoginResult] {
    var input = InitiatorTypes.LoginInput(logins: logins)
    input.wait = !noWait
    let (call, daemon, isProgressShown) = (input, daemon.initiator, !report.quiet && !noWait)
    return try runBlocking {
      // It begins here, as it starts a thread, which must not be there before signals are held.
      let progress = LoginProgress(logins, isShown: isProgressShown)
      defer { progress.end() }
      return try await daemon.login(call) { progress.note($0, $1) }
    }
  }

  /// The logins by which records come to as many sessions as they want, and why some cannot be.
  func logins(by records: [NodeRecord]) -> ([LoginDescription], [any DiagnosableError]) {
    // Where sysfs cannot be read, the daemon says which sessions there are.
    let sessions = (try? location.sysfs.sessions(.summary)) ?? []
    let present = sessions.reduce(into: [SessionKey: Int]()) { $0[SessionKey($1), default: 0] += 1 }
    var (logins, refusals): ([LoginDescription], [any DiagnosableError]) = ([], [])
    for plan in NodeLoginPlan.plans(for: records, beside: present) {
      do throws(LoginDescriptionError) {
        // Where none is missing, the daemon tells which session there is.
        let wanted =
          plan.logins.isEmpty
          ? [NodeLogin(record: plan.record, sessionCount: Int(plan.record.sessionCount))] : plan.logins
        for login in wanted {
          let description = try login.description
          try description.check()
          logins.append(description)
        }
      } catch {
        refusals.append(UnusableRecord(record: plan.record, reason: error))
      }
    }
    return (logins, refusals)
  }

  /// The options that say how to log in, of those that are given. Records say that where no portal is given.
  var given: [String] {
    names(
      of: ("--lun", !luns.isEmpty), ("--no-scan", noScan), ("--retry", retry != nil),
      ("--timeout", time.wanted != nil)) + authentication.given + interface.given + session.given
      + names(of: ("--initiator-name", initiator.initiatorName != nil))
  }
}

/// A target whose portal nobody has told.
struct NoRecordToLogIn: DiagnosableError {
  let refusal: RecordRefusal
  var description: String { refusal.description }
  var exitStatus: ExitStatus { refusal.exitStatus }
  var advice: String? { "give --portal, or keep what a discovery finds: iscsi-admin discover PORTAL --save" }
}

/// A record by which nobody can log in.
private struct UnusableRecord: DiagnosableError {
  let record: NodeRecord
  let reason: LoginDescriptionError
  var description: String { "login to \(RecordSubject.node(record)) failed: \(reason.description)" }
  var exitStatus: ExitStatus { reason.exitStatus }
  var advice: String? { reason.advice }
}
