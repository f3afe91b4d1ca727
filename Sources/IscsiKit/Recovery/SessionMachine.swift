// SPDX-License-Identifier: Apache-2.0

/// Supervises one session, without I/O: events go in, actions come out, time is passed in.
///
///                  ┌── waitingToLogIn <┐
///     begin ──> loggingIn ─────────────┴─> gone                     adopt(.up) ──> up
///                  │                                                adopt(.failed) ──> stopping
///                  v   lost                      next try
///                 up ──────> stopping ──> waiting ──────> reloggingIn ──> up
///                  │            ^            ^                 │
///     asked by     │            │            └─────────────────┤ no connection
///     the target:  └─> leaving ─┘            stopping <────────┘ no login
///
///     logOut, from every state: removingDevices ──> sayingGoodbye ──> destroying ──> gone
///
/// One operation is under way at a time, and a state without one either needs nothing (`up`, `gone`) or has a deadline
/// in `wakeTime`. So nothing is ever stuck, and nobody asks two things of the kernel at once for one session.
///
/// What it does differently from open-iscsi: the first attempt to log in again comes at once, unless the target asked
/// for a pause (Time2Wait of an Asynchronous Message, or of a Logout Response that refuses) or the session was hardly up; a target that
/// refuses a login during recovery is asked again for as long as one that does not answer, whatever the status; waits
/// between attempts grow to three seconds and have jitter, so that many sessions do not come back to one target in step; and
/// what comes back of the network is tried at once, also by an attempt that is under way.
public struct SessionMachine: Sendable {
  /// A moment of the monotonic clock.
  public typealias Instant = ContinuousClock.Instant

  /// What a session is supervised by.
  public struct Policy: Hashable, Sendable {
    /// How long one attempt may take, redirects included.
    public var loginTimeout: Duration = .seconds(15)
    /// For how long a first login that fails for now is tried again, from its beginning; zero makes one attempt.
    /// open-iscsi's `initial_login_retry_max` times `login_timeout`.
    public var loginRetryWindow: Duration = .zero
    /// How many attempts one recovery may take; nil is no limit. open-iscsi's `reopen_max`, whose 0 is nil here.
    public var recoveryLimit: Int?
    /// Whether new units are looked for when the target says that there are some.
    public var scansForUnits = true

    /// The defaults.
    public init() {}
  }

  /// Where a session is. `operation` tells what is under way in each state.
  enum Phase: Hashable, Sendable {
    /// Nothing has begun.
    case new
    /// A first login is under way; a failure leaves nothing in the kernel.
    case loggingIn
    /// A first login has failed for now.
    case waitingToLogIn(until: Instant)
    /// In full feature phase, as far as is known.
    case up
    /// The target asked for a logout: the Logout Request is under way.
    case leaving
    /// The connection is being stopped for recovery.
    case stopping
    /// The next attempt is due at a time.
    case waiting(until: Instant)
    /// The stop itself failed; it is due again.
    case waitingToStop(until: Instant)
    /// A login of the existing session is under way.
    case reloggingIn
    /// The devices are being removed.
    case removingDevices
    /// The Logout Request is under way.
    case sayingGoodbye
    /// The session is being removed.
    case destroying
    /// The removal failed; it is due again.
    case waitingToDestroy(until: Instant)
    /// There is no session (any more).
    case gone
  }

  /// Why the session is to end.
  enum Ending: Hashable, Sendable {
    /// Somebody asked for a logout.
    case logout
    /// The SCSI host is going away.
    case hostGone
    /// Recovery took more attempts than it may.
    case gaveUp
  }

