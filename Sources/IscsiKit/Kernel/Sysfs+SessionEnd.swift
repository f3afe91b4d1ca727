// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension Sysfs {
  /// Whether the kernel has a session of this number.
  func hasSession(_ id: SessionID) throws(SysfsError) -> Bool {
    try reading("iscsi_session") { (sessions) throws(Errno) in sessions.exists("session\(id)") } ?? false
  }

  /// Whether the removal of a session's devices (UNBIND_SESSION) is complete: what the kernel tells by one event.
  ///
  /// The kernel takes the target's number away when the removal begins, and a device's directory goes last, after the
  /// flush of its cache, long after its attributes. So it takes both: no number and no directory.
  func hasRemovedDevices(of id: SessionID) throws(SysfsError) -> Bool {
    try reading("iscsi_session") { (sessions) throws(Errno) in
      guard let session = try sessions.directory("session\(id)") else { return true }
      let isUnbound = try session.text("target_state") == KernelTargetState.unbound.rawValue
      let number: UInt32? = try session.number("target_id")
      guard isUnbound || number == nil, let device = try session.directory("device") else { return false }
      for target in try device.names() where target.hasPrefix("target") {
        if try device.names(in: target).contains(where: { DeviceSnapshot(address: $0) != nil }) { return false }
      }
      return true
    } ?? true
  }
}
