// SPDX-License-Identifier: Apache-2.0

// What the session goes through, and what follows for I/O.

extension DiagnosisRule {
  static let targetSilent = DiagnosisRule("target-silent", "the target does not answer a NOP-Out") { evidence in
    guard let session = evidence.session, case .suspect(.silence(let since)) = evidence.status.state else { return nil }
    let timeout = session.connection?.noopTimeout.map { " for \($0) s" } ?? ""
    return Match(
      .warning, "the target at \(evidence.portalText) answers nothing: it hangs, or the network loses what is sent",
      evidence: [
        "the last answer came \(evidence.distance(to: since))",
        "the kernel waits\(timeout) for the answer to its NOP-Out, gives the connection up then, and it is logged in again",
      ], remedy: .advice("look at the target, and at the network between; nothing of it is lost while I/O waits"))
  }

  static let ioStuck = DiagnosisRule("io-stuck", "I/O hangs, and no NOP-Out notices") { evidence in
    guard let session = evidence.session, evidence.isUnwatched else { return nil }
    let stuck = evidence.devices.compactMap { device in device.stall.map { (device, $0) } }
    guard let first = stuck.first else { return nil }
    let limit = first.0.snapshot.timeout.map { " for \($0) s" } ?? " for the device timeout"
    return Match(
      // A flush or an UNMAP of a target that lives may take as long.
      .warning,
      "I/O of \(first.0.name) does not end: should the target hang, or the network lose what is sent, nothing notices yet without "
        + "NOP-Outs",
      evidence: stuck.map { device, stall in
        let requests = "\(stall.requests) request\(stall.requests == 1 ? " is" : "s are")"
        return "\(requests) with \(device.name), and in \(Int(stall.seconds)) s none has ended"
      } + [
        session.checkText,
        evidence.recovery?.noopsIdle == true ? "they were off, and the kernel starts their timer with a login" : nil,
        "SCSI error handling begins when a command has waited\(limit)",
      ],
      remedy: evidence.vitalUses.isEmpty && session.isChecked == false
        ? .command(
          "iscsi-admin set \(session.id) noop-interval=5 noop-timeout=5",
          "notices the next one within seconds, from the next login on; for this one, look at the target and the network"
        )
        : .advice("look at the target, and at the network between; nothing is lost while I/O waits"))
  }

  static let errorHandler = DiagnosisRule("error-handler", "SCSI error handling is at work") { evidence in
    guard let session = evidence.session, let host = session.host, host.isHandlingErrors else { return nil }
    let timers = evidence.devices.compactMap { device in
      device.snapshot.timeout.map { "\(device.name) gives a command \($0) s before error handling begins" }
    }
    return Match(
      .problem, "commands ran out of time, and SCSI error handling aborts them and resets devices; I/O waits meanwhile",
      evidence: ["host \(host.number) is in state \(host.state ?? "")"] + timers + [
        session.resetTimes.map {
          "an abort may take \($0.abort) s, a reset of a unit \($0.unit) s, of the target \($0.target) s"
        }
      ],
      remedy: .advice(
        "wait: error handling ends by itself, with a new login if nothing else helps; "
          + "if it comes back, the target or the network is too slow or loses packets"))
  }

  static let ioFails = DiagnosisRule("io-fails", "the replacement timeout ran out") { evidence in
    guard let session = evidence.session, case .failingIO(let since, _) = evidence.status.state else { return nil }
    let names = evidence.devices.map(\.name).joined(separator: ", ")
    return Match(
      .problem, "the session was away for longer than its replacement timeout, and I/O fails",
      evidence: [
        "session \(session.id) is FREE", since.map { "I/O fails since \(evidence.distance(to: $0))" },
        evidence.replacementText(of: session),
        names.isEmpty ? nil : "its devices are \(names)",
      ],
      remedy: .advice(
        "bring the target back: the next login revives the devices; a file system that saw errors must be mounted anew")
    )
  }

  static let devicesOffline = DiagnosisRule("devices-offline", "the session is up, and devices are not") { evidence in
    guard evidence.isUp, let session = evidence.session else { return nil }
    let offline = evidence.devices.filter(\.snapshot.isOffline)
    guard !offline.isEmpty else { return nil }
    return Match(
      .problem, "error handling has given up devices of a session that is up, and their I/O fails",
      evidence: offline.map { "\($0.name) is \($0.snapshot.state ?? "")" },
      remedy: .command("iscsi-admin session rescan \(session.id)", "revives them"))
  }

  /// How long, in seconds, the removal of disks takes that is not worth a word.
  private static let quickRemoval = 10.0

