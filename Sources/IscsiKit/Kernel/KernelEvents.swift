// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// The events of one session from the moment of subscribing, in the order in which the kernel sent them.
///
/// What a connection reported before a recovery stop is dropped when the kernel has confirmed the stop: an event that
/// comes out after it belongs to the connection after it. At most 512 events wait; when more come, all that wait are
/// replaced by one `overrun`. When the kernel's buffer has lost events, an `overrun` follows those that were received.
///
/// The subscription ends with this object. An event goes to one reader: subscribe once for each.
public final class KernelEvents: AsyncSequence, Sendable {
  /// What the sequence consists of.
  public typealias Element = KernelEvent
  /// The sequence itself does not throw: it ends when the link ends or the task is cancelled.
  public typealias Failure = Never

  /// The session.
  public let session: SessionID
  private let queue: EventQueue
  private let unsubscribe: @Sendable () -> Void

  init(session: SessionID, queue: EventQueue, unsubscribe: @escaping @Sendable () -> Void) {
    self.session = session
    self.queue = queue
    self.unsubscribe = unsubscribe
  }

  deinit { unsubscribe() }

  /// Takes the next event, waiting for it no longer than the deadline; nil when the deadline passes.
  ///
  /// Throws `closed` when the link has ended, `cancelled` when the task was cancelled.
  public func next(until deadline: ContinuousClock.Instant) async throws(KernelError) -> KernelEvent? {
    switch await queue.next(until: deadline) {
    case .event(let event): return event
    case .timedOut: return nil
    case .closed: throw .closed
    case .cancelled: throw .cancelled
    }
  }

  /// An iterator; all iterators take from one queue.
  public func makeAsyncIterator() -> Iterator { Iterator(events: self) }

  /// Takes events one by one.
  public struct Iterator: AsyncIteratorProtocol {
    let events: KernelEvents

    /// The next event; nil when the link has ended or the task was cancelled.
    public mutating func next() async -> KernelEvent? {
      guard case .event(let event) = await events.queue.next(until: nil) else { return nil }
      return event
    }
  }
}

/// A subscriber's queue: the link's thread posts, tasks take.
final class EventQueue: Sendable {
  /// How a wait ends.
  enum Outcome: Sendable {
    case event(KernelEvent)
    case timedOut
    case cancelled
    case closed
  }

  private struct State {
    var waiting: [KernelEvent] = []
    var readers: [(ticket: UInt64, continuation: CheckedContinuation<Outcome, Never>)] = []
    var lastTicket: UInt64 = 0
    var isClosed = false
  }

  /// A target decides how many PDUs come; this is how many of them may use memory.
  private static let limit = 512

  private let state = Mutex(State())

  /// Adds an event, or gives it to the first reader that waits.
  func post(_ event: KernelEvent) {
    let reader = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
      guard state.readers.isEmpty else { return state.readers.removeFirst().continuation }
      if state.waiting.count >= Self.limit {
        // What was lost and what was not cannot be told apart by then: the subscriber reads sysfs for both.
        state.waiting = [.overrun]
      } else if event != .overrun || state.waiting.last != .overrun {
        state.waiting.append(event)
      }
      return nil
    }
    reader?.resume(returning: .event(event))
  }

  /// Drops what a connection that is stopped now has reported.
  func dropConnectionEvents() {
    state.withLock { state in
      state.waiting.removeAll { event in
        switch event {
        case .received, .connectionFailed, .loginState: true
        case .devicesRemoved, .sessionDestroyed, .sessionCreated, .overrun: false
        }
      }
    }
  }

  /// Ends all waits, now and later.
  func close() {
    let readers = state.withLock { state in
      state.isClosed = true
      defer { state.readers = [] }
      return state.readers
    }
    for reader in readers { reader.continuation.resume(returning: .closed) }
  }

  /// Takes the next event.
  func next(until deadline: ContinuousClock.Instant?) async -> Outcome {
    let (ready, ticket) = state.withLock { state in
      state.lastTicket += 1
      return (Self.take(from: &state, deadline: deadline), state.lastTicket)
    }
    if let ready { return ready }
    let timer = deadline.map { deadline in
      Reactor.shared.schedule(at: deadline) { [self] in end(ticket, with: .timedOut) }
    }
    defer { timer?.cancel() }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        // Timer and cancellation may have come before there is a reader to end, so both are looked at again.
        let ready = state.withLock { state -> Outcome? in
          if let ready = Self.take(from: &state, deadline: deadline) { return ready }
          state.readers.append((ticket, continuation))
          return nil
        }
        if let ready { continuation.resume(returning: ready) }
      }
    } onCancel: {
      end(ticket, with: .cancelled)
    }
  }

  /// What a reader gets without waiting; nil if it must wait.
  private static func take(from state: inout State, deadline: ContinuousClock.Instant?) -> Outcome? {
    if !state.waiting.isEmpty { return .event(state.waiting.removeFirst()) }
    if state.isClosed { return .closed }
    if Task.isCancelled { return .cancelled }
    if let deadline, deadline <= .now { return .timedOut }
    return nil
  }

  private func end(_ ticket: UInt64, with outcome: Outcome) {
    let reader = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
      guard let index = state.readers.firstIndex(where: { $0.ticket == ticket }) else { return nil }
      return state.readers.remove(at: index).continuation
    }
    reader?.resume(returning: outcome)
  }
}
