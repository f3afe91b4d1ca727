// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin initiator-name`.
struct InitiatorNameCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "initiator-name", abstract: "Show, make and store the name of this machine as an initiator.",
    discussion: """
      Shows the name in \(InitiatorNameFile.standardPath), or prints a new one. Logins and discoveries from then on \
      use a name that is stored, unless the daemon has --initiator-name; sessions keep theirs.
      """)

  @Flag(help: "Make a new random name.")
  var generate = false

  @Option(
    help: ArgumentHelp(
      "What the new name begins with. (default: \(InitiatorNamePrefix.standard))", valueName: "iqn.yyyy-mm.domain"),
    transform: parseInitiatorNamePrefix)
  var prefix: InitiatorNamePrefix?

  @Flag(help: "Store the new name in \(InitiatorNameFile.standardPath), unless it has one (15).")
  var write = false

  @Flag(help: "Replace the name that is stored.")
  var force = false

  @OptionGroup var report: ReportOptions
  @Option(help: ArgumentHelp("The file in place of /etc's.", valueName: "path", visibility: .hidden))
  var file = InitiatorNameFile.standardPath.string

  var isJSON: Bool { report.json }
  var emptyDocument: InitiatorNameDocument { InitiatorNameDocument(name: nil) }

  func validate() throws {
    if !generate, prefix != nil || write { throw ValidationError("--prefix and --write need --generate") }
    if force, !write { throw ValidationError("--force needs --write") }
  }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let file = InitiatorNameFile(path: FilePath(file))
    let name = generate ? try (prefix ?? .standard).randomName() : try file.read()
    if write { try file.write(name, isReplacing: force) }
    var output = CommandOutput(text: report.quiet ? "" : "\(name.description.printable)\n")
    if report.json { try output.show(InitiatorNameDocument(name: name.description)) }
    return output
  }
}

func parseInitiatorNamePrefix(_ text: String) throws(ValidationError) -> InitiatorNamePrefix {
  do { return try InitiatorNamePrefix(text) } catch { throw ValidationError(error.description) }
}

/// `initiator-name --json`.
struct InitiatorNameDocument: JSONDocument {
  static let kind = "initiator-name"
  let name: String?
}
