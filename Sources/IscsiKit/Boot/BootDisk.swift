// SPDX-License-Identifier: Apache-2.0

/// The disk that a system boots from, as far as a plan tells: a unit of a target.
public struct BootDisk: Hashable, Sendable {
  /// The target.
  public let target: TargetName
  /// The unit.
  public let lun: LUN

  /// What the disk's names in `/dev/disk/by-path` end with, whatever the portal (systemd: `udev-builtin-path_id.c`).
  public var pathSuffix: String {
    let number = lun.linuxNumber
    guard number >= 256 else { return "iscsi-\(target)-lun-\(number)" }
    let groups = [number & 0xFFFF, (number >> 16) & 0xFFFF].map { group in
      let digits = String(group, radix: 16)
      return String(repeating: "0", count: 4 - digits.count) + digits
    }
    return "iscsi-\(target)-lun-0x\(groups.joined())00000000"
  }
}

extension BootPlan {
  /// The disk that the system is on: the unit that is told of the first target that the boot needs, where parameters go before
  /// firmware; 0 if none is told, as RFC 4173 has it. Several if several targets are ways to the same disk; none if no target
  /// is known yet.
  public var disks: [BootDisk] {
    let needed = logins.filter(\.isNeeded)
    let candidates = needed.isEmpty ? logins : needed
    guard let first = candidates.first(where: { !$0.isFirmware }) ?? candidates.first else { return [] }
    var targets: [TargetName] = []
    for login in [first] + (isMultipath ? candidates : []) where !targets.contains(login.record.target) {
      targets.append(login.record.target)
    }
    return targets.map { target in
      let luns = candidates.filter { $0.record.target == target }.compactMap(\.lun)
      return BootDisk(target: target, lun: luns.first ?? LUN(rawValue: 0))
    }
  }
}
