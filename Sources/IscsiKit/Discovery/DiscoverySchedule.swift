// SPDX-License-Identifier: Apache-2.0

/// Which discoveries of the records with `use_discoveryd` are due, and when: a value, without I/O.
///
/// A discovery is repeated when its interval has passed since its end, so that it never runs twice at a time. One that is to
/// run once runs until it has worked: the network may come after the daemon.
struct DiscoverySchedule: Sendable {
  /// Which discovery it is.
  struct Key: Hashable, Sendable {
    let kind: DiscoveryRecord.Kind
    let host: PortalHost
    let port: UInt16

    init(_ record: DiscoveryRecord) {
      kind = record.kind
      host = record.host
      port = record.port
    }

    var portal: Portal { Portal(host: host, port: port) }
  }

  /// A discovery that was begun. One that is switched off and on again while it runs is another from then on, of which the
  /// former's answer says nothing.
  struct Run: Hashable, Sendable {
    let key: Key
    fileprivate let generation: UInt64
  }

  /// How a discovery ended.
  enum Ending: Hashable, Sendable {
    /// It was answered.
    case answered
    /// It was not, or what was answered could not be taken over.
    case failed
  }

  private enum State: Hashable, Sendable {
    case waiting(until: ContinuousClock.Instant)
    case running
    /// It was to run once, and has.
    case over
  }

  private struct Entry: Sendable {
    let generation: UInt64
    /// Nil is once.
    var interval: Duration?
    var state: State
  }

  /// How many discoveries run at a time: one that nobody answers lasts for a minute and holds up no other.
  static let concurrency = 8
  /// After a failure a discovery with a longer interval, or with none, is tried again this soon.
  static let retryInterval = Duration.seconds(30)

  private var entries: [Key: Entry] = [:]
  private var lastGeneration: UInt64 = 0

  /// The discoveries that there are.
  var keys: Set<Key> { Set(entries.keys) }

  /// Takes over which discoveries there are to be. New ones are due at once; a changed interval counts from now.
  ///
  /// - Parameters:
  ///   - records: The records; those that are not repeated do not count.
  ///   - isComplete: Whether all could be read. If not, those that are missing stay: a file may be read while it is written.
  ///   - now: The time.
  /// - Returns: The discoveries that are no more.
  @discardableResult
  mutating func update(
    _ records: [DiscoveryRecord], isComplete: Bool, at now: ContinuousClock.Instant
  ) -> Set<Key> {
    var missing = Set(entries.keys)
    var gone: Set<Key> = []
    for record in records {
      let key = Key(record)
      missing.remove(key)
      guard record.isRepeated else {
        // What the record says is known, whatever is wrong with others.
        if entries.removeValue(forKey: key) != nil { gone.insert(key) }
        continue
      }
      let interval: Duration? = record.pollInterval > 0 ? .seconds(Int64(record.pollInterval)) : nil
      guard var entry = entries[key] else {
        lastGeneration += 1
        entries[key] = Entry(generation: lastGeneration, interval: interval, state: .waiting(until: now))
        continue
      }
      guard entry.interval != interval else { continue }
      entry.interval = interval
      switch entry.state {
      case .running: break
      case .waiting(let time):
        entry.state = .waiting(until: min(time, now + (interval ?? .zero)))
      case .over:
        if let interval { entry.state = .waiting(until: now + interval) }
      }
      entries[key] = entry
    }
    guard isComplete else { return gone }
    for key in missing { entries[key] = nil }
    return gone.union(missing)
  }

  /// Whether what was begun still is what is to be repeated.
  func isCurrent(_ run: Run) -> Bool { entries[run.key]?.generation == run.generation }

  /// Takes a discovery away, as its record says; false if it was not there any more.
  mutating func remove(_ run: Run) -> Bool {
    guard isCurrent(run) else { return false }
    entries[run.key] = nil
    return true
  }

  /// The discoveries that are to begin now, the longest due first; they count as running from now on.
  mutating func start(at now: ContinuousClock.Instant) -> [Run] {
    let room = Self.concurrency - entries.values.count { $0.state == .running }
    guard room > 0 else { return [] }
    let due = entries.compactMap { key, entry -> (run: Run, time: ContinuousClock.Instant)? in
      guard case .waiting(let time) = entry.state, time <= now else { return nil }
      return (Run(key: key, generation: entry.generation), time)
    }
    let chosen = due.sorted { $0.time < $1.time }.prefix(room).map(\.run)
    for run in chosen { entries[run.key]?.state = .running }
    return chosen
  }

  /// Notes that a discovery has ended; one that is no more is passed over.
  mutating func end(_ run: Run, _ ending: Ending, at now: ContinuousClock.Instant) {
    guard let entry = entries[run.key], isCurrent(run), entry.state == .running else { return }
    entries[run.key]?.state =
      switch (ending, entry.interval) {
      case (.answered, nil): .over
      case (.answered, let interval?): .waiting(until: now + interval)
      case (.failed, let interval): .waiting(until: now + min(interval ?? Self.retryInterval, Self.retryInterval))
      }
  }

  /// When the next discovery is due; nil if none is, or as many run as may.
  var nextStart: ContinuousClock.Instant? {
    guard entries.values.count(where: { $0.state == .running }) < Self.concurrency else { return nil }
    return entries.values.compactMap { entry in
      if case .waiting(let time) = entry.state { time } else { nil }
    }.min()
  }
}
