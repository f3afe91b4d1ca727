// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// open-iscsi's `iscsi_fw_login`, which udev runs when the kernel has found a target of firmware: logs in to all of them.
enum IscsiFwLogin {
  /// Logs in, whatever the arguments are.
  ///
  /// - Parameter iscsiadm: What does it.
  /// - Returns: The exit code of `iscsiadm -m fw -l`.
  static func run(_ iscsiadm: Iscsiadm = Iscsiadm()) -> ExitStatus { iscsiadm.run(["-m", "fw", "-l"]) }
}
