// SPDX-License-Identifier: Apache-2.0
import SystemPackage

extension SysfsWriter {
  /// Sets what a disk is to have, reads it back, and tells what became of each setting. Blocks; a change of the scheduler
  /// waits for all I/O that is under way.
  ///
  /// - Parameters:
  ///   - settings: What it is to have; what is nil stays.
  ///   - device: The disk.
  ///   - id: Its session.
  ///   - isTrial: Whether nothing is written.
  /// - Returns: What became of each.
  /// - Throws: `noSession` or `noDevice` if they are gone.
  func set(
    _ settings: DeviceSettings, of device: DeviceSnapshot, _ id: SessionID, isTrial: Bool = false
  ) throws(SysfsError) -> [SettingOutcome] {
    let sessions = try open(id)
    let directory = Self.path(of: device, id)
    guard sessions.exists(directory) else {
      throw sessions.exists("session\(id)") ? .noDevice(address: device.address, id) : .noSession(id)
    }
    return settings.named.compactMap { name, value in
      guard let attribute = Self.attribute(of: name, in: device) else { return nil }
      var outcome = SettingOutcome(name, .device(device.address), old: nil, new: value, .failed)
      change("\(directory)/\(attribute)", in: sessions, &outcome, isTrial: isTrial)
      return outcome
    }
  }

  /// The file of a setting below a disk's directory; nil for that of a block device that it does not have.
  private static func attribute(of name: String, in device: DeviceSnapshot) -> String? {
    guard name == IOScheduler.settingName else { return Timeout(rawValue: name)?.details.attribute }
    return device.blockDevice.map { "block/\($0)/queue/scheduler" }
  }

  /// Sets how long error handling of a session's host may take before the host is reset, and reads it back.
  ///
  /// - Throws: `noSession` if it is gone.
  func setErrorHandlingDeadline(
    _ deadline: TimeoutValue, of id: SessionID, isTrial: Bool = false
  ) throws(SysfsError) -> SettingOutcome {
    let sessions = try open(id)
    guard let host = SysfsSessionReader.hostNumber(of: id, in: sessions) else { throw .noSession(id) }
    var outcome = SettingOutcome(
      Timeout.hostErrorHandling.rawValue, .host(host), old: nil, new: deadline.description, .failed)
    let attribute = "session\(id)/device/../scsi_host/host\(host)/eh_deadline"
    change(attribute, in: sessions, &outcome, isTrial: isTrial)
    return outcome
  }

  /// Writes an attribute unless it has its value already, and reads it back.
  private func change(
    _ attribute: String, in sessions: borrowing SysfsDirectory, _ outcome: inout SettingOutcome, isTrial: Bool
  ) {
    let isScheduler = outcome.setting == IOScheduler.settingName
    do throws(Errno) {
      let text = try sessions.text(attribute)
      outcome.old = isScheduler ? SysfsSessionReader.chosen(in: text) : text
      if outcome.old == outcome.new {
        outcome.result = .unchanged
      } else if isTrial {
        // Asked now, as nothing would tell before the write is refused.
        let isTaken = isScheduler ? isAvailable(outcome.new, by: text) : true
        if isTaken { outcome.result = .changed } else { outcome.note = .noScheduler }
      } else {
        try sessions.write(outcome.new, to: attribute)
        let text = try sessions.text(attribute)
        let now = isScheduler ? SysfsSessionReader.chosen(in: text) : text
        if now == outcome.new {
          outcome.result = .changed
        } else {
          outcome.note = .keptByKernel(now ?? "nothing")
        }
      }
    } catch {
      switch (outcome.setting, error) {
      case (Timeout.hostErrorHandling.rawValue, .invalidArgument): outcome.note = .noHostReset
      case (Timeout.hostErrorHandling.rawValue, .resourceBusy): outcome.note = .hostInRecovery
      case (IOScheduler.settingName, .invalidArgument): outcome.note = .noScheduler
      default: outcome.note = .refused("it cannot be written: \(error)")
      }
    }
  }

  /// Whether a disk would take a scheduler. The kernel lists those that it has, and loads the module of another one when that
  /// is written.
  private func isAvailable(_ scheduler: String, by list: String?) -> Bool {
    guard let modprobe, !SysfsSessionReader.choices(in: list).contains(scheduler) else { return true }
    return TransportModule.canLoad("\(scheduler)-iosched", modprobe: modprobe, until: .now + Self.modprobePatience)
  }
}
