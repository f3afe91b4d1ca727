// SPDX-License-Identifier: Apache-2.0

extension DeviceUse {
  /// Whether the running system stands on it: the root file system, or swap space.
  public var isForSystem: Bool {
    switch kind {
    case .mounted(let path): path == "/"
    case .swap: true
    }
  }
}

extension DeviceUsers {
  /// The sessions that the running system stands on: with a disk below the root file system or below swap space, through
  /// whatever partitions and devices.
  ///
  /// - Throws: `SysfsError.unreadable` for what must be known and is not.
  public func sessionsOfSystem(among sessions: [SessionSnapshot]) throws(SysfsError) -> [SessionSnapshot] {
    var found: [SessionSnapshot] = []
    for session in sessions where try uses(of: session).contains(where: \.isForSystem) { found.append(session) }
    return found
  }
}
