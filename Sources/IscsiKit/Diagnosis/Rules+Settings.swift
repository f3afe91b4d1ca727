// SPDX-License-Identifier: Apache-2.0

// What is set against what is best, or works against itself. Nothing of it hurts while all goes well.

extension DiagnosisRule {
  /// The shortest replacement timeout, in seconds, with which a machine outlives a switch or a target that restarts.
  private static let shortForRoot: Int32 = 3600
  /// The longest replacement timeout, in seconds, after which multipath still takes another path in good time.
  private static let longForMultipath: Int32 = 30
  /// What a profile does.
  private static let keeps = "sets all timeouts to fit; with --persist over reboots, too"
  /// The shortest replacement timeout, in seconds, that a disk without another path should have.
  private static let shortForSinglePath: Int32 = 60

  static let checkOffOnMultipath = DiagnosisRule(
    "noop-off-on-multipath", "a path of a multipath map is not watched"
  ) { evidence in
    guard let session = evidence.session, session.isChecked == false, let path = evidence.paths.first,
      let map = path.multipath?.map
    else { return nil }
    return Match(
      .warning,
      "NOP-Outs are off on a path of multipath, so that a dead path is noticed by commands that time out only",
      evidence: ["\(path.name) is a path of \(map)", session.checkText],
      remedy: .command("iscsi-admin tune --profile multipath \(session.id)", keeps))
  }

  static let checkOnRoot = DiagnosisRule("noop-on-for-root", "root or swap depend on NOP-Outs in time") { evidence in
    guard let session = evidence.session, session.isChecked == true, let use = evidence.vitalUses.first else {
      return nil
    }
    return Match(
      .warning,
      "NOP-Outs are on for a disk that this machine cannot do without; a slow answer drops the session for nothing",
      evidence: [use.description, session.checkText],
      remedy: .command("iscsi-admin tune --profile diskless \(session.id)", keeps))
  }

  static let shortWaitOfRoot = DiagnosisRule("short-wait-for-root", "root or swap fail after a short outage") {
    evidence in
    guard let session = evidence.session, let seconds = session.replacementTimeout, let use = evidence.vitalUses.first,
      (0..<shortForRoot).contains(seconds)
    else { return nil }
    return Match(
      .warning, "I/O of a disk that this machine cannot do without fails after an outage of \(seconds) s",
      evidence: [use.description, "the replacement timeout is \(seconds) s, and there is no other path"],
      remedy: .command("iscsi-admin tune --profile diskless \(session.id)", keeps))
  }

  static let longWaitOnMultipath = DiagnosisRule(
    "long-wait-on-multipath", "multipath waits long before it takes another path"
  ) { evidence in
    guard let session = evidence.session, let seconds = session.replacementTimeout, let path = evidence.paths.first,
      let map = path.multipath?.map, seconds < 0 || seconds > longForMultipath
    else { return nil }
    let length = seconds < 0 ? "for ever" : "\(seconds) s"
    return Match(
      .warning, "I/O of a dead path waits \(length) before multipath takes another one",
      evidence: [
        "\(path.name) is a path of \(map)",
        "the replacement timeout is \(seconds < 0 ? "off" : "\(seconds) s"); I/O that is under way stays with the path until then",
      ],
      remedy: .command("iscsi-admin tune --profile multipath \(session.id)", keeps))
  }

  static let shortWaitWithoutMultipath = DiagnosisRule(
    "short-wait-without-multipath", "I/O fails soon, and there is no other path"
  ) { evidence in
    let single = evidence.devices.filter { $0.multipath == nil && $0.snapshot.blockDevice != nil }
    guard let session = evidence.session, let seconds = session.replacementTimeout, let disk = single.first,
      // Of a session that is a path of multipath too, that one's needs come first.
      (0..<shortForSinglePath).contains(seconds), evidence.vitalUses.isEmpty, evidence.paths.isEmpty
    else { return nil }
    return Match(
      .warning, "I/O fails after an outage of \(seconds) s, though there is no multipath that could take another path",
      evidence: ["\(disk.name) is a path of no multipath map", "the replacement timeout is \(seconds) s"],
      remedy: .command("iscsi-admin set \(session.id) replacement-timeout=120"))
  }

  static let queueing = DiagnosisRule("multipath-queueing", "what happens when all paths are gone") { evidence in
    guard let path = evidence.paths.first, let multipath = path.multipath, let queues = multipath.queues else {
      return nil
    }
    let seconds = evidence.session?.replacementTimeout
    let wait = seconds.map { $0 < 0 ? "for ever" : "\($0) s" }
    return queues
      ? Match(
        .note, "with all paths gone, \(multipath.map) queues I/O, whatever the replacement timeout is",
        evidence: ["\(multipath.map) has queue_if_no_path", wait.map { "each path waits \($0) before that" }])
      : Match(
        .note,
        "with all paths gone, I/O of \(multipath.map) fails when "
          + (wait.map { "the last path has waited \($0)" } ?? "the replacement timeout of the last path is over"),
        evidence: [
          "\(multipath.map) does not queue I/O without a path", wait.map { "the replacement timeout is \($0)" },
        ])
  }

