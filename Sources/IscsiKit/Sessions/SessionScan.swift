// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Makes a session's logical units visible, or looks at them again.
///
/// The kernel's scans block for as long as the target takes, so they run on threads of the blocking pool, and nobody
/// waits for all that a scan or a rescan does longer than `timeout`.
struct SessionScan {
  let sysfs: Sysfs
  /// What disks are set to when a scan has found them.
  var settings = DeviceSettings()
  /// Is told that disks were set to that, and in words what has kept some from it: a scan has found what it looked for all the same.
  var hasSet: @Sendable (_ settings: DeviceSettings, _ refused: [String]) -> Void = { _, _ in }
  /// What the session shares its turns with, such as the host of its portal: what hangs there holds up no others.
  var group: String?
  /// How long a scan may take; the kernel's own timers are shorter.
  var timeout: Duration = .seconds(60)
  /// How long disks may take to be set to what they are to have.
  var settingsTimeout: Duration = .seconds(10)
  /// How long disks may take to get their block device after the scan: the kernel attaches them in the background.
  var attachTimeout: Duration = .seconds(5)
  /// How many devices of a session are worked on at once, so that those that hang leave threads to other sessions.
  private static let devicesAtOnce = 4
  /// The first and the longest pause between looks whether they have; each is twice the one before.
  private static let pauses = (first: Duration.milliseconds(16), longest: Duration.milliseconds(128))

