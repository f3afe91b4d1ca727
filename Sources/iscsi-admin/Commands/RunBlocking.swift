// SPDX-License-Identifier: Apache-2.0
import Dispatch
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
  let box = ResultBox<T>()
  let done = DispatchSemaphore(value: 0)
  Task.detached {
    let result: Result<T, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }
    box.result.withLock { $0 = result }
    done.signal()
  }
  done.wait()
  guard let result = box.result.withLock({ $0 }) else { throw CancellationError() }
  return try result.get()
}
