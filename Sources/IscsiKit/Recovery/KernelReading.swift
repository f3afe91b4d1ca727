// SPDX-License-Identifier: Apache-2.0

/// What the kernel shows of a session before and after a change of its timeouts.
struct KernelReading {
  let before: SessionSnapshot
  /// Nil in a trial, and if it cannot be read.
  var after: SessionSnapshot?
  /// What is wanted.
  let timeouts: SessionTimeouts
  /// What somebody had written in sysfs in the place of the replacement timeout.
  var handWritten: String?
  /// What went wrong when something had changed already.
  var failure: OperationError.Cause?

  var wereNOPsOff: Bool { before.value(of: .noopInterval) == 0 }

  /// What became of a timeout of a session that is up.
  func outcome(of timeout: Timeout, _ value: TimeoutValue, areNOPsIdle: Bool) -> SettingOutcome {
    let (isNOP, sent, old) = (timeout.isNOP, sent(timeout, value), before.value(of: timeout))
    var outcome = plainOutcome(timeout, value)
    if isNOP, sent != 0, areNOPsIdle || (after == nil && wereNOPsOff) {
      (outcome.result, outcome.note) = (.atNextLogin, .noopsStartAtLogin)
    } else if isNOP, sent == 0 {
      outcome.note = .noopsAreOff
    } else if timeout == .noopInterval, let old, old.number > sent.number {
      outcome.note = .afterInterval(old.description)
    } else if timeout == .replacement, let handWritten {
      outcome.note = .handWritten(handWritten)
    }
    if let now = after.map({ $0.value(of: timeout) }), now != sent {
      let reason = failure.map { SettingNote.refused("\($0)") }
      (outcome.result, outcome.note) = (.failed, reason ?? .keptByKernel(now?.description ?? "nothing"))
    } else if after == nil, let failure {
      (outcome.result, outcome.note) = (.failed, .refused("the kernel took it, and does not show it: \(failure)"))
    }
    return outcome
  }

  /// What became of a timeout of a session that is being recovered.
  func outcomeOfLost(_ timeout: Timeout, _ value: TimeoutValue) -> SettingOutcome {
    let sent = sent(timeout, value)
    var outcome = plainOutcome(timeout, value)
    if sent != value { outcome.note = .noopsAreOff }
    guard outcome.result == .changed else { return outcome }
    if timeout == .replacement, after.map({ $0.value(of: timeout) == value }) ?? true {
      outcome.note = .afterOutage
    } else {
      (outcome.result, outcome.note) = (.atNextLogin, outcome.note ?? .whenBack)
    }
    return outcome
  }

  private func plainOutcome(_ timeout: Timeout, _ value: TimeoutValue) -> SettingOutcome {
    let old = before.value(of: timeout)
    return SettingOutcome(
      timeout.rawValue, timeout.isNOP ? .connection : .session, old: old?.description, new: value.description,
      old == sent(timeout, value) ? .unchanged : .changed)
  }

  /// What the kernel is told. Half a check is none, for which it has two zeros.
  private func sent(_ timeout: Timeout, _ value: TimeoutValue) -> TimeoutValue {
    timeout.isNOP && !timeouts.asksForLife ? 0 : value
  }
}

extension Timeout {
  fileprivate var isNOP: Bool { details.place == .connection }
}
