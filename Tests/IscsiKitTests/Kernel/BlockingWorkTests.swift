// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Blocking work", .timeLimit(.minutes(1)))
struct BlockingWorkTests {
  @Test("A call whose caller has gone before its turn is never made")
  func expired() async throws {
    let pool = BlockingWork(limit: 1)
    let gate = DispatchSemaphore(value: 0)
    let calls = Calls()
    let first = Task { try await pool.run(until: nil) { calls.note("first", then: gate) } }
    while calls.names.isEmpty { await Task.yield() }
    await #expect(throws: WaitError.timedOut) {
      try await pool.run(until: .now + .milliseconds(20)) { calls.note("second") }
    }
    let third = Task { try await pool.run(until: nil) { calls.note("third") } }
    gate.signal()
    try await first.value
    try await third.value
    #expect(calls.names == ["first", "third"])
  }

  @Test("A task that is cancelled already makes no call")
  func cancelled() async throws {
    let pool = BlockingWork(limit: 1)
    let calls = Calls()
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      try await pool.run(until: nil) { calls.note("cancelled") }
    }
    task.cancel()
    await #expect(throws: WaitError.cancelled) { try await task.value }
    try await pool.run(until: nil) { calls.note("next") }
    #expect(calls.names == ["next"])
  }

  @Test("A machine without room for a thread is an error, and the call is not made on the caller's thread")
  func noThread() async {
    let calls = Calls()
    let pool = BlockingWork(limit: 1) { (_) throws(Errno) in throw .resourceTemporarilyUnavailable }
    for _ in 0..<2 {
      await #expect(throws: WaitError.failed(.resourceTemporarilyUnavailable)) {
        try await pool.run(until: nil) { calls.note("call") }
      }
    }
    #expect(calls.names.isEmpty)
  }

  /// The calls that were made, in order.
  private final class Calls: Sendable {
    private let state = Mutex<[String]>([])
    var names: [String] { state.withLock { $0 } }

    func note(_ name: String, then gate: DispatchSemaphore? = nil) {
      state.withLock { $0.append(name) }
      gate?.wait()
    }
  }
}
