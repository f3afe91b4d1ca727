// SPDX-License-Identifier: Apache-2.0

/// A record whose settings are named by keys.
public protocol KeyedRecord: Hashable, Sendable {
  /// The keys that such a record can have.
  var keys: RecordKeys<Self> { get }
  /// The keys and values that its file has.
  var entries: [(key: String, value: String)] { get }
}

extension NodeRecord: KeyedRecord {
  /// The keys of nodes.
  public var keys: RecordKeys<NodeRecord> { Self.keys }
}

extension InterfaceRecord: KeyedRecord {
  /// The keys of interfaces.
  public var keys: RecordKeys<InterfaceRecord> { Self.keys }
}

extension DiscoveryRecord: KeyedRecord {
  /// The keys of this kind of discovery.
  public var keys: RecordKeys<DiscoveryRecord> { Self.keys(of: kind) }
}

extension KeyedRecord {
  /// The settings that its file has, without what says which record it is.
  ///
  /// - Parameter includingSecrets: Whether secrets are among them.
  /// - Returns: Keys and values in the order of the file.
  public func settings(includingSecrets: Bool) -> [(key: String, value: String)] {
    entries.filter { entry in
      switch keys[entry.key]?.role {
      case .setting: true
      case .secret: includingSecrets
      case .identity, nil: false
      }
    }
  }
}

/// A key of a record that gets another value.
public struct SettingChange: Hashable, Sendable, CustomStringConvertible {
  /// The key.
  public let key: String
  /// The value so far, eight stars in place of a secret; nil for none.
  public let old: String?
  /// The new value likewise.
  public let new: String?

  /// What differs between two versions of a record, in the order of its keys.
  static func list<Record: KeyedRecord>(from old: Record, to new: Record) -> [SettingChange] {
    let before = Dictionary(old.entries.map { ($0.key, $0.value) }) { $1 }
    let after = Dictionary(new.entries.map { ($0.key, $0.value) }) { $1 }
    return new.keys.all.compactMap { key in
      let (old, new) = (before[key.name], after[key.name])
      guard old != new else { return nil }
      let isSecret = key.role == .secret
      return SettingChange(
        key: key.name, old: old.map { isSecret ? stars : $0 }, new: new.map { isSecret ? stars : $0 })
    }
  }

  private static let stars = "********"

  /// `node.startup: manual -> automatic`.
  public var description: String { "\(key): \(old ?? "(none)") -> \(new ?? "(none)")" }
}
