// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The events of all sessions, numbered; the last ones are kept for readers who come, or come back.
///
/// The numbers begin at the time of day in microseconds. So those of a later log are greater than all of an earlier one,
/// which has not had more events than microseconds, and a reader who comes back to another log sees where it stands. After
/// the clock was set back, the numbers that readers know are greater than any of the log, which shows as well.
public final class EventLog: Sendable {
  private struct State {
    var last: UInt64
    /// The newest events, oldest first, from `head` on around.
    var kept: [SessionEvent] = []
    var head = 0
    var readers: [UInt64: AsyncStream<SessionEvent>.Continuation] = [:]
    var lastReader: UInt64 = 0
  }

  /// How many events are kept, and how many wait for a reader that is slow; ``MissedEvents`` tells what is lost.
  static let capacity = 1024

  /// The greatest number to begin with: readers keep numbers as floating point, which holds none above 2^53.
  private static let greatestFirst = 1 << 52

  /// The number of the first event, from 1.
  public let firstSequence: UInt64
  private let state: Mutex<State>

  /// A log without events.
  ///
  /// - Parameter time: The time of day with which the numbers begin, in seconds since 1970.
  public init(startedAt time: Double = WallClock.now) {
    let microseconds = Int(exactly: (time * 1e6).rounded()) ?? 1
    firstSequence = UInt64(min(max(microseconds, 1), Self.greatestFirst))
    state = Mutex(State(last: firstSequence - 1))
  }

  /// The number of the last event; one less than the first's before that.
  public var lastSequence: UInt64 { state.withLock(\.last) }

  /// How many readers there are.
  var readerCount: Int { state.withLock(\.readers.count) }

  /// Numbers an event, keeps it and gives it to all readers.
  func post(_ event: SessionEvent) {
    state.withLock { state in
      state.last += 1
      var event = event
      event.sequence = state.last
      if state.kept.count < Self.capacity {
        state.kept.append(event)
      } else {
        state.kept[state.head] = event
        state.head = (state.head + 1) % Self.capacity
      }
      for reader in state.readers.values { reader.yield(event) }
    }
  }

  /// The events behind a number, as far as they are kept, and those to come.
  ///
  /// - Parameter sequence: The number of the last event that the reader knows; nil begins with the next event.
  /// - Returns: The events; the reader's task ends the stream by its cancellation.
  public func events(after sequence: UInt64?) -> AsyncStream<SessionEvent> { read(after: sequence).events }

  /// The same, with what the reader misses. A number that is ahead of the log is another log's: the reader gets all.
  func read(after sequence: UInt64?) -> EventReading {
    let (events, continuation) = AsyncStream.makeStream(
      of: SessionEvent.self, bufferingPolicy: .bufferingNewest(Self.capacity))
    let (reader, start, next) = state.withLock { state in
      let kept = state.kept[state.head...] + state.kept[..<state.head]
      let oldest = kept.first.map { $0.sequence - 1 } ?? state.last
      var start = sequence ?? state.last
      if start < oldest || start > state.last { start = oldest }
      let given = kept.filter { $0.sequence > start }
      for event in given { continuation.yield(event) }
      state.lastReader += 1
      state.readers[state.lastReader] = continuation
      return (state.lastReader, start, given.first)
    }
    // Not here and now: a task that is being cancelled is locked by the one that cancels it, and `post`, which holds our lock, may be
    // about to resume that task. Each would wait for the other.
    continuation.onTermination = { [weak self] _ in
      Task { self?.state.withLock { _ = $0.readers.removeValue(forKey: reader) } }
    }
    // Who knows no number misses nothing.
    let known = sequence.flatMap { $0 == 0 ? nil : $0 } ?? start
    let missed =
      known == start
      ? nil
      : MissedEvents(last: start, isOfOther: known < firstSequence - 1 || known > start, end: next?.time)
    return EventReading(start: start, missed: missed, events: events)
  }
}

/// What a reader of a log gets.
struct EventReading: Sendable {
  /// The number behind which the events go on.
  let start: UInt64
  /// What it cannot be given.
  let missed: MissedEvents?
  /// The events.
  let events: AsyncStream<SessionEvent>
}

/// Events, or what may have been some, that a reader cannot be given.
struct MissedEvents: Hashable, Sendable, CustomStringConvertible {
  /// The number of the last event that it misses.
  let last: UInt64
  /// Whether the number that it knows is another log's. Nobody knows then how many there were.
  let isOfOther: Bool
  /// Until when they happened at the latest, in seconds since 1970: when the event behind them did, nil if there is none yet.
  let end: Double?

  /// What is missed and why, in words.
  var description: String {
    isOfOther
      ? "the daemon was started anew: what happened between the last event that is known and that cannot be told"
      : "there were more events than are kept: what happened between the last event that is known and the next cannot be told"
  }
}
