// SPDX-License-Identifier: Apache-2.0

/// Finds sessions whose target does not answer a NOP-Out, while the kernel still waits for it: a value, without I/O.
///
/// The kernel shows no NOP-Out. But it sends one when nothing has come for the NOP-Out interval (libiscsi's
/// `iscsi_check_transport_timeouts`), and the socket tells for how long nothing has come: if that is longer, one is
/// unanswered.
struct SilenceWatch {
  /// How often to look, while there are sessions whose target is asked.
  static let pace = Duration.seconds(2)
  /// What an answer may take before it is missed: no longer than the kernel waits.
  static let slack = Duration.seconds(1)

  /// What a session shows.
  struct Sign: Hashable, Sendable {
    /// For how long nothing has come.
    var silence: Duration
    /// After how much silence the kernel asks for a sign of life.
    var noopInterval: Duration
    /// How long it waits for that, and then gives the connection up.
    var noopTimeout: Duration
  }

  /// What is known of a session.
  enum News: Hashable, Sendable {
    /// The target has not answered: since when nothing has come.
    case silent(since: ContinuousClock.Instant)
    /// The target has answered.
    case answered
    /// It is not known any more: the target is not asked, or nothing tells of the connection.
    case unknown
  }

  private struct Entry {
    var noopInterval: Duration
    /// Until when the kernel goes by the interval that it had before.
    var changeEnd: ContinuousClock.Instant?
    var isSilent = false
  }

  private var entries: [SessionID: Entry] = [:]

  /// Whether there is no session to look at again.
  var isIdle: Bool { entries.isEmpty }

  /// Takes what sessions show now.
  ///
  /// - Parameters:
  ///   - signs: What each session shows that is up, and whose target is asked for signs of life.
  ///   - now: When they were read.
  /// - Returns: The sessions of which something else is known by now.
  mutating func observe(
    _ signs: [SessionID: Sign], at now: ContinuousClock.Instant
  ) -> [(session: SessionID, finding: News)] {
    var changes: [(SessionID, News)] = []
    for (session, entry) in entries where entry.isSilent && signs[session] == nil {
      changes.append((session, .unknown))
    }
    var next: [SessionID: Entry] = [:]
    for (session, sign) in signs {
      let known = entries[session]
      var entry = known ?? Entry(noopInterval: sign.noopInterval)
      if entry.noopInterval != sign.noopInterval {
        // Its timer runs already.
        entry.changeEnd = max(entry.changeEnd ?? now, now + entry.noopInterval)
        entry.noopInterval = sign.noopInterval
      }
      if let end = entry.changeEnd, now >= end + Self.slack(of: sign) { entry.changeEnd = nil }
      entry.isSilent = entry.changeEnd == nil && Self.isSilent(sign)
      if entry.isSilent != known?.isSilent ?? false {
        let isAnswer = sign.silence < sign.noopInterval + Self.slack(of: sign)
        let finding = entry.isSilent ? News.silent(since: now - sign.silence) : isAnswer ? .answered : .unknown
        changes.append((session, finding))
      }
      next[session] = entry
    }
    entries = next
    return changes
  }

  /// A silence that is longer than the kernel's patience is none: it would have given the connection up. It does not ask
  /// after all, as when NOP-Outs were switched on since the login.
  private static func isSilent(_ sign: Sign) -> Bool {
    sign.silence >= sign.noopInterval + slack(of: sign)
      && sign.silence < sign.noopInterval + sign.noopTimeout + pace * 2
  }

  private static func slack(of sign: Sign) -> Duration { min(slack, sign.noopTimeout / 2) }
}

/// Finds sessions that are said to suffer from their network device and get data all the same, as when they are reached
/// through another one by now: a value, without I/O.
struct AnswerWatch {
  /// What data that has come says of what was found.
  enum Verdict: Hashable, Sendable {
    /// The device may have been in order for a while: it is to be looked at once more.
    case doubtful
    /// The session does not suffer from it.
    case wrong
  }

  /// Data this soon after something may have been under way before.
  private static let slack = Duration.seconds(1)

  /// Since when each session is doubted about.
  private var doubts: [SessionID: ContinuousClock.Instant] = [:]

  /// Takes for how long nothing has come.
  ///
  /// - Parameters:
  ///   - silences: For how long, as far as it is known.
  ///   - suspects: The sessions whose device is said to be at fault, and since when.
  ///   - now: When that was read.
  /// - Returns: What is to be done about which.
  mutating func observe(
    _ silences: [SessionID: Duration], of suspects: [SessionID: ContinuousClock.Instant],
    at now: ContinuousClock.Instant
  ) -> [SessionID: Verdict] {
    doubts = doubts.filter { session, doubt in suspects[session].map { $0 <= doubt } ?? false }
    var verdicts: [SessionID: Verdict] = [:]
    for (session, since) in suspects {
      guard let silence = silences[session], now - silence > (doubts[session] ?? since) + Self.slack else { continue }
      verdicts[session] = doubts[session] == nil ? .doubtful : .wrong
      doubts[session] = doubts[session] == nil ? now : nil
    }
    return verdicts
  }
}
