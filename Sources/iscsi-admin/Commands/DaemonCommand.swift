// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import Logging
import SystemPackage

/// `iscsi-admin daemon`.
struct DaemonCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "daemon",
    abstract: "Own the sessions of this machine: log them in, watch them, recover them.",
    discussion: """
      Runs until it is ended (SIGTERM, SIGINT); all sessions stay in the kernel then, and the next daemon takes them up \
      as they are. Repeats the discoveries whose records say use_discoveryd = Yes, logs in to what is new, and out of \
      what is gone unless it is in use. Logs to the journal, or to standard error on a terminal. Ends with 28 if another daemon or \
      open-iscsi's iscsid runs.
      """)

  @Option(
    help: ArgumentHelp("Where the socket and the records of sessions are.", valueName: "dir"),
    completion: .directory)
  var runtimeDirectory = "/run/iscsi-admin"

  @OptionGroup var initiator: InitiatorOptions

  func run() throws {
    var configuration = Daemon.Configuration(version: versionText)
    configuration.runtimeDirectory = FilePath(runtimeDirectory)
    configuration.initiatorName = initiator.initiatorName
    configuration.records = .ofMachine()
    do throws(DaemonError) {
      try runDaemon(configuration)
    } catch {
      var output = CommandOutput()
      output.fail(error)
      try output.emit()
    }
  }
}

/// Runs a daemon to its end. To be called from the main thread before there are others.
///
/// - Parameters:
///   - configuration: What it is made of; the service manager is added.
///   - manager: The service manager, if it is known already.
///   - identifier: The program's name in the log.
///   - level: The least important level that is logged.
///   - terminalLevel: The least important level that standard error gets, if not all that is logged is for it.
/// - Throws: Why it did not start, or ended by itself.
func runDaemon(
  _ configuration: Daemon.Configuration, manager: ServiceManager? = nil, identifier: String = "iscsi-admin",
  level: Logger.Level = .info, terminalLevel: Logger.Level = .trace
) throws(DaemonError) {
  // Both belong to the main thread while it is the only one: threads inherit protection, and read the environment.
  let warnings = ProcessProtection.apply()
  let serviceManager = manager ?? ServiceManager.takeFromEnvironment()
  var configuration = configuration
  configuration.serviceManager = serviceManager
  configuration.protectionWarnings = warnings
  let sockets = serviceManager.listeners.map(\.descriptor)
  configuration.exclusiveListener = sockets.first { LegacyDaemonName.listens($0) }
  configuration.listener = sockets.first { $0 != configuration.exclusiveListener }
  let parts = configuration
  let result = runBlocking { () async -> Result<Void, DaemonError> in
    let log = DaemonLog(identifier: identifier, level: level, terminalLevel: terminalLevel)
    let logger = log.logger("daemon")
    let result: Result<Void, DaemonError>
    do throws(DaemonError) { result = .success(try await Daemon(parts, log: logger).run()) } catch {
      result = .failure(error)
    }
    await log.flush(until: .now + .seconds(2))
    return result
  }
  try result.get()
}

extension RecordSource {
  /// The machine's records, with what this configuration says of new ones.
  static func ofMachine(configurationFile: FilePath = InitiatorConfiguration.standardPath) -> RecordSource {
    RecordSource(
      configurationFile: configurationFile,
      databaseOverride: ProcessEnvironment.value(of: RecordStore.variable))
  }
}
