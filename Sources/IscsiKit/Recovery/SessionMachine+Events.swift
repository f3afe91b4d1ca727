// SPDX-License-Identifier: Apache-2.0

extension SessionMachine {
  // MARK: - What the kernel tells

  mutating func connectionFailed(_ code: KernelErrorCode, at now: Instant) -> [Action] {
    if code == .invalidHost { return hostIsGoing() }
    switch phase {
    case .up: return lose(.kernel(code), at: now)
    case .loggingIn, .reloggingIn:
      // The login notices it too, unless it has just succeeded; then sysfs tells.
      isInDoubt = true
      return []
    case .removingDevices:
      isConnected = false
      return []
    // A logout ends so, and a stopped connection has nothing more to lose.
    default: return []
    }
  }

  /// Nothing can be recovered on a host that goes away.
  private mutating func hostIsGoing() -> [Action] {
    guard ending == nil else { return [] }
    switch phase {
    case .new, .waitingToLogIn: return []
    case .loggingIn:
      // A login that fails leaves nothing; of one that has just succeeded, sysfs tells.
      isInDoubt = true
      return []
    default: break
    }
    ending = .hostGone
    return operation == nil ? tearDown() : [.cancelOperation]
  }

  /// How long after an error the kernel may still show the connection as up: it stops it in the background.
  static let secondLookDelay = Duration.seconds(2)

  /// Something may have been lost: sysfs is looked at, at once or when the operation has ended, and once more when the
  /// kernel has had time to show what it was.
  mutating func doubt(at now: Instant) -> [Action] {
    switch phase {
    case .new, .waitingToLogIn: return []
    default: break
    }
    guard operation == nil else {
      isInDoubt = true
      return []
    }
    return look(at: now)
  }

  mutating func resolveDoubt(at now: Instant) -> [Action] {
    defer { isInDoubt = false }
    return isInDoubt ? look(at: now) : []
  }

  private mutating func look(at now: Instant) -> [Action] {
    if phase == .up { secondLook = now + Self.secondLookDelay }
    return [.observe]
  }

  mutating func observed(_ state: Observation, at now: Instant) -> [Action] {
    switch state {
    case .up: return []
    case .notUp: return phase == .up ? lose(.unseen, at: now) : []
    case .gone:
      switch phase {
      case .new, .loggingIn, .waitingToLogIn: return []
      default: break
      }
      guard operation == nil else {
        hasVanished = true
        return [.cancelOperation]
      }
      return vanish()
    }
  }

  /// The kernel starts its timer when it blocks the session, which is when it reports the loss, or when we stop the
  /// connection because of what the target told. When a loss was found later, nobody knows when that was.
  mutating func foundReplacementTimeout(_ seconds: Int32) -> [Action] {
    switch outage?.cause {
    case .kernel, .message: outage?.replacementTimeout = seconds
    case .foundFailed, .unseen, nil: break
    }
    return []
  }

  // MARK: - What the target tells

  /// The longest pause that a target is granted: the most that RFC 7143, section 13.15, allows for DefaultTime2Wait.
  static let longestHold = Duration.seconds(3600)

  mutating func received(_ message: AsyncMessagePDU, at now: Instant) -> [Action] {
    switch phase {
    case .up:
      if let farewell = follow(message, at: now) { return [.notify(.messageReceived(message.event))] + farewell }
      return note(message.event, at: now) + (message.announcesChangedUnits && policy.scansForUnits ? [.rescan] : [])
    case .loggingIn, .reloggingIn:
      // The session is started, which is told by the end of the operation. What came last is what holds.
      if message.endsConnection { pendingMessage = message }
    case .leaving, .stopping, .waitingToStop:
      if message.endsConnection { hold(for: message.pause, from: now) }
    default: break
    }
    return note(message.event, at: now)
  }

  /// Does what a message wants by which the target ends the connection; nil if it is none.
  private mutating func follow(_ message: AsyncMessagePDU, at now: Instant) -> [Action]? {
    guard message.endsConnection else { return nil }
    guard message.event == .logoutRequested else {
      hold(for: message.pause, from: now)
      return lose(.message(message.event), at: now)
    }
    phase = .leaving
    // On record before the Logout Request is sent, see `isGoodbyeUnfinished`. The kernel's timer does not run before the stop.
    outage = Outage(cause: .message(.logoutRequested), network: network, since: now)
    return [.perform(.sayGoodbye)]
  }

  /// Does what the target has asked for since the session was started, before that was known; nil if there is nothing.
  mutating func followPendingMessage(at now: Instant) -> [Action]? {
    defer { pendingMessage = nil }
    return pendingMessage.flatMap { follow($0, at: now) }
  }

  /// Tells of a message that does not end the connection. A target that sends them without end must not drive everything
  /// else out of log and events.
  private mutating func note(_ event: AsyncEvent, at now: Instant) -> [Action] {
    var budget = messageBudget ?? TokenBucket(burst: 20, perSecond: 1, at: now)
    defer { messageBudget = budget }
    return budget.take(at: now) == nil ? [.notify(.messageReceived(event))] : []
  }

