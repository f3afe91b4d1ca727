// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization
import SystemPackage

/// Runs calls that block (writes to sysfs, name resolution) on threads of their own, a bounded number at a time.
///
/// What can block for ever has a pool of its own, so that it holds up nothing but its like.
public final class BlockingWork: Sendable {
  /// The pool for scans and other writes to sysfs, which last as long as a target takes to answer, killed process or not:
  /// 16 at once at each target's host, which covers the scans of many logins, so that one that is dead holds up no other;
  /// more wait their turn.
  static let devices = BlockingWork(limit: 128, limitPerGroup: 16, sharesFiles: false)
  /// The pool for what is read of devices again, which every device of a session that is lost meanwhile holds up.
  static let rescans = BlockingWork(limit: 128, limitPerGroup: 16, sharesFiles: false)
  /// The pool for what gives devices their I/O back, which must go on while other writes to sysfs hang.
  static let revival = BlockingWork(limit: 64, limitPerGroup: 8, sharesFiles: false)

  private struct Job {
    let number: UInt64
    let group: String?
    let run: @Sendable () -> Void
    /// Tells the caller that it will not run.
    let refuse: @Sendable (Errno) -> Void
  }

  private struct State {
    /// How many threads there are.
    var running = 0
    /// How many of them wait for work.
    var idle = 0
    var lastNumber: UInt64 = 0
    var queue: [Job] = []
    /// How many calls of a group run.
    var runningOfGroup: [String: Int] = [:]

    /// Whether a call of a group may begin.
    func hasRoom(for group: String?, _ limit: Int) -> Bool { group.map { runningOfGroup[$0] ?? 0 < limit } ?? true }

    mutating func begin(_ group: String?) {
      if let group { runningOfGroup[group, default: 0] += 1 }
    }

    mutating func end(_ group: String?) {
      guard let group, let count = runningOfGroup[group] else { return }
      runningOfGroup[group] = count > 1 ? count - 1 : nil
    }

    /// Takes the oldest call that may begin.
    mutating func next(_ limitPerGroup: Int) -> Job? {
      guard let index = queue.firstIndex(where: { hasRoom(for: $0.group, limitPerGroup) }) else { return nil }
      begin(queue[index].group)
      return queue.remove(at: index)
    }
  }

  /// Starts a thread that runs a closure.
  typealias Starter = @Sendable (@escaping @Sendable () -> Void) throws(Errno) -> Void

  private let state = Mutex(State())
  private let limit: Int
  private let limitPerGroup: Int
  /// For how long a thread without work waits for some: making one costs as much as many a call.
  private let linger: Duration
  private let startThread: Starter
  /// Counts what was queued while threads were idle. A thread that finds nothing was overtaken by a busy one.
  private let work = DispatchSemaphore(value: 0)
  /// Tells a caller of its result.
  let deliver: @Sendable (@escaping @Sendable () -> Void) -> Void

  /// A pool that runs at most `limit` calls at a time.
  ///
  /// - Parameters:
  ///   - limit: How many threads it may have.
  ///   - limitPerGroup: How many of them calls of one group may have.
  ///   - sharesFiles: Whether its calls see the open files of the process. What a call opens without is nobody else's.
  ///   - stackSize: The stack of a thread in octets; nil is the process' default.
  public convenience init(
    limit: Int, limitPerGroup: Int = .max, sharesFiles: Bool = true, stackSize: Int? = nil
  ) {
    let courier = sharesFiles ? nil : Courier.shared
    self.init(
      limit: limit, limitPerGroup: limitPerGroup, linger: .seconds(2),
      deliver: { if let courier { courier.run($0) } else { $0() } }
    ) { (body) throws(Errno) in
      try DedicatedThread.start(named: "iscsi-blocking", stackSize: stackSize) {
        if courier != nil { DedicatedThread.leaveFiles() }
        body()
      }
    }
  }

  /// A pool whose threads are started by `startThread`, and end when they were without work for as long as `linger`.
  init(
    limit: Int, limitPerGroup: Int = .max, linger: Duration = .zero,
    deliver: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void = { $0() },
    startThread: @escaping Starter
  ) {
    self.limit = max(limit, 1)
    self.limitPerGroup = max(limitPerGroup, 1)
    self.linger = linger
    self.deliver = deliver
    self.startThread = startThread
  }

