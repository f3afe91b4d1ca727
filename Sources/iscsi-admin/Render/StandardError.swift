// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// Where warnings, progress and errors go.
enum StandardError {
  /// Writes text as it is. A closed standard error is nothing that could be reported anywhere.
  static func write(_ text: String) {
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
  }

  /// Writes a line about something odd.
  static func warn(_ text: String) { write("iscsi-admin: \(text.printable)\n") }
}
