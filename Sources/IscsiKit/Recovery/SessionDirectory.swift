// SPDX-License-Identifier: Apache-2.0

/// Which sessions exist or are being made, and who drives them: a value, without I/O.
///
/// A session has an entry from its claim to its end, so that two users who want the same target, portal and interface
/// cannot both make a session of it.
struct SessionDirectory<Driver: Sendable>: Sendable {
  /// Names an entry for its whole life; never used again.
  struct Ticket: Hashable, Sendable {
    fileprivate let number: UInt64
  }

  /// What is known of a session.
  struct Entry: Sendable {
    let key: SessionKey
    /// The same session's key by the address of its portal, if that is known by a name.
    fileprivate(set) var alias: SessionKey?
    /// Who asked for the session.
    var owner: SessionOwner?
    /// The kernel's number, as soon as there is one.
    var session: SessionID?
    var driver: Driver?
    var supervision: Supervision?
    /// The network device through which the portal is reached, as far as it is known.
    fileprivate(set) var device: String?
  }

  /// What a claim led to.
  enum Claim: Hashable, Sendable {
    /// The key is the caller's, who releases it or makes the session.
    case claimed(Ticket)
    /// There are as many sessions of this key as are wanted; this is the first.
    case exists(SessionID)
    /// A login that may make the last one that is wanted is under way.
    case underWay(Ticket)
    /// There may be one more when this one is gone, which is being logged out of.
    case leaving(Ticket)
  }

  private var lastNumber: UInt64 = 0
  private var entries: [Ticket: Entry] = [:]
  private var tickets: [SessionKey: [Ticket]] = [:]
  private var numbers: [SessionID: Ticket] = [:]
  private var users: [String: Set<Ticket>] = [:]
  /// The sessions that suffer from what the network shows.
  private var troubled: Set<Ticket> = []

  /// All entries, in no order.
  var all: Dictionary<Ticket, Entry>.Values { entries.values }

  /// Claims a key.
  ///
  /// - Parameters:
  ///   - key: The session's identity.
  ///   - alias: Its key by the address of its portal, if that is known by a name.
  ///   - wanted: How many sessions of this key there may be (open-iscsi's `nr_sessions`).
  ///   - shown: Sessions of this key that the kernel shows, supervised or not.
  ///   - owner: Who asks.
  /// - Returns: Whether the key is the caller's, and who has it otherwise.
  mutating func claim(
    _ key: SessionKey, alias: SessionKey? = nil, wanted: Int = 1, shown: [SessionID] = [],
    owner: SessionOwner? = nil
  ) -> Claim {
    let obstacle = obstacle(among: tickets(of: key, alias), shown: shown, wanted: wanted)
    return obstacle ?? .claimed(add(Entry(key: key, alias: alias, owner: owner)))
  }

  /// Claims another alias for an entry, in the place of the one that it has: the name of its portal's host has led to another
  /// address than the one that was expected.
  ///
  /// - Returns: As of `claim`; the entry stays as it was unless the alias is the caller's.
  mutating func move(
    _ ticket: Ticket, to alias: SessionKey, wanted: Int = 1, shown: [SessionID] = []
  ) -> Claim {
    let others = (entries[ticket].map { tickets(of: $0.key, alias) } ?? []).filter { $0 != ticket }
    if let obstacle = obstacle(among: others, shown: shown, wanted: wanted) { return obstacle }
    set(alias: alias, for: ticket)
    return .claimed(ticket)
  }

  /// Notes by which address of its host a session is connected, whoever else is there.
  mutating func set(alias: SessionKey, for ticket: Ticket) {
    guard let entry = entries[ticket], entry.alias != alias else { return }
    if let former = entry.alias { remove(ticket, from: former) }
    entries[ticket]?.alias = alias
    tickets[alias, default: []].append(ticket)
  }

  /// What keeps one more session from being made beside those of some entries, and those that the kernel shows.
  private func obstacle(among found: [Ticket], shown: [SessionID], wanted: Int) -> Claim? {
    var present = found
    // The kernel knows by which of its host's addresses a session has come about.
    present += shown.compactMap { numbers[$0] }.filter { !present.contains($0) }
    let strangers = shown.filter { numbers[$0] == nil }
    guard present.count + strangers.count >= max(wanted, 1) else { return nil }
    // Who is told that the session exists counts on it. One that is on its way out is none to count on.
    let leaving = present.filter { entries[$0]?.supervision?.phase == .loggingOut }
    if let first = leaving.first, present.count - leaving.count + strangers.count < max(wanted, 1) {
      return .leaving(first)
    }
    let made = present.filter { !leaving.contains($0) }
    if let unready = made.first(where: { !isReady($0) }) { return .underWay(unready) }
    return (made.first.flatMap { entries[$0]?.session } ?? strangers.first).map(Claim.exists)
  }

