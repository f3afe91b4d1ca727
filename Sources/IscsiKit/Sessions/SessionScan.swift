// SPDX-License-Identifier: Apache-2.0

/// Makes a session's logical units visible, or looks at them again.
///
/// The kernel's scans block for as long as the target takes, so they run on threads of the blocking pool, and nobody
/// waits for all that a scan or a rescan does longer than `timeout`.
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
    try await scan(session, mode, until: .now + timeout)
  }

  /// Reads the size and properties of the session's devices again, revives those that error handling gave up, and
  /// scans for new ones. A device that cannot be read again does not keep the others from it.
  func rescan(_ session: SessionID) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    let writer = SysfsWriter(root: sysfs.root)
    let deadline = ContinuousClock.now + timeout
    var failure: SysfsError?
    for device in try devices(of: session) {
      do throws(OperationError.Cause) {
        try await blocking(until: deadline) { () throws(SysfsError) in
          try writer.revive(device, of: session)
          try writer.rescan(device, of: session)
        }
      } catch {
        switch error {
        // It went away after it was listed, which is no failure of a rescan.
        case .sysfs(.noDevice): continue
        case .sysfs(let error): failure = failure ?? error
        default: throw error
        }
      }
    }
    let devices = try await scan(session, .all, until: deadline)
    if let failure { throw .sysfs(failure) }
    return devices
  }

  private func scan(
    _ session: SessionID, _ mode: ScanMode, until deadline: ContinuousClock.Instant
  ) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    let writer = SysfsWriter(root: sysfs.root)
    try await blocking(until: deadline) { () throws(SysfsError) in try writer.scan(session, mode) }
    return try await attachedDevices(of: session)
  }

  private func blocking(
    until deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () throws(SysfsError) -> Void
  ) async throws(OperationError.Cause) {
    // A call that nobody could wait for is not begun.
    guard .now < deadline else { throw .scanTimedOut }
    let result: Result<Void, SysfsError>
    do throws(WaitError) {
      result = try await BlockingWork.shared.run(until: deadline) {
        Result { () throws(SysfsError) in try body() }
      }
    } catch {
      throw error == .timedOut ? .scanTimedOut : .transport(TransportError(error))
    }
    if case .failure(let error) = result { throw .sysfs(error) }
  }

  private func devices(
    of session: SessionID, _ detail: Sysfs.Detail = .full
  ) throws(OperationError.Cause) -> [DeviceSnapshot] {
    let snapshot: SessionSnapshot?
    do throws(SysfsError) { snapshot = try sysfs.session(session, detail) } catch { throw .sysfs(error) }
    guard let snapshot else { throw .noSession }
    // The kernel takes a scan of a session without a connection, and does nothing.
    if snapshot.state == .failed || snapshot.state == .free { throw .connectionLost }
    return snapshot.devices
  }

  /// The devices, as soon as each disk among them has its block device. Nothing announces that to a program that
  /// listens to neither udev nor uevents, so sysfs is looked at again for a short while.
  private func attachedDevices(of session: SessionID) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    let deadline = ContinuousClock.now + attachTimeout
    var pause = Self.pauses.first
    let found = try devices(of: session)
    var missing = Set(found.filter { $0.type == 0 && $0.blockDevice == nil }.map(\.address))
    guard !missing.isEmpty else { return found }
    while !missing.isEmpty, .now < deadline {
      do throws(WaitError) {
        try await Reactor.shared.sleep(until: .now + pause)
      } catch {
        throw .transport(TransportError(error))
      }
      pause = min(pause * 2, Self.pauses.longest)
      // A disk that has gone is not waited for either.
      let waiting = try devices(of: session, .summary).filter { $0.blockDevice == nil }
      missing.formIntersection(waiting.map(\.address))
    }
    return try devices(of: session)
  }
}
