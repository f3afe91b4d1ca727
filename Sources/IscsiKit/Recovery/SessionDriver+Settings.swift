// SPDX-License-Identifier: Apache-2.0

extension SessionDriver {
  /// How long a write to sysfs may take that waits for nothing but the kernel.
  private static let writeTimeout = Duration.seconds(10)

  /// Sets timeouts of the session as it lives, of its disks and of those that later scans find, and of its logins from now
  /// on.
  ///
  /// - Parameters:
  ///   - settings: What to change.
  ///   - isTrial: Whether nothing is changed.
  /// - Returns: What became of each, by what the kernel shows afterwards.
  /// - Throws: Why nothing can be set; nothing is then.
  func set(_ settings: TimeoutSettings, isTrial: Bool) async throws(OperationError.Cause) -> [SettingOutcome] {
    guard let session, identity.request != nil else { throw .unknownIdentity }
    guard machine.operation == nil, machine.isUp else { throw .connectionLost }
    var outcomes = try await setInKernel(settings, of: session, isTrial: isTrial)
    if !isTrial { keep(settings) }
    outcomes += await set(DeviceSettings(settings), of: session, isTrial: isTrial)
    if let deadline = settings[.hostErrorHandling] {
      outcomes.append(await set(deadline, of: session, isTrial: isTrial))
    }
    return outcomes
  }

  // MARK: - Session and connection

  private func setInKernel(
    _ settings: TimeoutSettings, of session: SessionID, isTrial: Bool
  ) async throws(OperationError.Cause) -> [SettingOutcome] {
    let wanted = settings.all.filter { [.session, .connection].contains($0.timeout.details.place) }
    guard !wanted.isEmpty else { return [] }
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
    return wanted.map { reading.outcome(of: $0.timeout, $0.value, areNOPsIdle: areNOPsIdle) }
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

  func outcome(of timeout: Timeout, _ value: TimeoutValue, areNOPsIdle: Bool) -> SettingOutcome {
    let details = timeout.details
    let isNOP = details.place == .connection
    // Half a check is none, for which the kernel has two zeros.
    let sent = isNOP && !timeouts.asksForLife ? 0 : value
    let old = before.value(of: timeout)
    var outcome = SettingOutcome(
      timeout.rawValue, isNOP ? .connection : .session, old: old?.description, new: value.description,
      old == sent ? .unchanged : .changed)
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
}
