// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import SystemPackage

/// Where warnings, progress and errors go.
enum StandardError {
  /// Writes text as it is. A closed standard error is nothing that could be reported anywhere.
  static func write(_ text: String) {
    _ = try? FileDescriptor.standardError.writeText(text)
  }

  /// Writes a line about something odd that is no failure.
  static func warn(_ text: String) { write(warning(text)) }

  /// Writes a line about how something gets on, or about what failed without an error of ours.
  static func tell(_ text: String) { write("iscsi-admin: \(text.printable)\n") }

  /// The line of a warning, which says that it is one: an error has no such word in front.
  static func warning(_ text: String) -> String { "iscsi-admin: warning: \(text.printable)\n" }
}
