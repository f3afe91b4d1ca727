// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import SystemPackage

/// `iscsiadm` of open-iscsi 2.1.8: its arguments, what it prints and its exit codes, over our library and daemon.
struct Iscsiadm {
  /// What it works on.
  struct Machine {
    var sysfs = Sysfs(usingAllProcessors: true)
    /// Where the daemon listens.
    var socket = Initiator.standardSocket
    /// By which name a service manager starts it: open-iscsi's `iscsid.socket` does.
    var wakeName: String? = LegacyDaemonName.standard
    /// The records; nil is where the machine has them.
    var database: RecordDatabase?
    /// open-iscsi's configuration.
    var configurationFile = InitiatorConfiguration.standardPath
    /// The targets that a logout of all leaves alone.
    var exclusionsFile = Exclusions.standardPath
    /// Whether the process ends with the command, and its memory with it.
    var endsSoon = false

    /// The daemon, which is started when it is asked, where that can be.
    var daemon: Initiator {
      let command = try? InitiatorConfiguration(path: configurationFile).startCommand
      return Initiator(socket: socket, wakeName: wakeName, startCommand: command)
    }

    /// The daemon if it runs, for calls that start none.
    var runningDaemon: Initiator { Initiator(socket: socket) }
  }

  var machine = Machine()
  var console = IscsiadmConsole.standard

  /// Ends the process at SIGINT and SIGTERM as open-iscsi's does, which takes the first alone. Call it before all else.
  ///
  /// There is nothing to undo: a discovery is a connection of our own, the daemon breaks off what it is not asked for any
  /// more, and a record is the old or the new one.
  static func endAtSignals() {
    var text = ""
    for line in interruption.lines { text += IscsiadmConsole.line(line) + "\n" }
    TerminationSignals.end(at: SIGINT, saying: text, status: Int32(interruption.status.rawValue))
    TerminationSignals.shared.endAtOnce { number in
      guard number == SIGINT else { return TerminationSignals.raise(number) }
      _exit(Int32(IscsiadmConsole.standard.report(interruption).rawValue))
    }
  }

  /// What is told at SIGINT.
  static let interruption = IscsiadmError(.failure, "caught SIGINT, exiting...")

  /// Does what the arguments say.
  ///
  /// - Parameters:
  ///   - arguments: What follows the program's name.
  ///   - program: The name that it was called by.
  /// - Returns: The exit code.
  func run(_ arguments: [String], program: String = "iscsiadm") -> ExitStatus {
    do throws(IscsiadmOptions.Stop) {
      let options = try IscsiadmOptions(arguments, program: program)
      do throws(IscsiadmError) {
        return try run(options)
      } catch {
        return console.report(error)
      }
    } catch {
      switch error {
      case .help: console.say(Self.usage)
      case .version: console.say("iscsiadm version \(openISCSIVersion)\n")
      case .refused(let refusal):
        refusal.lines.forEach(console.complain)
        return refusal.status
      }
      return .success
    }
  }

  private func run(_ options: IscsiadmOptions) throws(IscsiadmError) -> ExitStatus {
    let lengths = 1...InterfaceName.maximumLength
    if let name = options.interfaces.first(where: { !lengths.contains($0.utf8.count) }) {
      console.say("Invalid iface name \(name.printable). Must be from 1 to \(lengths.upperBound) characters.\n")
      return .invalidArgument
    }
    let session = try sessionID(options.session)
    let host = try hostNumber(options.host)
    if let priority = options.killPriority { return stopDaemon(priority) }
    switch options.mode {
    case .session: return try SessionMode(machine: machine, console: console, options: options, id: session).run()
    case .host: return try HostMode(machine: machine, console: console, options: options, host: host).run()
    case .fw: return try FirmwareMode(machine: machine, console: console, options: options).run()
    case .discovery, .discoverydb, .node, .iface:
      // There may be thousands. Fewer need less than a large piece takes.
      if machine.endsSoon { ProcessMemory.takeInLargePieces() }
      return try runOnRecords(options, of: nil)
    case nil:
      console.complain(IscsiadmOptions.tryHelp)
      return .invalidArgument
    }
  }

  /// The session that `-r` names; nil without it. A path must exist.
  private func sessionID(_ argument: IscsiadmOptions.SessionArgument?) throws(IscsiadmError) -> SessionID? {
    switch argument {
    case .id(let id): return id
    case nil: return nil
    case .path(let path):
      do throws(SessionPathError) {
        return try machine.sysfs.session(at: path)
      } catch {
        throw invalidSession(path, because: error)
      }
    }
  }

  private func invalidSession(_ path: String, because error: SessionPathError) -> IscsiadmError {
    let reason: String
    switch error {
    case .missing: return IscsiadmError(.failure, "\(path) is an invalid session ID or path")
    case .noSession: reason = "Unable to find sid in path \(path)"
    case .noDevice:
      let device = path == "/sys" || path.hasPrefix("/sys/") ? String(path.dropFirst(4)) : path
      reason = "Could not get dev for \(device). Possible sysfs incompatibility."
    }
    return IscsiadmError(.invalidArgument, reason, "invalid sid '\(path)'")
  }

  /// The host that `-H` names; nil without it.
  private func hostNumber(_ argument: IscsiadmOptions.HostArgument?) throws(IscsiadmError) -> HostNumber? {
    switch argument {
    case .number(let number): return number
    case nil: return nil
    case .hardwareAddress(let address):
      let hosts = (try? machine.sysfs.hosts()) ?? []
      guard let host = hosts.first(where: { $0.hardwareAddress?.lowercased() == address.lowercased() }) else {
        throw IscsiadmError(.invalidArgument, "Could not match MAC to host.")
      }
      return host.number
    }
  }

  /// Ends the daemon; sessions stay. That it could not be ended is told, but is no failure.
  private func stopDaemon(_ priority: Int) -> ExitStatus {
    guard priority == 0 else {
      console.warn("Invalid iscsid priority \(priority). Priority must be 0.")
      return .success
    }
    // One that does not run is not started for that.
    let daemon = Initiator(socket: machine.socket)
    let failure = runBlocking { () async -> InitiatorError? in
      do throws(InitiatorError) {
        try await daemon.shutDown()
        return nil
      } catch {
        return error
      }
    }
    guard let failure else { return .success }
    if failure.exitStatus == .daemonNotConnected { console.warn("can not connect to iSCSI daemon (111)!") }
    console.warn(ofReported: failure.exitStatus)
    console.warn("Could not stop iscsid. Trying sending iscsid SIGTERM or SIGKILL signals manually")
    return .success
  }
}
