// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Turns SIGINT and SIGTERM into a call, so that what is under way can be undone before the process ends.
public enum TerminationSignals {
  /// Calls `handler` at the first SIGINT or SIGTERM; a second one ends the process at once, with 128 plus its number.
  ///
  /// Call it from the main thread before others are started: threads inherit the mask that keeps the signals for the
  /// one that waits for them.
  public static func watch(_ handler: @escaping @Sendable () -> Void) {
    var signals = sigset_t()
    // The set is a local variable that the calls fill and read.
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    unsafe sigaddset(&signals, SIGTERM)
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    let watched = signals
    // Without the thread the signals stay blocked and the work goes on to its end.
    try? DedicatedThread.start(named: "iscsi-signals") {
      var watched = watched
      var number: Int32 = 0
      // Both pointers are to locals that live as long as the call.
      guard unsafe sigwait(&watched, &number) == 0 else { return }
      handler()
      guard unsafe sigwait(&watched, &number) == 0 else { return }
      _exit(128 + number)
    }
  }
}
