// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Patterns of `fnmatch(3)`: `*`, `?` and sets in brackets. The kernel's modules name devices by them, and kmod looks devices up so.
enum FilePattern {
  /// Whether a text fits a pattern.
  static func matches(_ pattern: String, _ text: String) -> Bool {
    // Both are lent to the call as C strings.
    unsafe fnmatch(pattern, text, 0) == 0
  }
}
