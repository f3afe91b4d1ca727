// SPDX-License-Identifier: Apache-2.0
internal import Logging
internal import SystemPackage

/// Repeats the discoveries whose records say so (`use_discoveryd`): logs in to what is new, and out of what is gone.
///
/// Which are due `DiscoverySchedule` decides, and what follows from an answer `DiscoveredNodes`; this one reads, asks and
/// does. Records are looked at again and again, so that a new one needs no restart, on threads that others do not need.
actor BackgroundDiscovery {
  /// How often the records of discoveries are looked at. One that runs is looked at before each of its questions, too.
  static let lookInterval = Duration.seconds(5)
  /// How long files may take to be read, and written. The database's lock alone may take half a minute.
  private static let readTimeout = Duration.seconds(5)
  private static let writeTimeout = Duration.seconds(45)
  /// What hangs holds up nothing but its like, and none of the process' files.
  private static let pool = BlockingWork(limit: 4, sharesFiles: false)

  let manager: SessionManager
  private let machineName: MachineName
  private let records: RecordSource
  let sysfs: Sysfs
  let log: Logger
  private var schedule = DiscoverySchedule()
  private var nodes: [DiscoverySchedule.Key: DiscoveredNodes] = [:]
  private var news = DiscoveryNews()
  /// The nodes that are being left.
  private var leaving: Set<SessionKey> = []
  private let signals: AsyncStream<Void>
  private let wake: AsyncStream<Void>.Continuation

  /// Discoveries of these records by a daemon with these sessions.
  init(manager: SessionManager, machineName: MachineName, records: RecordSource, sysfs: Sysfs, log: Logger) {
    self.manager = manager
    self.machineName = machineName
    self.records = records
    self.sysfs = sysfs
    self.log = log
    (signals, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Runs until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      var nextLook = ContinuousClock.now
      var timer: Reactor.Timer?
      wake.yield()
      for await _ in signals {
        if .now >= nextLook {
          await look()
          nextLook = .now + Self.lookInterval
        }
        for run in schedule.start(at: .now) {
          group.addTask { await self.discover(run) }
        }
        timer?.cancel()
        timer = Reactor.shared.schedule(at: min(nextLook, schedule.nextStart ?? nextLook)) { [wake] in wake.yield() }
      }
      timer?.cancel()
    }
  }

  /// Runs what blocks where it holds up nobody.
  private func blocking<Value: Sendable>(
    _ timeout: Duration, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await Self.pool.run(until: .now + timeout) { Result { try body() } }.get()
  }

  // MARK: - Which there are

  /// Takes over which discoveries there are to be.
  private func look() async {
    do {
      let listing = try await blocking(Self.readTimeout) { [records] in try records.discoveries() }
      let found = listing.records.map(\.record)
      let before = schedule.keys
      let gone = schedule.update(found, isComplete: listing.isComplete, at: .now)
      for key in gone { forget(key) }
      for key in schedule.keys.subtracting(before) { log.info("\(key): repeated from now on") }
      tell(listing.problems.map(\.description).joined(separator: "; "), of: .records)
    } catch {
      tell("the records of discoveries cannot be read: \(error)", of: .records)
    }
  }

  private func forget(_ key: DiscoverySchedule.Key) {
    nodes[key] = nil
    news.forget(key)
    log.info("\(key): not repeated any more; its sessions stay")
  }

  /// Tells what is wrong with something, once until it is something else; an empty text is that nothing is.
  private func tell(_ text: String, of subject: DiscoveryNews.Subject) {
    if news.isNews(text, of: subject) { log.warning("\(text)") }
  }

  // MARK: - One discovery

  private func discover(_ run: DiscoverySchedule.Run) async {
    let key = run.key
    var departures: [DiscoveredNodes.Departure] = []
    do {
      guard let question = try await blocking(Self.readTimeout, { [records] in try records.question(key) }) else {
        // The next look does without it.
        if schedule.remove(run) { forget(key) }
        wake.yield()
        return
      }
      let answer = try await ask(question, key)
      guard !answer.found.isEmpty else { throw answer.failures.first ?? WaitError.cancelled }
      departures = try await take(answer, of: question.record, run)
      schedule.end(run, .answered, at: .now)
      if answer.failures.isEmpty, news.has(.discovery(key)) { log.info("\(key): answered again") }
      if schedule.isCurrent(run) {
        tell(answer.failures.map { "\(key): \($0.description)" }.joined(separator: "; "), of: .discovery(key))
      }
      wake.yield()
      // Not as a part of the discovery: a target may take an hour to take what is still to be written to it, and others are
      // to have their turn.
      await leave(departures, of: question.record, key)
    } catch {
      // Nothing follows from it: who does not answer has not said that anything is gone.
      if schedule.isCurrent(run), !Task.isCancelled { tell("\(key): \(error)", of: .discovery(key)) }
      schedule.end(run, .failed, at: .now)
      wake.yield()
    }
  }

  private func ask(_ question: RecordSource.Question, _ key: DiscoverySchedule.Key) async throws -> DiscoveryAnswer {
    let name = try await machineName.read()
    return await DiscoveryAnswer(
      to: question.record, over: question.interfaces, as: name, alias: machineName.alias, sysfs: sysfs.root)
  }

  /// Makes records of what is new, and logs in to it.
  ///
  /// - Returns: What is gone and is to be left. It counts as being left from now on.
  private func take(
    _ answer: DiscoveryAnswer, of record: DiscoveryRecord, _ run: DiscoverySchedule.Run
  ) async throws -> [DiscoveredNodes.Departure] {
    let key = run.key
    let outcome = try await blocking(Self.writeTimeout) { [records, sysfs] in
      try records.takeOver(answer, of: record, sysfs: sysfs)
    }
    guard let outcome, schedule.isCurrent(run) else { return [] }
    for change in outcome.changes { log.info("\(key): \(change)") }
    let facts = facts(outcome, wholeOver: answer.wholeOver, key)
    let followUp = nodes[key, default: DiscoveredNodes(minimumAbsence: records.minimumAbsence)].follow(facts, at: .now)
    await logIn(followUp.logins, key)
    guard schedule.isCurrent(run) else { return [] }
    explain(followUp, areExclusionsKnown: facts.exclusions != nil, key)
    // What has come back, and goes again, is told again; so is what somebody has forgotten in between.
    let names = Set(outcome.recorded.map(Self.name)).subtracting(outcome.found.map(Self.name))
    news.keep(nodes: names, of: key)
    return followUp.departures.filter { leaving.insert(SessionKey($0.record)).inserted }
  }

  /// What an answer comes to, besides what others know.
  private func facts(
    _ outcome: RecordSource.Outcome, wholeOver: Set<InterfaceName>, _ key: DiscoverySchedule.Key
  ) -> DiscoveredNodes.Answer {
    // A node that comes back while it is left is new when that is over.
    var facts = DiscoveredNodes.Answer(found: outcome.found.filter { !leaving.contains(SessionKey($0)) })
    facts.wholeOver = wholeOver
    facts.recorded = outcome.recorded
    facts.sessions = outcome.sessions
    facts.activity = outcome.activity
    facts.foundElsewhere = nodes.reduce(into: []) { if $1.key != key { $0.formUnion($1.value.found) } }
    facts.isElsewhereKnown = unanswered(besides: key).isEmpty
    switch outcome.exclusions {
    case .success(let exclusions):
      facts.exclusions = exclusions
      news.forget(.exclusions)
    case .failure(let error):
      facts.exclusions = nil
      let advice = error.advice.map { "; \($0)" } ?? ""
      tell("no target that is gone is logged out of: \(error)\(advice)", of: .exclusions)
    }
    return facts
  }

  /// The other discoveries that have not answered since they are repeated by this daemon.
  private func unanswered(besides key: DiscoverySchedule.Key) -> [DiscoverySchedule.Key] {
    schedule.keys.filter { $0 != key && nodes[$0] == nil }
  }

  /// Tells why nodes that are gone stay.
  private func explain(
    _ followUp: DiscoveredNodes.FollowUp, areExclusionsKnown: Bool, _ key: DiscoverySchedule.Key
  ) {
    let others = unanswered(besides: key).map(\.description).sorted().joined(separator: ", ")
    let reasons = [
      (followUp.spared, areExclusionsKnown ? "it is excluded" : "it may be excluded"),
      (followUp.undecided, "others may find it that have not answered: \(others)"),
      (followUp.busy, "its disks are read or written"),
    ]
    for (records, reason) in reasons {
      for name in records.map(Self.name) { tell("\(key): \(name) is gone and stays: \(reason)", of: .node(name, key)) }
    }
  }

  private static func name(_ node: NodeRecord) -> String { RecordSubject.node(node).description }

  // MARK: - What follows

  private func logIn(_ logins: [NodeLogin], _ key: DiscoverySchedule.Key) async {
    guard !logins.isEmpty else { return }
    let name = try? await machineName.read()
    var requests: [LoginRequest] = []
    for login in logins {
      do throws(LoginDescriptionError) {
        let request = try login.description.request { () throws(LoginDescriptionError) in
          guard let name else { throw LoginDescriptionError(field: "initiator", reason: "missing") }
          return name
        }
        requests.append(request)
      } catch {
        log.warning("\(key): no login to \(Self.name(login.record)): \(error)")
      }
    }
    let process = UnixPeer.current
    let owner = SessionOwner(
      userID: process.userID, processID: process.processID, label: "\(key)", time: WallClock.now)
    for request in requests { log.info("\(key): logging in to \(request.target) at \(request.portal.address)") }
    for error in await manager.beginLogin(requests, owner: owner) {
      switch error?.cause {
      case nil, .sessionExists?, .loginUnderWay?: break
      case .some: log.warning("\(key): \(error.map(\.description) ?? "")")
      }
    }
  }

  /// Logs out of nodes that are gone, unless somebody has their disks, and removes the records of those without a session.
  private func leave(
    _ departures: [DiscoveredNodes.Departure], of record: DiscoveryRecord, _ key: DiscoverySchedule.Key
  ) async {
    guard !departures.isEmpty else { return }
    defer { leaving.subtract(departures.map { SessionKey($0.record) }) }
    for name in departures.filter({ !$0.sessions.isEmpty }).map({ Self.name($0.record) })
    where !news.has(.node(name, key)) {
      log.notice("\(key): \(name) is gone; logging out")
    }
    let left = await logOut(departures, key)
    guard !left.isEmpty else { return }
    do {
      let plan = try await blocking(Self.writeTimeout) { [records, sysfs] in
        try records.remove(left, of: record, sysfs: sysfs)
      }
      for step in plan.steps {
        let name = step.subject.description
        if step.action == .deleted {
          news.forget(.node(name, key))
          log.notice("\(key): forgot \(name)")
        } else {
          tell("\(key): \(name) is gone; its record stays, because somebody has edited it", of: .node(name, key))
        }
      }
      tell(plan.refusals.map { "\(key): \($0)" }.joined(separator: "; "), of: .removal(key))
    } catch {
      tell("\(key): the records of what is gone stay: \(error)", of: .removal(key))
    }
  }

  /// Logs out of nodes, and returns the records of those that have no session any more.
  private func logOut(
    _ departures: [DiscoveredNodes.Departure], _ key: DiscoverySchedule.Key
  ) async -> [NodeRecord] {
    let sessions = departures.flatMap(\.sessions)
    let timeout = departures.map(\.record.logoutTimeout).max() ?? .seconds(15)
    let results = await manager.logOut(sessions, timeout: timeout, sparing: .claimed)
    var failures: [SessionID: OperationError] = [:]
    // What the kernel still shows for a moment was left before, and that was told.
    var ended: Set<SessionID> = []
    for (session, result) in zip(sessions, results) {
      switch result {
      case .success: ended.insert(session)
      case .failure(let error): if error.cause != .noSession { failures[session] = error }
      }
    }
    var left: [NodeRecord] = []
    for departure in departures {
      let name = Self.name(departure.record)
      if let failure = departure.sessions.compactMap({ failures[$0] }).first {
        tell("\(key): \(name) is gone and stays: \(failure)", of: .node(name, key))
      } else {
        if !ended.isDisjoint(with: departure.sessions) { news.forget(.node(name, key)) }
        left.append(departure.record)
      }
    }
    return left
  }
}

extension DiscoverySchedule.Key: CustomStringConvertible {
  /// `discovery sendtargets at 10.0.0.1:3260`.
  var description: String { "discovery \(kind.rawValue) at \(portal.address)" }
}
