// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// open-iscsi's `iscsi_fw_login`, which udev runs when the kernel has found a target of firmware: logs in to all of them.
enum IscsiFwLogin {
  /// Logs in, whatever the arguments are, as open-iscsi's does; but not for a user who asks what it does.
  ///
  /// - Parameters:
  ///   - arguments: What follows the program's name.
  ///   - iscsiadm: What does it.
  /// - Returns: The exit code of `iscsiadm -m fw -l`.
  static func run(_ arguments: [String] = [], by iscsiadm: Iscsiadm = Iscsiadm()) -> ExitStatus {
    guard !arguments.contains("-h"), !arguments.contains("--help") else {
      iscsiadm.console.say("Usage: iscsi_fw_login\nLogs in to the targets that the firmware names.\n")
      return .success
    }
    return iscsiadm.run(["-m", "fw", "-l"])
  }
}
