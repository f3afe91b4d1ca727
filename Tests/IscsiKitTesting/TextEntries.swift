// SPDX-License-Identifier: Apache-2.0

/// The text of Login and Text PDUs as the test doubles see it: entries in order, each `key=value`, ended by NUL.
///
/// This is written apart from IscsiKit's own reader on purpose: a fault that both ends share would never show.
public struct TextEntries: Hashable, Sendable {
  /// One `key=value`.
  public struct Entry: Hashable, Sendable {
    /// What stands before the first `=`.
    public var key: String
    /// What stands behind it.
    public var value: String
  }

  /// The entries in order.
  public private(set) var entries: [Entry] = []

  /// No entries.
  public init() {}

  /// Reads text; entries without `=` and empty ones are passed over.
  public init(octets: [UInt8]) {
    for part in octets.split(separator: 0) {
      guard let separator = part.firstIndex(of: UInt8(ascii: "=")) else { continue }
      append(
        String(decoding: part[..<separator], as: UTF8.self), String(decoding: part[(separator + 1)...], as: UTF8.self))
    }
  }

  /// Adds an entry at the end.
  public mutating func append(_ key: String, _ value: String) { entries.append(Entry(key: key, value: value)) }

  /// Gives every entry of a key another value; nothing happens if the key is not there.
  public mutating func replace(_ key: String, with value: String) {
    for index in entries.indices where entries[index].key == key { entries[index].value = value }
  }

  /// Takes out every entry of a key.
  public mutating func remove(_ key: String) { entries.removeAll { $0.key == key } }

  /// The first value of a key.
  public subscript(key: String) -> String? { entries.first { $0.key == key }?.value }

  /// The values of a comma-separated list; empty if the key is not there.
  public func list(_ key: String) -> [String] { (self[key] ?? "").split(separator: ",").map(String.init) }

  /// The text as it goes into a data segment.
  public var octets: [UInt8] { entries.flatMap { Array("\($0.key)=\($0.value)".utf8) + [0] } }
}
