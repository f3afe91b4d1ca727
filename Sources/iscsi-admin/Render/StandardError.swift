// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// Where warnings and errors go.
enum StandardError {
  /// Writes one line. A closed standard error is nothing that could be reported anywhere.
  static func print(_ line: String) {
    _ = try? FileDescriptor.standardError.writeAll("\(line)\n".utf8)
  }
}
