// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// Who we are, for every command that logs in or discovers.
struct InitiatorOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp("Our name. Default: that of \(InitiatorNameFile.standardPath).", valueName: "iqn"))
  var initiatorName: String?

  /// The name of the option, or else of the file.
  ///
  /// - Throws: `ValidationError` for a wrong option, `InitiatorNameFileError` for a missing or wrong file.
  func resolve(file: InitiatorNameFile = InitiatorNameFile()) throws -> InitiatorName {
    guard let initiatorName else { return try file.read() }
    do { return try InitiatorName(initiatorName) } catch {
      throw ValidationError("--initiator-name is refused: \(error)")
    }
  }
}
