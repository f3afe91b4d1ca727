// SPDX-License-Identifier: Apache-2.0

/// What follows from the answers to a discovery that is repeated: which nodes to log in to, which to log out of and to
/// forget. A value, without I/O.
///
/// Nothing follows from what is not known: a discovery that failed is no answer, and of an answer of which entries had to be
/// refused no node is taken for gone.
struct DiscoveredNodes: Sendable {
  /// An answer, and what there was when it came.
  struct Answer: Sendable {
    /// The records of the nodes that were found.
    var found: [NodeRecord]
    /// The interfaces over which the whole answer is known. Over others no node is missed.
    var wholeOver: Set<InterfaceName> = [.standard]
    /// The nodes that this discovery has found, by their records, now or before.
    var recorded: [NodeRecord] = []
    /// The sessions that there are.
    var sessions: [SessionSnapshot] = []
    /// What was done with the disks of sessions whose nodes are missing: a text that changes with each read and write.
    var activity: [SessionID: String] = [:]
    /// What the last answers to other discoveries had. Two of them may find the same node by two portals of one target.
    var foundElsewhere: Set<SessionKey> = []
    /// Whether all other discoveries have answered. Until then any of them may find what is missing here.
    var isElsewhereKnown = true
    /// The targets that are never logged out of; nil if they are not known.
    var exclusions: Exclusions? = Exclusions()
  }

  /// A node that is gone.
  struct Departure: Hashable, Sendable {
    /// Its record, to be removed when it has no session any more.
    let record: NodeRecord
    /// Its sessions, to be logged out.
    let sessions: [SessionID]
  }

  /// What is to be done.
  struct FollowUp: Hashable, Sendable {
    /// The logins to make; of a node that wants several sessions as many.
    var logins: [NodeLogin] = []
    /// The nodes that are gone.
    var departures: [Departure] = []
    /// The nodes that are gone and stay, because of the exclusions.
    var spared: [NodeRecord] = []
    /// The nodes that are gone and stay until all other discoveries have answered.
    var undecided: [NodeRecord] = []
    /// The nodes that are gone and stay, because somebody reads or writes their disks.
    var busy: [NodeRecord] = []
  }

  private enum Login: Hashable, Sendable {
    /// It has a session, or had one. Who has logged out since does not want another.
    case done
    /// It was begun, and if it fails is begun again after this time; later and later.
    case begun(again: ContinuousClock.Instant, delay: Duration)
  }

  /// In how many answers in a row a node was missing, and since when; and likewise nothing was done with its disks.
  private struct Absence: Sendable {
    var missing: Count
    var idle: Count
    var activity: [String]

    struct Count: Sendable {
      var answers = 0
      let since: ContinuousClock.Instant

      func isEnough(_ minimum: Duration, at now: ContinuousClock.Instant) -> Bool {
        answers >= DiscoveredNodes.patience && now - since >= minimum
      }
    }

    /// Notes one more answer that lacks the node.
    mutating func note(_ activity: [String], at now: ContinuousClock.Instant) {
      if activity != self.activity { (self.activity, idle) = (activity, Count(since: now)) }
      missing.answers += 1
      idle.answers += 1
    }
  }

  /// How many answers in a row must lack a node. A target that starts answers before it has all that it will have.
  static let patience = 2
  /// When a login that fails is begun again first, and at most.
  static let retryDelays: ClosedRange<Duration> = .seconds(5) ... .seconds(600)

  /// How long a node must be missing besides, since the first answer that lacked it; after answers without any node, six
  /// times as long: they are those of a target that has nothing to show yet.
  let minimumAbsence: Duration

  private var logins: [SessionKey: Login] = [:]
  private var absences: [SessionKey: Absence] = [:]
  /// What the last answer had.
  private(set) var found: Set<SessionKey> = []

  /// Nothing was found yet.
  init(minimumAbsence: Duration) { self.minimumAbsence = minimumAbsence }

  /// What is to be done after an answer.
  mutating func follow(_ answer: Answer, at now: ContinuousClock.Instant) -> FollowUp {
    let keys = Set(answer.found.map { SessionKey($0) })
    // What was found over an interface that could not be asked now is not gone.
    found = keys.union(found.filter { !answer.isWhole(over: $0) })
    logins = logins.filter { found.contains($0.key) }
    absences = absences.filter { !keys.contains($0.key) }
    var followUp = FollowUp()
    chooseLogins(answer, at: now, &followUp)
    chooseDepartures(answer, at: now, &followUp)
    return followUp
  }

  private mutating func chooseLogins(
    _ answer: Answer, at now: ContinuousClock.Instant, _ followUp: inout FollowUp
  ) {
    let uses = NodeUses(answer.sessions)
    var connected = Set(answer.sessions.compactMap(\.targetName))
    var known: Set<SessionKey> = []
    for record in answer.found {
      let key = SessionKey(record)
      guard known.insert(key).inserted else { continue }
      if uses.session(of: record) != nil { logins[key] = .done }
      var delay = Self.retryDelays.lowerBound
      switch logins[key] {
      case .done?: continue
      case .begun(let time, let last)?:
        guard time <= now else { continue }
        delay = min(last * 2, Self.retryDelays.upperBound)
      case nil: break
      }
      // One portal of such a target is enough.
      if record.leadingLogin, connected.contains(key.target) { continue }
      connected.insert(key.target)
      logins[key] = .begun(again: now + delay, delay: delay)
      followUp.logins += NodeLoginPlan.plans(for: [record]).flatMap(\.logins)
    }
  }

  private mutating func chooseDepartures(
    _ answer: Answer, at now: ContinuousClock.Instant, _ followUp: inout FollowUp
  ) {
    let minimum = answer.found.isEmpty ? minimumAbsence * 6 : minimumAbsence
    // Only those whose target, portal and interface are exactly the record's.
    let sessions = Dictionary(grouping: answer.sessions) { SessionKey($0) }.mapValues { $0.map(\.id) }
    var known: Set<SessionKey> = []
    for record in answer.recorded {
      let key = SessionKey(record)
      guard answer.wholeOver.contains(record.interface.name), known.insert(key).inserted else { continue }
      guard !found.contains(key), !answer.foundElsewhere.contains(key) else {
        absences[key] = nil
        continue
      }
      let ids = sessions[key] ?? []
      let activity = ids.map { answer.activity[$0] ?? "" }
      let none = Absence.Count(since: now)
      var absence = absences[key] ?? Absence(missing: none, idle: none, activity: activity)
      absence.note(activity, at: now)
      absences[key] = absence
      guard absence.missing.isEnough(minimum, at: now) else { continue }
      if answer.exclusions?.contains(key.target) ?? true {
        followUp.spared.append(record)
      } else if !answer.isElsewhereKnown {
        followUp.undecided.append(record)
      } else if !absence.idle.isEnough(minimumAbsence, at: now) {
        followUp.busy.append(record)
      } else {
        followUp.departures.append(Departure(record: record, sessions: ids))
      }
    }
    absences = absences.filter { known.contains($0.key) }
  }
}

extension DiscoveredNodes.Answer {
  fileprivate func isWhole(over key: SessionKey) -> Bool {
    InterfaceName(key.interface).map(wholeOver.contains) ?? false
  }
}
