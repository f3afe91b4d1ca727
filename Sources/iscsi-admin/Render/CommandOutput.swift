// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// What a command has to say, and the code that it ends with.
struct CommandOutput: Sendable {
  /// For standard output.
  var text = ""
  /// Lines for standard error, each with its line end.
  private(set) var diagnostics = ""
  /// What failed, in the order in which it was told.
  private(set) var failures: [Failure] = []
  /// The exit code: that of the first failure.
  private(set) var status = ExitStatus.success

  /// Notes that something failed, and says so on standard error.
  ///
  /// - Parameters:
  ///   - error: What failed and why.
  ///   - subject: What the failure is about; otherwise what the error itself knows of it.
  ///   - isSilent: Whether the exit code is to tell it alone.
  mutating func fail(_ error: any DiagnosableError, about subject: FailureSubject? = nil, isSilent: Bool = false) {
    if failures.isEmpty { status = error.exitStatus }
    failures.append(Failure(error, about: subject ?? FailureSubject(error)))
    if !isSilent { diagnostics += diagnostic(error) }
  }

  /// Says on standard error what is odd without being a failure.
  mutating func warn(_ text: String) { diagnostics += StandardError.warning(text) }

  /// Makes a JSON document the text. Call it after the last failure: the document lists them.
  mutating func show(_ document: some JSONDocument) throws {
    text = try document.json(with: failures)
  }

  /// Writes all to where it belongs, standard output first; throws the exit code unless it is 0.
  func emit() throws {
    let written = Result { try FileDescriptor.standardOutput.writeText(text) }
    StandardError.write(diagnostics)
    if status != .success { throw ExitCode(Int32(status.rawValue)) }
    if case .failure(let error) = written { throw UnwritableOutput(reason: error) }
  }
}

/// The line for an error: `iscsi-admin: <what failed and why>`, then `; <advice>` if there is some.
func diagnostic(_ error: any DiagnosableError) -> String {
  let advice = error.advice.map { "; \($0)" } ?? ""
  return "iscsi-admin: \((error.description + advice).printable)\n"
}

/// Standard output takes no text, such as on a full disk.
private struct UnwritableOutput: DiagnosableError {
  let reason: any Error
  let exitStatus = ExitStatus.failure
  var description: String { "standard output cannot be written: \(reason)" }
}
