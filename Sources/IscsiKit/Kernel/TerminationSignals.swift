// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Turns SIGINT and SIGTERM into a call, so that what is under way can be undone before the process ends.
public enum TerminationSignals {
  /// Keeps the two signals from every thread, until `watch` takes them.
  ///
  /// Call it from the main thread before others are started: threads inherit the mask.
  public static func hold() {
    var signals = signals
    // The set is a local variable that the call reads.
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  /// Calls `handler` at the first SIGINT or SIGTERM; a second one ends the process at once, with 128 plus its number.
  public static func watch(_ handler: @escaping @Sendable () -> Void) {
    // Without the thread the signals stay held and the work goes on to its end.
    try? DedicatedThread.start(named: "iscsi-signals") {
      var signals = signals
      var number: Int32 = 0
      // Both pointers are to locals that live as long as the call.
      guard unsafe sigwait(&signals, &number) == 0 else { return }
      handler()
      guard unsafe sigwait(&signals, &number) == 0 else { return }
      _exit(128 + number)
    }
  }

  private static var signals: sigset_t {
    var signals = sigset_t()
    // The set is a local variable that the calls fill.
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    unsafe sigaddset(&signals, SIGTERM)
    return signals
  }
}
