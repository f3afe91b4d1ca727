// SPDX-License-Identifier: Apache-2.0
@testable import IscsiKit

/// Runs what waits for asynchronous work, as commands do, on a thread of its own. On the threads that tests share, a few
/// such waits at a time would leave none for the work that they wait for.
func onOwnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    do {
      try DedicatedThread.start(named: "command") { continuation.resume(with: Result(catching: body)) }
    } catch {
      continuation.resume(throwing: error)
    }
  }
}
