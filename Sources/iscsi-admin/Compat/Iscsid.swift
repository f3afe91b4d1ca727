// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Logging
import SystemPackage

/// The daemon by the name of open-iscsi's, with its arguments.
struct Iscsid: Hashable {
  /// What is to be done.
  enum Action: Hashable {
    case run
    case help
    case version
  }

  var action = Action.run
  var isForeground = false
  var initiatorNameFile = InitiatorNameFile.standardPath.string
  var configurationFile = InitiatorConfiguration.standardPath.string
  /// Where the number of a process in the background is kept; nil is nowhere.
  var pidFile: String? = "/run/iscsid.pid"
  var debugLevel = 0

  /// The options of open-iscsi's daemon.
  private enum Option: Hashable {
    case config, initiatorName, foreground, debug, user, group, noPIDFile, pidFile, help, version
  }

  private static let options = GetOpt<Option>([
    GetOpt.Rule(option: .config, letter: "c", name: "config", takesValue: true),
    GetOpt.Rule(option: .initiatorName, letter: "i", name: "initiatorname", takesValue: true),
    GetOpt.Rule(option: .foreground, letter: "f", name: "foreground", takesValue: false),
    GetOpt.Rule(option: .debug, letter: "d", name: "debug", takesValue: true),
    GetOpt.Rule(option: .user, letter: "u", name: "uid", takesValue: true),
    GetOpt.Rule(option: .group, letter: "g", name: "gid", takesValue: true),
    GetOpt.Rule(option: .noPIDFile, letter: "n", name: "no-pid-file", takesValue: false),
    GetOpt.Rule(option: .pidFile, letter: "p", name: "pid", takesValue: true),
    GetOpt.Rule(option: .help, letter: "h", name: "help", takesValue: false),
    GetOpt.Rule(option: .version, letter: "v", name: "version", takesValue: false),
  ])

  /// Reads arguments; words that are no options are passed over.
  init(_ arguments: [String]) throws(GetOptMistake) {
    for item in Self.options.items(arguments) {
      switch item {
      case .option(let option, let value): apply(option, value ?? "")
      case .operand: break
      case .mistake(let mistake): throw mistake
      }
    }
  }

  private mutating func apply(_ option: Option, _ value: String) {
    switch option {
    case .foreground: isForeground = true
    case .noPIDFile: pidFile = nil
    case .version: action = .version
    case .help: action = .help
    case .initiatorName: initiatorNameFile = value
    case .pidFile: pidFile = value
    case .debug: debugLevel = Int(value) ?? 0
    case .config: configurationFile = value
    // The process needs root for the kernel.
    case .user, .group: break
    }
  }

  /// Does what the arguments say.
  func run() -> ExitStatus {
    switch action {
    case .help:
      _ = try? FileDescriptor.standardOutput.writeText(Self.help)
      return .success
    case .version:
      _ = try? FileDescriptor.standardOutput.writeText("iscsid version \(versionText)\n")
      return .success
    case .run: break
    }
    // What it says is for the process of this number, and the one in the background has another.
    let manager = ServiceManager.takeFromEnvironment()
    var file: PIDFile?
    var configuration = Daemon.Configuration(version: versionText)
    if !isForeground {
      do throws(DaemonStartError) {
        let process = try BackgroundProcess.start()
        let number = try pidFile.map { (path) throws(DaemonStartError) in try PIDFile(path: FilePath(path)) }
        file = number
        // Who cannot start says so to whoever starts it, and leaves the file of another daemon alone.
        configuration.whenReady = {
          do throws(DaemonStartError) { try number?.write() } catch {
            StandardError.write("iscsid: \(error.description.printable)\n")
          }
          process.ready()
        }
      } catch {
        StandardError.write("iscsid: \(error.description.printable)\n")
        return error.exitStatus
      }
    }
    defer { file?.remove() }
    configuration.records = .ofMachine(configurationFile: FilePath(configurationFile))
    configuration.initiatorNameFile = InitiatorNameFile(path: FilePath(initiatorNameFile))
    do throws(DaemonError) {
      // Whoever starts a daemon in the background hears only what is wrong; the rest is for the journal.
      try runDaemon(
        configuration, manager: manager, identifier: "iscsid", level: debugLevel > 0 ? .debug : .info,
        terminalLevel: isForeground ? .trace : .warning)
      return .success
    } catch {
      StandardError.write("iscsid: \(error.description.printable)\n")
      return error.exitStatus
    }
  }

  private static let help = """
    Usage: iscsid [OPTION]

    The iSCSI daemon of iscsi-admin, by the name of open-iscsi's.

      -c, --config=FILE         read the settings of nodes that are discovered from FILE
      -i, --initiatorname=FILE  read the initiator's name from FILE
      -f, --foreground          stay in the foreground
      -d, --debug=LEVEL         tell more, above 0
      -u, --uid=UID             accepted; the kernel wants root
      -g, --gid=GID             accepted; the kernel wants root
      -n, --no-pid-file         write no pid file
      -p, --pid=FILE            write the pid file FILE (/run/iscsid.pid)
      -h, --help                show this
      -v, --version             show the version

    """
}
