// SPDX-License-Identifier: Apache-2.0

/// The daemon's interface over a manager of sessions.
struct InitiatorService: VarlinkService {
  let manager: SessionManager
  let sysfs: Sysfs
  /// What identifies this start of the daemon.
  let instance: String
  let version: String
  /// The name of the machine, for logins that name none.
  let machineName: MachineName
  /// Ends the daemon.
  let shutDown: @Sendable () -> Void

  var description: VarlinkInterfaceDescription {
    VarlinkInterfaceDescription(name: InitiatorInterface.name, text: InitiatorInterface.text)
  }

  func call(_ call: VarlinkCall) async -> VarlinkReply {
    do {
      return try await answer(call)
    } catch let error as JSONCodingError {
      return VarlinkReply(error)
    } catch let error as LoginDescriptionError {
      return .invalidParameter(error.field)
    } catch let error as any DiagnosableError {
      return Self.failed(InitiatorTypes.Failure(error))
    } catch {
      return Self.failed(InitiatorTypes.Failure(message: "\(error)", exitCode: Int(ExitStatus.internal.rawValue)))
    }
  }

  private static func failed(_ failure: InitiatorTypes.Failure) -> VarlinkReply {
    guard let parameters = try? JSONValueEncoder().encode(InitiatorTypes.FailureOutput(failure: failure)) else {
      return .failure(name: VarlinkErrorName.internal)
    }
    return .failure(name: InitiatorInterface.name + ".OperationFailed", parameters: parameters)
  }

  private func answer(_ call: VarlinkCall) async throws -> VarlinkReply {
    switch call.method {
    case "Ping": return try success(ping())
    case "Discover": return try success(await discover(call.decodeParameters()))
    case "Login": return try success(await login(call.decodeParameters(), call))
    case "Logout": return try success(await logOut(call.decodeParameters()))
    case "Rescan": return try success(await rescan(call.decodeParameters()))
    case "ListSessions": return try success(InitiatorTypes.ListOutput(sessions: sessions(call.decodeParameters())))
    case "GetSession": return try success(session(call.decodeParameters()))
    case "ListPhases": return try success(InitiatorTypes.PhasesOutput(groups: phases()))
    case "Statistics": return try success(await statistics(call.decodeParameters()))
    case "Set": return try success(await set(call.decodeParameters()))
    case "Monitor": return try await monitor(call.decodeParameters(), call)
    case "Shutdown":
      shutDown()
      return .success()
    default: return .methodNotImplemented(call.method)
    }
  }

  private func success(_ output: some Encodable) throws(JSONCodingError) -> VarlinkReply {
    .success(try JSONValueEncoder().encode(output))
  }

  private func ping() -> InitiatorTypes.Identity {
    InitiatorTypes.Identity(
      version: version, instance: instance, processID: UnixPeer.current.processID,
      sessions: manager.supervisions().count, firstEvent: manager.events.firstSequence,
      lastEvent: manager.events.lastSequence)
  }

  private func discover(_ input: InitiatorTypes.DiscoverInput) async throws -> InitiatorTypes.Discovery {
    let login = LoginDescription(discovering: input)
    let name = input.initiator == nil ? try await machineName.read() : nil
    let (discovery, portal) = try login.discovery(
      initiator: name, alias: machineName.alias, timeout: input.timeout, sysfs: sysfs.root)
    return InitiatorTypes.Discovery(try await discovery.run(at: portal))
  }

  // MARK: - Logins and logouts

  private func login(
    _ input: InitiatorTypes.LoginInput, _ call: VarlinkCall
  ) async throws -> InitiatorTypes.LoginOutput {
    // Whoever names no initiator is told what is wrong with the machine's name.
    let name = input.logins.contains { $0.initiator == nil } ? try await machineName.read() : nil
    var requests: [LoginRequest] = []
    for (index, login) in input.logins.enumerated() {
      do throws(LoginDescriptionError) {
        let request = try login.request { () throws(LoginDescriptionError) in
          guard let name else { throw LoginDescriptionError(field: "initiator", reason: "missing") }
          return name
        }
        requests.append(request)
      } catch {
        throw LoginDescriptionError(field: "logins.\(index).\(error.field)", reason: error.reason)
      }
    }
    let owner = SessionOwner(
      userID: call.peer.userID, processID: call.peer.processID, label: input.label.map { String($0.prefix(128)) },
      time: WallClock.now)
    guard input.wait ?? true else {
      let errors = await manager.beginLogin(requests, owner: owner)
      return InitiatorTypes.LoginOutput(
        results: errors.map { InitiatorTypes.LoginResult(failure: $0.map(InitiatorTypes.Failure.init)) })
    }
    let news = LoginNews()
    let telling = call.wantsMore ? Task { await tell(news, over: call) } : nil
    let results = await manager.login(requests, owner: owner) { index, step in
      if call.wantsMore { news.note(index, step) }
    }
    telling?.cancel()
    await telling?.value
    await send(news.takeLast(), over: call)
    return InitiatorTypes.LoginOutput(results: results.map(InitiatorTypes.LoginResult.init))
  }

  /// How often a client is told how far its logins have come: as often as people read it.
  private static let pace = Duration.milliseconds(500)

  /// Tells how far logins have come until the task is cancelled.
  private func tell(_ news: LoginNews, over call: VarlinkCall) async {
    while (try? await Reactor.shared.sleep(until: .now + Self.pace)) != nil {
      // What is taken is sent, also if the logins end meanwhile, which cancels this task.
      await Task { await send(news.take(), over: call) }.value
    }
  }

