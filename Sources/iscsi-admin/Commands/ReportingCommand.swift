// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// A command that ends in one output: text or a JSON document, diagnostics and an exit code.
protocol ReportingCommand: ParsableCommand {
  associatedtype Document: JSONDocument

  /// Whether the JSON document is wanted in place of text.
  var isJSON: Bool { get }
  /// The document of a command that failed before it had anything to tell.
  var emptyDocument: Document { get }

  /// Does the work. A `DiagnosableError` that it throws is all that the command has to tell.
  func perform(for terminal: Terminal) throws -> CommandOutput
}

extension ReportingCommand {
  func run() throws { try output(for: .standardOutput).emit() }

  /// What the command prints on a terminal of this kind: failures too, in the form that was asked for.
  func output(for terminal: Terminal) throws -> CommandOutput { try output(of: { try perform(for: terminal) }) }

  /// What the command prints when its work is this.
  func output(of perform: () throws -> CommandOutput) throws -> CommandOutput {
    do {
      return try perform()
    } catch let error as any DiagnosableError {
      var output = CommandOutput()
      output.fail(error)
      if isJSON { try output.show(emptyDocument) }
      return output
    }
  }
}
