// SPDX-License-Identifier: Apache-2.0

/// What is known of a session's supervision at one moment.
public struct Supervision: Hashable, Sendable {
  /// Where a supervised session is.
  public enum Phase: String, Hashable, Sendable, CaseIterable {
    /// The first login is under way, or will be tried again.
    case loggingIn
    /// In full feature phase.
    case up
    /// The connection is lost, and the session is being logged in again.
    case recovering
    /// A logout is under way.
    case loggingOut
    /// The session is gone.
    case gone
  }

  /// Where the session is.
  public var phase = Phase.loggingIn
  /// The kernel's number, as soon as there is one.
  public var session: SessionID?
  /// Where the session is connected to, or tries to.
  public var portal: Portal
  /// The present outage; nil while there is none.
  public var outage: Outage?
  /// The last outage that ended.
  public var lastOutage: Outage?
  /// How many outages ended well.
  public var recoveries = 0

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
  }
}

extension SessionMachine {
  /// Where the session is, for others.
  var supervisedPhase: Supervision.Phase {
    switch phase {
    case .new, .loggingIn, .waitingToLogIn: .loggingIn
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
