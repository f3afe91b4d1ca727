// SPDX-License-Identifier: Apache-2.0

extension SessionDriver {
  /// How often a scan that failed is repeated, and the first pause, half: each is twice the one before.
  private static let scanRepeatLimit = 5
  private static let scanPause = Duration.milliseconds(500)

  /// Scans on threads that may block: a scan that hangs holds up nothing but itself. One runs at a time, and whatever
  /// asks for others meanwhile gets one more after it; only devices that are offline are not kept waiting for that.
  func scan(isFirst: Bool) {
    guard let session, let request = identity.request, !isFirst || request.options.scan != .none else {
      return answerLogin()
    }
    let scan = SessionScan(
      sysfs: environment.sysfs, settings: request.options.devices,
      hasSet: { [weak self] settings, refused in Task { await self?.scanHasSet(settings, refused) } },
      group: request.portal.host.description, timeout: environment.scanTimeout)
    guard scanning == nil else {
      isScanDue = true
      // One at a time: a target can ask without end.
      if reviving == nil {
        reviving = Task {
          try? await scan.revive(session)
          reviving = nil
        }
      }
      return
    }
    if isFirst {
      progress(.scan)
      if isScanUnwanted { return scanEnded([], .cancelled) }
    }
    scanTimer?.cancel()
    let mode = request.options.scan
    scannedScheduler = scan.settings.scheduler
    scanning = Task {
      do throws(OperationError.Cause) {
        scanEnded(isFirst ? try await scan.scan(session, mode) : try await scan.rescan(session, mode), nil)
      } catch {
        scanEnded([], error, mayBeRepeated: !isFirst)
      }
    }
  }

  /// A scan has set disks to what they are to have. What they did not take of it is told, and not due any more.
  private func scanHasSet(_ settings: DeviceSettings, _ refused: [String]) {
    if due.scheduler == settings.scheduler { due.scheduler = nil }
    for reason in refused { note(.settingFailed(reason)) }
  }

  private func scanEnded(
    _ devices: [DeviceSnapshot], _ failure: OperationError.Cause?, mayBeRepeated: Bool = false
  ) {
    scanning = nil
    let failure = session.flatMap { session in failure.map { OperationError(.scan(session), $0) } }
    let isDue = isScanDue && machine.isUp
    isScanDue = false
    loginReport?.devices = devices
    loginReport?.scanFailure = failure
    // A first scan that a loss has broken off may yet succeed, but nobody waits for more than one more.
    let isAwaited = loginWaiter != nil && failure != nil && isDue && !isScanUnwanted && !mayBeRepeated
    if let failure, failure.cause != .cancelled, loginWaiter == nil { note(.scanFailed(failure.cause)) }
    if !isAwaited { answerLogin() }
    if isDue { return scan(isFirst: false) }
    repeatScan(after: failure?.cause, mayBeRepeated: mayBeRepeated)
  }

  /// What kept a device from its I/O may pass: the kernel unblocks a session's devices in the background, for one. A scan
  /// that hangs is not helped by another. One that never began has kept nobody waiting but this session, whose disks are
  /// not there without it: it is made again, the first too, until it has its turn.
  private func repeatScan(after failure: OperationError.Cause?, mayBeRepeated: Bool) {
    let isDue =
      switch failure {
      case .scanNotBegun?: true
      case nil, .scanTimedOut?, .cancelled?: false
      case .some: mayBeRepeated && scanRepeats < Self.scanRepeatLimit
      }
    guard isDue, machine.isUp else {
      scanRepeats = 0
      return
    }
    if failure != .scanNotBegun { scanRepeats += 1 }
    let pause = Self.scanPause * (1 << scanRepeats)
    scanTimer = Reactor.shared.schedule(at: .now + pause) { [weak self] in Task { await self?.repeatScan() } }
  }

  private func repeatScan() {
    if machine.isUp { scan(isFirst: false) }
  }

  /// Breaks a scan off, since the devices are to go.
  func endScan() {
    isScanDue = false
    scanTimer?.cancel()
    scanning?.cancel()
  }
}
