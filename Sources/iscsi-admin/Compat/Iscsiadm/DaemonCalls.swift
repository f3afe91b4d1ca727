// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension Iscsiadm.Machine {
  /// Asks the daemon.
  func ask<Answer: Sendable>(
    _ call: @escaping @Sendable (Initiator) async throws(InitiatorError) -> Answer
  ) -> Result<Answer, InitiatorError> {
    let daemon = daemon
    return runBlocking { () async -> Result<Answer, InitiatorError> in
      do throws(InitiatorError) { return .success(try await call(daemon)) } catch { return .failure(error) }
    }
  }

  /// Says that there is no daemon to ask, and if nothing is configured that starts one.
  func warnOfNoDaemon(_ console: IscsiadmConsole) {
    if (try? InitiatorConfiguration(path: configurationFile))?.startCommand == nil {
      console.warn(
        "iscsid is not running. Could not start it up automatically using the startup command in the iscsid.conf "
          + "iscsid.startup setting. Please check that the file exists or that your init scripts have started iscsid.")
    }
    console.warn("can not connect to iSCSI daemon (111)!")
  }
}
