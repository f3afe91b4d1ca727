// SPDX-License-Identifier: Apache-2.0

extension InitiatorTypes.Failure {
  /// The failure that any error of IscsiKit is.
  public init(_ error: any DiagnosableError) {
    self.init(message: error.description, advice: error.advice, exitCode: Int(error.exitStatus.rawValue))
    guard let error = error as? OperationError else { return }
    switch error.operation {
    case .discovery(let portal): self.portal = portal.description
    case .login(let target, let portal):
      self.target = target.description
      self.portal = portal.description
    case .logout(let session, let target):
      self.session = session.rawValue
      self.target = target
    case .scan(let session), .statistics(let session), .set(let session): self.session = session.rawValue
    }
  }
}

extension InitiatorTypes.Device {
  /// The device of a snapshot.
  public init(_ device: DeviceSnapshot) {
    self.init(
      address: device.address, state: device.state, type: device.type, vendor: device.vendor, model: device.model,
      revision: device.revision, blockDevice: device.blockDevice, sizeBytes: device.size)
  }

  /// The same as a snapshot; nil if the address is none.
  public var snapshot: DeviceSnapshot? {
    guard var device = DeviceSnapshot(address: address) else { return nil }
    device.state = state
    device.type = type
    device.vendor = vendor
    device.model = model
    device.revision = revision
    device.blockDevice = blockDevice
    device.size = sizeBytes
    return device
  }
}

extension InitiatorTypes.LoginResult {
  /// The result of a login.
  public init(_ result: Result<LoginReport, OperationError>) {
    switch result {
    case .failure(let error): self.init(failure: .init(error))
    case .success(let report):
      var portal = report.portal
      portal.tag = report.login.tag ?? portal.tag
      self.init(
        session: InitiatorTypes.LoggedIn(
          session: report.session.rawValue, host: report.host.rawValue, target: report.target.description,
          portal: portal.description, targetAlias: report.login.targetAlias,
          chapAlgorithm: report.login.algorithm?.description, devices: report.devices.map(InitiatorTypes.Device.init)),
        failure: report.scanFailure.map { .init($0) })
    }
  }
}

extension InitiatorTypes.LogoutResult {
  /// The result of a logout of a session.
  public init(_ result: Result<LogoutReport, OperationError>, of session: SessionID) {
    switch result {
    case .failure(let error): self.init(session: session.rawValue, problems: [], failure: .init(error))
    case .success(let report):
      self.init(
        session: session.rawValue, target: report.target, portal: report.portal?.description,
        problems: report.problems.map(\.description))
    }
  }
}

extension InitiatorTypes.RescanResult {
  /// The result of a rescan of a session.
  public init(_ result: Result<[DeviceSnapshot], OperationError>, of session: SessionID) {
    switch result {
    case .failure(let error): self.init(session: session.rawValue, devices: [], failure: .init(error))
    case .success(let devices):
      self.init(session: session.rawValue, devices: devices.map(InitiatorTypes.Device.init))
    }
  }
}

extension InitiatorTypes.SetResult {
  /// The outcome of a setting.
  public init(_ outcome: SettingOutcome) {
    self.init(
      setting: outcome.setting, place: "", old: outcome.old, new: outcome.new, outcome: outcome.result.rawValue,
      note: outcome.note?.word, message: outcome.note?.description)
    switch outcome.place {
    case .session: place = TimeoutPlace.session.rawValue
    case .connection: place = TimeoutPlace.connection.rawValue
    case .host(let number): (place, host) = (TimeoutPlace.host.rawValue, number.rawValue)
    case .device(let address): (place, device) = (TimeoutPlace.device.rawValue, address)
    }
  }
}

extension InitiatorTypes.Discovery {
  /// The answer of a target.
  public init(_ answer: SendTargetsResponse) {
    self.init(
      targets: answer.targets.map(InitiatorTypes.Target.init),
      refused: answer.refused.map { InitiatorTypes.Refusal(text: $0.text, reason: $0.reason.description) },
      refusedCount: answer.refusedCount)
  }

  /// The answer of an iSNS server.
  public init(_ answer: ISNSTargets) {
    self.init(
      targets: answer.targets.map(InitiatorTypes.Target.init),
      refused: answer.refused.map { InitiatorTypes.Refusal(text: $0.text, reason: $0.reason.description) },
      refusedCount: answer.refusedCount)
  }
}

extension InitiatorTypes.Target {
  fileprivate init(_ target: DiscoveredTarget) {
    self.init(
      name: target.name.description, portals: target.portals.map(\.description),
      warnings: target.warnings.map(\.description))
  }
}

extension InitiatorTypes.Attempt {
  init(_ failure: FailedAttempt) {
    self.init(
      number: failure.number, portal: failure.portal.description, cause: failure.cause.description,
      time: WallClock.time(of: failure.time), exitCode: Int(failure.cause.exitStatus.rawValue),
      loginStatus: failure.cause.loginStatus.map { Int($0.rawValue) })
  }
}

extension OperationError.Cause {
  /// The status that the target refused the login with.
  fileprivate var loginStatus: LoginStatus? {
    guard case .login(let failure) = self else { return nil }
    return switch failure {
    case .rejected(let status), .authenticationRequired(let status?): status
    default: nil
    }
  }
}

