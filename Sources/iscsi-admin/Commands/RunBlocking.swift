// SPDX-License-Identifier: Apache-2.0
import Dispatch
import IscsiKit
import Synchronization

/// Where the task of `runBlocking` leaves its value.
private final class ValueBox<T: Sendable>: Sendable {
  let value = Mutex<T?>(nil)
}

/// Runs async work to its end from the synchronous main function.
///
/// An async main costs a static executable 12 ms of start time, which a command line tool that is called in loops
/// should not pay.
func runBlocking<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
  let result = runBlocking { () async -> Result<T, any Error> in
    do { return .success(try await body()) } catch { return .failure(error) }
  }
  return try result.get()
}

/// The same for work that does not throw.
func runBlocking<T: Sendable>(_ body: @escaping @Sendable () async -> T) -> T {
  // Before the first thread: threads inherit which signals they leave to others.
  TerminationSignals.hold()
  let box = ValueBox<T>()
  let done = DispatchSemaphore(value: 0)
  let task = Task.detached {
    let value = await body()
    box.value.withLock { $0 = value }
    done.signal()
  }
  // Only while it is under way: between two such works a signal ends the process.
  let handler = TerminationSignals.shared.set { task.cancel() }
  defer { TerminationSignals.shared.clear(handler) }
  while true {
    done.wait()
    if let value = box.value.withLock({ $0 }) { return value }
  }
}
