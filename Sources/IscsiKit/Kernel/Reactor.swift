// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization
public import SystemPackage

/// Why a wait ended without the event that it was for.
public enum WaitError: Error, Hashable, Sendable {
  /// The deadline passed.
  case timedOut
  /// The task was cancelled.
  case cancelled
  /// The operating system refused the wait.
  case failed(Errno)
}

/// Waits for descriptors and deadlines on behalf of async functions: one epoll, one thread, however many waits.
///
/// Swift's cooperative threads must never block, so everything that waits for the network goes through here. A wait
/// is one-shot: it ends with the event, the deadline or the task's cancellation, whichever comes first.
public final class Reactor: Sendable {
  /// What to wait for on a descriptor. An empty interest waits for its failure, or until both directions are closed.
  public struct Interest: OptionSet, Sendable {
    /// The bits.
    public let rawValue: UInt8
    /// An interest from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// There is something to read, or the peer has closed.
    public static let read = Interest(rawValue: 1)
    /// There is room to write, or a connect has ended.
    public static let write = Interest(rawValue: 2)
  }

  /// The reactor of the process. Its thread starts with the first wait.
  public static let shared = Reactor()

  /// A call that is due at a deadline.
  struct Timer: Sendable {
    fileprivate let token: UInt64
    fileprivate let reactor: Reactor

    /// Keeps the call from being made, unless it was made already.
    func cancel() { reactor.finish(token, .failure(.cancelled)) }
  }

  private struct Wait {
    let descriptor: Int32?
    let end: @Sendable (Result<Interest, WaitError>) -> Void
  }

  private struct State {
    var waits: [UInt64: Wait] = [:]
    var deadlines = DeadlineQueue()
    var nextToken: UInt64 = 1
    /// Why nothing can be waited for, if creating the descriptors or the thread failed.
    var failure: Errno?
  }

  /// The token by which epoll reports the wake-up descriptor.
  private static let wakeToken: UInt64 = 0

  private let state = Mutex(State())
  private let epoll: Int32
  private let wake: Int32

  private init() {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    wake = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    let armed = clinux_epoll_add(epoll, wake, EPOLLIN.rawValue, Self.wakeToken) == 0
    do throws(Errno) {
      guard armed else { throw Errno(rawValue: errno) }
      try DedicatedThread.start(named: "iscsi-reactor") { [self] in run() }
    } catch {
      state.withLock { $0.failure = error }
    }
  }

  /// Waits until `descriptor` is ready or `deadline` has passed; nil waits without limit.
  ///
  /// A descriptor can be waited for by one task at a time (`EEXIST` otherwise) and must stay open meanwhile.
  public func wait(
    for descriptor: Int32, _ interest: Interest, until deadline: ContinuousClock.Instant?
  ) async throws(WaitError) -> Interest {
    try await suspend(descriptor: descriptor, interest: interest, deadline: deadline).get()
  }

  /// Waits until `deadline`; throws only if the task is cancelled before or nothing can be waited for.
  public func sleep(until deadline: ContinuousClock.Instant) async throws(WaitError) {
    switch await suspend(descriptor: nil, interest: [], deadline: deadline) {
    case .success, .failure(.timedOut): return
    case .failure(let error): throw error
    }
  }

  /// Calls `action` at `deadline`, on the reactor's thread, unless the timer is cancelled before. For what is short and
  /// never blocks; much cheaper than a task that sleeps.
  func schedule(at deadline: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void) -> Timer {
    let token = nextToken()
    let wait = Wait(descriptor: nil) { result in
      if case .failure(.timedOut) = result { action() }
    }
    register(token, wait, [], deadline)
    return Timer(token: token, reactor: self)
  }

