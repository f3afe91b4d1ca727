// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

extension IscsiAdmin {
  /// What the program says when a command line ends in an error: help, completions and the version on standard output,
  /// all else as one line on standard error.
  static func output(for error: any Error, of arguments: [String]) -> CommandOutput {
    var output = CommandOutput()
    switch (error, exitCode(for: error)) {
    case (let error as any DiagnosableError, _): output.fail(error)
    case (_, .success): output.text = fullMessage(for: error) + "\n"
    case (_, .validationFailure): output.fail(UsageError(error, arguments))
    default: output.fail(UnexpectedError(error: error))
    }
    return output
  }
}

/// A wrong command line.
struct UsageError: DiagnosableError, Hashable {
  let description: String
  let advice: String?
  let exitStatus = ExitStatus.invalidArgument

  /// The argument parser's error in one line, with the command whose help tells more.
  init(_ error: any Error, _ arguments: [String]) {
    let lines = IscsiAdmin.message(for: error).split(separator: "\n").map { $0.drop { $0 == " " } }
    let message = lines.joined(separator: " ")
    // The parser's messages quote arguments, and a secret must not get from a wrong command line into a log.
    let text: String
    if let assignment = arguments.compactMap(AssignmentArgument.init).first(where: \.hasSecret) {
      text = assignment.adviceOnSecret
    } else {
      text =
        arguments.contains(where: Self.mayHaveSecret)
        ? secretOnCommandLine : UnknownWord(arguments)?.description ?? message
    }
    description = text.prefix(1).lowercased() + text.dropFirst()
    advice = "see \(NamedCommand(arguments).name) --help"
  }

  /// Whether an argument looks like a URL with a secret: `user%secret@host`.
  private static func mayHaveSecret(_ argument: String) -> Bool {
    guard let at = argument.lastIndex(of: "@") else { return false }
    return argument[..<at].contains("%")
  }
}

/// An error that is none of ours; a cancelled task, or a fault of this program.
private struct UnexpectedError: DiagnosableError {
  let error: any Error
  let exitStatus = ExitStatus.failure
  var description: String { error is CancellationError ? "cancelled" : "\(error)" }
}
