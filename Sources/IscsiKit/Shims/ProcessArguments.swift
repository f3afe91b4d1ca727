// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The words that the process was started with, as `ps` and `/proc/PID/cmdline` show them to everybody.
public enum ProcessArguments {
  /// Puts stars in the place of a password, wherever a word is it or ends with it. What was read of the words before is
  /// as it was.
  ///
  /// To be called before the process has a second thread.
  ///
  /// - Parameter secret: The password.
  public static func hide(_ secret: String) {
    let octets = Array(secret.utf8)
    guard !octets.isEmpty else { return }
    for index in 1..<max(1, Int(CommandLine.argc)) {
      // The kernel has put `argc` words there, each with its NUL, and they are the process's to write to. No more than
      // a word's own octets are touched.
      guard let word = unsafe CommandLine.unsafeArgv[index] else { return }
      let length = unsafe strlen(word)
      guard length >= octets.count else { continue }
      let tail = unsafe word + (length - octets.count)
      let isSecret = octets.indices.allSatisfy { unsafe UInt8(bitPattern: tail[$0]) == octets[$0] }
      if isSecret { unsafe tail.update(repeating: CChar(0x2A), count: octets.count) }
    }
  }
}
