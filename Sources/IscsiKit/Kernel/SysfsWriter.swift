// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Changes SCSI devices through sysfs: scan, rescan, revive, delete.
///
/// Every call writes to one attribute and returns when the kernel is done. That can take as long as the target takes
/// to answer, and for ever if it does not: call these from a thread that may block, never from Swift's cooperative
/// pool. The attribute is reached through the session's own directory, so that a session that went away is an error
/// and never a write to the host or device that has got its number since.
public struct SysfsWriter: Sendable {
  /// Where sysfs is mounted.
  public let root: FilePath
  /// Where modprobe is looked for, which tells what the kernel could load; nil asks nobody, and takes it for granted.
  var modprobe: [String]? = TransportModule.modprobePaths
  /// How long modprobe may take: less than who waits for the writer.
  static let modprobePatience = Duration.seconds(5)

  /// A writer to the sysfs at `root`.
  public init(root: FilePath = "/sys") { self.root = root }

  /// Scans a session for logical units, with `/sys/class/scsi_host/hostH/scan`; blocks.
  ///
  /// Known devices are kept. The kernel silently does nothing unless the session is in full feature phase.
  public func scan(_ id: SessionID, _ mode: ScanMode = .all) throws(SysfsError) {
    let luns: [String]
    switch mode {
    case .all: luns = ["-"]
    case .only(let chosen): luns = chosen.map(\.description)
    case .none: return
    }
    let sessions = try open(id)
    let name = "session\(id)"
    guard let host = SysfsSessionReader.hostNumber(of: id, in: sessions) else { throw .noSession(id) }
    let target: UInt32?
    do {
      target = try sessions.number("\(name)/target_id")
    } catch {
      throw .unreadable(path: path(name).string, error)
    }
    guard let target else { throw sessions.exists(name) ? .unbound(id) : .noSession(id) }
    for lun in luns {
      do {
        try sessions.write("0 \(target) \(lun)", to: "\(name)/device/../scsi_host/host\(host)/scan")
      } catch {
        guard sessions.exists(name) else { throw .noSession(id) }
        let shown = root.appending("class/scsi_host/host\(host)/scan")
        throw .unwritable(path: shown.string, value: "0 \(target) \(lun)", error)
      }
    }
  }

  /// Makes the kernel read a device's capacity and properties again (`rescan`); blocks.
  public func rescan(_ device: DeviceSnapshot, of id: SessionID) throws(SysfsError) {
    try write("1", to: "rescan", of: device, id)
  }

  /// Sets a device that error handling gave up (`offline`, `transport-offline`) to `running` again; tells whether it
  /// was in such a state. A device in another state is left alone.
  @discardableResult
  public func revive(_ device: DeviceSnapshot, of id: SessionID) throws(SysfsError) -> Bool {
    let sessions = try open(id)
    let state: String?
    do {
      state = try sessions.contents("\(Self.path(of: device, id))/state")
    } catch {
      throw .unreadable(path: path(Self.path(of: device, id)).string, error)
    }
    guard let state else { throw .noDevice(address: device.address, id) }
    guard DeviceSnapshot.isOffline(state) else { return false }
    // The kernel knows the word by the end of its line (`store_state_field`).
    try write("running\n", to: "state", of: device, id)
    return true
  }

  /// Removes a device from the system (`delete`), after a flush of its write cache; blocks.
  public func delete(_ device: DeviceSnapshot, of id: SessionID) throws(SysfsError) {
    try write("1", to: "delete", of: device, id)
  }

  /// Sets how long I/O waits for a lost session, in seconds; -1 is for ever. From then on the kernel ignores what requests
  /// say of it.
  public func setReplacementTimeout(_ seconds: Int32, of id: SessionID) throws(SysfsError) {
    let sessions = try open(id)
    let name = "session\(id)/recovery_tmo"
    let value = seconds < 0 ? "off" : String(seconds)
    do {
      try sessions.write(value, to: name)
    } catch {
      guard sessions.exists("session\(id)") else { throw .noSession(id) }
      throw .unwritable(path: path(name).string, value: value, error)
    }
  }

  static func path(of device: DeviceSnapshot, _ id: SessionID) -> String {
    "session\(id)/device/target\(device.host):\(device.channel):\(device.target)/\(device.address)"
  }

  private func path(_ relative: String) -> FilePath {
    root.appending("class/iscsi_session").appending(relative)
  }

  func open(_ id: SessionID) throws(SysfsError) -> SysfsDirectory {
    do {
      return try SysfsDirectory(path: path(""))
    } catch {
      throw error == .noSuchFileOrDirectory ? .noSession(id) : .unreadable(path: path("").string, error)
    }
  }

  private func write(
    _ value: String, to attribute: String, of device: DeviceSnapshot, _ id: SessionID
  ) throws(SysfsError) {
    let sessions = try open(id)
    let directory = Self.path(of: device, id)
    do {
      try sessions.write(value, to: "\(directory)/\(attribute)")
    } catch {
      guard sessions.exists("session\(id)") else { throw .noSession(id) }
      guard sessions.exists(directory) else { throw .noDevice(address: device.address, id) }
      let shown = root.appending("bus/scsi/devices/\(device.address)/\(attribute)")
      throw .unwritable(path: shown.string, value: value, error)
    }
  }
}
