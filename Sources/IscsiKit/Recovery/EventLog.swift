// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The events of all sessions, numbered; the last ones are kept for readers who come, or come back.
public final class EventLog: Sendable {
  private struct State {
    var last: UInt64 = 0
    /// The newest events, oldest first, from `head` on around.
    var kept: [SessionEvent] = []
    var head = 0
    var readers: [UInt64: AsyncStream<SessionEvent>.Continuation] = [:]
    var lastReader: UInt64 = 0
  }

  /// How many events are kept, and how many wait for a reader that is slow; it sees the gap in the numbers.
  static let capacity = 1024

  private let state = Mutex(State())

  /// A log without events.
  public init() {}

  /// The number of the last event; 0 before the first.
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
  public func events(after sequence: UInt64?) -> AsyncStream<SessionEvent> {
    AsyncStream(bufferingPolicy: .bufferingNewest(Self.capacity)) { continuation in
      let reader = state.withLock { state in
        if let sequence {
          for event in (state.kept[state.head...] + state.kept[..<state.head]) where event.sequence > sequence {
            continuation.yield(event)
          }
        }
        state.lastReader += 1
        state.readers[state.lastReader] = continuation
        return state.lastReader
      }
      continuation.onTermination = { [weak self] _ in
        self?.state.withLock { _ = $0.readers.removeValue(forKey: reader) }
      }
    }
  }
}
