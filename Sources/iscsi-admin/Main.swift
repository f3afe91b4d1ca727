// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import IscsiKit

/// The command line in its modern form.
struct IscsiAdmin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "iscsi-admin",
    abstract: "Use the iSCSI initiator of the Linux kernel.",
    discussion: """
      Exit codes are those of open-iscsi: 0 done, 1 failed, 2 no such session, 4 no connection, 7 wrong argument, \
      8 connection timed out, 11 no answer, 12 no kernel driver, 13 not root, 15 session exists, 19 login refused, \
      21 nothing found, 24 authentication failed.
      """,
    version: versionText,
    subcommands: [
      DiscoverCommand.self, LoginCommand.self, LogoutCommand.self, SessionCommand.self, ProbeCommand.self,
      VersionCommand.self,
    ])
}

/// Chooses the personality by the name that the program is called by.
@main
enum Main {
  static func main() {
    let name = CommandLine.arguments.first.map(basename) ?? ""
    if let personality = Personality(rawValue: name) { exit(Int32(personality.run().rawValue)) }
    exit(run())
  }

  /// Runs the modern command line. Not `ParsableCommand.main()`: usage errors end with open-iscsi's code 7 and not 64.
  private static func run() -> Int32 {
    do {
      var command = try IscsiAdmin.parseAsRoot()
      try command.run()
      return 0
    } catch let error as any DiagnosableError {
      StandardError.write(diagnostic(error))
      return Int32(error.exitStatus.rawValue)
    } catch {
      let code = IscsiAdmin.exitCode(for: error)
      guard code == .validationFailure else { IscsiAdmin.exit(withError: error) }
      StandardError.write(IscsiAdmin.fullMessage(for: error) + "\n")
      return Int32(ExitStatus.invalidArgument.rawValue)
    }
  }

  private static func basename(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }
}