  /// Sends steps; a client that does not take them gets the results all the same.
  private func send(_ steps: [InitiatorTypes.LoginProgress], over call: VarlinkCall) async {
    for step in steps {
      guard let value = try? JSONValueEncoder().encode(InitiatorTypes.LoginOutput(progress: step)) else { continue }
      try? await call.send(value)
    }
  }

  private func logOut(_ input: InitiatorTypes.LogoutInput) async throws -> InitiatorTypes.LogoutOutput {
    let sessions = input.sessions.map(SessionID.init)
    let sparing: SessionManager.Sparing =
      (input.force ?? false) ? .none : (input.spareHeld ?? false) ? .claimed : .used
    let results = await manager.logOut(
      sessions, timeout: .seconds(max(1, min(input.timeout ?? 15, 3600))), sparing: sparing)
    return InitiatorTypes.LogoutOutput(
      results: zip(sessions, results).map { InitiatorTypes.LogoutResult($1, of: $0) })
  }

  private func rescan(_ input: InitiatorTypes.RescanInput) async throws -> InitiatorTypes.RescanOutput {
    let sessions = input.sessions.map(SessionID.init)
    let results = await manager.rescan(sessions)
    return InitiatorTypes.RescanOutput(
      results: zip(sessions, results).map { InitiatorTypes.RescanResult($1, of: $0) })
  }

  // MARK: - What there is

  private func sessions(_ input: InitiatorTypes.ListInput) throws(SysfsError) -> [InitiatorTypes.Session] {
    let known = manager.supervisions()
    if input.onlyRecovery == true {
      return known.keys.sorted().map { InitiatorTypes.Session(SessionSnapshot(id: $0), recovery(of: $0, known)) }
    }
    return try sysfs.sessions().map { InitiatorTypes.Session($0, recovery(of: $0.id, known)) }
  }

  private func phases() -> [InitiatorTypes.PhaseGroup] {
    let sessions = Dictionary(grouping: manager.supervisions().sorted { $0.key < $1.key }, by: \.value.0.phase.rawValue)
    return sessions.sorted { $0.key < $1.key }.map { phase, sessions in
      InitiatorTypes.PhaseGroup(phase: phase, sessions: sessions.map(\.key.rawValue))
    }
  }

  private func session(_ input: InitiatorTypes.SessionInput) throws -> InitiatorTypes.SessionOutput {
    let id = SessionID(rawValue: input.session)
    guard let snapshot = try sysfs.session(id) else { throw SysfsError.noSession(id) }
    return InitiatorTypes.SessionOutput(
      session: InitiatorTypes.Session(snapshot, recovery(of: id, manager.supervisions())))
  }

  private func recovery(
    of session: SessionID, _ known: [SessionID: (Supervision, SessionOwner?)]
  ) -> InitiatorTypes.Recovery? {
    known[session].map { InitiatorTypes.Recovery($0.0, owner: $0.1) }
  }

  private func statistics(_ input: InitiatorTypes.SessionInput) async throws -> InitiatorTypes.StatisticsOutput {
    let statistics = try await manager.statistics(of: SessionID(rawValue: input.session))
    return InitiatorTypes.StatisticsOutput(
      counters: statistics.named.map { InitiatorTypes.Counter(name: $0.name, value: $0.value) })
  }

  private func set(_ input: InitiatorTypes.SetInput) async throws -> InitiatorTypes.SetOutput {
    if input.timeouts.login != nil {
      throw LoginDescriptionError(field: "timeouts.login", reason: "cannot be set on a session")
    }
    if input.timeouts.loginRetryWindow != nil {
      throw LoginDescriptionError(field: "timeouts.loginRetryWindow", reason: "cannot be set on a session")
    }
    let settings = try input.timeouts.settings(scheduler: input.scheduler)
    let outcomes = try await manager.set(
      settings, of: SessionID(rawValue: input.session), isTrial: input.trial ?? false)
    return InitiatorTypes.SetOutput(results: outcomes.map(InitiatorTypes.SetResult.init))
  }

  private func monitor(_ input: InitiatorTypes.MonitorInput, _ call: VarlinkCall) async throws -> VarlinkReply {
    guard call.wantsMore else { return .expectedMore }
    let reading = manager.events.read(after: input.after)
    if let missed = reading.missed { try await tell(InitiatorTypes.Event(missed), call) }
    var last = reading.start
    for await event in reading.events {
      // A client that is slow has lost some.
      if event.sequence - last > 1 {
        let missed = MissedEvents(last: event.sequence - 1, isOfOther: false, end: event.time)
        try await tell(InitiatorTypes.Event(missed), call)
      }
      last = event.sequence
      try await tell(InitiatorTypes.Event(event), call)
    }
    return Self.failed(InitiatorTypes.Failure(message: "the daemon ends", exitCode: Int(ExitStatus.tryAgain.rawValue)))
  }

  private func tell(_ event: InitiatorTypes.Event, _ call: VarlinkCall) async throws {
    try await call.send(JSONValueEncoder().encode(InitiatorTypes.MonitorOutput(event: event)))
  }
}

extension LoginDescription {
  /// The part of a login that a discovery has too.
  init(discovering input: InitiatorTypes.DiscoverInput) {
    self.init(target: "", portal: input.portal)
    initiator = input.initiator
    authentication = input.authentication
    interface = input.interface
  }
}
