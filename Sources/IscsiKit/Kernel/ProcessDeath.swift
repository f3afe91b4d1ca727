// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// Finds out that the process was killed, for a thread that may have been left behind.
///
/// The kernel makes a session in the thread that asks for it. When that fails because the process is being killed, the
/// kernel removes the session's host again and drops the pending signals of the thread on the way (libiscsi's
/// `iscsi_host_remove`, which before Linux 5.7 every removal goes through), the SIGKILL among them. A process that is dying
/// takes no other signal, so the thread would wait for ever, and hold on to the daemon's sockets and names.
///
/// Looking takes no lock and no heap: the threads that died may have had them. What the thread does before it looks may
/// need them, so that a small chance to hang remains.
enum ProcessDeath {
  /// Whether the main thread has ended, which it never does before the process; by what `/proc/self/stat` contains: the
  /// state is behind the name, which may have any character.
  static func hasHappened(by stat: Span<UInt8>) -> Bool {
    var end = stat.count - 3
    while end >= 0, stat[end] != UInt8(ascii: ")") { end -= 1 }
    return end >= 0 && (stat[end + 2] == UInt8(ascii: "Z") || stat[end + 2] == UInt8(ascii: "X"))
  }

  /// For how many milliseconds the thread waits, after a request or after a look, before it looks (again).
  static let firstLook: Int32 = 100

  /// The wait after one of so many milliseconds; -1 when there were looks enough.
  static func nextLook(after look: Int32) -> Int32 { (1..<6400).contains(look) ? look * 2 : -1 }

  /// Ends the calling thread, and with it the process, if the others were killed.
  static func follow() {
    var stat = [512 of UInt8](repeating: 0)
    // The call fills the array, which is on the stack.
    let count = unsafe clinux_read_stat(&stat, 512)
    guard count > 0, hasHappened(by: stat.span.extracting(first: count)) else { return }
    _exit(128 + SIGKILL)
  }
}