extension InitiatorTypes.Outage {
  init(_ outage: Outage) {
    let facts = OutageFacts(outage)
    self.init(
      cause: facts.cause, kernelError: facts.kernelError, network: facts.network, since: facts.since,
      end: outage.end.map(WallClock.time(of:)), attempts: facts.attempts,
      lastFailure: outage.lastFailure.map(InitiatorTypes.Attempt.init),
      nextAttempt: facts.nextAttempt, replacementTimeout: outage.replacementTimeout, deadline: facts.deadline?.time)
    if case .kernel(let code) = outage.cause { kernelErrorName = code.name }
  }
}

extension OutageFacts {
  /// What the daemon tells of an outage.
  public init(_ outage: InitiatorTypes.Outage) {
    self.init(since: outage.since, cause: outage.cause)
    kernelError = outage.kernelError
    network = outage.network
    attempts = outage.attempts
    lastFailure = outage.lastFailure.map { failure in
      Attempt(number: failure.number, portal: failure.portal, cause: failure.cause, time: failure.time)
    }
    nextAttempt = outage.nextAttempt
    deadline = outage.deadline.map(IODeadline.at) ?? (outage.replacementTimeout == -1 ? .never : nil)
  }
}

extension SupervisionFacts {
  /// What the daemon tells of a session; nil if it tells of a phase that this program does not know.
  public init?(_ recovery: InitiatorTypes.Recovery) {
    guard let phase = SupervisionPhase(rawValue: recovery.phase) else { return nil }
    self.init(phase: phase)
    network = recovery.network
    networkSince = recovery.networkSince
    silentSince = recovery.silentSince
    removingSince = recovery.removingSince
    outage = recovery.outage.map(OutageFacts.init)
  }
}

extension InitiatorTypes.Recovery {
  init(_ supervision: Supervision, owner: SessionOwner?) {
    self.init(
      phase: supervision.phase.rawValue, portal: supervision.portal.description, recoveries: supervision.recoveries,
      network: supervision.network?.description, networkSince: supervision.networkSince.map(WallClock.time(of:)),
      silentSince: supervision.silentSince.map(WallClock.time(of:)), noopsIdle: supervision.areNOPsIdle ? true : nil,
      outage: supervision.outage.map { .init($0) }, lastOutage: supervision.lastOutage.map { .init($0) }, owner: owner,
      sessionCount: supervision.sessionCount,
      dueTimeouts: supervision.due.all.isEmpty ? nil : LoginDescription.TimeoutsDescription(supervision.due),
      dueScheduler: supervision.due.schedulerWord,
      removingSince: supervision.removingSince.map(WallClock.time(of:)))
  }

  /// What is to be set when the session is back. A scheduler that this program does not know is left out, and so are all timeouts if
  /// one of them cannot be.
  public var due: TimeoutSettings {
    var settings = dueTimeouts.flatMap { try? $0.settings() } ?? TimeoutSettings()
    settings.scheduler = dueScheduler.flatMap(IOScheduler.init)
    settings.resetsScheduler = dueScheduler == IOScheduler.resetWord
    return settings
  }
}

extension InitiatorTypes.Session {
  /// A session by its snapshot, and what is known of its supervision.
  init(_ session: SessionSnapshot, _ recovery: InitiatorTypes.Recovery?) {
    self.init(
      session: session.id.rawValue, target: session.targetName, portal: session.configuredPortal?.description,
      currentPortal: session.connection?.portal?.description, interface: session.interfaceName,
      initiator: session.initiatorName, transport: session.transport, state: session.state?.rawValue,
      connectionState: session.connection?.state?.rawValue, targetState: session.targetState?.rawValue,
      host: session.host?.number.rawValue, hostState: session.host?.state,
      timeouts: LoginDescription.TimeoutsDescription(session), devices: session.devices.map(InitiatorTypes.Device.init),
      recovery: recovery)
  }
}

extension LoginDescription.TimeoutsDescription {
  /// The timeouts that the kernel has.
  init(_ session: SessionSnapshot) {
    self.init()
    replacement = session.replacementTimeout.map(Int64.init)
    abort = session.abortTimeout.map(Int64.init)
    luReset = session.luResetTimeout.map(Int64.init)
    targetReset = session.targetResetTimeout.map(Int64.init)
    noopInterval = session.connection?.noopInterval.map(Int64.init)
    noopTimeout = session.connection?.noopTimeout.map(Int64.init)
  }
}

extension InitiatorTypes.Event {
  init(_ event: SessionEvent) {
    self.init(
      sequence: event.sequence, time: event.time, kind: event.kind.rawValue, session: event.session?.rawValue,
      target: event.target, portal: event.portal.address, message: event.message,
      kernelError: event.kernelError?.rawValue, attempt: event.attempt, nextAttempt: event.nextAttempt,
      outageSeconds: event.outage.map { Double($0.components.seconds) + Double($0.components.attoseconds) / 1e18 })
  }

  init(_ missed: MissedEvents) {
    // Not later than the event that is told next.
    self.init(
      sequence: missed.last, time: missed.end ?? WallClock.now, kind: Self.missedKind, message: missed.description)
  }
}
