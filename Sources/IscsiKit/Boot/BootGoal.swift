// SPDX-License-Identifier: Apache-2.0

/// When the logins of a boot are enough: when each target that is needed has a session. Several portals of a target are ways
/// to the same disks, of which one will do; so are several targets, if they are said to be (dracut's `rd.iscsi.mp`).
public struct BootGoal: Hashable, Sendable {
  /// How long the other logins may still take then.
  public static let patience = Duration.seconds(10)

  private let targets: [TargetName]
  private let needed: Set<TargetName>
  private let isMultipath: Bool
  private var open: Set<Int>
  private var present: Set<TargetName> = []

  /// The goal of some logins; without one that is needed, all of them are.
  ///
  /// - Parameters:
  ///   - logins: The logins.
  ///   - isMultipath: Whether one of the targets will do.
  public init(_ logins: [BootLogin], isMultipath: Bool = false) {
    targets = logins.map(\.record.target)
    let needed = Set(logins.filter(\.isNeeded).map(\.record.target))
    self.needed = needed.isEmpty ? Set(targets) : needed
    self.isMultipath = isMultipath
    open = Set(targets.indices)
  }

  /// A login has ended with a session, or there was one before.
  public mutating func reach(_ index: Int) {
    if targets.indices.contains(index) { present.insert(targets[index]) }
  }

  /// A login cannot even be tried.
  public mutating func refuse(_ index: Int) { open.remove(index) }

  /// Whether this is enough.
  public var isReached: Bool {
    isMultipath ? !needed.isDisjoint(with: present) || needed.isEmpty : needed.isSubset(of: present)
  }

  /// Whether there is no more to wait for: all is there that can be.
  public var isOver: Bool { isReached || needed.intersection(open.map { targets[$0] }).isSubset(of: present) }

  /// Whether the boot lacks the target of this login.
  public func misses(_ index: Int) -> Bool {
    guard targets.indices.contains(index), needed.contains(targets[index]) else { return false }
    return !(isMultipath && isReached) && !present.contains(targets[index])
  }
}
