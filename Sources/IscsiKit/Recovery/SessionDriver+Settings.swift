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
    guard let session else { throw .loginUnderWay }
    guard identity.request != nil else { throw .unknownIdentity }
    let isResetWanted = settings.resetsScheduler && isSchedulerKept
    var (outcomes, isLost) = try await inTurn {
      await self.setAndKeep(settings, of: session, isTrial: isTrial)
    }.get()
    outcomes += await set(DeviceSettings(settings), of: session, isTrial: isTrial, isLost: isLost)
    if isResetWanted {
      outcomes +=
        isTrial
        ? await tryReset(of: session, isLost: isLost) : await inTurn { await self.resetScheduler(of: session) }
    }
    if let deadline = settings[.hostErrorHandling] {
      outcomes.append(await set(deadline, of: session, isTrial: isTrial))
    }
    return outcomes
  }

  /// Sets what was kept until the session was back.
  func applySettings() async { await inTurn { await self.applyDueSettings() } }

  /// Runs changes of the kernel's session one after the other, each to its end: they wait for the kernel in between, and what was
  /// asked for last is to stand.
  private func inTurn<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) async -> Value {
    let former = lastSetting
    let task = Task {
      await former?.value
      return await body()
    }
    lastSetting = Task { _ = await task.value }
    return await task.value
  }

  private func applyDueSettings() async {
    guard let session, !due.isEmpty else { return }
    let (settings, login) = (due, machine.upSince)
    var outcomes: [SettingOutcome] = []
    do throws(OperationError.Cause) {
      if !settings.all.isEmpty { outcomes = try await setNow(settings, of: session, isTrial: false) }
    } catch {
      if isLost(session) { return handle(.settingsDeferred) }
      // It was lost, and is back already.
      guard machine.upSince == login else { return await applyDueSettings() }
      due = TimeoutSettings([:], scheduler: due.scheduler, resetsScheduler: due.resetsScheduler)
      note(.settingFailed("\(settings.all.map(\.timeout.rawValue).joined(separator: ", ")): \(error)"))
    }
    outcomes += await resetScheduler(of: session)
    for outcome in outcomes where outcome.result == .failed {
      note(.settingFailed("\(outcome.setting)=\(outcome.new)" + (outcome.note.map { ": \($0)" } ?? "")))
    }
    // Of a session that has come back a scan is under way; one that was found up has none, and one that has begun before somebody
    // wanted another scheduler sets the former.
    let isComing = scanning != nil && scannedScheduler == due.scheduler
    if due.scheduler != nil, !isComing, machine.isUp { scan(isFirst: false) }
  }

  // MARK: - Session and connection

  private func setAndKeep(
    _ settings: TimeoutSettings, of session: SessionID, isTrial: Bool
  ) async -> Result<([SettingOutcome], isLost: Bool), OperationError.Cause> {
    let result = await setInKernel(settings, of: session, isTrial: isTrial)
    // In its turn, like the change itself: what was asked for last is what the next daemon finds.
    if case .success((_, let isLost)) = result, !isTrial {
      keep(settings)
      // It comes with the scan, and no sooner: see `set(_:of:isTrial:isLost:)`.
      if isLost, let scheduler = settings.scheduler { due.scheduler = scheduler }
      if isLost, due.resetsScheduler { handle(.settingsDeferred) }
    }
    return result
  }

  /// Sets now what can be set now, and sees to it that the rest is set when the session is back; tells too whether it is to
  /// come back.
  private func setInKernel(
    _ settings: TimeoutSettings, of session: SessionID, isTrial: Bool
  ) async -> Result<([SettingOutcome], isLost: Bool), OperationError.Cause> {
    let settings = settings.inKernel
    // Asked now, as a logout may have begun while others had their turn.
    guard machine.settingTime != .never else {
      return .failure(machine.phase == .loggingIn ? .loginUnderWay : .logoutUnderWay(session))
    }
    guard !settings.isEmpty else { return .success(([], machine.settingTime != .now)) }
    do throws(OperationError.Cause) {
      if machine.settingTime == .now {
        do throws(OperationError.Cause) {
          return .success((try await setNow(settings, of: session, isTrial: isTrial), false))
        } catch {
          guard isLost(session) else { throw error }
        }
      }
      return .success((try await setWhenBack(settings, of: session, isTrial: isTrial), true))
    } catch {
      return .failure(error)
    }
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
    var reading = KernelReading(before: try look(at: session), timeouts: timeouts)
    if !isTrial {
      try await change(settings, of: session, &reading)
      // What was to be set later is out of date.
      due = due.without(settings)
    }
    if !isTrial, settings[.noopInterval] != nil || settings[.noopTimeout] != nil {
      areNOPsIdle = timeouts.asksForLife && (areNOPsIdle || reading.wereNOPsOff)
    }
    return settings.all.map { reading.outcome(of: $0.timeout, $0.value, areNOPsIdle: areNOPsIdle) }
  }

  /// Tells the kernel, and reads back what it has. What goes wrong when something has changed already is in the reading: what
  /// was done is to be told all the same.
  private func change(
    _ settings: TimeoutSettings, of session: SessionID, _ reading: inout KernelReading
  ) async throws(OperationError.Cause) {
    let parameters = reading.timeouts.kernelParameters(changing: settings)
    do throws(KernelError) { try await environment.link.set(parameters, of: session) } catch {
      // Those before the one that was refused are set. What a lost session refuses is for when it is back.
      guard let now = try? look(at: session), now.timeoutValues != reading.before.timeoutValues, !isLost(session)
      else { throw .kernel(error) }
      (reading.after, reading.failure) = (now, OperationError.Cause.kernel(error))
      return
    }
    do throws(OperationError.Cause) {
      reading.after = try look(at: session)
      guard let value = settings[.replacement], let shown = reading.after?.value(of: .replacement), shown != value
      else {
        return
      }
      reading.handWritten = shown.description
      try await writeReplacementTimeout(value, of: session)
      reading.after = try look(at: session)
    } catch {
      guard !isLost(session) else { throw error }
      reading.failure = error
    }
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
      after = try? look(at: session)
    }
    let reading = KernelReading(before: before, after: after, timeouts: timeouts)
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
    try await Self.blocking(in: portalHost) { () throws(SysfsError) in
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
    // The disk that modprobe is on may be the one that is away: what it would say shows when the session is back.
    let trial = await set(DeviceSettings(scheduler: scheduler), of: session, isTrial: true, asksModprobe: false)
    return outcomes + trial.map(\.whenBack)
  }

  /// Whether disks are set to a scheduler that somebody wanted, or wait to be let go of it.
  private var isSchedulerKept: Bool {
    identity.request?.options.devices.scheduler != nil || due.resetsScheduler
  }

  /// Gives disks the scheduler that they would have without us, if that is still due. It stays due for disks that do not take
  /// it, and comes when the session is back if that is lost.
  private func resetScheduler(of session: SessionID) async -> [SettingOutcome] {
    guard due.resetsScheduler else { return [] }
    guard !isLost(session) else {
      handle(.settingsDeferred)
      return await tryReset(of: session, isLost: true)
    }
    let outcomes = await resetScheduler(of: session, isTrial: false)
    guard outcomes.contains(where: { $0.result == .failed }) else {
      due.resetsScheduler = false
      return outcomes
    }
    guard isLost(session) else { return outcomes }
    handle(.settingsDeferred)
    return outcomes.map(\.whenBack)
  }

  /// What would become of disks that are let go of.
  private func tryReset(of session: SessionID, isLost: Bool) async -> [SettingOutcome] {
    let outcomes = await resetScheduler(of: session, isTrial: true, asksModprobe: !isLost)
    return isLost ? outcomes.map(\.whenBack) : outcomes
  }

  private func resetScheduler(
    of session: SessionID, isTrial: Bool, asksModprobe: Bool = true
  ) async -> [SettingOutcome] {
    await set(DeviceSettings(scheduler: .kernelChoice), of: session, isTrial: isTrial, asksModprobe: asksModprobe)
      // Where the kernel does not have it, nothing is what it gives.
      .filter { $0.note != .noScheduler }
  }

  /// Sets each disk for itself, all at the same time: one that cannot be set, or takes too long, keeps no other from its turn.
  private func set(
    _ settings: DeviceSettings, of session: SessionID, isTrial: Bool, asksModprobe: Bool = true
  ) async -> [SettingOutcome] {
    guard !settings.isEmpty else { return [] }
    let disks = ((try? environment.sysfs.devices(of: session)?.devices) ?? []).filter(\.isDisk)
    var writer = SysfsWriter(root: environment.sysfs.root)
    if !asksModprobe { writer.modprobe = nil }
    return await withTaskGroup(of: (Int, [SettingOutcome]).self) { group in
      for (index, disk) in disks.enumerated() {
        group.addTask { [portalHost, writer] in
          (index, await Self.set(settings, of: disk, session, by: writer, isTrial: isTrial, in: portalHost))
        }
      }
      var outcomes = [[SettingOutcome]](repeating: [], count: disks.count)
      for await (index, found) in group { outcomes[index] = found }
      return outcomes.flatMap(\.self)
    }
  }

  private static func set(
    _ settings: DeviceSettings, of disk: DeviceSnapshot, _ session: SessionID, by writer: SysfsWriter, isTrial: Bool,
    in portalHost: String?
  ) async -> [SettingOutcome] {
    do throws(OperationError.Cause) {
      return try await blocking(in: portalHost) { () throws(SysfsError) in
        try writer.set(settings, of: disk, session, isTrial: isTrial)
      }
    } catch {
      // What went away after it was listed has nothing to be set.
      if case .sysfs(.noDevice) = error { return [] }
      return settings.named.map { name, value in
        SettingOutcome(name, .device(disk.address), old: nil, new: value, .failed, note: .refused("\(error)"))
      }
    }
  }

  private func set(_ deadline: TimeoutValue, of session: SessionID, isTrial: Bool) async -> SettingOutcome {
    let writer = SysfsWriter(root: environment.sysfs.root)
    do throws(OperationError.Cause) {
      return try await Self.blocking(in: portalHost) { () throws(SysfsError) in
        try writer.setErrorHandlingDeadline(deadline, of: session, isTrial: isTrial)
      }
    } catch {
      return SettingOutcome(
        Timeout.hostErrorHandling.rawValue, .session, old: nil, new: deadline.description, .failed,
        note: .refused("\(error)"))
    }
  }

  /// By which the threads that wait for a target are bounded.
  private var portalHost: String? { identity.request?.portal.host.description }

  private static func blocking<Value: Sendable>(
    in portalHost: String?, _ body: @escaping @Sendable () throws(SysfsError) -> Value
  ) async throws(OperationError.Cause) -> Value {
    let outcome: Result<Value, SysfsError>
    do throws(WaitError) {
      outcome = try await BlockingWork.rescans.run(until: .now + Self.writeTimeout, in: portalHost) {
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

extension SettingOutcome {
  /// The same of a disk that is to be set when its session is back, or could not be set for the loss.
  fileprivate var whenBack: SettingOutcome {
    // What the kernel does not have is not there when the session is back either.
    guard result == .changed || result == .failed, note != .noScheduler else { return self }
    var outcome = self
    (outcome.result, outcome.note) = (.atNextLogin, .whenBack)
    return outcome
  }
}

extension SessionSnapshot {
  /// All timeouts that it shows.
  fileprivate var timeoutValues: [TimeoutValue?] { Timeout.allCases.map(value(of:)) }
}
