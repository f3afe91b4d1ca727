// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Logging
internal import Synchronization
internal import SystemPackage

/// Entries that wait for the log's thread: callers put in and never wait, the thread takes out and writes.
///
/// When the room is used up new entries are dropped and counted: in an outage the first ones tell what happened. The
/// count is written in their place.
final class LogQueue: Sendable {
  private struct State {
    var waiting: [LogEntry] = []
    /// Entries and octets that are not written yet, those that the thread has taken included.
    var count = 0
    var octets = 0
    /// Entries that were dropped since the last one that was accepted.
    var dropped = 0
    /// Entries that the sink lost.
    var lost = 0
    var threadWaits = false
    var isClosed = false
    var flushes: [OneShot<Bool>] = []

    mutating func add(_ entry: LogEntry) {
      waiting.append(entry)
      count += 1
      octets += entry.size
    }

    /// An entry that tells of those that are missing; nil if none are.
    mutating func takeNotice() -> LogEntry? {
      let missing = dropped + lost
      guard missing > 0 else { return nil }
      (dropped, lost) = (0, 0)
      return LogEntry(.warning, "\(missing) log message\(missing == 1 ? " was" : "s were") lost")
    }
  }

  private let state = Mutex(State())
  private let wake: Int32
  private let countLimit: Int
  private let octetLimit: Int

  init(countLimit: Int, octetLimit: Int) {
    self.countLimit = countLimit
    self.octetLimit = octetLimit
    wake = eventfd(0, Int32(EFD_CLOEXEC))
  }

  deinit { Glibc.close(wake) }

  /// Puts an entry in, or counts it if there is no room; returns at once.
  func add(_ entry: LogEntry) {
    let wakes = state.withLock { state in
      guard state.count < countLimit, state.octets + entry.size <= octetLimit, !state.isClosed else {
        state.dropped += 1
        return false
      }
      if state.dropped > 0, let notice = state.takeNotice() { state.add(notice) }
      state.add(entry)
      defer { state.threadWaits = false }
      return state.threadWaits
    }
    // The counter is far from its limit: there is one wake-up for each wait.
    if wakes { eventfd_write(wake, 1) }
  }

  /// Lets the thread end when it has written what is there.
  func close() {
    let wakes = state.withLock { state in
      state.isClosed = true
      defer { state.threadWaits = false }
      return state.threadWaits
    }
    if wakes { eventfd_write(wake, 1) }
  }

  /// Waits until all that was put in before is written; false at the deadline.
  func flush(until deadline: ContinuousClock.Instant) async -> Bool {
    let flush = OneShot<Bool>()
    let isEmpty = state.withLock { state in
      if state.count == 0 { return true }
      state.flushes.append(flush)
      return false
    }
    if isEmpty { return true }
    let timer = Reactor.shared.schedule(at: deadline) { flush.resolve(false) }
    defer { timer.cancel() }
    return await flush.value
  }

  /// The thread: writes until the queue is closed and empty.
  func run(_ sink: any LogSink) {
    while let entries = take() {
      for entry in entries { written(entry, sink.write(entry)) }
    }
  }

  /// Takes all that waits, waiting for something; nil when the queue is closed.
  private func take() -> [LogEntry]? {
    while true {
      let (entries, isClosed) = state.withLock { state -> ([LogEntry], Bool) in
        // Nobody may log again for long, so what is missing is told now.
        if state.waiting.isEmpty, state.dropped > 0, let notice = state.takeNotice() { state.add(notice) }
        defer { state.waiting = [] }
        state.threadWaits = state.waiting.isEmpty && !state.isClosed
        return (state.waiting, state.isClosed)
      }
      if !entries.isEmpty { return entries }
      if isClosed { return nil }
      // A blocking read, which ends with the next wake-up, or at once should there be no descriptor.
      var count: eventfd_t = 0
      // The number is a local variable.
      if unsafe eventfd_read(wake, &count) != 0, errno != EINTR { return nil }
    }
  }

  private func written(_ entry: LogEntry, _ isWritten: Bool) {
    let flushes = state.withLock { state -> [OneShot<Bool>] in
      state.count -= 1
      state.octets -= entry.size
      if !isWritten {
        state.lost += 1
      } else if state.lost > 0, let notice = state.takeNotice() {
        state.add(notice)
      }
      guard state.count == 0 else { return [] }
      defer { state.flushes = [] }
      return state.flushes
    }
    for flush in flushes { flush.resolve(true) }
  }
}
