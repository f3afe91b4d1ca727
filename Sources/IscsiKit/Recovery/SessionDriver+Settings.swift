// SPDX-License-Identifier: Apache-2.0

extension SessionDriver {
  /// How long a write to sysfs may take that waits for nothing but the kernel.
  private static let writeTimeout = Duration.seconds(10)

  /// Sets timeouts of the session as it lives, of its disks and of those that later scans find, and of its logins from now
  /// on. What a session that is being recovered cannot take is set when it is back.
  ///
  /// - Parameters:
  ///   - settings: What to change.
  ///   - isTrial: Whether nothing is changed.
  /// - Returns: What became of each, by what the kernel shows afterwards.
  /// - Throws: Why nothing can be set; nothing is then.
  func set(_ settings: TimeoutSettings, isTrial: Bool) async throws(OperationError.Cause) -> [SettingOutcome] {
    guard let session, identity.request != nil, machine.settingTime != .never else { throw .connectionLost }
    var (outcomes, isLost) = try await setInKernel(settings, of: session, isTrial: isTrial)
    if !isTrial { keep(settings) }
    outcomes += await set(DeviceSettings(settings), of: session, isTrial: isTrial, isLost: isLost)
    if let deadline = settings[.hostErrorHandling] {
      outcomes.append(await set(deadline, of: session, isTrial: isTrial))
    }
    return outcomes
  }

  /// Sets what was kept until the session was back.
  func applySettings() async {
    guard let session, !due.isEmpty else { return }
    let settings = due
    do throws(OperationError.Cause) {
      let outcomes = try await setNow(settings, of: session, isTrial: false)
      if due == settings { due = TimeoutSettings() }
      for outcome in outcomes where outcome.result == .failed {
        note(.settingFailed("\(outcome.setting)=\(outcome.new)" + (outcome.note.map { ": \($0)" } ?? "")))
      }
    } catch {
      if isLost(session) { return handle(.settingsDeferred) }
      if due == settings { due = TimeoutSettings() }
      note(.settingFailed("\(settings.all.map(\.timeout.rawValue).joined(separator: ", ")): \(error)"))
    }
  }

  // MARK: - Session and connection

  /// Sets now what can be set now, and sees to it that the rest is set when the session is back; tells too whether it is to
  /// come back.
  private func setInKernel(
    _ settings: TimeoutSettings, of session: SessionID, isTrial: Bool
  ) async throws(OperationError.Cause) -> ([SettingOutcome], isLost: Bool) {
    let settings = settings.inKernel
    guard !settings.isEmpty else { return ([], machine.settingTime != .now) }
    if machine.settingTime == .now {
      do throws(OperationError.Cause) {
        return (try await setNow(settings, of: session, isTrial: isTrial), false)
      } catch {
        guard isLost(session) else { throw error }
      }
    }
    return (try await setWhenBack(settings, of: session, isTrial: isTrial), true)
  }

  /// Whether the session is to come back, also before the kernel's report of its loss is here.
  private func isLost(_ session: SessionID) -> Bool {
    switch machine.settingTime {
    case .now: observe() == .notUp
    case .whenBack: true
    case .never: false
    }
  }

  private func setNow(
    _ settings: TimeoutSettings, of session: SessionID, isTrial: Bool
  ) async throws(OperationError.Cause) -> [SettingOutcome] {
    let timeouts = timeouts(with: settings)
    let before = try look(at: session)
    var (after, handWritten) = (before, String?.none)
    if !isTrial {
      let parameters = timeouts.kernelParameters(changing: settings)
      do throws(KernelError) { try await environment.link.set(parameters, of: session) } catch { throw .kernel(error) }
      after = try look(at: session)
      if let value = settings[.replacement], let shown = after.value(of: .replacement), shown != value {
        handWritten = shown.description
        try await writeReplacementTimeout(value, of: session)
        after = try look(at: session)
      }
    }
    let reading = KernelReading(
      before: before, after: isTrial ? nil : after, timeouts: timeouts, handWritten: handWritten)
    if !isTrial, settings[.noopInterval] != nil || settings[.noopTimeout] != nil {
      areNOPsIdle = timeouts.asksForLife && (areNOPsIdle || reading.wereNOPsOff)
    }
    return settings.all.map { reading.outcome(of: $0.timeout, $0.value, areNOPsIdle: areNOPsIdle) }
  }

  /// Keeps settings until the session is back. The replacement timeout needs no connection: the kernel is told at once, unless
  /// somebody has written it by hand, and cannot be overwritten before the session is up.
  private func setWhenBack(
    _ settings: TimeoutSettings, of session: SessionID, isTrial: Bool
  ) async throws(OperationError.Cause) -> [SettingOutcome] {
    let timeouts = timeouts(with: settings)
    let before = try look(at: session)
    var after: SessionSnapshot?
    if !isTrial {
      // Before anything is waited for: the session may be back meanwhile.
      keep(settings)
      due = due.merged(with: settings)
      handle(.settingsDeferred)
      if settings[.replacement] != nil {
        try? await environment.link.set([.recoveryTimeout(timeouts.replacement)], of: session)
      }
      after = try look(at: session)
    }
    let reading = KernelReading(before: before, after: after, timeouts: timeouts, handWritten: nil)
    return settings.all.map { reading.outcomeOfLost($0.timeout, $0.value) }
  }

