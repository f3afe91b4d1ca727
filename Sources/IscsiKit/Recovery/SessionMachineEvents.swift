// SPDX-License-Identifier: Apache-2.0

extension SessionMachine {
  /// What a supervisor hears.
  public enum Event: Hashable, Sendable {
    /// Log in: the first event of a new session.
    case begin
    /// The session is in the kernel already: the first event of a session that was found.
    case adopt(AdoptedState)
    /// The operation that was asked for has ended.
    case ended(OperationKind, OperationResult)
    /// The kernel reports that the connection failed.
    case connectionFailed(KernelErrorCode)
    /// The target sent an Asynchronous Message.
    case message(AsyncMessagePDU)
    /// The replacement timeout that the kernel has, in seconds, as read right after a loss; -1 is for ever.
    case replacementTimeout(Int32)
    /// Events of this session may have been lost.
    case eventsLost
    /// What sysfs says of the session, as `observe` asked for.
    case observed(Observation)
    /// The session is not in the kernel any more.
    case sessionDestroyed
    /// A link, an address or a route came; how far the login has come that is under way.
    case networkRestored(ConnectProgress)
    /// What the network shows on the way to the portal; nil if there is nothing wrong with it.
    case networkFound(NetworkFinding?)
    /// Since when the target has answered nothing, a NOP-Out included; nil if it has answered again.
    case silenceFound(since: Instant?)
    /// Whether the target has answered is not known any more.
    case silenceUnknown
    /// `wakeTime` has come.
    case timerFired
    /// Settings are kept until the session is back, or were by an earlier supervisor.
    case settingsDeferred
    /// Somebody wants the session to end.
    case logOut
  }

  /// How far a login has come with its connection.
  public enum ConnectProgress: Hashable, Sendable {
    /// It has not begun to connect; or there is no login.
    case notBegun
    /// It has waited for its connection since then.
    case pending(since: Instant)
    /// It has, or had, its connection.
    case connected
  }

  /// How a session was found.
  public enum AdoptedState: Hashable, Sendable {
    /// Its connection is up: there is nothing to do, unless it was not scanned yet, or has devices that error handling
    /// gave up and nobody has revived.
    case up(isScanned: Bool, hasOffline: Bool = false)
    /// Its connection is not up.
    case failed
    /// It is to be removed; whether its connection is up, and whether its devices are gone already.
    case leaving(isConnected: Bool, isUnbound: Bool)
  }

  /// What sysfs says of a session.
  public enum Observation: Hashable, Sendable {
    /// The connection is up.
    case up
    /// It is in another state.
    case notUp
    /// There is no such session.
    case gone
  }

  /// What a supervisor wants done.
  public enum Action: Hashable, Sendable {
    /// Carry an operation out and report its end. None is under way.
    case perform(Operation)
    /// Break the operation off that is under way; its end is reported all the same.
    case cancelOperation
    /// Look at the session in sysfs, and report what is there.
    case observe
    /// Scan for logical units after a first login.
    case scan
    /// Read the devices again after a recovery, revive those that error handling gave up, and scan.
    case rescan
    /// Set what was kept until now.
    case applySettings
    /// Tell whoever wants to know.
    case notify(Notice)
  }

  /// What takes time and involves the kernel or the target.
  public enum Operation: Hashable, Sendable {
    /// Connect, make the session, log in and start it. A failure leaves nothing behind.
    case logIn(at: Portal, until: Instant)
    /// Stop the connection for recovery.
    case stop
    /// Connect, which may take no longer than the limit at each address, log in and start the stopped session.
    case relogIn(at: Portal, until: Instant, connectLimit: Duration)
    /// Remove the devices.
    case removeDevices
    /// Send a Logout Request and wait for the answer.
    case sayGoodbye
    /// Remove the session.
    case destroy

    /// Which operation this is.
    public var kind: OperationKind {
      switch self {
      case .logIn: .logIn
      case .stop: .stop
      case .relogIn: .relogIn
      case .removeDevices: .removeDevices
      case .sayGoodbye: .sayGoodbye
      case .destroy: .destroy
      }
    }
  }

  /// An operation without its arguments.
  public enum OperationKind: Hashable, Sendable, CaseIterable {
    /// A first login.
    case logIn
    /// A stop for recovery.
    case stop
    /// A login of a stopped session.
    case relogIn
    /// The removal of the devices.
    case removeDevices
    /// A Logout Request.
    case sayGoodbye
    /// The removal of the session.
    case destroy
  }

  /// How an operation ended.
  public enum OperationResult: Hashable, Sendable {
    /// As it should.
    case done
    /// The target sends us elsewhere. The session of a relogin has a socket, and must be stopped. How long the login
    /// waited for its turn does not count as the target's time.
    case redirected(LoginRedirect, waited: Duration = .zero)
    /// It did not work.
    case failed(OperationError.Cause)
    /// A relogin had no connection, so that the session is as it was: stopped.
    case notConnected(OperationError.Cause)
    /// A step of a logout did not go as it should, which keeps nothing from going on.
    case problem(LogoutReport.Problem)
  }

