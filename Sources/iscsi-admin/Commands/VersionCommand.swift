// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// The version of the executable and the library.
let versionText = "0.1.0"

/// `iscsi-admin version`.
struct VersionCommand: ReportingCommand {
  static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

  @OptionGroup var report: VersionOptions

  var isJSON: Bool { report.json }
  var emptyDocument: VersionDocument { VersionDocument(programVersion: versionText) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput(text: report.quiet ? "\(versionText)\n" : "iscsi-admin \(versionText)\n")
    if report.json { try output.show(emptyDocument) }
    return output
  }
}

/// The form of the version.
struct VersionOptions: ParsableArguments {
  @Flag(help: "Print JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print the number only.")
  var quiet = false

  func validate() throws { try checkForm(json: json, quiet: quiet) }
}
