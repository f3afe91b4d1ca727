// SPDX-License-Identifier: Apache-2.0

extension SessionMachine {
  // MARK: - What the network tells

  /// The least time between attempts that the network gives rise to: there are networks that change all the time.
  static let earlyAttemptPause = Duration.milliseconds(250)

  /// How long a connection must have been waited for before a network that comes begins it anew. Until then TCP repeats its
  /// first segment by itself (RFC 6298, section 2: after a second); later its pauses double. Each time that one attempt begins
  /// anew, the next needs twice as long, so that a network that changes all the time does not keep a slow answer away.
  static let renewalAge = Duration.seconds(1)

  /// A link, address or route came: what could not be reached may be there now. Such an attempt is one more than those
  /// that are allowed, because it may well come too early.
  mutating func networkRestored(_ connect: ConnectProgress, at now: Instant) -> [Action] {
    switch phase {
    case .waitingToLogIn(let time):
      let allowed = earlyAttempt(at: now)
      guard allowed < time else { return [] }
      lastEarlyAttempt = allowed
      if allowed <= now { return logIn(at: now) }
      phase = .waitingToLogIn(until: allowed)
      return []
    case .waiting(let time):
      guard let earliest = hasten(time, at: now) else { return [] }
      if earliest <= now { return relogIn(at: now) }
      phase = .waiting(until: earliest)
      return []
    case .stopping, .waitingToStop:
      // The wait behind the stop is shorter then.
      if let time = outage?.nextAttempt { _ = hasten(time, at: now) }
      return []
    case .loggingIn, .reloggingIn: return hasten(connect, at: now)
    default: return []
    }
  }

  /// When the network may give rise to an attempt.
  func earlyAttempt(at now: Instant) -> Instant {
    max(now, lastEarlyAttempt.map { $0 + Self.earlyAttemptPause } ?? now)
  }

  /// Lets the attempt that is due at a time come as early as it may; nil if that is not before.
  private mutating func hasten(_ time: Instant, at now: Instant) -> Instant? {
    let earliest = max(earlyAttempt(at: now), holdEnd ?? now)
    guard earliest < time else { return nil }
    isNextAttemptEarly = true
    outage?.nextAttempt = earliest
    return earliest
  }

  /// Begins a connection anew that has waited for long: what it has sent went nowhere, and it will not be sent again soon.
  /// Otherwise it is remembered that a failure of this login says nothing of the network as it is now.
  private mutating func hasten(_ connect: ConnectProgress, at now: Instant) -> [Action] {
    guard ending == nil, !hasVanished, !isRenewalDue else { return [] }
    switch connect {
    case .notBegun: return []
    case .pending(let since) where now - since >= Self.renewalAge * (1 << min(renewals, 16)):
      isRenewalDue = true
      return [.cancelOperation]
    case .pending, .connected:
      hasNetworkNews = true
      return []
    }
  }

  /// A device without carrier is known long before the kernel's NOP-Outs go unanswered.
  mutating func networkFound(_ finding: NetworkFinding?, at now: Instant) -> [Action] {
    guard finding != network else { return [] }
    let former = network
    network = finding
    guard let finding else { return former.map { [.notify(.networkWell($0.device))] } ?? [] }
    // A reason that is known better does not make it younger.
    if former?.device != finding.device { networkSince = now }
    outage?.network = finding
    return [.notify(.diagnosed(finding))]
  }

  /// The target's silence is known before the kernel's patience is over.
  mutating func silenceFound(_ since: Instant?) -> [Action] {
    guard phase == .up, ending == nil else { return [] }
    defer { silentSince = since }
    switch (silentSince, since) {
    case (nil, .some): return [.notify(.silent)]
    case (.some, nil): return [.notify(.answered)]
    default: return []
    }
  }
}

extension OperationError.Cause {
  /// Whether a network that was not there can be the reason of a failed login, or that it was broken off.
  var mayBeTheNetwork: Bool {
    switch self {
    case .transport, .pdu, .connectionLost, .cancelled: true
    case .kernel(.cancelled), .login(.timedOut), .login(.connectionClosed): true
    default: false
    }
  }
}
