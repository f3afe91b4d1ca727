// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import Glibc
import IscsiKit
import SystemPackage

/// The command line in its modern form.
struct IscsiAdmin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "iscsi-admin",
    abstract: "Use the iSCSI initiator of the Linux kernel.",
    discussion: """
      A session is a login to a target at a portal; its disks are the machine's as long as it lasts. Sessions belong to \
      the daemon (iscsi-admin.service, or iscsi-admin daemon), which logs them in again when they are lost. What \
      changes them asks it, as root; session statistics and monitor ask it, too, and what else looks at them goes without \
      it. Records, open-iscsi's own, say how to log in to a node: a target at a portal. Exit codes are open-iscsi's: 0 done, 1 failed, 4 no connection, 7 wrong \
      argument, 8 connection timed out, 13 not root, 15 session exists, 19 login refused, 20 no daemon, 21 nothing \
      found, 24 authentication failed, 28 in use; man iscsi-admin has all.
      """,
    version: "iscsi-admin \(versionText)",
    subcommands: [
      DiscoverCommand.self, LoginCommand.self, LogoutCommand.self, SessionCommand.self, RecoveryCommand.self,
      ExplainCommand.self, WatchCommand.self, MonitorCommand.self, MetricsCommand.self, SetCommand.self,
      TuneCommand.self,
      ProbeCommand.self, NodeCommand.self, InterfaceCommand.self, DiscoveryRecordCommand.self,
      InitiatorNameCommand.self, BootCommand.self, DaemonCommand.self, VersionCommand.self,
    ])
}

extension IscsiAdmin {
  private static let helpWords: Set = ["help", "--help", "-h"]

  /// The command that a command line is for. If it names one, that one reads the rest alone, which spares the start to
  /// look at all the others; what it does not understand is read as a whole again, for errors and help: only then does help
  /// know the whole name of the command.
  static func command(_ arguments: [String]) throws -> any ParsableCommand {
    if let name = arguments.first, helpWords.isDisjoint(with: arguments),
      let named = configuration.subcommands.first(where: { $0.configuration.commandName == name }),
      let command = try? named.parseAsRoot(Array(arguments.dropFirst()))
    {
      return command
    }
    guard arguments.first == "help" else { return try parseAsRoot(arguments) }
    // The help of help is that of all.
    let words = arguments.drop { $0 == "help" }
    try checkHelp(of: words)
    return try parseAsRoot(["help"] + words)
  }

  /// Refuses a request for the help of a command that there is not: the parser would show the help of all of them and
  /// call it a success.
  private static func checkHelp(of words: ArraySlice<String>) throws(ValidationError) {
    var command: any ParsableCommand.Type = IscsiAdmin.self
    for word in words where !word.hasPrefix("-") {
      guard let next = command.configuration.subcommands.first(where: { $0.configuration.commandName == word }) else {
        throw ValidationError("unknown command '\(word)'")
      }
      command = next
    }
  }
}

/// Chooses the personality by the name that the program is called by.
@main
enum Main {
  static func main() {
    StandardDescriptors.occupy()
    let program = CommandLine.arguments.first ?? ""
    let (name, arguments) = (basename(program), Array(CommandLine.arguments.dropFirst()))
    if let text = dhcpAnswer(name, arguments) {
      _ = try? FileDescriptor.standardOutput.writeText(text)
      end(0)
    }
    if let personality = Personality(rawValue: name) {
      end(Int32(personality.run(arguments, program: program).rawValue))
    }
    end(run(arguments))
  }

  /// What is to be told to the one that has called a DHCP client, if this is called as the client's script.
  private static func dhcpAnswer(_ name: String, _ arguments: [String]) -> String? {
    // Most calls are none, and need no look at all variables.
    guard name == "exe" else { return nil }
    let environment = ProcessInfo.processInfo.environment
    guard environment[DHCPScript.variable] != nil else { return nil }
    return DHCPScript.text(environment: environment, arguments: arguments)
  }

  /// Ends the process. Not by `exit`: it destroys global objects of the libraries, and threads may still use them.
  private static func end(_ status: Int32) -> Never {
    // All streams; what the argument parser prints is buffered.
    fflush(nil)
    _exit(status)
  }

  /// Runs the modern command line. Not `ParsableCommand.main()`: its usage errors take several lines and end with 64.
  private static func run(_ arguments: [String]) -> Int32 {
    do {
      do {
        var command = try IscsiAdmin.command(arguments)
        try command.run()
      } catch let code as ExitCode {
        throw code
      } catch {
        try IscsiAdmin.output(for: error, of: arguments).emit()
      }
      return 0
    } catch let code as ExitCode {
      return code.rawValue
    } catch {
      StandardError.tell("\(error)")
      return Int32(ExitStatus.failure.rawValue)
    }
  }

  private static func basename(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
  }
}
