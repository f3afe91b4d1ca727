// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization
internal import SystemPackage

/// Turns SIGINT and SIGTERM into calls, so that what is under way can be undone before the process ends.
///
/// One thread takes the signals, for the life of the process: where several wait for the same signal, any of them gets it,
/// also one whose work is long over. The first signal calls all handlers that are set; one without a handler ends the
/// process, as it does by default, and so does every further one. Its exit code is then 128 plus the number of the signal.
public final class TerminationSignals: Sendable {
  /// Those of the process.
  public static let shared = TerminationSignals(wait: clinux_wait_for_termination, end: { _exit($0) })

  /// A handler that is set.
  public struct Handler: Hashable, Sendable { fileprivate let number: Int }

  private struct State {
    var handlers: [Int: @Sendable () -> Void] = [:]
    var lastNumber = 0
    /// What ends the process at once.
    var atOnce: (@Sendable (Int32) -> Void)?
    var isWatched = false
    var hasCalled = false
  }

  private let state = Mutex(State())
  private let wait: @Sendable () -> Int32
  private let end: @Sendable (Int32) -> Void

  /// Signals by number from `wait`, which waits for the next one and gives 0 if there is none to wait for. `end` ends the
  /// process.
  init(wait: @escaping @Sendable () -> Int32, end: @escaping @Sendable (Int32) -> Void) {
    self.wait = wait
    self.end = end
  }

  /// Keeps the two signals from every thread but the one that takes them, which comes with the first handler.
  ///
  /// Call it from the main thread before others are started: threads inherit which signals are held.
  public static func hold() { clinux_hold_termination() }

  /// Sets a handler, beside those that are set.
  ///
  /// - Parameter handler: Is called at the first SIGINT or SIGTERM, on a thread that must not wait.
  /// - Returns: By what to clear it.
  public func set(_ handler: @escaping @Sendable () -> Void) -> Handler {
    let set = state.withLock { state in
      state.lastNumber += 1
      state.handlers[state.lastNumber] = handler
      return Handler(number: state.lastNumber)
    }
    beWatched()
    return set
  }

  /// Clears a handler; nothing happens the second time.
  public func clear(_ handler: Handler) { state.withLock { $0.handlers[handler.number] = nil } }

  /// Ends the process at each signal, whatever handlers are set: for a program that leaves nothing half made. It counts for signals
  /// that are held, see ``hold()``; until then ``end(at:saying:status:)`` does the same without a thread.
  ///
  /// - Parameter end: Gets the number of the signal. If it returns, the process goes on.
  public func endAtOnce(by end: @escaping @Sendable (Int32) -> Void) {
    state.withLock { $0.atOnce = end }
  }

  /// Has a signal that is not held end the process with a text on standard error. Call it once, before other threads are started.
  ///
  /// - Parameters:
  ///   - number: The signal.
  ///   - text: The text, with the end of its last line.
  ///   - status: The exit code.
  public static func end(at number: Int32, saying text: String, status: Int32) {
    // The function copies the octets. That it fails for want of memory leaves the signal as it was.
    var text = text
    _ = text.withUTF8 { octets in
      unsafe octets.withMemoryRebound(to: CChar.self) { unsafe clinux_end_at(number, $0.baseAddress, $0.count, status) }
    }
  }

  /// Does to the process what a signal does by default, or what the one that has started the process has set; returns if
  /// that is nothing.
  public static func raise(_ number: Int32) { clinux_raise(number) }

  /// Starts the thread that takes the signals, if it does not run yet.
  private func beWatched() {
    let isWatched = state.withLock { state in
      defer { state.isWatched = true }
      return state.isWatched
    }
    guard !isWatched else { return }
    // Without the thread the signals stay held, the work goes on to its end, and the next handler tries again.
    do throws(Errno) {
      try DedicatedThread.start(named: "iscsi-signals") { self.watch() }
    } catch {
      state.withLock { $0.isWatched = false }
    }
  }

  private func watch() {
    while true {
      let number = wait()
      guard number != 0 else { return }
      if let atOnce = state.withLock(\.atOnce) {
        atOnce(number)
        continue
      }
      let handlers = state.withLock { state in
        defer { state.hasCalled = true }
        return state.hasCalled ? [] : Array(state.handlers.values)
      }
      if handlers.isEmpty { end(128 + number) }
      for handler in handlers { handler() }
    }
  }
}