  /// One that is still being made has a number early, but is no session that anybody could use.
  private func isReady(_ ticket: Ticket) -> Bool {
    guard let entry = entries[ticket], let supervision = entry.supervision else { return false }
    return entry.session != nil && supervision.phase != .loggingIn
  }

  /// Adds a session that was found in the kernel; nil if it is here already.
  mutating func adopt(
    _ session: SessionID, _ key: SessionKey, alias: SessionKey? = nil, owner: SessionOwner?
  ) -> Ticket? {
    guard numbers[session] == nil else { return nil }
    let ticket = add(Entry(key: key, alias: alias, owner: owner, session: session))
    numbers[session] = ticket
    return ticket
  }

  /// The sessions that are reached through a network device.
  func users(of device: String) -> [(ticket: Ticket, entry: Entry)] {
    (users[device] ?? []).compactMap { ticket in entries[ticket].map { (ticket, $0) } }
  }

  /// Those that are reached through a network device, and suffer from what the network shows: few, where there may be hundreds.
  func troubledUsers(of device: String) -> [Driver] {
    guard !troubled.isEmpty, let users = users[device] else { return [] }
    return users.intersection(troubled).compactMap { entries[$0]?.driver }
  }

  /// Whether a session is reached through a network device.
  func isUsed(_ device: String) -> Bool { users[device] != nil }

  /// The network devices through which sessions are reached.
  var devices: Dictionary<String, Set<Ticket>>.Keys { users.keys }

  /// The entries of the sessions that are believed to be up.
  var upSessions: [SessionID: Entry] {
    entries.values.reduce(into: [:]) { found, entry in
      guard let session = entry.session, entry.supervision?.phase == .up else { return }
      found[session] = entry
    }
  }

  /// The entry of a ticket.
  subscript(ticket: Ticket) -> Entry? { entries[ticket] }

  /// The entry of a session.
  subscript(session: SessionID) -> Entry? { numbers[session].flatMap { entries[$0] } }

  /// Notes who drives the session.
  mutating func set(_ driver: Driver, for ticket: Ticket) { entries[ticket]?.driver = driver }

  /// Notes what is known of the session's supervision.
  mutating func set(_ supervision: Supervision, for ticket: Ticket) {
    guard entries[ticket] != nil else { return }
    entries[ticket]?.supervision = supervision
    if supervision.network == nil { troubled.remove(ticket) } else { troubled.insert(ticket) }
  }

  /// Notes through which network device the portal is reached.
  mutating func set(device: String?, for ticket: Ticket) {
    guard entries[ticket] != nil else { return }
    if let former = entries[ticket]?.device {
      users[former]?.remove(ticket)
      if users[former]?.isEmpty == true { users[former] = nil }
    }
    entries[ticket]?.device = device
    if let device { users[device, default: []].insert(ticket) }
  }

  /// Notes that it is not known through which device a session is reached; returns its driver.
  mutating func forgetDevice(of session: SessionID) -> Driver? {
    guard let ticket = numbers[session] else { return nil }
    set(device: nil, for: ticket)
    return entries[ticket]?.driver
  }

  /// Notes the kernel's number of a session that is being made; nil takes it back.
  mutating func set(_ session: SessionID?, for ticket: Ticket) {
    forgetNumber(of: ticket)
    entries[ticket]?.session = session
    if let session { numbers[session] = ticket }
  }

  /// Removes the entry: its session is gone, or was never made.
  mutating func release(_ ticket: Ticket) {
    forgetNumber(of: ticket)
    set(device: nil, for: ticket)
    troubled.remove(ticket)
    guard let entry = entries.removeValue(forKey: ticket) else { return }
    for key in [entry.key, entry.alias].compactMap(\.self) { remove(ticket, from: key) }
  }

  private mutating func remove(_ ticket: Ticket, from key: SessionKey) {
    tickets[key]?.removeAll { $0 == ticket }
    if tickets[key]?.isEmpty == true { tickets[key] = nil }
  }

  /// The entries of a key or its alias, each once, oldest first.
  private func tickets(of key: SessionKey, _ alias: SessionKey?) -> [Ticket] {
    let found = tickets[key] ?? []
    guard let others = alias.flatMap({ tickets[$0] }) else { return found }
    return (found + others.filter { !found.contains($0) }).sorted { $0.number < $1.number }
  }

  /// A number may have come to another entry meanwhile, when a session is found that is just being made.
  private mutating func forgetNumber(of ticket: Ticket) {
    guard let session = entries[ticket]?.session, numbers[session] == ticket else { return }
    numbers[session] = nil
  }

  private mutating func add(_ entry: Entry) -> Ticket {
    lastNumber += 1
    let ticket = Ticket(number: lastNumber)
    entries[ticket] = entry
    tickets[entry.key, default: []].append(ticket)
    if let alias = entry.alias, alias != entry.key { tickets[alias, default: []].append(ticket) }
    return ticket
  }
}
