// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import SystemPackage

/// Who uses disks, read once for many sessions, but never older than a second: logouts of many may take minutes, and
/// somebody may mount a disk meanwhile.
final class RecentDeviceUsers: Sendable {
  private static let longest = Duration.seconds(1)
  private let sysfs: FilePath
  private let proc: FilePath
  private let last = Mutex<(users: DeviceUsers, time: ContinuousClock.Instant)?>(nil)

  /// Nothing is read yet.
  init(proc: FilePath = "/proc", sysfs: FilePath) {
    self.proc = proc
    self.sysfs = sysfs
  }

  /// The users as they are.
  func get(at now: ContinuousClock.Instant) throws(SysfsError) -> DeviceUsers {
    if let last = last.withLock({ $0 }), now - last.time < Self.longest { return last.users }
    let users = try DeviceUsers(proc: proc, sysfs: sysfs)
    last.withLock { $0 = (users, now) }
    return users
  }
}