  /// All timeouts, with some changed.
  private func timeouts(with settings: TimeoutSettings) -> SessionTimeouts {
    var options = identity.request?.options ?? SessionOptions()
    options.take(settings)
    return options.timeouts
  }

  private func look(at session: SessionID) throws(OperationError.Cause) -> SessionSnapshot {
    let found: SessionSnapshot?
    do throws(SysfsError) { found = try environment.sysfs.session(session) } catch { throw .sysfs(error) }
    guard let found else { throw .noSession }
    return found
  }

  /// Once somebody has written the timeout in sysfs, as multipathd does, the kernel takes no other from requests, and says
  /// that it did.
  private func writeReplacementTimeout(
    _ value: TimeoutValue, of session: SessionID
  ) async throws(OperationError.Cause) {
    let writer = SysfsWriter(root: environment.sysfs.root)
    try await blocking { () throws(SysfsError) in
      try writer.setReplacementTimeout(Int32(clamping: value.number), of: session)
    }
  }

  // MARK: - Disks and host

  /// Sets disks. A change of the scheduler waits for all I/O, which a session that is being recovered has stopped: it comes
  /// with the scan when the session is back.
  private func set(
    _ settings: DeviceSettings, of session: SessionID, isTrial: Bool, isLost: Bool
  ) async -> [SettingOutcome] {
    guard isLost, let scheduler = settings.scheduler else { return await set(settings, of: session, isTrial: isTrial) }
    var others = settings
    others.scheduler = nil
    let outcomes = await set(others, of: session, isTrial: isTrial)
    let late = await set(DeviceSettings(scheduler: scheduler), of: session, isTrial: true)
    return outcomes
      + late.map { outcome in
        var outcome = outcome
        if outcome.result == .changed { (outcome.result, outcome.note) = (.atNextLogin, .whenBack) }
        return outcome
      }
  }

  /// Sets each disk for itself: one that cannot be set, or takes too long, keeps no other from its turn.
  private func set(_ settings: DeviceSettings, of session: SessionID, isTrial: Bool) async -> [SettingOutcome] {
    guard !settings.isEmpty else { return [] }
    let writer = SysfsWriter(root: environment.sysfs.root)
    var outcomes: [SettingOutcome] = []
    for disk in ((try? environment.sysfs.devices(of: session)?.devices) ?? []).filter(\.isDisk) {
      do throws(OperationError.Cause) {
        outcomes += try await blocking { () throws(SysfsError) in
          try writer.set(settings, of: disk, session, isTrial: isTrial)
        }
      } catch {
        // What went away after it was listed has nothing to be set.
        if case .sysfs(.noDevice) = error { continue }
        outcomes += settings.named.map { name, value in
          SettingOutcome(name, .device(disk.address), old: nil, new: value, .failed, note: .refused("\(error)"))
        }
      }
    }
    return outcomes
  }

  private func set(_ deadline: TimeoutValue, of session: SessionID, isTrial: Bool) async -> SettingOutcome {
    let writer = SysfsWriter(root: environment.sysfs.root)
    do throws(OperationError.Cause) {
      return try await blocking { () throws(SysfsError) in
        try writer.setErrorHandlingDeadline(deadline, of: session, isTrial: isTrial)
      }
    } catch {
      return SettingOutcome(
        Timeout.hostErrorHandling.rawValue, .session, old: nil, new: deadline.description, .failed,
        note: .refused("\(error)"))
    }
  }

  private func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws(SysfsError) -> Value
  ) async throws(OperationError.Cause) -> Value {
    let outcome: Result<Value, SysfsError>
    do throws(WaitError) {
      outcome = try await BlockingWork.rescans.run(until: .now + Self.writeTimeout) {
        Result { () throws(SysfsError) in try body() }
      }
    } catch {
      throw .transport(TransportError(error))
    }
    switch outcome {
    case .success(let value): return value
    case .failure(let error): throw .sysfs(error)
    }
  }
}

/// What the kernel shows of a session before and after a change of its timeouts.
private struct KernelReading {
  let before: SessionSnapshot
  /// Nil in a trial.
  let after: SessionSnapshot?
  /// What is wanted.
  let timeouts: SessionTimeouts
  /// What somebody had written in sysfs in the place of the replacement timeout.
  let handWritten: String?

  var wereNOPsOff: Bool { before.value(of: .noopInterval) == 0 }

  /// What became of a timeout of a session that is up.
  func outcome(of timeout: Timeout, _ value: TimeoutValue, areNOPsIdle: Bool) -> SettingOutcome {
    let (isNOP, sent, old) = (timeout.isNOP, sent(timeout, value), before.value(of: timeout))
    var outcome = plainOutcome(timeout, value)
    if isNOP, sent != 0, areNOPsIdle || (after == nil && wereNOPsOff) {
      (outcome.result, outcome.note) = (.atNextLogin, .noopsStartAtLogin)
    } else if sent != value {
      outcome.note = .noopsAreOff
    } else if timeout == .noopInterval, sent != 0, let old, old.number > sent.number {
      outcome.note = .afterInterval(old.description)
    } else if timeout == .replacement, let handWritten {
      outcome.note = .handWritten(handWritten)
    }
    if let now = after.map({ $0.value(of: timeout) }), now != sent {
      (outcome.result, outcome.note) = (.failed, .keptByKernel(now?.description ?? "nothing"))
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
