// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Turns SIGINT and SIGTERM into a call, so that what is under way can be undone before the process ends.
public enum TerminationSignals {
  /// Keeps the two signals from every thread, until `watch` takes them.
  ///
  /// Call it from the main thread before others are started: threads inherit which signals are held.
  public static func hold() { clinux_hold_termination() }

  /// Calls `handler` at the first SIGINT or SIGTERM; a second one ends the process at once, with 128 plus its number.
  public static func watch(_ handler: @escaping @Sendable () -> Void) {
    // Without the thread the signals stay held and the work goes on to its end.
    try? DedicatedThread.start(named: "iscsi-signals") {
      guard clinux_wait_for_termination() != 0 else { return }
      handler()
      let number = clinux_wait_for_termination()
      if number != 0 { _exit(128 + number) }
    }
  }
}