  /// What the session goes by.
  let policy: Policy
  var phase = Phase.new {
    didSet {
      // Of a session that is not up, everybody knows that nothing is answered.
      if phase != .up { silentSince = nil }
    }
  }
  var route: LoginRoute
  var backoff: Backoff
  /// What is known of the present outage; nil while there is none. Before the session is taken up, what an earlier
  /// supervisor knew.
  public internal(set) var outage: Outage?
  /// What is wrong with the network now.
  var network: NetworkFinding? { didSet { if network == nil { networkSince = nil } } }
  /// Since when that is known.
  var networkSince: Instant?
  /// Since when the target has answered nothing, while the session is up.
  var silentSince: Instant?
  /// Set as soon as the session is to end, whatever is under way.
  var ending: Ending?
  /// What did not go as it should on the way out.
  var problems: [LogoutReport.Problem] = []
  /// Whether the connection is believed to be up.
  var isConnected = false
  /// Whether the kernel said that the connection failed, or lost what it said, while an operation was under way.
  var isInDoubt = false
  /// When the last login succeeded.
  var upSince: Instant?
  /// How many times in a row the session was lost soon after a login.
  var hastyLosses = 0
  /// When sysfs is looked at again because something may have been lost.
  var secondLook: Instant?
  /// Whether the session vanished from the kernel while an operation was under way.
  var hasVanished = false
  /// Whether the kernel was asked to remove the session, and may yet do so.
  var isRemovalUnderWay = false
  /// When attempts of a first login end.
  var loginWindowEnd: Instant?
  /// How many attempts of a first login have failed.
  var loginFailures = 0
  /// The end of the attempt that is under way; redirects do not extend it.
  var attemptEnd: Instant?
  /// Before this moment the target does not want to see us, or is to be spared.
  var holdEnd: Instant?
  /// When the network gave rise to an attempt the last time.
  var lastEarlyAttempt: Instant?
  /// Whether the next attempt is the network's doing.
  var isNextAttemptEarly = false
  /// Whether a link, address or route came while the login was under way that has to do without it.
  var hasNetworkNews = false
  /// Whether the login was broken off to connect anew, which is no failure.
  var isRenewalDue = false
  /// How many times the present attempt has connected anew.
  var renewals = 0
  /// What ends the connection of the login that is under way: the session was started, and is not known to be up yet.
  var pendingMessage: AsyncMessagePDU?
  /// How many attempts of this outage do not count against the limit: those that were the network's doing, and those of an
  /// earlier supervisor.
  var uncountedAttempts = 0
  /// Whether settings wait for the session to be back.
  var areSettingsDue = false
  /// How many of the target's messages may still be told of.
  var messageBudget: TokenBucket?

  /// A session that nothing was done for yet.
  ///
  /// - Parameters:
  ///   - portal: Where the target is, by configuration.
  ///   - policy: What to go by.
  ///   - seed: Makes the jitter of the waits; another number for each session.
  ///   - outage: The outage of which an earlier supervisor knew no end, if the session is one to adopt.
  public init(portal: Portal, policy: Policy, seed: UInt64, outage: Outage? = nil) {
    self.policy = policy
    self.outage = outage
    route = LoginRoute(portal)
    backoff = Backoff(seed: seed)
  }

  /// Where the session is connected to, or tries to.
  public var portal: Portal { route.current }

  /// When `timerFired` is due; nil if nothing waits for a time.
  public var wakeTime: Instant? {
    switch phase {
    case .waitingToLogIn(let time), .waiting(let time), .waitingToStop(let time), .waitingToDestroy(let time): time
    case .up: secondLook
    default: nil
    }
  }

  /// What is under way.
  public var operation: OperationKind? {
    switch phase {
    case .loggingIn: .logIn
    case .stopping: .stop
    case .reloggingIn: .relogIn
    case .leaving, .sayingGoodbye: .sayGoodbye
    case .removingDevices: .removeDevices
    case .destroying: .destroy
    case .new, .waitingToLogIn, .up, .waiting, .waitingToStop, .waitingToDestroy, .gone: nil
    }
  }

  /// When the kernel takes settings of a session.
  public enum SettingTime: Hashable, Sendable {
    /// It does so now.
    case now
    /// Most of them when the session is back: they need a connection.
    case whenBack
    /// There is nothing that could take them: the first login has not succeeded yet, or the session is on its way out.
    case never
  }

  /// When the kernel takes settings.
  public var settingTime: SettingTime {
    switch phase {
    case _ where ending != nil: .never
    case .up: .now
    case .leaving, .stopping, .waiting, .waitingToStop, .reloggingIn: .whenBack
    case .new, .loggingIn, .waitingToLogIn, .removingDevices, .sayingGoodbye, .destroying, .waitingToDestroy, .gone:
      .never
    }
  }

  /// Takes an event and tells what to do, in order.
  public mutating func handle(_ event: Event, at now: Instant) -> [Action] {
    guard phase != .gone else { return [] }
    switch event {
    case .begin: return begin(at: now)
    case .adopt(let state): return adopt(state, at: now)
    case .ended(let kind, let result):
      // The driver reports what it was asked for, once.
      guard kind == operation else { return [] }
      return ended(kind, result, at: now)
    case .connectionFailed(let code): return connectionFailed(code, at: now)
    case .message(let message): return received(message, at: now)
    case .replacementTimeout(let seconds): return foundReplacementTimeout(seconds)
    case .eventsLost: return doubt(at: now)
    case .observed(let state): return observed(state, at: now)
    case .sessionDestroyed: return sessionDestroyed()
    case .networkRestored(let connect): return networkRestored(connect, at: now)
    case .networkFound(let finding): return networkFound(finding, at: now)
    case .silenceFound(let since): return silenceFound(since)
    case .silenceUnknown:
      silentSince = nil
      return []
    case .timerFired: return timerFired(at: now)
    case .settingsDeferred:
      areSettingsDue = true
      return []
    case .logOut: return logOut()
    }
  }

