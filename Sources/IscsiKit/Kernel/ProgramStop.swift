// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Ends the programs that a blocking call runs, from elsewhere.
final class ProgramStop: Sendable {
  private struct State {
    var process: pid_t?
    var isStopped = false
  }

  private let state = Mutex(State())
  private let stopped = DispatchSemaphore(value: 0)

  /// Whether no program is to run any more.
  var isStopped: Bool { state.withLock(\.isStopped) }

  /// Kills the program that runs, and every later one as it begins.
  func stop() {
    state.withLock { state in
      state.isStopped = true
      if let process = state.process { kill(process, SIGKILL) }
    }
    stopped.signal()
  }

  /// Waits; whether it was stopped by the end of that.
  func wait(for duration: Duration) -> Bool {
    _ = stopped.wait(timeout: .now() + .milliseconds(Int(duration / .milliseconds(1))))
    return isStopped
  }

  /// A program runs.
  func begin(_ process: pid_t) {
    state.withLock { state in
      state.process = process
      if state.isStopped { kill(process, SIGKILL) }
    }
  }

  /// Nobody else's process must be killed: the number is free once the end of the program has been collected.
  func end() { state.withLock { $0.process = nil } }
}
