// SPDX-License-Identifier: Apache-2.0
import Synchronization
import SystemPackage

/// Runs calls that block (writes to sysfs, name resolution) on threads of their own, a bounded number at a time.
///
/// What can block for ever has a pool of its own, so that it holds up nothing but its like.
public final class BlockingWork: Sendable {
  /// The pool of the process: 32 calls at once, which covers the scans of many logins; more wait their turn.
  public static let shared = BlockingWork(limit: 32)
  /// The pool for name resolution, which must go on while writes to sysfs hang.
  static let resolver = BlockingWork(limit: 16)

  private struct Job {
    let run: @Sendable () -> Void
    /// Tells the caller that it will not run.
    let refuse: @Sendable (Errno) -> Void
  }

  private struct State {
    var running = 0
    var queue: [Job] = []
  }

  /// Starts a thread that runs a closure.
  typealias Starter = @Sendable (@escaping @Sendable () -> Void) throws(Errno) -> Void

  private let state = Mutex(State())
  private let limit: Int
  private let startThread: Starter

  /// A pool that runs at most `limit` calls at a time.
  public convenience init(limit: Int) {
    self.init(limit: limit) { (body) throws(Errno) in try DedicatedThread.start(named: "iscsi-blocking", body) }
  }

  /// A pool whose threads are started by `startThread`.
  init(limit: Int, startThread: @escaping Starter) {
    self.limit = max(limit, 1)
    self.startThread = startThread
  }

  /// Runs `body` on a thread of the pool and returns its value.
  ///
  /// - Throws: `WaitError.timedOut` if `deadline` passes first, `.cancelled` if the task is cancelled, `.failed` if the
  ///   machine has no room for a thread. A call that has not begun by then never does. One that has cannot be stopped: it
  ///   goes on to its end on its thread, and its value is dropped.
  public func run<Value: Sendable>(
    until deadline: ContinuousClock.Instant?, _ body: @escaping @Sendable () -> Value
  ) async throws(WaitError) -> Value {
    let outcome = OneShot<Result<Value, WaitError>>()
    let timer = deadline.map { deadline in
      Reactor.shared.schedule(at: deadline) { outcome.resolve(.failure(.timedOut)) }
    }
    defer { timer?.cancel() }
    let result = await withTaskCancellationHandler {
      let job = Job {
        // Its caller may have gone while it waited for its turn.
        if !outcome.isResolved { outcome.resolve(.success(body())) }
      } refuse: {
        outcome.resolve(.failure(.failed($0)))
      }
      // An already cancelled task has resolved it.
      if !outcome.isResolved { enqueue(job) }
      return await outcome.value
    } onCancel: {
      outcome.resolve(.failure(.cancelled))
    }
    return try result.get()
  }

  private func enqueue(_ job: Job) {
    let starts = state.withLock { state in
      guard state.running < limit else {
        state.queue.append(job)
        return false
      }
      state.running += 1
      return true
    }
    guard starts else { return }
    do throws(Errno) {
      try startThread { [self] in work(job) }
    } catch {
      // What was queued meanwhile is for the other threads, if there are any.
      let stranded = state.withLock { state -> [Job] in
        state.running -= 1
        guard state.running == 0 else { return [] }
        defer { state.queue = [] }
        return state.queue
      }
      for job in [job] + stranded { job.refuse(error) }
    }
  }

  private func work(_ first: Job) {
    var next: Job? = first
    while let job = next {
      job.run()
      next = state.withLock { state in
        guard !state.queue.isEmpty else {
          state.running -= 1
          return nil
        }
        return state.queue.removeFirst()
      }
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
