// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension Iscsiadm.Machine {
  /// Asks the daemon. If there is none it is started first, as the configuration says how (`iscsid.startup`).
  ///
  /// - Parameters:
  ///   - console: Is told if there is no way to start it.
  ///   - call: What to ask.
  /// - Returns: The answer.
  func ask<Answer: Sendable>(
    _ console: IscsiadmConsole, _ call: @escaping @Sendable (Initiator) async throws(InitiatorError) -> Answer
  ) -> Result<Answer, InitiatorError> {
    let result = attempt(call)
    guard case .failure(let error) = result, error.exitStatus == .daemonNotConnected else { return result }
    guard let command = (try? InitiatorConfiguration(path: configurationFile))?.daemonStartCommand else {
      console.warn(
        "iscsid is not running. Could not start it up automatically using the startup command in the iscsid.conf "
          + "iscsid.startup setting. Please check that the file exists or that your init scripts have started iscsid.")
      return result
    }
    // The command is a line for the shell, from a file that only root writes.
    _ = try? ChildProcess.run(["/bin/sh", "-c", command], until: .now + .seconds(90))
    return attempt(call)
  }

  /// Asks the daemon, if there is one.
  func attempt<Answer: Sendable>(
    _ call: @escaping @Sendable (Initiator) async throws(InitiatorError) -> Answer
  ) -> Result<Answer, InitiatorError> {
    let daemon = daemon
    return runBlocking { () async -> Result<Answer, InitiatorError> in
      do throws(InitiatorError) { return .success(try await call(daemon)) } catch { return .failure(error) }
    }
  }
}
