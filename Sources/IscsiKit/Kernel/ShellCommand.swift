// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A line of configuration that is a command for the shell.
enum ShellCommand {
  /// Runs a command and waits for its end, on a thread that may block. What it prints goes where our own output goes.
  static func run(_ text: String) {
    // The text becomes a C string for the call only.
    _ = unsafe system(text)
  }
}
