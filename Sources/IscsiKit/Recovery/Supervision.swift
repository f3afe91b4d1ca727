// SPDX-License-Identifier: Apache-2.0

/// What is known of a session's supervision at one moment.
public struct Supervision: Hashable, Sendable {
  /// Where a supervised session is.
  public typealias Phase = SupervisionPhase

  /// Where the session is.
  public var phase = Phase.loggingIn
  /// The kernel's number, as soon as there is one.
  public var session: SessionID?
  /// Where the session is connected to, or tries to.
  public var portal: Portal
  /// What is wrong with the network device on the way to the portal, if that is known to be at fault.
  public var network: NetworkFinding?
  /// Since when that is known; nil if nothing is.
  public var networkSince: ContinuousClock.Instant?
  /// Since when the target of a session that is up has answered nothing, a NOP-Out included; nil if it answers.
  public var silentSince: ContinuousClock.Instant?
  /// Whether the kernel may send no NOP-Outs although they are switched on: it starts their timer with a login only.
  public var areNOPsIdle = false
  /// Since when a logout waits for the removal of the disks; nil if none does.
  public internal(set) var removingSince: ContinuousClock.Instant?
  /// What is to be set when the session is back, or its disks are scanned the next time.
  public internal(set) var due = TimeoutSettings()
  /// The present outage; nil while there is none.
  public var outage: Outage?
  /// The last outage that ended.
  public var lastOutage: Outage?
  /// How many outages ended well.
  public var recoveries = 0
  /// How many sessions of this target, portal and interface there are to be; nil if that is not known.
  public internal(set) var sessionCount: Int?

  /// A session that nothing has happened to yet.
  init(portal: Portal) { self.portal = portal }

  /// Takes over what a machine says of itself now.
  mutating func note(_ notice: SessionMachine.Notice, of machine: SessionMachine) {
    if case .recovered(let ended) = notice {
      lastOutage = ended
      recoveries += 1
    }
    update(machine)
  }

  /// Takes over where a machine is now.
  mutating func update(_ machine: SessionMachine) {
    phase = machine.supervisedPhase
    portal = machine.portal
    outage = machine.outage
    network = machine.network
    networkSince = machine.networkSince
    silentSince = machine.silentSince
  }
}

extension SupervisionFacts {
  /// What a supervision tells of a session, with times of day in place of moments of the monotonic clock.
  public init(_ supervision: Supervision) {
    self.init(phase: supervision.phase)
    network = supervision.network?.description
    networkSince = supervision.networkSince.map(WallClock.time(of:))
    silentSince = supervision.silentSince.map(WallClock.time(of:))
    removingSince = supervision.removingSince.map(WallClock.time(of:))
    outage = supervision.outage.map(OutageFacts.init)
  }
}

extension OutageFacts {
  /// What is known of an outage.
  init(_ outage: Outage) {
    self.init(since: WallClock.time(of: outage.since), cause: outage.cause.description)
    if case .kernel(let code) = outage.cause { kernelError = code.rawValue }
    network = outage.network?.description
    attempts = outage.attempts
    lastFailure = outage.lastFailure.map { failure in
      Attempt(
        number: failure.number, portal: failure.portal.description, cause: failure.cause.description,
        time: WallClock.time(of: failure.time))
    }
    nextAttempt = outage.nextAttempt.map(WallClock.time(of:))
    deadline = outage.replacementTimeout.map { IODeadline(since: since, replacementTimeout: $0) }
  }
}

extension SessionMachine {
  /// Where the session is, for others.
  var supervisedPhase: Supervision.Phase {
    switch phase {
    case .new, .loggingIn, .waitingToLogIn: ending == nil ? .loggingIn : .loggingOut
    case .up: ending == nil ? .up : .loggingOut
    case .leaving, .stopping, .waiting, .waitingToStop, .reloggingIn: ending == nil ? .recovering : .loggingOut
    case .removingDevices, .sayingGoodbye, .destroying, .waitingToDestroy: .loggingOut
    case .gone: .gone
    }
  }

  /// Whether the session is in full feature phase, as far as is known.
  var isUp: Bool { phase == .up }
  /// Whether there is no session (any more).
  var isGone: Bool { phase == .gone }
}

extension SessionMachine.Policy {
  /// What a session's options say of its supervision.
  init(_ options: SessionOptions) {
    loginTimeout = options.timeouts.login
    loginRetryWindow = options.timeouts.loginRetryWindow
    recoveryLimit = options.recoveryLimit
    scansForUnits = options.scan == .all
  }
}
