// SPDX-License-Identifier: Apache-2.0

extension SessionMachine {
  // MARK: - First login

  mutating func logIn(at now: Instant) -> [Action] {
    phase = .loggingIn
    // What was reported of the attempt before is nothing to this one.
    isInDoubt = false
    return [.perform(.logIn(at: route.current, until: beginAttempt(at: now)))]
  }

  mutating func loginEnded(_ result: OperationResult, at now: Instant) -> [Action] {
    switch result {
    case .redirected(let redirect, let waited):
      guard ending == nil else { return leaveUnmade() }
      attemptEnd = attemptEnd.map { $0 + waited }
      if let failure = follow(redirect) { return loginFailed(.login(failure), at: now) }
      return [.notify(.redirected(route.current))] + logIn(at: now)
    case .failed(let cause), .notConnected(let cause):
      guard ending == nil else { return leaveUnmade() }
      if isRenewalDue, cause.mayBeTheNetwork {
        renewAttempt(at: now)
        return logIn(at: now)
      }
      return loginFailed(cause, at: now)
    case .done, .problem:
      let moved = arrive(at: now)
      guard ending == nil else { return [.notify(.loggedIn)] + moved + tearDown() }
      phase = .up
      // Who logs in waits for the scan, whatever becomes of the session.
      return [.notify(.loggedIn)] + moved + [.scan] + (followPendingMessage(at: now) ?? resolveDoubt(at: now))
    }
  }

  /// A login has succeeded. A target that has moved is only believed here, where it answers.
  private mutating func arrive(at now: Instant) -> [Action] {
    isConnected = true
    attemptEnd = nil
    upSince = now
    let home = route.home
    route.arrive()
    return route.home == home ? [] : [.notify(.moved(route.home))]
  }

  private mutating func loginFailed(_ cause: OperationError.Cause, at now: Instant) -> [Action] {
    attemptEnd = nil
    route.failBack()
    guard cause.isTransient, let loginWindowEnd, now < loginWindowEnd else {
      phase = .gone
      return [.notify(.loginFailed(cause))]
    }
    // The last attempt is made when the time is over, not given up because the next wait would last longer.
    var next = min(now + backoff.next(), loginWindowEnd)
    if hasNetworkNews, cause.mayBeTheNetwork {
      next = min(next, earlyAttempt(at: now))
      lastEarlyAttempt = next
    }
    phase = .waitingToLogIn(until: next)
    loginFailures += 1
    return [
      .notify(
        .loginDelayed(
          FailedAttempt(number: loginFailures, portal: route.home, cause: cause, time: now, nextAttempt: next)))
    ]
  }

  /// A logout came before there was a session.
  mutating func leaveUnmade() -> [Action] {
    phase = .gone
    return [.notify(.loggedOut([]))]
  }

  // MARK: - Recovery

  /// A session that is lost sooner after a login was not steady.
  static let steadyTime = Duration.seconds(10)

  /// The connection is lost: stops it for recovery. A target that takes logins and drops them at once is not asked again
  /// and again without a pause: two initiators of one name would keep each other from work for ever.
  mutating func lose(_ cause: LossCause, at now: Instant) -> [Action] {
    isConnected = false
    isInDoubt = false
    secondLook = nil
    outage = Outage(cause: cause, network: network, since: now)
    if let upSince, now - upSince < Self.steadyTime {
      hastyLosses += 1
    } else {
      hastyLosses = 0
      backoff.reset()
    }
    if hastyLosses > 1 { holdEnd = max(holdEnd ?? now, now + backoff.next()) }
    outage?.holdEnd = holdEnd
    uncountedAttempts = 0
    phase = .stopping
    return [.notify(.lost(cause)), .perform(.stop)]
  }

  /// Goes on with an outage that an earlier supervisor has left. The kernel's timer has run since then, and knows nothing of
  /// a replacement timeout that was set later.
  mutating func resume(_ outage: Outage, at now: Instant) -> [Action] {
    self.outage?.since = min(outage.since, now)
    grantHold(outage.holdEnd, at: now)
    self.outage?.holdEnd = holdEnd
    uncountedAttempts = outage.attempts
    phase = .stopping
    return [.notify(.stillLost(outage.cause)), .perform(.stop)]
  }

  mutating func stopEnded(_ result: OperationResult, at now: Instant) -> [Action] {
    // What came before the stop was about the connection that it ended.
    isInDoubt = false
    if ending != nil { return tearDown() }
    if case .failed = result {
      // It may be that there is nothing to stop any more, which only sysfs tells.
      attemptEnd = nil
      route.failBack()
      phase = .waitingToStop(until: now + backoff.next())
      return [.observe]
    }
    let next = max(outage?.nextAttempt ?? now, holdEnd ?? now)
    guard next > now else { return relogIn(at: now) }
    attemptEnd = nil
    outage?.nextAttempt = next
    phase = .waiting(until: next)
    return []
  }