  static let logoutWaits = DiagnosisRule(
    "logout-waits", "a logout waits until the target has what disks have not written"
  ) {
    evidence in
    guard case .loggingOut(let since?) = evidence.status.state, evidence.now - since >= quickRemoval else { return nil }
    return Match(
      evidence.isUp ? .note : .warning,
      evidence.isUp
        ? "the logout waits for the target, which takes what is not written yet before the disks go"
        : "the logout waits for disks whose session has no connection: what is not written yet will be lost",
      evidence: [
        "the removal of the disks began \(evidence.distance(to: since))",
        evidence.portal.map { "the connection to \($0.address) is \(evidence.isUp ? "up" : "lost")" },
      ],
      remedy: .command(
        "grep -E 'Dirty|Writeback:' /proc/meminfo",
        evidence.isUp
          ? "shows how much all disks have left to write; the logout ends by itself when this one's is written"
          : "shows how much all disks have left to write; the logout ends by itself, half a minute after the loss"))
  }

  static let retryClock = DiagnosisRule("retry-clock", "the session is being logged in again") { evidence in
    guard let outage = evidence.outage, !evidence.isUp else { return nil }
    let next = outage.nextAttempt.map { "the next is due \(evidence.distance(to: $0))" } ?? "one is under way"
    let deadline: String? =
      if let time = outage.deadline {
        time > evidence.now
          ? "I/O waits, and begins to fail \(evidence.distance(to: time))"
          : "I/O began to fail \(evidence.distance(to: time))"
      } else if outage.replacementTimeout == -1 {
        "I/O waits for ever: there is no replacement timeout"
      } else {
        nil
      }
    let attempts = "\(outage.attempts) attempt\(outage.attempts == 1 ? "" : "s")"
    return Match(
      .note, "the daemon logs the session in again: \(attempts) so far, \(next)",
      evidence: ["lost \(evidence.distance(to: outage.since)): \(outage.cause)", evidence.failureText, deadline])
  }

  /// How many losses of this kind, in how many seconds, are no accident any more.
  private static let reinstatements = (count: 4, within: 600.0)
  /// The kernel's error for a connection that the other side closed (`ISCSI_ERR_TCP_CONN_CLOSE`).
  private static let closedByTarget: UInt32 = 1020

  static let reinstated = DiagnosisRule(
    "initiator-name-twice", "another machine with the same initiator name takes the session over"
  ) { evidence in
    let closed = evidence.losses.filter {
      $0.kernelError == closedByTarget && evidence.now - $0.time <= reinstatements.within
    }
    guard let session = evidence.session, closed.count >= reinstatements.count else { return nil }
    return Match(
      .warning, "the target closes the connection again and again, as it does when another machine logs in by our name",
      evidence: [
        "it closed the connection \(closed.count) times in the last \(Int(reinstatements.within / 60)) minutes",
        session.initiatorName.map { "our name is \($0)" },
      ],
      remedy: .command(
        "iscsi-admin initiator-name",
        "shows our name; if another machine has it too, let the target's access list take a new one for it, and then there: "
          + "iscsi-admin initiator-name --generate --write --force, and restart its daemon"))
  }

  static let duplicate = DiagnosisRule("duplicate-session", "two sessions have one way to the target") { evidence in
    guard let session = evidence.session, let portal = session.connection?.persistentPortal else { return nil }
    let twins = evidence.others.filter { other in
      other.targetName == session.targetName && other.connection?.persistentPortal?.address == portal.address
        && other.interfaceName == session.interfaceName && other.host?.ipAddress == session.host?.ipAddress
    }
    // As many as are wanted stay, the older ones: told of all, somebody might end all.
    guard twins.count(where: { $0.id < session.id }) >= evidence.sessionCount else { return nil }
    let ids = twins.map(\.id.description).joined(separator: ", ")
    let isUsed = evidence.devices.contains { !$0.uses.isEmpty || $0.multipath != nil }
    return Match(
      .warning, "session \(ids) is to the same target at the same portal, and no path of its own",
      evidence: [
        "both go to \(portal.address), by interface \(session.interfaceName ?? "-")",
        "\(evidence.sessionCount) such session\(evidence.sessionCount == 1 ? " is" : "s are") wanted",
      ],
      remedy: isUsed
        ? .advice("let go of this session's disks, which are in use, before it is ended")
        : .command(
          "iscsi-admin logout \(session.id)", "ends this one; nothing may use its disks, as they are or by a volume"))
  }
}

extension Evidence {
  /// The replacement timeout by which I/O fails: that of the loss, which a later one does not change.
  fileprivate func replacementText(of session: SessionSnapshot) -> String? {
    let words = { (seconds: Int32?) in seconds.flatMap { TimeoutValue(number: $0) }.map(Timeout.replacement.words) }
    if let then = words(outage?.replacementTimeout) { return "the replacement timeout was \(then) at the loss" }
    return words(session.replacementTimeout).map { "the replacement timeout is \($0) now" }
  }

  /// What the session goes through.
  public var status: SessionStatus { SessionStatus(session, recovery.flatMap { SupervisionFacts($0) }, at: now) }
}

extension SessionSnapshot {
  /// How long the steps of error handling may take, in seconds; nil unless all are known.
  var resetTimes: (abort: Int32, unit: Int32, target: Int32)? {
    guard let abortTimeout, let luResetTimeout, let targetResetTimeout else { return nil }
    return (abortTimeout, luResetTimeout, targetResetTimeout)
  }
}