  private func suspend(
    descriptor: Int32?, interest: Interest, deadline: ContinuousClock.Instant?
  ) async -> Result<Interest, WaitError> {
    if let failure = state.withLock(\.failure) { return .failure(.failed(failure)) }
    let token = nextToken()
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        register(token, Wait(descriptor: descriptor) { continuation.resume(returning: $0) }, interest, deadline)
        // A cancellation that came before the registration found nothing to cancel.
        if Task.isCancelled { finish(token, .failure(.cancelled)) }
      }
    } onCancel: {
      finish(token, .failure(.cancelled))
    }
  }

  private func nextToken() -> UInt64 {
    state.withLock { state in
      defer { state.nextToken += 1 }
      return state.nextToken
    }
  }

  private func register(_ token: UInt64, _ wait: Wait, _ interest: Interest, _ deadline: ContinuousClock.Instant?) {
    let (refused, isFirst) = state.withLock { state -> (Errno?, Bool) in
      state.waits[token] = wait
      if let descriptor = wait.descriptor {
        var events = EPOLLONESHOT.rawValue
        // A peer that has closed its half can still be written to: only a reader is told of it.
        if interest.contains(.read) { events |= EPOLLIN.rawValue | EPOLLRDHUP.rawValue }
        if interest.contains(.write) { events |= EPOLLOUT.rawValue }
        guard clinux_epoll_add(epoll, descriptor, events, token) == 0 else {
          state.waits[token] = nil
          return (Errno(rawValue: errno), false)
        }
      }
      guard let deadline else { return (nil, false) }
      return (nil, state.deadlines.insert(deadline, token))
    }
    if let refused { wait.end(.failure(.failed(refused))) }
    // The thread sleeps until the deadline that was the earliest so far.
    if isFirst { wakeThread() }
  }

  /// Ends a wait once; later calls for the same token find nothing.
  private func finish(_ token: UInt64, _ result: Result<Interest, WaitError>) {
    let wait = state.withLock { state -> Wait? in
      guard let wait = state.waits.removeValue(forKey: token) else { return nil }
      if let descriptor = wait.descriptor {
        // Fails harmlessly if the owner has closed the descriptor.
        _ = clinux_epoll_remove(epoll, descriptor)
      }
      return wait
    }
    wait?.end(result)
  }

  private func wakeThread() {
    // The descriptor is non-blocking and a full counter is as good as a wake-up.
    _ = eventfd_write(wake, 1)
  }

  private func run() {
    var event = clinux_event()
    while true {
      let timeout = state.withLock { $0.deadlines.millisecondsToFirst() }
      // The C function fills `event` before it returns and keeps no pointer to it.
      let count = unsafe clinux_epoll_wait(epoll, &event, timeout)
      // Before the event: who waits again and again for what is always ready still meets the deadline.
      for token in state.withLock({ $0.deadlines.removeExpired() }) { finish(token, .failure(.timedOut)) }
      if count == 1, event.token == Self.wakeToken {
        clinux_eventfd_drain(wake)
      } else if count == 1 {
        finish(event.token, .success(Self.interest(of: event.events)))
      }
    }
  }

  private static func interest(of events: UInt32) -> Interest {
    let failed = events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
    var interest: Interest = failed ? [.read, .write] : []
    if events & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue) != 0 { interest.insert(.read) }
    if events & EPOLLOUT.rawValue != 0 { interest.insert(.write) }
    return interest
  }
}

/// A binary heap of deadlines. Tokens that have ended meanwhile stay until their time comes; ending them again does
/// nothing.
struct DeadlineQueue {
  private var heap: [(deadline: ContinuousClock.Instant, token: UInt64)] = []

  /// Adds a deadline; true if it is now the earliest.
  mutating func insert(_ deadline: ContinuousClock.Instant, _ token: UInt64) -> Bool {
    heap.append((deadline, token))
    var child = heap.count - 1
    while child > 0, heap[child].deadline < heap[(child - 1) / 2].deadline {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
    return child == 0
  }

  /// What epoll_wait takes: milliseconds to the earliest deadline, rounded up, or -1 for none.
  func millisecondsToFirst() -> Int32 {
    guard let first = heap.first else { return -1 }
    let left = first.deadline - .now
    guard left > .zero else { return 0 }
    let milliseconds = left.components.seconds.multipliedReportingOverflow(by: 1000)
    let fraction = left.components.attoseconds / 1_000_000_000_000_000 + 1
    return milliseconds.overflow
      ? .max : Int32(clamping: milliseconds.partialValue.addingReportingOverflow(fraction).partialValue)
  }

  /// Takes out all whose time has come, earliest first.
  mutating func removeExpired() -> [UInt64] {
    var expired: [UInt64] = []
    let now = ContinuousClock.now
    while let first = heap.first, first.deadline <= now {
      expired.append(first.token)
      removeFirst()
    }
    return expired
  }

  private mutating func removeFirst() {
    let last = heap.removeLast()
    guard !heap.isEmpty else { return }
    heap[0] = last
    var parent = 0
    while 2 * parent + 1 < heap.count {
      var child = 2 * parent + 1
      if child + 1 < heap.count, heap[child + 1].deadline < heap[child].deadline { child += 1 }
      guard heap[child].deadline < heap[parent].deadline else { return }
      heap.swapAt(child, parent)
      parent = child
    }
  }
}