  static let deviceTimeout = DiagnosisRule(
    "device-timeout-short", "commands time out before error handling could have helped"
  ) { evidence in
    guard let session = evidence.session, let times = session.resetTimes else { return nil }
    let sum = Int64(times.abort) + Int64(times.unit) + Int64(times.target)
    // Kernel and records come with such timeouts, and what nobody has set is not to be told at every session.
    let areUsual = [(times.abort, Timeout.abort), (times.unit, .luReset), (times.target, .targetReset)].allSatisfy {
      Int64($0) == $1.details.standard.number
    }
    let short = evidence.devices.filter { device in
      guard device.snapshot.blockDevice != nil, let timeout = device.snapshot.timeout else { return false }
      return Int64(timeout) < sum && !(areUsual && Int64(timeout) == Timeout.device.details.standard.number)
    }
    guard let device = short.first, let timeout = device.snapshot.timeout else { return nil }
    return Match(
      .note, "the abort and the resets may take longer than the command that they are to rescue",
      evidence: [
        "a command to \(device.name) may take \(timeout) s",
        "its abort may take \(times.abort) s, the reset of its unit \(times.unit) s, and that of the target \(times.target) s: "
          + "\(sum) s",
      ],
      remedy: .command(
        "iscsi-admin set \(session.id) device-timeout=\(min(sum, Int64(Timeout.longest)))",
        "the daemon keeps it, also for disks that it finds later"))
  }

  static let idleCheck = DiagnosisRule("noop-idle", "NOP-Outs are switched on and may not be sent") { evidence in
    guard let session = evidence.session, session.isChecked == true, evidence.isUp, evidence.recovery?.noopsIdle == true
    else { return nil }
    return Match(
      .warning, "NOP-Outs are switched on, and the kernel may send none before the next login",
      evidence: ["they were off, and the kernel starts their timer with a login", session.checkText],
      remedy: .advice(
        "log out and in again when nothing uses the disks; until then a target that falls silent is noticed by commands "
          + "that time out"))
  }

  static let halfCheck = DiagnosisRule("noop-half-off", "NOP-Outs are half switched off") { evidence in
    guard let session = evidence.session, let interval = session.connection?.noopInterval,
      let timeout = session.connection?.noopTimeout, (interval == 0) != (timeout == 0)
    else { return nil }
    return Match(
      .warning, "of the interval and the timeout of NOP-Outs one is set and the other is off, which checks nothing",
      evidence: [session.checkText],
      remedy: .command("iscsi-admin set \(session.id) noop-interval=5 noop-timeout=5", "or 0 and 0"))
  }

  static let slowCheck = DiagnosisRule("noop-slower-than-device", "NOP-Outs notice less than commands do") { evidence in
    guard let session = evidence.session, session.isChecked == true,
      let interval = session.connection?.noopInterval, let timeout = session.connection?.noopTimeout
    else { return nil }
    let sum = UInt64(interval) + UInt64(timeout)
    let timers = evidence.devices.compactMap { device in device.snapshot.timeout.map { (device.name, $0) } }
    guard let (name, seconds) = timers.min(by: { $0.1 < $1.1 }), UInt64(seconds) <= sum else { return nil }
    return Match(
      .warning,
      "a command times out before a NOP-Out can tell that the target is away, and error handling begins for nothing",
      evidence: [session.checkText, "a command to \(name) may take \(seconds) s"],
      remedy: .command("iscsi-admin set \(session.id) \(fit(below: seconds))"))
  }

  /// Settings with which NOP-Outs notice a dead target before a command of so many seconds does: theirs if there is a pair
  /// that is shorter, or else the command's.
  private static func fit(below seconds: UInt32) -> String {
    switch seconds {
    case 0..<3: "\(Timeout.device)=\(Timeout.device.details.standard)"
    case 3...10:
      "\(Timeout.noopInterval)=\((seconds - 1) / 2) \(Timeout.noopTimeout)=\(seconds - 1 - (seconds - 1) / 2)"
    default: "\(Timeout.noopInterval)=5 \(Timeout.noopTimeout)=5"
    }
  }
}

extension SessionSnapshot {
  /// Whether NOP-Outs watch the connection; nil if the kernel does not tell.
  var isChecked: Bool? {
    guard let interval = connection?.noopInterval, let timeout = connection?.noopTimeout else { return nil }
    return interval > 0 && timeout > 0
  }

  /// The NOP-Outs as a fact.
  var checkText: String? {
    guard let interval = connection?.noopInterval, let timeout = connection?.noopTimeout else { return nil }
    let text = { (seconds: UInt32) in seconds == 0 ? "off" : "\(seconds) s" }
    return "the interval of NOP-Outs is \(text(interval)), their timeout \(text(timeout))"
  }
}
