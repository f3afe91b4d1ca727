// SPDX-License-Identifier: Apache-2.0

/// Why a key of a record cannot have a value, or a record cannot be read.
public enum RecordError: DiagnosableError, Hashable {
  /// No record of this kind has the key.
  case unknownKey(String)
  /// The key says which record it is, which cannot be changed in it.
  case identity(String)
  /// The value is none for this key; `expected` says what is.
  case badValue(key: String, expected: String)
  /// The record lacks a key that says which record it is.
  case missing(key: String)

  /// What is wrong, without the value: it may be a secret.
  public var description: String {
    switch self {
    case .unknownKey(let key): "there is no key \(key.debugDescription)"
    case .identity(let key): "\(key) says which record this is and cannot be changed"
    case .badValue(let key, let expected): "\(key) must be \(expected)"
    case .missing(let key): "\(key) is missing"
    }
  }

  /// 7.
  public var exitStatus: ExitStatus { .invalidArgument }
}

/// What a key of a record is to users.
public enum RecordKeyRole: Hashable, Sendable {
  /// It can be set.
  case setting
  /// It can be set, and is never shown unless asked for.
  case secret
  /// It says which record this is.
  case identity
}

/// A key of a record: its name in files and on the command line, and the property behind it.
///
/// Parser, printer, updates and documentation all go by a record's keys.
public struct RecordKey<Record: Sendable>: Sendable {
  /// The name, as `node.startup`.
  public let name: String
  /// Names that earlier versions used, and that are still understood.
  public let formerNames: [String]
  /// What the key is to users.
  public let role: RecordKeyRole
  /// What its values are, in words.
  public let values: String
  /// Whether listings leave it out where it has no value: keys that open-iscsi 2.1.8 does not have.
  public let isLeftOutIfUnset: Bool

  private let checker: @Sendable (String) -> Bool
  private let getter: @Sendable (Record) -> String
  private let setter: @Sendable (inout Record, String) -> Bool

  /// A key whose value is a property.
  init<Value>(
    _ name: String, _ property: any WritableKeyPath<Record, Value> & Sendable, _ format: RecordValueFormat<Value>,
    _ role: RecordKeyRole = .setting, formerly formerNames: [String] = [], isLeftOutIfUnset: Bool = false
  ) {
    self.name = name
    self.formerNames = formerNames
    self.role = role
    values = format.values
    self.isLeftOutIfUnset = isLeftOutIfUnset
    checker = { format.parse($0) != nil }
    getter = { format.print($0[keyPath: property]) }
    setter = { record, text in
      guard let value = format.parse(text) else { return false }
      record[keyPath: property] = value
      return true
    }
  }

  /// The key of a part, as a key of the whole.
  init<Part>(_ key: RecordKey<Part>, in part: any WritableKeyPath<Record, Part> & Sendable) {
    name = key.name
    formerNames = key.formerNames
    role = key.role
    values = key.values
    isLeftOutIfUnset = key.isLeftOutIfUnset
    checker = key.checker
    getter = { key.getter($0[keyPath: part]) }
    setter = { key.setter(&$0[keyPath: part], $1) }
  }

  /// The value as it stands in a file; empty for one that does not stand there.
  public func text(of record: Record) -> String { getter(record) }

  /// Gives the record a value.
  func set(_ text: String, in record: inout Record) throws(RecordError) {
    try check(text)
    guard setter(&record, text) else { throw .badValue(key: name, expected: values) }
  }

  /// Throws `badValue` for a text that is no value of this key.
  func check(_ text: String) throws(RecordError) {
    // Longer ones are cut by open-iscsi, which makes another value of them.
    guard text.utf8.count <= RecordValueFormat<String>.longest, checker(text) else {
      throw .badValue(key: name, expected: values)
    }
  }
}

/// The keys of a kind of record, in the order of its files.
public struct RecordKeys<Record: Sendable>: Sendable {
  /// All keys.
  public let all: [RecordKey<Record>]
  private let positions: [String: Int]

  init(_ all: [RecordKey<Record>]) {
    self.all = all
    var positions: [String: Int] = [:]
    for (position, key) in all.enumerated() {
      for name in [key.name] + key.formerNames { positions[name] = position }
    }
    self.positions = positions
  }

  /// The key of a present or former name; nil if there is none.
  public subscript(name: String) -> RecordKey<Record>? { positions[name].map { all[$0] } }

  /// Gives a record the values that a text has; keys that it does not have keep theirs.
  ///
  /// - Parameters:
  ///   - text: The values. Keys that no record has are passed over.
  ///   - record: What they are given to.
  ///   - onlySettings: Whether keys that say which record it is are passed over too.
  /// - Returns: What could not be taken over.
  func read(_ text: RecordText, into record: inout Record, onlySettings: Bool = false) -> [RecordError] {
    var errors: [RecordError] = []
    for case .entry(let name, let value) in text.lines {
      guard let key = self[name], !onlySettings || key.role != .identity else { continue }
      do throws(RecordError) { try key.set(value, in: &record) } catch { errors.append(error) }
    }
    return errors
  }

  /// What in a text is no value of one of these keys.
  func errors(in text: RecordText) -> [RecordError] {
    text.lines.compactMap { line in
      guard case .entry(let name, let value) = line, let key = self[name] else { return nil }
      do throws(RecordError) { try key.check(value) } catch { return error }
      return nil
    }
  }

  /// Changes a setting.
  ///
  /// - Parameters:
  ///   - name: The key's present or former name.
  ///   - value: The value as it stands in files.
  ///   - record: What is changed.
  /// - Throws: `unknownKey`, `identity`, or `badValue`; the record is as it was then.
  func set(_ name: String, to value: String, in record: inout Record) throws(RecordError) {
    guard let key = self[name] else { throw .unknownKey(name) }
    guard key.role != .identity else { throw .identity(name) }
    try key.set(value, in: &record)
  }
}

/// A record that is stored as keys and values.
public protocol KeyedRecord: Hashable, Sendable {
  /// The keys that its file has where they have a value; listings show them without one too, in this order.
  var shownKeys: [RecordKey<Self>] { get }
  /// Changes a setting.
  ///
  /// - Parameters:
  ///   - key: Its name.
  ///   - value: The value as it stands in files.
  /// - Throws: `unknownKey`, `identity`, or `badValue`; the record is as it was then.
  mutating func set(_ key: String, to value: String) throws(RecordError)
}

extension KeyedRecord {
  /// The keys and values that its file has, in the file's order.
  public var entries: [(key: String, value: String)] {
    var entries: [(key: String, value: String)] = shownKeys.compactMap { key in
      let text = key.text(of: self)
      return text.isEmpty ? nil : (key.name, text)
    }
    // Listings have the MAC address among the interface's keys, files of nodes before them.
    if self is NodeRecord, let place = entries.firstIndex(where: { $0.key == "iface.iscsi_ifacename" }),
      let address = entries.firstIndex(where: { $0.key == "iface.hwaddress" })
    {
      entries.insert(entries.remove(at: address), at: place)
    }
    return entries
  }
}
