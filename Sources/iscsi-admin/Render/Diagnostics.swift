// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// What a command has to say, and the code that it ends with.
struct CommandOutput: Equatable, Sendable {
  /// For standard output.
  var text = ""
  /// Lines for standard error, each with its line end.
  var diagnostics = ""
  /// The exit code.
  var status = ExitStatus.success

  /// Says on standard error what failed and why; the first failure decides the exit code.
  ///
  /// - Parameters:
  ///   - error: Why.
  ///   - what: What failed, if the error does not say it itself.
  mutating func fail(_ error: any DiagnosableError, in what: String? = nil) {
    diagnostics += diagnostic(error, in: what)
    if status == .success { status = error.exitStatus }
  }

  /// Says on standard error what is odd without being a failure.
  mutating func warn(_ text: String) { diagnostics += "iscsi-admin: \(text.printable)\n" }

  /// Writes all to where it belongs, standard output first; throws the exit code unless it is 0.
  func emit() throws {
    try FileDescriptor.standardOutput.writeAll(text.utf8)
    try FileDescriptor.standardError.writeAll(diagnostics.utf8)
    if status != .success { throw ExitCode(Int32(status.rawValue)) }
  }
}

/// The line for an error: `iscsi-admin: <what failed>: <why>`, then `; <advice>` if there is some.
func diagnostic(_ error: any DiagnosableError, in what: String? = nil) -> String {
  let subject = what.map { "\($0): " } ?? ""
  let advice = error.advice.map { "; \($0)" } ?? ""
  return "iscsi-admin: \((subject + error.description + advice).printable)\n"
}
