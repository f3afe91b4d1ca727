// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage

@testable import IscsiKit

extension ScriptedKernel {
  /// Lets the sessions of a made-up sysfs show the timeouts that the kernel is told from now on.
  ///
  /// - Parameters:
  ///   - root: The sysfs.
  ///   - ignored: The numbers of parameters that the kernel takes and does not go by.
  func showTimeouts(in root: FilePath, ignoring ignored: Set<UInt32> = []) {
    let files: [UInt32: String] = [19: "recovery_tmo", 27: "abort_tmo", 28: "lu_reset_tmo", 35: "tgt_reset_tmo"]
    let ofConnection: [UInt32: String] = [30: "ping_tmo", 31: "recv_tmo"]
    tellParameters { session, number, text in
      guard !ignored.contains(number) else { return }
      let name = files[number].map { "iscsi_session/session\(session)/\($0)" }
      guard let name = name ?? ofConnection[number].map({ "iscsi_connection/connection\(session):0/\($0)" }) else {
        return
      }
      let shown = text == "-1" ? "off" : text
      try? AtomicFile.write(Array("\(shown)\n".utf8), to: root.appending("class").appending(name))
    }
  }
}
