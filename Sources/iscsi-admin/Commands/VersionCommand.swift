// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// The version of the executable and the library.
let versionText = "0.1.0"

/// `iscsi-admin version`.
struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    try CommandOutput(text: json ? VersionDocument(programVersion: versionText).json() : "iscsi-admin \(versionText)\n")
      .emit()
  }
}

/// `version --json`.
struct VersionDocument: JSONDocument {
  static let kind = "version"
  let programVersion: String
}
