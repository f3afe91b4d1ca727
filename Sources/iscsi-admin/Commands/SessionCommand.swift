// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin session`: what the kernel has.
struct SessionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "session", abstract: "Show the kernel's iSCSI sessions.",
    subcommands: [SessionListCommand.self, SessionShowCommand.self, SessionRescanCommand.self])
}

/// Where sysfs is.
struct SysfsLocation: ParsableArguments {
  @Option(help: ArgumentHelp("Read this tree in place of /sys.", valueName: "dir", visibility: .hidden))
  var sysfsRoot = "/sys"

  /// A reader of the tree.
  var sysfs: Sysfs { Sysfs(root: FilePath(sysfsRoot)) }
}

/// The form of what a command prints.
struct OutputForm: ParsableArguments {
  @Flag(help: "Print JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print only session numbers, one a line.")
  var quiet = false

  func validate() throws {
    if json, quiet { throw ValidationError("--json and --quiet exclude each other") }
  }
}

/// `iscsi-admin session list`.
struct SessionListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List all sessions.",
    discussion: "Ends with 21 if there is no session; with --json the empty list is printed all the same.")

  @OptionGroup var location: SysfsLocation
  @OptionGroup var form: OutputForm

  func run() throws { try output(for: .standardOutput).emit() }

  /// What the command prints on a terminal of this kind.
  func output(for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    let sessions: [SessionSnapshot]
    do {
      sessions = try location.sysfs.sessions(.summary)
    } catch {
      output.fail(error, in: "session list")
      return output
    }
    if form.json { output.text = try SessionListDocument(sessions).json() }
    guard !sessions.isEmpty else {
      output.status = .noObjectsFound
      if !form.quiet { output.diagnostics = "iscsi-admin: no active sessions\n" }
      return output
    }
    if form.quiet {
      output.text = sessions.map { "\($0.id)\n" }.joined()
    } else if !form.json {
      output.text = sessionTable(sessions, for: terminal)
    }
    return output
  }
}

/// `iscsi-admin session show`.
struct SessionShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show all about sessions.",
    discussion: "Ends with 2 if one of the named sessions does not exist, and with 21 if none is named and none exists."
  )

  @OptionGroup var location: SysfsLocation
  @OptionGroup var form: OutputForm

  @Argument(
    help: ArgumentHelp("The sessions' numbers; all sessions if none is given.", valueName: "sid"),
    transform: parseSessionID)
  var ids: [SessionID] = []

  func run() throws { try output(for: .standardOutput).emit() }

  /// What the command prints on a terminal of this kind.
  func output(for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    var sessions: [SessionSnapshot] = []
    do {
      if ids.isEmpty {
        sessions = try location.sysfs.sessions()
        if sessions.isEmpty {
          output.status = .noObjectsFound
          if !form.quiet { output.diagnostics = "iscsi-admin: no active sessions\n" }
        }
      }
      for id in ids {
        if let session = try location.sysfs.session(id) {
          sessions.append(session)
        } else {
          output.fail(SysfsError.noSession(id), in: "session show \(id)")
        }
      }
    } catch {
      output.fail(error, in: "session show")
      return output
    }
    if form.json {
      output.text = try SessionShowDocument(sessions).json()
    } else if form.quiet {
      output.text = sessions.map { "\($0.id)\n" }.joined()
    } else {
      output.text = sessions.map { sessionPage($0, for: terminal) }.joined(separator: "\n")
    }
    return output
  }
}

/// Parses a session number given as an argument.
func parseSessionID(_ text: String) throws(ValidationError) -> SessionID {
  guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt32(text) else {
    throw ValidationError("\(text.debugDescription) is not a session number")
  }
  return SessionID(rawValue: number)
}