  /// Runs `body` on a thread of the pool and returns its value. Calls of one group may be fewer at a time than those of all.
  ///
  /// - Throws: `WaitError.timedOut` if `deadline` passes first, `.cancelled` if the task is cancelled, `.failed` if the
  ///   machine has no room for a thread. A call that has not begun by then never does. One that has cannot be stopped: it
  ///   goes on to its end on its thread, and its value is dropped.
  public func run<Value: Sendable>(
    until deadline: ContinuousClock.Instant?, in group: String? = nil, _ body: @escaping @Sendable () -> Value
  ) async throws(WaitError) -> Value {
    let outcome = OneShot<Result<Value, WaitError>>()
    let number = state.withLock { state in
      state.lastNumber += 1
      return state.lastNumber
    }
    let timer = deadline.map { deadline in
      Reactor.shared.schedule(at: deadline) { [self] in
        outcome.resolve(.failure(.timedOut))
        discard(number)
      }
    }
    defer { timer?.cancel() }
    let result = await withTaskCancellationHandler {
      let job = Job(number: number, group: group) { [deliver] in
        // Its caller may have gone while it waited for its turn.
        guard !outcome.isResolved else { return }
        let value = body()
        deliver { outcome.resolve(.success(value)) }
      } refuse: {
        outcome.resolve(.failure(.failed($0)))
      }
      // An already cancelled task has resolved it.
      if !outcome.isResolved { enqueue(job) }
      return await outcome.value
    } onCancel: {
      outcome.resolve(.failure(.cancelled))
      discard(number)
    }
    return try result.get()
  }

  /// Forgets a call whose caller has gone: with all threads held up, such calls would pile up for ever.
  private func discard(_ number: UInt64) {
    state.withLock { $0.queue.removeAll { $0.number == number } }
  }

  /// How many calls wait for their turn.
  var waiting: Int { state.withLock(\.queue.count) }

  private func enqueue(_ job: Job) {
    let (starts, wakes) = state.withLock { state in
      // One of a group that has all its threads gets that of the next of them that ends.
      guard state.hasRoom(for: job.group, limitPerGroup) else {
        state.queue.append(job)
        return (false, false)
      }
      // Idle threads have work already if as many calls wait.
      guard state.queue.count >= state.idle, state.running < limit else {
        state.queue.append(job)
        return (false, state.idle > 0)
      }
      state.running += 1
      state.begin(job.group)
      return (true, false)
    }
    if wakes { work.signal() }
    guard starts else { return }
    do throws(Errno) {
      try startThread { [self] in runJobs(from: job) }
    } catch {
      // What was queued meanwhile is for the other threads, if there are any.
      let stranded = state.withLock { state -> [Job] in
        state.running -= 1
        state.end(job.group)
        guard state.running == 0 else { return [] }
        defer { state.queue = [] }
        return state.queue
      }
      for job in [job] + stranded { job.refuse(error) }
    }
  }

  /// The work of a thread.
  private func runJobs(from first: Job) {
    var next: Job? = first
    while let job = next {
      job.run()
      next = takeJob(after: job)
    }
  }

  /// The oldest job that may begin, as soon as there is one; nil when the thread is to end.
  private func takeJob(after last: Job) -> Job? {
    let queued = state.withLock { state -> Job? in
      state.end(last.group)
      if let job = state.next(limitPerGroup) { return job }
      state.idle += 1
      return nil
    }
    if let queued { return queued }
    let end = DispatchTime.now() + .milliseconds(Int(linger / .milliseconds(1)))
    while true {
      let isLate = work.wait(timeout: end) == .timedOut
      let (job, ends) = state.withLock { state -> (Job?, Bool) in
        if let job = state.next(limitPerGroup) {
          state.idle -= 1
          return (job, false)
        }
        guard isLate else { return (nil, false) }
        state.idle -= 1
        state.running -= 1
        return (nil, true)
      }
      if job != nil || ends { return job }
    }
  }
}

/// A value that is set once, by whoever comes first, and awaited by one task.
final class OneShot<Value: Sendable>: Sendable {
  private enum State {
    case empty
    case awaited(CheckedContinuation<Value, Never>)
    case resolved(Value)
  }

  private let state = Mutex(State.empty)

  /// Sets the value; every call but the first does nothing.
  func resolve(_ value: Value) {
    let waiter = state.withLock { state -> CheckedContinuation<Value, Never>? in
      switch state {
      case .empty:
        state = .resolved(value)
        return nil
      case .awaited(let continuation):
        state = .resolved(value)
        return continuation
      case .resolved:
        return nil
      }
    }
    waiter?.resume(returning: value)
  }

  /// Whether the value is set.
  var isResolved: Bool {
    state.withLock { state in
      if case .resolved = state { true } else { false }
    }
  }

  /// The value, as soon as it is set.
  var value: Value {
    get async {
      await withCheckedContinuation { continuation in
        let ready = state.withLock { state -> Value? in
          if case .resolved(let value) = state { return value }
          state = .awaited(continuation)
          return nil
        }
        if let ready { continuation.resume(returning: ready) }
      }
    }
  }
}