  /// What others may want to know.
  public enum Notice: Hashable, Sendable {
    /// The first login succeeded.
    case loggedIn
    /// A first login failed and is tried again.
    case loginDelayed(FailedAttempt)
    /// The first login failed for good; nothing is left of it.
    case loginFailed(OperationError.Cause)
    /// A session that was in the kernel is supervised now.
    case adopted
    /// The connection was lost, and recovery begins.
    case lost(LossCause)
    /// The connection was lost, and recovery begun, under an earlier supervisor; it goes on.
    case stillLost(LossCause)
    /// The network on the way to the portal is at fault.
    case diagnosed(NetworkFinding)
    /// This network device, which was at fault, is in order again, or packets to the portal do not leave through it any more.
    case networkWell(String)
    /// An attempt of recovery failed.
    case attemptFailed(FailedAttempt)
    /// The session is back.
    case recovered(Outage)
    /// The target sent us to this portal.
    case redirected(Portal)
    /// The target has moved for good to this portal, where a login has succeeded.
    case moved(Portal)
    /// The session is on its way out.
    case leaving
    /// The target sent an Asynchronous Message.
    case messageReceived(AsyncEvent)
    /// Recovery was given up.
    case gaveUp(Outage?)
    /// The session is logged out and gone.
    case loggedOut([LogoutReport.Problem])
    /// The logout waits for these disks, whose data is not with the target yet, for so long already.
    case removalDelayed(disks: [String], Duration)
    /// The session could not be removed; this is tried again.
    case removalFailed(OperationError.Cause)
    /// The devices could not be looked at as they should; some may be missing or offline.
    case scanFailed(OperationError.Cause)
    /// The target has not answered a NOP-Out yet.
    case silent
    /// It has answered after all, or is not asked any more.
    case answered
    /// A setting that was kept until the session was back could not be made: which, and why, in words.
    case settingFailed(String)
    /// The session ended without our doing.
    case vanished
  }
}

/// Why a session lost its connection.
public enum LossCause: Hashable, Sendable, CustomStringConvertible {
  /// The kernel failed the connection.
  case kernel(KernelErrorCode)
  /// The target asked for a logout, or said that it drops the connection, or asked for a negotiation, which is a new
  /// login here.
  case message(AsyncEvent)
  /// The connection was not up when the session was found.
  case foundFailed
  /// Events were lost, and sysfs shows that the connection is not up.
  case unseen

  /// The cause in words.
  public var description: String {
    switch self {
    case .kernel(let code): "the kernel reported \(code)"
    case .message(let event): "the target told: \(event)"
    case .foundFailed: "the connection was down when the session was found"
    case .unseen: "the connection is down; the kernel's report of it was lost"
    }
  }
}

/// What is wrong with the network device through which a portal is reached.
public struct NetworkFinding: Hashable, Sendable, CustomStringConvertible {
  /// The device's name.
  public let device: String
  /// What is wrong with it.
  public let cause: LinkCause

  /// Device and state.
  public var description: String { "\(device) is \(cause)" }
}

/// An attempt to log in that failed.
public struct FailedAttempt: Hashable, Sendable {
  /// Which attempt, from 1.
  public var number: Int
  /// Where it went.
  public var portal: Portal
  /// Why it failed.
  public var cause: OperationError.Cause
  /// When it failed.
  public var time: ContinuousClock.Instant
  /// When the next one is due; nil if there is none.
  public var nextAttempt: ContinuousClock.Instant?
}

/// An outage of a session: from the loss of its connection to its recovery.
public struct Outage: Hashable, Sendable {
  init(cause: LossCause, network: NetworkFinding? = nil, since: ContinuousClock.Instant) {
    self.cause = cause
    self.network = network
    self.since = since
  }

  /// Why the connection was lost.
  public var cause: LossCause
  /// What was wrong with the network, if that was found out.
  public var network: NetworkFinding?
  /// When this was known.
  public var since: ContinuousClock.Instant
  /// When the session was back; nil while it is not.
  public var end: ContinuousClock.Instant?
  /// How many attempts to log in have begun.
  public var attempts = 0
  /// Before this moment the first attempt does not begin: the target asked for a pause (RFC 7143, section 4.2.2.5.1, Time2Wait), or
  /// is to be spared; nil if neither.
  public var holdEnd: ContinuousClock.Instant?
  /// The last attempt that failed.
  public var lastFailure: FailedAttempt?
  /// When the next attempt is due; nil while one is under way.
  public var nextAttempt: ContinuousClock.Instant?
  /// The replacement timeout that the kernel's timer was started with at the loss, in seconds; -1 is for ever, nil if it
  /// is not known, or not when the timer was started. A timeout that is set later does not change it.
  ///
  /// That timer counts jiffies, which stand still while the machine is suspended, and our clock goes on (`CLOCK_BOOTTIME`): a deadline
  /// that is told before a suspend is early by its length. It is not corrected: the sum of all suspends says nothing about one outage
  /// without a reading of both clocks at its loss, which no earlier supervisor has kept, and a machine that wakes up logs in again
  /// before anybody looks.
  public var replacementTimeout: Int32?
}

/// The waits between attempts: none before the first, then doubled from a quarter of a second to three seconds, each
/// shortened by up to a half at random.
struct Backoff: Hashable, Sendable {
  static let first = Duration.milliseconds(250)
  static let longest = Duration.seconds(3)

  private var state: UInt64
  private var failures = 0

  init(seed: UInt64) { state = seed }

  /// Starts again with short waits.
  mutating func reset() { failures = 0 }

  /// The wait after one more failure.
  mutating func next() -> Duration {
    let full = min(Self.longest, Self.first * (1 << min(failures, 8)))
    failures += 1
    return full - full * Double(random() >> 11) / Double(1 << 54)
  }

  /// SplitMix64: 64 evenly spread bits.
  private mutating func random() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
