// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKit
import SystemPackage

/// `iscsiadm -m fw`: the targets that firmware names for boot.
struct FirmwareMode {
  let machine: Iscsiadm.Machine

  /// Without firmware there is nothing to show or to log in to, whatever else is asked for.
  func run() throws(IscsiadmError) -> ExitStatus {
    let firmware = machine.sysfs.root.appending("firmware").string
    let targets = try? FileManager.default.contentsOfDirectory(atPath: "\(firmware)/ibft")
    if targets?.contains(where: { $0.hasPrefix("target") }) == true {
      throw IscsiadmError(.notSupported, "targets of firmware are not supported by this version of iscsi-admin")
    }
    let status: ExitStatus = FileManager.default.fileExists(atPath: firmware) ? .noObjectsFound : .sysfsLookup
    throw IscsiadmError(status, "Could not get list of targets from firmware. (err \(status.rawValue))")
  }
}
