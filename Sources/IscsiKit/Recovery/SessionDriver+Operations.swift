// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

extension SessionDriver {
  /// Carries one operation out.
  func perform(_ operation: SessionMachine.Operation) async -> SessionMachine.OperationResult {
    connecting = nil
    return switch operation {
    case .logIn(let portal, let deadline): await logIn(at: portal, until: deadline)
    case .stop: await stop()
    case .relogIn(let portal, let deadline, let limit): await relogIn(at: portal, until: deadline, connectLimit: limit)
    case .removeDevices: await removeDevices()
    case .sayGoodbye: await sayGoodbye()
    case .destroy: await destroy()
    }
  }

  /// What sysfs says. It is read here and now, so that nothing comes between.
  func observe() -> SessionMachine.Observation {
    guard let session else { return .gone }
    do throws(SysfsError) {
      guard let found = try environment.sysfs.session(session, .summary) else { return .gone }
      return found.isConnectionUp ? .up : .notUp
    } catch {
      // A sysfs that cannot be read says nothing of the session.
      return .up
    }
  }

  /// Takes the session out for an operation.
  private func take() -> Held {
    var taken = Held.nothing
    swap(&taken, &held)
    return taken
  }

  private func login(_ request: LoginRequest, at portal: Portal) -> SessionLogin {
    let (watch, progress) = (ConnectWatch(), progress)
    connecting = watch
    return SessionLogin(
      link: environment.link, sysfs: environment.sysfs, request: request, alias: environment.alias(), isid: isid,
      progress: { step in
        watch.note(step)
        progress(step)
      },
      connected: { [weak self] address, local throws(OperationError.Cause) in
        try await self?.connected(to: address, from: local, at: portal)
      }
    ) { [weak self] session, host in await self?.created(session, host) }
  }

  // Hundreds may wait at a gate at the same time. Who waits has the memory of the functions that it is in, so that what a login
  // needs beyond its turn is in functions of their own, which are not to become part of these.

  private func logIn(at portal: Portal, until deadline: ContinuousClock.Instant) async -> SessionMachine.OperationResult
  {
    // The wait for a turn does not count as the target's time.
    let (began, time) = (ContinuousClock.now, deadline - .now)
    guard let pass = await environment.loginGate.enter(portal.address) else { return .failed(.cancelled) }
    defer { pass.leave() }
    return await logInNow(at: portal, for: time, waited: .now - began)
  }

  @inline(never)
  private func logInNow(
    at portal: Portal, for time: Duration, waited: Duration
  ) async -> SessionMachine.OperationResult {
    guard let request = identity.request else { return .failed(.unknownIdentity) }
    do throws(SessionLogin.Failure) {
      switch try await login(request, at: portal).first(at: portal, until: .now + time) {
      case .up(let session, let login):
        loginReport = LoginReport(
          session: session.id, host: session.host, target: request.target, portal: portal, login: login)
        for parameter in request.options.binding.hostParameters {
          // Only for sysfs to show; a kernel that refuses it has lost nothing.
          try? await session.setHostParameter(parameter)
        }
        held = .up(session)
        return .done
      case .redirected(let redirect):
        unmake()
        return .redirected(redirect, waited: waited)
      }
    } catch {
      unmake(isLeft: error.leftover != nil)
      leftover = error.leftover
      return .failed(error.cause)
    }
  }

  private func stop() async -> SessionMachine.OperationResult {
    let transition: KernelTransition<KernelPhase.Unbound>
    switch take() {
    case .nothing: return .failed(.noSession)
    case .unbound(let session):
      held = .unbound(session)
      return .done
    case .up(let session): transition = await session.stopForRecovery()
    case .broken(let session): transition = await session.stopForRecovery()
    }
    switch consume transition {
    case .done(let session):
      held = .unbound(session)
      return .done
    case .failed(let session, let error):
      held = .broken(session)
      return .failed(.kernel(error))
    }
  }

