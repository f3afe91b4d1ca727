// SPDX-License-Identifier: Apache-2.0

/// Something that happened to a session.
public struct SessionEvent: Hashable, Sendable {
  /// What happened.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// A first login succeeded.
    case loggedIn
    /// A first login failed and is tried again.
    case loginDelayed
    /// A first login failed for good.
    case loginFailed
    /// A session that was in the kernel is supervised now.
    case adopted
    /// The connection was lost. Also of a session that was found: lost before, for the cause that was known then.
    case lost
    /// The network's part in the loss was found out.
    case diagnosed
    /// The network device that was at fault is so no more.
    case networkWell
    /// The target has not answered a NOP-Out yet.
    case silent
    /// It has answered after all, or is not asked any more.
    case answered
    /// An attempt of recovery failed.
    case attemptFailed
    /// The session is back.
    case recovered
    /// The target sent us to another portal.
    case redirected
    /// The target has moved to another portal for good, and answers there.
    case moved
    /// A logout has begun.
    case leaving
    /// The target sent an Asynchronous Message.
    case messageReceived
    /// Recovery was given up; the session is gone.
    case gaveUp
    /// The session is logged out.
    case loggedOut
    /// A logout takes long, because the target takes the last data of the disks slowly.
    case removalDelayed
    /// The session could not be removed; this is tried again.
    case removalFailed
    /// The devices could not be looked at as they should; some may be missing or offline.
    case scanFailed
    /// A setting that was kept until the session was back could not be made.
    case settingFailed
    /// The session ended without our doing.
    case vanished
  }

  /// Counts all events of a manager from ``EventLog/firstSequence`` on. Two events that a reader sees with numbers apart have
  /// others between.
  public var sequence: UInt64 = 0
  /// When, in seconds since 1970.
  public var time: Double
  /// What happened.
  public var kind: Kind
  /// The kernel's number of the session, if it had one.
  public var session: SessionID?
  /// The target's name.
  public var target: String
  /// Where the session is connected to, or tries to.
  public var portal: Portal
  /// What happened and why, in words.
  public var message: String
  /// The kernel's number of the error (`enum iscsi_err`), if the kernel reported one.
  public var kernelError: KernelErrorCode?
  /// Which attempt to log in, from 1, or how many it took.
  public var attempt: Int?
  /// When the next attempt is due, in seconds since 1970.
  public var nextAttempt: Double?
  /// How long the outage was.
  public var outage: Duration?
}

extension SessionEvent {
  /// The event of a notice.
  init(_ notice: SessionMachine.Notice, session: SessionID?, target: String, portal: Portal) {
    self.init(
      time: WallClock.now, kind: notice.kind, session: session, target: target, portal: portal, message: notice.text)
    switch notice {
    case .loginDelayed(let failure), .attemptFailed(let failure):
      attempt = failure.number
      nextAttempt = failure.nextAttempt.map(WallClock.time(of:))
    case .lost(.kernel(let code)), .stillLost(.kernel(let code)): kernelError = code
    case .recovered(let outage):
      attempt = outage.attempts
      self.outage = outage.end.map { $0 - outage.since }
    case .gaveUp(let outage): attempt = outage?.attempts
    default: break
    }
  }
}

extension SessionMachine.Notice {
  fileprivate var kind: SessionEvent.Kind {
    switch self {
    case .loggedIn: .loggedIn
    case .loginDelayed: .loginDelayed
    case .loginFailed: .loginFailed
    case .adopted: .adopted
    case .lost, .stillLost: .lost
    case .diagnosed: .diagnosed
    case .networkWell: .networkWell
    case .attemptFailed: .attemptFailed
    case .recovered: .recovered
    case .redirected: .redirected
    case .moved: .moved
    case .leaving: .leaving
    case .messageReceived: .messageReceived
    case .gaveUp: .gaveUp
    case .loggedOut: .loggedOut
    case .removalDelayed: .removalDelayed
    case .removalFailed: .removalFailed
    case .scanFailed: .scanFailed
    case .settingFailed: .settingFailed
    case .silent: .silent
    case .answered: .answered
    case .vanished: .vanished
    }
  }

  fileprivate var text: String {
    switch self {
    case .loggedIn: "logged in"
    case .loginDelayed(let failure): "login attempt \(failure.number) failed: \(failure.cause)"
    case .loginFailed(let cause): "login failed: \(cause)"
    case .adopted: "taken up from the kernel"
    case .lost(let cause): "connection lost: \(cause)"
    case .stillLost(let cause): "connection still lost: \(cause)"
    case .diagnosed(let finding): "the network: \(finding)"
    case .networkWell(let device): "the network: \(device) is not at fault any more"
    case .silent: "the target has not answered a NOP-Out yet"
    case .answered: "the target answers again"
    case .attemptFailed(let failure): "attempt \(failure.number) to log in again failed: \(failure.cause)"
    case .recovered(let outage):
      "operational again, \(outage.attempts == 1 ? "at the first attempt" : "after \(outage.attempts) attempts")"
    case .redirected(let portal): "the target sent us to \(portal.address)"
    case .moved(let portal): "the target has moved to \(portal.address)"
    case .leaving: "logging out"
    case .messageReceived(let event): "the target told: \(event)"
    case .gaveUp(let outage): "given up after \(outage?.attempts ?? 0) attempts; the session is removed"
    case .loggedOut(let problems):
      problems.isEmpty ? "logged out" : "logged out: \(problems.map(\.description).joined(separator: "; "))"
    case .removalDelayed(let disks, let delay):
      "the logout waits, for \(delay.components.seconds) s already, until the target has all data of "
        + (disks.isEmpty ? "the disks" : disks.joined(separator: ", "))
    case .removalFailed(let cause): "the session could not be removed: \(cause)"
    case .scanFailed(let cause): "the devices could not be looked at: \(cause)"
    case .settingFailed(let what): "a setting that waited for the session failed: \(what)"
    case .vanished: "the session is gone without our doing"
    }
  }
}