  private mutating func begin(at now: Instant) -> [Action] {
    guard phase == .new else { return [] }
    guard ending == nil else { return leaveUnmade() }
    loginWindowEnd = now + policy.loginRetryWindow
    return logIn(at: now)
  }

  private mutating func adopt(_ state: AdoptedState, at now: Instant) -> [Action] {
    guard phase == .new else { return [] }
    switch state {
    case .up where ending == .logout && isGoodbyeUnfinished:
      return [.notify(.adopted)] + stopBeforeLogout()
    case .up where ending != nil, .failed where ending != nil:
      // A logout was faster.
      isConnected = state != .failed
      return [.notify(.adopted)] + tearDown()
    case .up where isGoodbyeUnfinished:
      grantHold(outage?.holdEnd, at: now)
      return [.notify(.adopted)] + lose(.message(.logoutRequested), at: now)
    case .up(let isScanned, let hasOffline):
      phase = .up
      isConnected = true
      // Its last error may not be in sysfs yet, and nobody was there to hear of it.
      secondLook = now + Self.secondLookDelay
      // It came back, and the earlier supervisor ended before it could look at the devices or tell.
      let isBack = outage != nil
      let recovered: [Action] = isBack ? [.notify(.recovered(endOutage(at: now)))] : []
      let scan: [Action] = !isScanned ? [.scan] : hasOffline || isBack ? [.rescan] : []
      return [.notify(.adopted)] + recovered + dueSettings() + scan
    case .failed:
      return [.notify(.adopted)] + (outage.map { resume($0, at: now) } ?? lose(.foundFailed, at: now))
    case .leaving(let connected, let isUnbound):
      isConnected = connected
      ending = .logout
      if connected, !isUnbound, isGoodbyeUnfinished { return [.notify(.adopted)] + stopBeforeLogout() }
      // The kernel tells the end of a removal of devices once.
      return [.notify(.adopted)] + (isUnbound ? [.notify(.leaving)] + devicesRemoved(.done) : tearDown())
    }
  }

  /// Whether an earlier supervisor was to log out because the target had asked for it, and may not have come to the stop. The
  /// session may look as if it were up, and never be of use again: once the Logout Request is sent, the kernel holds all commands
  /// back (`iscsi_queuecommand` of libiscsi), and does not report that the target closes the connection
  /// (`iscsi_sw_sk_state_check` of iscsi_tcp). An attempt to log in again comes after the stop.
  private var isGoodbyeUnfinished: Bool {
    guard let outage else { return false }
    return outage.cause == .message(.logoutRequested) && outage.attempts == 0
  }

  /// Has what was kept set, if there is something.
  mutating func dueSettings() -> [Action] {
    defer { areSettingsDue = false }
    return areSettingsDue ? [.applySettings] : []
  }

  private mutating func ended(_ kind: OperationKind, _ result: OperationResult, at now: Instant) -> [Action] {
    if hasVanished { return vanish() }
    return switch kind {
    case .logIn: loginEnded(result, at: now)
    case .stop: stopEnded(result, at: now)
    case .relogIn: reloginEnded(result, at: now)
    case .removeDevices: devicesRemoved(result)
    case .sayGoodbye: saidGoodbye(result, at: now)
    case .destroy: destroyed(result, at: now)
    }
  }

  private mutating func timerFired(at now: Instant) -> [Action] {
    guard let wakeTime, wakeTime <= now else { return [] }
    switch phase {
    case .waitingToLogIn: return logIn(at: now)
    case .waiting: return relogIn(at: now)
    case .up:
      secondLook = nil
      return [.observe]
    case .waitingToStop:
      phase = .stopping
      return [.perform(.stop)]
    case .waitingToDestroy:
      phase = .destroying
      return [.perform(.destroy)]
    default: return []
    }
  }

  private mutating func sessionDestroyed() -> [Action] {
    switch phase {
    // A removal is told by its own end.
    case .new, .waitingToLogIn, .destroying: return []
    case .loggingIn:
      // A login that fails removes what it has made; of one that succeeds, sysfs tells.
      isInDoubt = true
      return []
    default:
      guard operation == nil else {
        hasVanished = true
        return [.cancelOperation]
      }
      return vanish()
    }
  }
}