  /// Scans and returns the session's devices.
  func scan(_ session: SessionID, _ mode: ScanMode) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    try await scan(session, mode, until: .now + timeout)
  }

  /// Revives the session's devices that error handling gave up, reads size and properties of all again, and scans for
  /// new ones as the mode says; `.none` leaves that out. A device that hangs or cannot be read keeps no other from it.
  func rescan(
    _ session: SessionID, _ mode: ScanMode = .all
  ) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    let writer = SysfsWriter(root: sysfs.root)
    let deadline = ContinuousClock.now + timeout
    let present = try devices(of: session)
    let revival = await revive(present, of: session, until: deadline)
    let rescan = await each(present, by: .rescans, until: deadline) { (device) throws(SysfsError) in
      try writer.rescan(device, of: session)
    }
    let devices = mode == .none ? try devices(of: session) : try await scan(session, mode)
    if mode == .none { await set(settings, of: devices, of: session) }
    if let failure = revival ?? rescan { throw failure }
    return devices
  }

  /// Revives devices alone, which is what I/O waits for.
  func revive(_ session: SessionID) async throws(OperationError.Cause) {
    if let failure = await revive(try devices(of: session), of: session, until: .now + timeout) { throw failure }
  }

  private func revive(
    _ devices: [DeviceSnapshot], of session: SessionID, until deadline: ContinuousClock.Instant
  ) async -> OperationError.Cause? {
    let writer = SysfsWriter(root: sysfs.root)
    let offline = devices.filter(\.isOffline)
    return await each(offline, by: .revival, until: deadline) { (device) throws(SysfsError) in
      try writer.revive(device, of: session)
    }
  }

  /// Does something with each device, some at a time; the first failure, if there is one.
  private func each(
    _ devices: [DeviceSnapshot], by pool: BlockingWork, until deadline: ContinuousClock.Instant,
    _ body: @escaping @Sendable (DeviceSnapshot) throws(SysfsError) -> Void
  ) async -> OperationError.Cause? {
    let failures = await inParallel(devices, limit: Self.devicesAtOnce) { _, device -> OperationError.Cause? in
      do throws(OperationError.Cause) {
        try await blocking(by: pool, until: deadline) { () throws(SysfsError) in try body(device) }
        return nil
      } catch .sysfs(.noDevice) {
        // It went away after it was listed, which is no failure of a rescan.
        return nil
      } catch {
        return error
      }
    }
    // One that hangs says more than those that did not come to their turn for that.
    return failures.lazy.compactMap(\.self).first { $0 != .scanNotBegun } ?? failures.lazy.compactMap(\.self).first
  }

  private func scan(
    _ session: SessionID, _ mode: ScanMode, until deadline: ContinuousClock.Instant
  ) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    let writer = SysfsWriter(root: sysfs.root)
    try await blocking(by: .devices, until: deadline) { () throws(SysfsError) in try writer.scan(session, mode) }
    let devices = try await attachedDevices(of: session)
    await set(settings, of: devices, of: session)
    return devices
  }

  /// Sets what the session's disks are to have.
  private func set(_ settings: DeviceSettings, of devices: [DeviceSnapshot], of session: SessionID) async {
    guard !settings.isEmpty else { return }
    let writer = SysfsWriter(root: sysfs.root)
    let (disks, deadline) = (devices.filter(\.isDisk), ContinuousClock.now + settingsTimeout)
    let refusals = Mutex<[String]>([])
    let failure = await each(disks, by: .rescans, until: deadline) { (device) throws(SysfsError) in
      let failed = try writer.set(settings, of: device, session).filter { $0.result == .failed }
      refusals.withLock { list in list += failed.map { Self.words($0, device) } }
    }
    var refused = refusals.withLock(\.self)
    switch failure {
    case nil: break
    case .cancelled?: return
    case .scanTimedOut?, .scanNotBegun?: refused.append("a disk did not take its settings in time")
    case .some(let failure): refused.append("a disk does not take its settings: \(failure)")
    }
    hasSet(settings, refused)
  }

  private static func words(_ outcome: SettingOutcome, _ device: DeviceSnapshot) -> String {
    "\(device.blockDevice ?? device.address) does not take \(outcome.setting)=\(outcome.new)"
      + (outcome.note.map { ": \($0)" } ?? "")
  }

  private func blocking(
    by pool: BlockingWork, until deadline: ContinuousClock.Instant,
    _ body: @escaping @Sendable () throws(SysfsError) -> Void
  ) async throws(OperationError.Cause) {
    // A call that nobody could wait for is not begun.
    guard .now < deadline else { throw .scanNotBegun }
    let hasBegun = Begun()
    let result: Result<Void, SysfsError>
    do throws(WaitError) {
      result = try await pool.run(until: deadline, in: group) {
        hasBegun.note()
        return Result { () throws(SysfsError) in try body() }
      }
    } catch .timedOut {
      throw hasBegun.isNoted ? .scanTimedOut : .scanNotBegun
    } catch {
      throw .transport(TransportError(error))
    }
    if case .failure(let error) = result { throw .sysfs(error) }
  }

  private func devices(of session: SessionID) throws(OperationError.Cause) -> [DeviceSnapshot] {
    let found: (state: KernelSessionState?, devices: [DeviceSnapshot])?
    do throws(SysfsError) { found = try sysfs.devices(of: session, .devices) } catch { throw .sysfs(error) }
    guard let found else { throw .noSession }
    try Self.check(found.state)
    return found.devices
  }

  /// The kernel takes a scan of a session without a connection, and does nothing.
  private static func check(_ state: KernelSessionState?) throws(OperationError.Cause) {
    if state == .failed || state == .free { throw .connectionLost }
  }

  /// The devices, as soon as each disk among them has its block device. Nothing announces that to a program that
  /// listens to neither udev nor uevents, so sysfs is looked at again for a short while.
  private func attachedDevices(of session: SessionID) async throws(OperationError.Cause) -> [DeviceSnapshot] {
    let deadline = ContinuousClock.now + attachTimeout
    var pause = Self.pauses.first
    // The kernel is asked for no more than the answer to this: hundreds of sessions may wait at the same time.
    var missing = try unattachedDisks(of: session)
    while !missing.isEmpty, .now < deadline {
      do throws(WaitError) {
        try await Reactor.shared.sleep(until: .now + pause)
      } catch {
        throw .transport(TransportError(error))
      }
      pause = min(pause * 2, Self.pauses.longest)
      missing = try unattachedDisks(among: missing, of: session)
    }
    return try devices(of: session)
  }

  private func unattachedDisks(
    among known: [String]? = nil, of session: SessionID
  ) throws(OperationError.Cause) -> [String] {
    let found: (state: KernelSessionState?, disks: [String])?
    do throws(SysfsError) { found = try sysfs.unattachedDisks(among: known, of: session) } catch {
      throw .sysfs(error)
    }
    guard let found else { throw .noSession }
    try Self.check(found.state)
    return found.disks
  }
}

/// Whether a call has come to its turn.
private final class Begun: Sendable {
  private let noted = Atomic(false)
  var isNoted: Bool { noted.load(ordering: .relaxed) }
  func note() { noted.store(true, ordering: .relaxed) }
}
