// SPDX-License-Identifier: Apache-2.0

/// The disk that a system boots from, as far as a plan tells: a unit of a target.
public struct BootDisk: Hashable, Sendable {
  /// The target.
  public let target: TargetName
  /// The unit.
  public let lun: LUN
  /// The unit that is meant if the target has no such unit, and has this one; nil for none.
  public var otherLUN: LUN?

  /// What the disk's names in `/dev/disk/by-path` end with, whatever the portal (systemd: `udev-builtin-path_id.c`).
  public var pathSuffix: String { Self.pathSuffix(target, lun) }

  /// The same of what it is: the other unit if the target shows that alone, and both as long as it is not known what it shows.
  ///
  /// - Parameter units: The units of a session with the target; empty if that is not known.
  /// - Returns: The ends of names.
  public func pathSuffixes(amongUnits units: Set<UInt64>) -> [String] {
    guard let otherLUN else { return [pathSuffix] }
    let other = Self.pathSuffix(target, otherLUN)
    if units.contains(lun.linuxNumber) { return [pathSuffix] }
    return units.contains(otherLUN.linuxNumber) ? [other] : [pathSuffix, other]
  }

  private static func pathSuffix(_ target: TargetName, _ lun: LUN) -> String {
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
  /// The disk that the system is on: the unit that is told of the target that `root=` names, or else of the first target that the
  /// boot needs, where parameters go before firmware; 0 if none is told, as RFC 4173 has it. Several if several targets are ways to the same disk; none if no target
  /// is known yet.
  public var disks: [BootDisk] {
    let needed = logins.filter(\.isNeeded)
    let candidates = needed.isEmpty ? logins : needed
    let own = candidates.first(where: \.isRoot) ?? candidates.first { !$0.isFirmware }
    guard let first = own ?? candidates.first else { return [] }
    var targets: [TargetName] = []
    for login in [first] + (isMultipath ? candidates : []) where !targets.contains(login.record.target) {
      targets.append(login.record.target)
    }
    return targets.map { target in
      let told = candidates.first { $0.record.target == target && $0.lun != nil }
      return BootDisk(target: target, lun: told?.lun ?? LUN(rawValue: 0), otherLUN: told?.otherLUN)
    }
  }
}
