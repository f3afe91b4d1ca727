// SPDX-License-Identifier: Apache-2.0
import Dispatch
import IscsiKit
import Synchronization

/// Where the task of `runBlocking` leaves its result.
private final class ResultBox<T: Sendable>: Sendable {
  let result = Mutex<Result<T, any Error>?>(nil)
}

/// Runs async work to its end from the synchronous main function.
///
/// An async main costs a static executable 12 ms of start time, which a command line tool that is called in loops
/// should not pay.
func runBlocking<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
  // Before the first thread: threads inherit which signals they leave to others.
  TerminationSignals.hold()
  let box = ResultBox<T>()
  let done = DispatchSemaphore(value: 0)
  let task = Task.detached {
    let result: Result<T, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }
    box.result.withLock { $0 = result }
    done.signal()
  }
  TerminationSignals.watch { task.cancel() }
  done.wait()
  guard let result = box.result.withLock({ $0 }) else { throw CancellationError() }
  return try result.get()
}