  private func relogIn(
    at portal: Portal, until deadline: ContinuousClock.Instant, connectLimit: Duration
  ) async -> SessionMachine.OperationResult {
    let (began, time) = (ContinuousClock.now, deadline - .now)
    guard let pass = await environment.gate.enter(portal.address) else { return .notConnected(.cancelled) }
    defer { pass.leave() }
    return await relogInNow(at: portal, for: time, waited: .now - began, connectLimit: connectLimit)
  }

  @inline(never)
  private func relogInNow(
    at portal: Portal, for time: Duration, waited: Duration, connectLimit: Duration
  ) async -> SessionMachine.OperationResult {
    guard let request = identity.request else { return .notConnected(.unknownIdentity) }
    guard case .unbound(let session) = take() else { return .failed(.connectionLost) }
    switch await login(request, at: portal).again(session, at: portal, until: .now + time, connectLimit: connectLimit) {
    case .up(let session, _):
      held = .up(session)
      areNOPsIdle = false
      return .done
    case .redirected(let session, let redirect):
      held = .broken(session)
      return .redirected(redirect, waited: waited)
    case .failed(let session, let cause):
      held = .broken(session)
      return .failed(cause)
    case .notConnected(let session, let cause):
      held = .unbound(session)
      return .notConnected(cause)
    }
  }

  private func removeDevices() async -> SessionMachine.OperationResult {
    endScan()
    let logout = SessionLogout(patience: environment.patience)
    let delays = tellOfDelays()
    removingSince = .now
    defer {
      delays.cancel()
      removingSince = nil
    }
    let problem: LogoutReport.Problem?
    switch take() {
    case .nothing: return .done
    case .unbound(let session):
      let broken = session.asBroken()
      problem = await logout.removeDevices(of: broken)
      held = .broken(broken)
    case .up(let session):
      problem = await logout.removeDevices(of: session, isConnected: true)
      held = .up(session)
    case .broken(let session):
      problem = await logout.removeDevices(of: session)
      held = .broken(session)
    }
    return problem.map { .problem($0) } ?? .done
  }

  /// Says what a logout waits for that takes long, and again from time to time: until the target has the data, nothing
  /// else would show that the logout lives.
  private func tellOfDelays() -> Task<Void, Never> {
    let patience = environment.patience
    let start = ContinuousClock.now
    return Task { [weak self] in
      var next = start + patience.silence
      while (try? await Reactor.shared.sleep(until: next)) != nil {
        await self?.noteDelay(of: .now - start)
        next += patience.repetition
      }
    }
  }

  private func noteDelay(of delay: Duration) {
    guard let session, machine.operation == .removeDevices else { return }
    let devices = (try? environment.sysfs.devices(of: session, .summary))?.devices ?? []
    note(.removalDelayed(disks: devices.compactMap(\.blockDevice), delay))
  }

  private func sayGoodbye() async -> SessionMachine.OperationResult {
    guard case .up(let session) = take() else { return .problem(.notConnected) }
    let seen = environment.sysfs.expStatSN(of: session.id) ?? 0
    let goodbye = await SessionLogout(logoutTimeout: logoutTimeout).sayGoodbye(over: session, expStatSN: seen)
    let result = goodbye.result
    held = .broken(goodbye.session)
    switch result {
    case .success: return .done
    case .failure(let problem): return .problem(problem)
    }
  }

  private func destroy() async -> SessionMachine.OperationResult {
    let removal: KernelSessionRemoval
    switch take() {
    case .nothing: return .done
    case .unbound(let session): removal = await session.destroy()
    case .up(let session): removal = await session.destroy()
    case .broken(let session): removal = await session.destroy()
    }
    switch consume removal {
    case .done: return .done
    case .failed(let session, let error):
      held = .broken(session)
      return .failed(error.isUnknownSession ? .noSession : .kernel(error))
    }
  }
}

/// How far a login has come with its connection, for who looks while it runs.
final class ConnectWatch: Sendable {
  private let state = Mutex(SessionMachine.ConnectProgress.notBegun)

  /// How far it has come.
  var progress: SessionMachine.ConnectProgress { state.withLock(\.self) }

  /// Notes a step as it begins.
  func note(_ step: LoginStep) {
    state.withLock { $0 = step == .connect ? .pending(since: .now) : .connected }
  }
}
