// SPDX-License-Identifier: Apache-2.0
import Synchronization
import SystemPackage

/// Runs calls that block (writes to sysfs, name resolution) on threads of their own, a bounded number at a time.
public final class BlockingWork: Sendable {
  /// The pool of the process: 32 calls at once, which covers the scans of many logins; more wait their turn.
  public static let shared = BlockingWork(limit: 32)

  private struct State {
    var running = 0
    var queue: [@Sendable () -> Void] = []
  }

  private let state = Mutex(State())
  private let limit: Int

  /// A pool that runs at most `limit` calls at a time.
  public init(limit: Int) { self.limit = max(limit, 1) }

  /// Runs `body` on a thread of the pool and returns its value.
  ///
  /// - Throws: `WaitError.timedOut` if `deadline` passes first, `.cancelled` if the task is cancelled. The call itself
  ///   cannot be stopped: it goes on to its end on its thread, and its value is dropped.
  public func run<Value: Sendable>(
    until deadline: ContinuousClock.Instant?, _ body: @escaping @Sendable () -> Value
  ) async throws(WaitError) -> Value {
    let outcome = OneShot<Result<Value, WaitError>>()
    let timer = deadline.map { deadline in
      Reactor.shared.schedule(at: deadline) { outcome.resolve(.failure(.timedOut)) }
    }
    defer { timer?.cancel() }
    let result = await withTaskCancellationHandler {
      enqueue { outcome.resolve(.success(body())) }
      return await outcome.value
    } onCancel: {
      outcome.resolve(.failure(.cancelled))
    }
    return try result.get()
  }

  private func enqueue(_ job: @escaping @Sendable () -> Void) {
    let starts = state.withLock { state in
      guard state.running < limit else {
        state.queue.append(job)
        return false
      }
      state.running += 1
      return true
    }
    guard starts else { return }
    // A thread that cannot be started is an exhausted machine: the work is late then, and blocks its caller.
    guard (try? DedicatedThread.start(named: "iscsi-blocking", { [self] in work(job) })) != nil else {
      return work(job)
    }
  }

  private func work(_ first: @escaping @Sendable () -> Void) {
    var next: (@Sendable () -> Void)? = first
    while let job = next {
      job()
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
