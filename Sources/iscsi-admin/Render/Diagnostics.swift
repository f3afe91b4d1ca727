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
  mutating func fail(_ what: String, _ error: any DiagnosableError) {
    diagnostics += diagnostic(what, error)
    if status == .success { status = error.exitStatus }
  }

  /// Writes all to where it belongs, standard output first; throws the exit code unless it is 0.
  func emit() throws {
    try FileDescriptor.standardOutput.writeAll(text.utf8)
    try FileDescriptor.standardError.writeAll(diagnostics.utf8)
    if status != .success { throw ExitCode(Int32(status.rawValue)) }
  }
}

/// The line for an error: `iscsi-admin: <what failed>: <why>`, then `; <advice>` if there is some.
func diagnostic(_ what: String, _ error: any DiagnosableError) -> String {
  let advice = error.advice.map { "; \($0)" } ?? ""
  return "iscsi-admin: \(what.printable): \((error.description + advice).printable)\n"
}

/// Writes the line for an error to standard error and gives back the exit code to throw.
func fail(_ what: String, _ error: any DiagnosableError) -> ExitCode {
  // If standard error is closed nobody can be told; the exit code still tells that it failed.
  _ = try? FileDescriptor.standardError.writeAll(diagnostic(what, error).utf8)
  return ExitCode(Int32(error.exitStatus.rawValue))
}
