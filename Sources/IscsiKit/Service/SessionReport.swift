// SPDX-License-Identifier: Apache-2.0

/// A session as it is at one moment, by all who know of it.
public struct SessionReport: Hashable, Sendable {
  /// The kernel's number.
  public let id: SessionID
  /// What the kernel shows; nil if there is no such session.
  public let session: SessionSnapshot?
  /// What the daemon knows; nil without one, and of a session that it does not supervise.
  public let recovery: InitiatorTypes.Recovery?
  /// The counters of its connection; nil without a daemon, and if it was not asked for them or has not answered.
  public let counters: [InitiatorTypes.Counter]?
  /// What both come to.
  public let status: SessionStatus

  /// A report from what is known.
  ///
  /// - Parameters:
  ///   - id: The kernel's number.
  ///   - session: What the kernel shows.
  ///   - recovery: What the daemon knows.
  ///   - counters: The counters of its connection.
  ///   - now: The time of day in seconds since 1970.
  public init(
    _ id: SessionID, _ session: SessionSnapshot?, _ recovery: InitiatorTypes.Recovery?,
    counters: [InitiatorTypes.Counter]? = nil, at now: Double = WallClock.now
  ) {
    self.id = id
    self.session = session
    self.recovery = recovery
    self.counters = counters
    status = SessionStatus(session, recovery.flatMap(SupervisionFacts.init), at: now)
  }
}

extension Sysfs {
  /// Reports of sessions by what the kernel shows, and what the daemon was asked for before.
  ///
  /// - Parameters:
  ///   - ids: The sessions, in the order wanted; all by number if none is named.
  ///   - recoveries: What the daemon knows, see ``Initiator/recoveries(until:)``.
  ///   - counters: The counters of connections, as far as the daemon was asked for them.
  ///   - detail: How much to read.
  /// - Returns: A report for each session that is named, also if there is none of that number, or for each that exists.
  /// - Throws: `SysfsError.unreadable`.
  public func reports(
    of ids: [SessionID] = [], _ recoveries: [SessionID: InitiatorTypes.Recovery] = [:],
    counters: [SessionID: [InitiatorTypes.Counter]] = [:], _ detail: Detail = .summary
  ) throws(SysfsError) -> [SessionReport] {
    guard !ids.isEmpty else {
      return try sessions(detail).map { SessionReport($0.id, $0, recoveries[$0.id], counters: counters[$0.id]) }
    }
    var reports: [SessionReport] = []
    for id in ids {
      reports.append(SessionReport(id, try session(id, detail), recoveries[id], counters: counters[id]))
    }
    return reports
  }
}

extension Initiator {
  /// How often is looked at what nobody tells, such as the end of SCSI error handling: with a daemon that tells all else,
  /// and without one.
  private static let pauses = (told: Duration.seconds(2), untold: Duration.milliseconds(500))
  /// How long is waited for a daemon that is busy; the kernel's own word is there without it.
  private static let daemonPatience = Duration.seconds(2)

  /// Waits until sessions are operational, looking again whenever the daemon tells that something has happened; works
  /// without a daemon too.
  ///
  /// - Parameters:
  ///   - ids: The sessions; all that there are at each look, if none is named.
  ///   - sysfs: Where the kernel shows them.
  ///   - deadline: When to give up; nil is never.
  /// - Returns: The last look: it has one that is not operational if the deadline has passed, or the task is cancelled,
  ///   or a named session is gone, which no wait mends.
  /// - Throws: `SysfsError.unreadable`.
  public func waitUntilOperational(
    _ ids: [SessionID] = [], sysfs: Sysfs = Sysfs(), until deadline: ContinuousClock.Instant? = nil
  ) async throws(SysfsError) -> [SessionReport] {
    // Before the first look, so that nothing is missed after it.
    let (changes, change) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let listening = Task {
      // Without a daemon this waits for one; whoever may not ask it looks by itself.
      do { for try await _ in events() { change.yield() } } catch { return }
    }
    defer { listening.cancel() }
    var iterator = changes.makeAsyncIterator()
    while true {
      let recoveries = try? await recoveries(until: .now + Self.daemonPatience)
      let reports = try sysfs.reports(of: ids, recoveries ?? [:])
      let isOver = deadline.map { .now >= $0 } ?? false
      if isOver || Task.isCancelled || reports.allSatisfy({ $0.status.state.isOperational })
        || reports.contains(where: { $0.status.state == .gone })
      {
        return reports
      }
      let pause = recoveries == nil ? Self.pauses.untold : Self.pauses.told
      let wake = Reactor.shared.schedule(at: min(.now + pause, deadline ?? .now + pause)) { change.yield() }
      _ = await iterator.next()
      wake.cancel()
    }
  }
}
