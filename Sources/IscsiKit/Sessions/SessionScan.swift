// SPDX-License-Identifier: Apache-2.0

/// Makes a session's logical units visible, or looks at them again.
///
/// The kernel's scans block for as long as the target takes, so they run on threads of the blocking pool, and nobody
/// waits for them longer than `timeout`.
struct SessionScan {
  let sysfs: Sysfs
  /// How long a scan may take; the kernel's own timers are shorter.
  var timeout: Duration = .seconds(60)
  /// How long disks may take to get their block device after the scan: the kernel attaches them in the background.
  var attachTimeout: Duration = .seconds(5)
  /// The first and the longest pause between looks whether they have; each is twice the one before.
  private static let pauses = (first: Duration.milliseconds(4), longest: Duration.milliseconds(128))

  /// Scans and returns the session's devices.
  func scan(_ session: SessionID, _ mode: ScanMode) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    let writer = SysfsWriter(root: sysfs.root)
    try await blocking { () throws(SysfsError) in try writer.scan(session, mode) }
    return try await attachedDevices(of: session)
  }

  /// Reads the size and properties of the session's devices again, revives those that error handling gave up, and
  /// scans for new ones.
  func rescan(_ session: SessionID) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    let writer = SysfsWriter(root: sysfs.root)
    for device in try await attachedDevices(of: session) {
      try await blocking { () throws(SysfsError) in
        try writer.revive(device, of: session)
        try writer.rescan(device, of: session)
      }
    }
    return try await scan(session, .all)
  }

  private func blocking(_ body: @escaping @Sendable () throws(SysfsError) -> Void) async throws(OperationError.Cause) {
    let result: Result<Void, SysfsError>
    do throws(WaitError) {
      result = try await BlockingWork.shared.run(until: .now + timeout) {
        Result { () throws(SysfsError) in try body() }
      }
    } catch {
      throw error == .timedOut ? .scanTimedOut : .transport(TransportError(error))
    }
    if case .failure(let error) = result { throw .sysfs(error) }
  }

  /// The devices, as soon as each disk among them has its block device. Nothing announces that to a program that
  /// listens to neither udev nor uevents, so sysfs is looked at again for a short while.
  private func attachedDevices(of session: SessionID) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    let deadline = ContinuousClock.now + attachTimeout
    var pause = Self.pauses.first
    while true {
      let snapshot: SessionSnapshot?
      do throws(SysfsError) { snapshot = try sysfs.session(session) } catch { throw .sysfs(error) }
      guard let snapshot else { throw .noSession }
      let isComplete = snapshot.devices.allSatisfy { $0.type != 0 || $0.blockDevice != nil }
      if isComplete || .now >= deadline { return snapshot.devices }
      do throws(WaitError) {
        try await Reactor.shared.sleep(until: .now + pause)
      } catch {
        throw .transport(TransportError(error))
      }
      pause = min(pause * 2, Self.pauses.longest)
    }
  }
}