  mutating func relogIn(at now: Instant) -> [Action] {
    // An attempt that is sent elsewhere is still the same one.
    if attemptEnd == nil {
      outage?.attempts += 1
      if isNextAttemptEarly {
        uncountedAttempts += 1
        lastEarlyAttempt = now
      }
      isNextAttemptEarly = false
    }
    holdEnd = nil
    outage?.nextAttempt = nil
    phase = .reloggingIn
    let end = beginAttempt(at: now)
    return [.perform(.relogIn(at: route.current, until: end, connectLimit: connectLimit))]
  }

  /// How long an attempt of recovery waits for its connection, and which attempts wait for as long as they may last.
  ///
  /// A path that is silent swallows the first segment of a connection, and TCP repeats it after ever longer pauses, 8 s within a
  /// login timeout of 15 s: who waits on is late when the path is back, and keeps others of the portal from their turn. A new
  /// connection asks at once. But where an answer takes longer than this, over a path that is slow or loses much, no such attempt
  /// would ever succeed: so each eighth is patient. Where attempts are counted, all are: a session is not to be given up sooner.
  static let connectTimeout = Duration.seconds(3)
  static let patientAttempt = 8

  private var connectLimit: Duration {
    let isPatient = policy.recoveryLimit != nil || (outage?.attempts ?? 0).isMultiple(of: Self.patientAttempt)
    return isPatient ? policy.loginTimeout : min(Self.connectTimeout, policy.loginTimeout)
  }

  mutating func reloginEnded(_ result: OperationResult, at now: Instant) -> [Action] {
    if ending != nil {
      if result == .done { isConnected = true }
      return tearDown()
    }
    switch result {
    case .redirected(let redirect, let waited):
      attemptEnd = attemptEnd.map { $0 + waited }
      if let failure = follow(redirect) { return attemptFailed(.login(failure), hasSocket: true, at: now) }
      // The socket of this login is bound: it has to go before the next comes.
      phase = .stopping
      return [.notify(.redirected(route.current)), .perform(.stop)]
    case .failed(let cause):
      guard isRenewalDue, cause.mayBeTheNetwork else { return attemptFailed(cause, hasSocket: true, at: now) }
      // It had just connected.
      renewAttempt(at: now)
      phase = .stopping
      return [.perform(.stop)]
    case .notConnected(let cause):
      guard isRenewalDue else { return attemptFailed(cause, hasSocket: false, at: now) }
      renewAttempt(at: now)
      return relogIn(at: now)
    case .done, .problem: return recovered(at: now)
    }
  }

  private mutating func recovered(at now: Instant) -> [Action] {
    let told = arrive(at: now) + [.notify(.recovered(endOutage(at: now)))]
    phase = .up
    // What has to be done with a session that is back is done when it is back to stay.
    if let farewell = followPendingMessage(at: now) { return told + farewell }
    return told + dueSettings() + [.rescan] + resolveDoubt(at: now)
  }

  /// The outage is over; what is known of it.
  mutating func endOutage(at now: Instant) -> Outage {
    var ended = outage ?? Outage(cause: .unseen, since: now)
    ended.end = now
    outage = nil
    network = nil
    return ended
  }

  private mutating func attemptFailed(
    _ cause: OperationError.Cause, hasSocket: Bool, at now: Instant
  ) -> [Action] {
    let portal = route.current
    attemptEnd = nil
    route.failBack()
    let number = outage?.attempts ?? 1
    let isEarly = hasNetworkNews && cause.mayBeTheNetwork
    if isEarly { isNextAttemptEarly = true }
    let isLast = !isEarly && policy.recoveryLimit.map { number - uncountedAttempts >= $0 } ?? false
    let next = isLast ? nil : isEarly ? earlyAttempt(at: now) : now + backoff.next()
    let failure = FailedAttempt(number: number, portal: portal, cause: cause, time: now, nextAttempt: next)
    outage?.lastFailure = failure
    outage?.nextAttempt = next
    let notice = Action.notify(.attemptFailed(failure))
    guard let next else {
      ending = .gaveUp
      return [notice] + tearDown()
    }
    if hasSocket {
      phase = .stopping
      return [notice, .perform(.stop)]
    }
    phase = .waiting(until: next)
    return [notice]
  }

  // MARK: - Redirects and attempts

  /// Goes where the target says, or tells why it cannot be followed, which is a failed login.
  private mutating func follow(_ redirect: LoginRedirect) -> LoginFailure? {
    do throws(LoginFailure) {
      try route.follow(redirect)
      return nil
    } catch {
      return error
    }
  }

  /// The present attempt connects anew, with the whole time before it: until now it was up to the network.
  private mutating func renewAttempt(at now: Instant) {
    renewals += 1
    lastEarlyAttempt = now
    attemptEnd = now + policy.loginTimeout
  }

  /// The end of an attempt that begins now, or goes on at another portal or with another connection.
  private mutating func beginAttempt(at now: Instant) -> Instant {
    // What was heard before is not about this login.
    (isRenewalDue, hasNetworkNews, pendingMessage) = (false, false, nil)
    if attemptEnd == nil { renewals = 0 }
    let end = attemptEnd ?? now + policy.loginTimeout
    attemptEnd = end
    return end
  }
}
