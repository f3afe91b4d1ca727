// SPDX-License-Identifier: Apache-2.0

/// Values that keys of a record are to get, all of them or none. Secrets can be among them, so that it has no description.
public struct Assignments: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
  private struct Assignment: Hashable, Sendable {
    let key: String
    let value: String
  }

  private var list: [Assignment] = []

  /// None.
  public init() {}

  /// The values of keys, in the order of the keys' names.
  public init(_ values: [String: String]) {
    list = values.sorted { $0.key < $1.key }.map { Assignment(key: $0.key, value: $0.value) }
  }

  /// How many there are.
  public var description: String { "\(list.count) assignments" }
  /// No children, so that `dump` shows no secret.
  public var customMirror: Mirror { Mirror(self, children: [:]) }

  /// Whether there are none.
  public var isEmpty: Bool { list.isEmpty }

  /// Whether a key is to get a value.
  public func contains(_ key: String) -> Bool { list.contains { $0.key == key } }

  /// Adds a value.
  ///
  /// - Parameters:
  ///   - key: The name of a key.
  ///   - value: The value as it stands in files; an empty one takes the key away where that can be.
  /// - Throws: `repeated` for a key that has a value already.
  public mutating func add(_ key: String, _ value: String) throws(RecordRefusal) {
    guard !contains(key) else { throw .repeated(key: key) }
    list.append(Assignment(key: key, value: value))
  }

  /// Adds a secret likewise.
  public mutating func add(_ key: String, _ secret: Secret) throws(RecordRefusal) {
    try add(key, String(decoding: secret.octets, as: UTF8.self))
  }

  /// A record with these values. A timeout must be in the range of its table (``Timeout``), unless the record has it already: files may
  /// have others, which logins bring into the range.
  ///
  /// - Throws: `unknownKey`, `identity`, `badValue` or `otherIPVersion`, which a record of the same kind would throw too.
  public func applied<Record: KeyedRecord>(to record: Record) throws(RecordError) -> Record {
    var record = record
    for assignment in list {
      let before = record
      try record.set(assignment.key, to: assignment.value)
      if record != before { try Self.checkRange(of: assignment) }
    }
    // After all of them: the address may be among them.
    if let lost = list.first(where: { record.lacks($0.key) }) { throw .otherIPVersion(key: lost.key) }
    return record
  }

  private static func checkRange(of assignment: Assignment) throws(RecordError) {
    guard let timeout = Timeout.allCases.first(where: { $0.details.recordKey == assignment.key }),
      (try? timeout.value(assignment.value)) == nil
    else { return }
    let range = timeout.details.range
    throw .badValue(
      key: assignment.key,
      expected: "from \(range.lowerBound) to \(range.upperBound) seconds"
        + (timeout.details.offMeaning == nil ? "" : ", or -1"))
  }
}
