// SPDX-License-Identifier: Apache-2.0

extension KeyedRecord {
  /// The settings that its file has, without what says which record it is.
  ///
  /// - Parameter includingSecrets: Whether secrets are among them.
  /// - Returns: Keys and values in the order of the file.
  public func settings(includingSecrets: Bool) -> [(key: RecordKey<Self>, value: String)] {
    shownKeys.compactMap { key in
      guard key.role == .setting || (includingSecrets && key.role == .secret) else { return nil }
      let text = key.text(of: self)
      return text.isEmpty ? nil : (key, text)
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
    if old == new { return [] }
    var before = values(of: old)
    let changes = new.shownKeys.compactMap { key in change(of: key, from: before.removeValue(forKey: key.name), in: new)
    }
    // A key that the file has had, and will not have, loses its value.
    return changes + old.shownKeys.compactMap { key in change(of: key, from: before[key.name], in: nil) }
  }

  /// The change of a key; nil if it is none.
  private static func change<Record: KeyedRecord>(
    of key: RecordKey<Record>, from old: String?, in record: Record?
  ) -> SettingChange? {
    let new = record.map(key.text).flatMap { $0.isEmpty ? nil : $0 }
    guard old != new else { return nil }
    let isSecret = key.role == .secret
    return SettingChange(key: key.name, old: old.map { isSecret ? stars : $0 }, new: new.map { isSecret ? stars : $0 })
  }

  private static func values(of record: some KeyedRecord) -> [String: String] {
    Dictionary(record.entries.map { ($0.key, $0.value) }) { $1 }
  }

  private static let stars = "********"

  /// `node.startup: manual -> automatic`.
  public var description: String { "\(key): \(old ?? "(none)") -> \(new ?? "(none)")" }
}
