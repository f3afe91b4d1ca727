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
/// Looking takes no lock and no heap: the threads that died may have had them. So a thread looks at once after such a
/// request, before anything that may need them, and again later for the one that was killed a moment before its end.
enum ProcessDeath {
  /// Whether the main thread has ended or is about to, which it never does before the process; by what `/proc/self/stat`
  /// contains: the state is behind the name, which may have any character.
  ///
  /// A thread that is to die has a SIGKILL of its own pending (field 31) until it handles it, then the flags of a task that
  /// a signal has ended, be it with a core dump, and that exits (`PF_SIGNALED` and `PF_EXITING` of the kernel's `sched.h`, in
  /// field 9), and ends as a zombie.
  static func hasHappened(by stat: Span<UInt8>) -> Bool {
    var end = stat.count - 3
    while end >= 0, stat[end] != UInt8(ascii: ")") { end -= 1 }
    guard end >= 0 else { return false }
    let state = stat[end + 2]
    return state == UInt8(ascii: "Z") || state == UInt8(ascii: "X")
      || number(ofField: 9, in: stat, from: end + 2) & dying != 0
      || number(ofField: 31, in: stat, from: end + 2) & killed != 0
  }

  private static let dying: UInt64 = 0x404
  private static let killed: UInt64 = 1 << (UInt64(SIGKILL) - 1)

  /// A field of the line as a number, counted as in proc_pid_stat(5), where the state is the third; 0 if it is missing.
  private static func number(ofField field: Int, in stat: Span<UInt8>, from state: Int) -> UInt64 {
    var index = state
    for _ in 3..<field {
      while index < stat.count, stat[index] != UInt8(ascii: " ") { index += 1 }
      index += 1
    }
    var value: UInt64 = 0
    while index < stat.count, case let digit = stat[index] &- UInt8(ascii: "0"), digit < 10 {
      value = value &* 10 &+ UInt64(digit)
      index += 1
    }
    return value
  }

  /// Whether the kernel may remove a host while it executes a datagram, by the type of its first message.
  static func canFollow(_ datagram: Span<UInt8>) -> Bool {
    guard datagram.count >= 6 else { return false }
    // A header's type is in the machine's order: the numbers are so small that one octet has them.
    let type = KernelMessageType(rawValue: UInt32(datagram[4] | datagram[5]))
    return type == .createSession || type == .destroySession
  }

  /// For how many milliseconds the thread waits, after a request or after a look, before it looks (again).
  static let firstLook: Int32 = 100

  /// The wait after one of so many milliseconds; -1 when there were looks enough.
  static func nextLook(after look: Int32) -> Int32 { (1..<6400).contains(look) ? look * 2 : -1 }

  /// Ends the calling thread, and with it the process, if the others were killed.
  ///
  /// - Parameter descriptor: Of `/proc/self/stat`; -1 tells nothing.
  static func follow(by descriptor: Int32) {
    var stat = [512 of UInt8](repeating: 0)
    // The call fills the array, which is on the stack.
    let count = unsafe clinux_read_stat(descriptor, &stat, 512)
    guard count > 0, hasHappened(by: stat.span.extracting(first: count)) else { return }
    _exit(128 + SIGKILL)
  }
}
