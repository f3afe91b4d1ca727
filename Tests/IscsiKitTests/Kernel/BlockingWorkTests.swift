// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
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

  @Test("Calls of a group that hang hold up their like, and no others")
  func groups() async throws {
    let pool = BlockingWork(limit: 8, limitPerGroup: 2)
    let gate = DispatchSemaphore(value: 0)
    let calls = Calls()
    let hung = (0..<4).map { number in
      Task { try await pool.run(until: nil, in: "dead") { calls.note("dead \(number)", then: gate) } }
    }
    #expect(await eventually { calls.names.count == 2 && pool.waiting == 2 })
    try await pool.run(until: .soon, in: "live") { calls.note("live") }
    try await pool.run(until: .soon) { calls.note("without a group") }
    #expect(calls.names.count == 4 && pool.waiting == 2)
    // Each that ends lets the next of them in.
    for _ in hung { gate.signal() }
    for task in hung { try await task.value }
    #expect(calls.names.count == 6)
    try await pool.run(until: .soon, in: "dead") { calls.note("last") }
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

  @Test("A thread takes the next call too")
  func lingering() async throws {
    let started = Notes<Int>()
    let pool = BlockingWork(limit: 8, linger: .seconds(60)) { (body) throws(Errno) in
      try DedicatedThread.start(named: "test") {
        started.add(1)
        body()
      }
    }
    for _ in 0..<20 { try await pool.run(until: nil) {} }
    // A call may come just before the thread of the last one waits, but no thread ends in between.
    #expect(started.all.count <= 8)
  }

  @Test("A thread ends when there was no call for a while")
  func ending() async throws {
    let started = Notes<Int>()
    let ended = Notes<Int>()
    let pool = BlockingWork(limit: 8, linger: .milliseconds(1)) { (body) throws(Errno) in
      try DedicatedThread.start(named: "test") {
        started.add(1)
        body()
        ended.add(1)
      }
    }
    try await pool.run(until: nil) {}
    #expect(await eventually { ended.all.count == 1 })
    try await pool.run(until: nil) {}
    #expect(started.all.count == 2)
  }

  @Test("Calls at the same time have threads of their own, up to the limit, and none is forgotten")
  func manyCalls() async throws {
    let pool = BlockingWork(limit: 4, linger: .milliseconds(1)) { (body) throws(Errno) in
      try DedicatedThread.start(named: "test", body)
    }
    let gauge = Gauge()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<500 { group.addTask { try await pool.run(until: nil) { gauge.visit() } } }
      try await group.waitForAll()
    }
    #expect((1...4).contains(gauge.most))
  }

  /// How many threads are at a place at the same time.
  private final class Gauge: Sendable {
    private let count = Mutex((now: 0, most: 0))
    var most: Int { count.withLock { $0.most } }

    func visit() {
      count.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
      usleep(UInt32.random(in: 0...2000))
      count.withLock { $0.now -= 1 }
    }
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

  @Test("A call whose caller has gone does not wait on")
  func discarded() async throws {
    let pool = BlockingWork(limit: 1)
    let gate = DispatchSemaphore(value: 0)
    let calls = Calls()
    let first = Task { try await pool.run(until: nil) { calls.note("first", then: gate) } }
    while calls.names.isEmpty { await Task.yield() }
    for _ in 0..<5 {
      await #expect(throws: WaitError.timedOut) { try await pool.run(until: .now + .milliseconds(5)) {} }
    }
    let cancelled = Task { try await pool.run(until: nil) {} }
    #expect(await eventually { pool.waiting == 1 })
    cancelled.cancel()
    await #expect(throws: WaitError.cancelled) { try await cancelled.value }
    #expect(pool.waiting == 0)
    gate.signal()
    try await first.value
  }

  @Test("A call that may outlive the process has none of its files, and the process keeps them all")
  func withoutFiles() async throws {
    let pipe = try FileDescriptor.pipe()
    let number = pipe.writeEnd.rawValue
    let pool = BlockingWork(limit: 1, sharesFiles: false)
    let seen = try await pool.run(until: nil) { (fcntl(number, F_GETFD), errno) }
    #expect(seen == (-1, EBADF))
    #expect(try pipe.writeEnd.writeAll([1]) == 1)
    try pipe.writeEnd.close()
    try pipe.readEnd.close()
    let shared = try await BlockingWork(limit: 1).run(until: nil) { fcntl(0, F_GETFD) }
    #expect(shared >= 0)
  }

  @Test("What such a call comes to is delivered by who has the files")
  func delivery() async throws {
    let pipe = try FileDescriptor.pipe()
    let number = pipe.writeEnd.rawValue
    let pool = BlockingWork(limit: 1, sharesFiles: false)
    let seen = try await pool.run(until: nil) {
      let outcome = OneShot<Int32>()
      pool.deliver { outcome.resolve(fcntl(number, F_GETFD)) }
      return outcome
    }
    #expect(await seen.value >= 0)
    try pipe.writeEnd.close()
    try pipe.readEnd.close()
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
