// SPDX-License-Identifier: Apache-2.0

/// What a session is going through, and what that means for I/O: by what the kernel shows, and what the daemon knows
/// besides, if there is one.
public struct SessionStatus: Hashable, Sendable {
  /// A device of the session, and what becomes of its I/O.
  public struct Device: Hashable, Sendable {
    /// The device.
    public let device: DeviceSnapshot
    /// What becomes of its I/O; nil for a device that is not in use yet, or in a state that we do not know.
    public let io: IOState?
  }

  /// What the session is going through.
  public let state: RecoveryState
  /// What becomes of I/O: the worst of what its devices tell; nil if they tell nothing, or there are none.
  public let io: IOState?
  /// The devices, by LUN.
  public let devices: [Device]
  /// Whether the daemon is known to see to the session's recovery.
  public let isSupervised: Bool

  /// Derives a session's state.
  ///
  /// | session | target | connection | host | devices | state | I/O |
  /// | --- | --- | --- | --- | --- | --- | --- |
  /// | none | | | | | gone | |
  /// | any | unbinding, unbound | | | | logging out | as the devices |
  /// | LOGGED_IN | | none, down | | | logging out | fails |
  /// | LOGGED_IN | | failed | | | recovering | waits |
  /// | LOGGED_IN | | up, bound | recovery | | error handling | waits |
  /// | LOGGED_IN | | up, bound | | one not running | devices stopped | as the devices |
  /// | LOGGED_IN | | up, bound | | | operational; recovering if the daemon says so | flows; waits |
  /// | FAILED | | | recovery | blocked | error handling | waits |
  /// | FAILED | | | | blocked | recovering | waits |
  /// | FREE | ALLOCATED | | | none | logging in | |
  /// | FREE | not shown | none, down, bound | | none | logging in | |
  /// | FREE | | | | transport-offline | failing I/O | fails |
  ///
  /// The daemon's word decides where the kernel's has two meanings: a logout shows in the kernel only when it has come
  /// to the devices, and a first login that is redirected makes a session FAILED. And the daemon alone knows since when
  /// and why a session is away, what is done about it, and until when I/O waits: the kernel does not show its timer, and
  /// the replacement timeout that it shows may be a later one. A session that is up for both, but whose network device
  /// is known to be away, or whose target does not answer a NOP-Out, is suspect.
  ///
  /// - Parameters:
  ///   - session: What the kernel shows; nil if there is no such session. The timers of error handling are in
  ///     a full snapshot only, all else is in a summary.
  ///   - facts: What the daemon knows; nil without one, and of a session that it does not supervise.
  ///   - now: The time of day in seconds since 1970: a deadline that lies in the future does not tell when I/O began to
  ///     fail.
  public init(_ session: SessionSnapshot?, _ facts: SupervisionFacts? = nil, at now: Double) {
    isSupervised = facts != nil
    guard let session else {
      (state, io, devices) = (.gone, nil, [])
      return
    }
    state = Self.state(of: session, facts, at: now)
    let isHeldUp =
      switch state {
      case .suspect, .recovering: true
      default: false
      }
    devices = session.devices.map { device in
      let io = Self.io(of: device, in: session, facts?.outage?.deadline)
      // For the kernel it flows, but nothing answers.
      return Device(device: device, io: io == .flows && isHeldUp ? .waits(facts?.outage?.deadline) : io)
    }
    io = IOState.worst(devices.compactMap(\.io))
  }

  private static func state(of session: SessionSnapshot, _ facts: SupervisionFacts?, at now: Double) -> RecoveryState {
    if facts?.phase == .loggingOut || session.isLeaving { return .loggingOut(removingSince: facts?.removingSince) }
    switch session.state {
    case nil: return .unknown
    case .loggedIn: return stateOfLoggedIn(session, facts, at: now)
    case .failed:
      if facts?.phase == .loggingIn { return .loggingIn }
      return session.isHandlingErrors ? .errorHandling(session.devices, facts?.outage) : .recovering(facts?.outage)
    case .free:
      if facts.map({ $0.phase == .loggingIn }) ?? session.seemsNew { return .loggingIn }
      let end = facts?.outage?.deadline?.time
      return .failingIO(since: end.flatMap { $0 <= now ? $0 : nil }, facts?.outage)
    }
  }

  private static func stateOfLoggedIn(
    _ session: SessionSnapshot, _ facts: SupervisionFacts?, at now: Double
  ) -> RecoveryState {
    if session.connection?.state == .failed { return .recovering(facts?.outage) }
    if session.isHandlingErrors { return .errorHandling(session.devices, facts?.outage) }
    let stopped = session.devices.filter(\.isStopped)
    if !stopped.isEmpty { return .devicesStopped(stopped) }
    // The target is being told goodbye, and the kernel holds all commands back; or it does not show the loss yet.
    if facts?.phase == .recovering { return .recovering(facts?.outage) }
    guard let facts, facts.phase == .up else { return .operational }
    if let network = facts.network { return .suspect(.network(network, since: facts.networkSince)) }
    return facts.silentSince.map { .suspect(.silence(since: $0)) } ?? .operational
  }

  /// What becomes of a device's I/O (kernel: `scsi_device_online`, `scsi_queue_rq`, `iscsi_session_chkready`).
  private static func io(
    of device: DeviceSnapshot, in session: SessionSnapshot, _ deadline: IODeadline?
  ) -> IOState? {
    switch device.kernelState {
    case .offline, .transportOffline, .cancel, .deleted: return .fails
    case .blocked, .createdBlocked: return .waits(session.isLost ? deadline : nil)
    case .quiesce: return .waits(nil)
    case .created, nil: return nil
    case .running: break
    }
    switch session.state {
    case .failed: return .waits(deadline)
    case .free: return .fails
    case .loggedIn where session.isStoppedForGood: return .fails
    case .loggedIn where session.isLost: return .waits(deadline)
    case .loggedIn: return session.isHandlingErrors ? .waits(nil) : .flows
    case nil: return nil
    }
  }
}

extension SessionSnapshot {
  /// Whether SCSI error handling is at work on its host.
  fileprivate var isHandlingErrors: Bool { host?.isHandlingErrors ?? false }

  /// Whether its connection is lost, whether or not the session shows it yet.
  fileprivate var isLost: Bool { state == .failed || state == .loggedIn && connection?.state == .failed }

  /// Whether its connection was stopped for good, or is gone: what is done before a session is removed.
  fileprivate var isStoppedForGood: Bool { connection.map { $0.state == .down } ?? true }

  /// Whether the kernel shows that it is being logged out.
  fileprivate var isLeaving: Bool {
    targetState == .unbinding || targetState == .unbound || state == .loggedIn && isStoppedForGood
  }

  /// Whether nothing shows that it was ever logged in. A first login that is sent elsewhere has a failed connection; what was
  /// in use has been scanned, which kernels before 6.3 do not show.
  fileprivate var seemsNew: Bool {
    devices.isEmpty && (targetState == .allocated || targetState == nil && connection?.state != .failed)
  }
}

extension DeviceSnapshot {
  /// Whether its I/O does not go to the target, though it is there to be used.
  fileprivate var isStopped: Bool {
    switch kernelState {
    case .blocked, .createdBlocked, .quiesce, .offline, .transportOffline: true
    case .created, .running, .cancel, .deleted, nil: false
    }
  }
}