  private mutating func hold(for pause: Duration, from now: Instant) {
    guard pause > .zero else { return }
    holdEnd = max(holdEnd ?? now, now + min(pause, Self.longestHold))
    outage?.holdEnd = holdEnd
  }

  /// Keeps a pause that an earlier supervisor has left. What stands in a file is no reason to wait for longer than a target
  /// may ask for.
  mutating func grantHold(_ end: Instant?, at now: Instant) { holdEnd = end.map { min($0, now + Self.longestHold) } }

  // MARK: - The way out

  mutating func logOut() -> [Action] {
    guard ending == nil else { return [] }
    ending = .logout
    switch phase {
    // How the session begins is not known yet: it ends as soon as it is.
    case .new: return []
    case .waitingToLogIn: return leaveUnmade()
    case .loggingIn, .reloggingIn: return [.cancelOperation]
    // These end soon by themselves, and what follows looks at `ending`.
    case .leaving, .stopping: return []
    default: return tearDown()
    }
  }

  /// Ends the session, which no operation is under way for.
  mutating func tearDown() -> [Action] {
    if ending == .logout {
      phase = .removingDevices
      return [.notify(.leaving), .perform(.removeDevices)]
    }
    phase = .destroying
    return [.perform(.destroy)]
  }

  /// Stops a connection over which the target was told goodbye, and then removes the devices: before the stop the kernel holds
  /// their flushes back, and nothing ends them.
  mutating func stopBeforeLogout() -> [Action] {
    isConnected = false
    phase = .stopping
    return [.perform(.stop)]
  }

  mutating func devicesRemoved(_ result: OperationResult) -> [Action] {
    note(result)
    guard isConnected else {
      problems.append(.notConnected)
      phase = .destroying
      return [.perform(.destroy)]
    }
    phase = .sayingGoodbye
    return [.perform(.sayGoodbye)]
  }

  mutating func saidGoodbye(_ result: OperationResult, at now: Instant) -> [Action] {
    isConnected = false
    if phase == .leaving {
      // A new login is another logout for the target, which has not done this one.
      if case .problem(.refused(.refused(_, let pause))) = result { hold(for: .seconds(pause), from: now) }
      switch ending {
      case nil: return lose(.message(.logoutRequested), at: now)
      case .logout: return stopBeforeLogout()
      case .gaveUp, .hostGone: return tearDown()
      }
    }
    note(result)
    phase = .destroying
    return [.perform(.destroy)]
  }

  mutating func destroyed(_ result: OperationResult, at now: Instant) -> [Action] {
    if case .failed(let cause) = result {
      // Somebody else was faster.
      if cause == .noSession { return vanish() }
      isRemovalUnderWay = true
      phase = .waitingToDestroy(until: now + backoff.next())
      return [.notify(.removalFailed(cause))]
    }
    phase = .gone
    return [.notify(endNotice)]
  }

  /// How a session has ended that we have removed.
  private var endNotice: Notice {
    switch ending {
    case .logout: .loggedOut(problems)
    case .gaveUp: .gaveUp(outage)
    case .hostGone, nil: .vanished
    }
  }

  /// The session is not in the kernel any more, and it was not us who removed it; or it was, and took longer than it was
  /// waited for.
  mutating func vanish() -> [Action] {
    phase = .gone
    return [.notify(isRemovalUnderWay ? endNotice : .vanished)]
  }

  private mutating func note(_ result: OperationResult) {
    if case .problem(let problem) = result { problems.append(problem) }
  }
}

extension AsyncMessagePDU {
  /// Whether our connection ends by it. There is one here, and its CID is 0; a negotiation is a new login.
  fileprivate var endsConnection: Bool {
    switch event {
    case .logoutRequested, .sessionDropped, .negotiationRequested: true
    case .connectionDropped: parameter1 == 0
    default: false
    }
  }

  /// For how long the target does not want to see us after it has dropped the connection (Time2Wait).
  fileprivate var pause: Duration {
    switch event {
    case .connectionDropped, .sessionDropped: .seconds(parameter2)
    default: .zero
    }
  }
}

extension OperationError.Cause {
  /// Whether the same login may work later without anybody changing a setting: what open-iscsi tries again.
  public var isTransient: Bool {
    switch self {
    case .login(let failure): failure.isTransient
    case .transport(let error): error.isTransient
    case .kernel(let error): error.isTransient
    case .pdu, .connectionLost: true
    default: false
    }
  }
}

extension TransportError {
  /// Whether the network may give another answer later, or may have by then what the connection is to be bound to: while a machine
  /// starts its devices and addresses come one by one.
  fileprivate var isTransient: Bool {
    switch self {
    case .noSuchDevice, .noSuchHardwareAddress, .sourceNotLocal: true
    default: exitStatus == .transport || exitStatus == .transportTimeout
    }
  }
}

extension KernelError {
  /// Whether the kernel may answer in time later: it does one request at a time, whoever asks, and some of others' take long.
  fileprivate var isTransient: Bool {
    switch self {
    case .timedOut, .notSent, .overrun: true
    default: false
    }
  }
}
