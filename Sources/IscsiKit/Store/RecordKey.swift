// SPDX-License-Identifier: Apache-2.0

/// Why a key of a record cannot have a value, or a record cannot be read.
public enum RecordError: DiagnosableError, Hashable {
  /// No record of this kind has the key.
  case unknownKey(String)
  /// The key says which record it is, which cannot be changed in it.
  case identity(String)
  /// The value is none for this key; `expected` says what is.
  case badValue(key: String, expected: String)
  /// The key is one of interfaces that have an address of the other version of IP.
  case otherIPVersion(key: String)
  /// The record lacks a key that says which record it is.
  case missing(key: String)

  /// What is wrong, without the value: it may be a secret.
  public var description: String {
    switch self {
    case .unknownKey(let key): "there is no key \(key.debugDescription)"
    case .identity(let key): "\(key) says which record this is and cannot be changed"
    case .badValue(let key, let expected): "\(key) must be \(expected)"
    case .otherIPVersion(let key):
      "\(key) is for interfaces with an address of IPv\(InterfaceRecord.ipv6Names.contains(key) ? 6 : 4), which this is not"
    case .missing(let key): "\(key) is missing"
    }
  }

  /// 7.
  public var exitStatus: ExitStatus { .invalidArgument }

  /// Where to find what is right.
  public var advice: String? {
    switch self {
    case .unknownKey(let name):
      Timeout(rawValue: name)?.details.recordKey.map { "its key is \($0); iscsi-admin set takes \(name)" }
        ?? "iscsi-admin node show, iface show and discovery show print the keys that there are"
    case .badValue(let key, _): Timeout(name: key)?.advice
    case .identity, .missing, .otherIPVersion: nil
    }
  }
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
public final class RecordKey<Record: Sendable>: Sendable {
  /// The name, as `node.startup`.
  public let name: String
  /// Names that earlier versions used, and that are still understood.
  public let formerNames: [String]
  /// What the key is to users.
  public let role: RecordKeyRole
  /// What its values are, in words.
  public var values: String { describeValues() }
  /// Whether listings leave it out where it has no value: keys that open-iscsi 2.1.8 does not have.
  public let isLeftOutIfUnset: Bool

  /// Compares the part of two records that this is a key of; nil for a key of the whole. Most parts of most records are as
  /// they are without any setting, and a comparison for each key of each of thousands takes long.
  let partComparer: PartComparer?

  /// Tells whether a part of two records, which are left as they are, is the same.
  typealias PartComparer = @Sendable (inout Record, inout Record) -> Bool

  private let describeValues: @Sendable () -> String
  private let checker: @Sendable (String) -> Bool
  // Records are handed on in place: they are large, and a copy for each key of each record takes longer than all the rest.
  private let getter: @Sendable (inout Record) -> String
  private let comparer: @Sendable (inout Record, inout Record) -> Bool
  private let setter: @Sendable (inout Record, String) -> Bool

  /// A key whose value is a property.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - getter: The property, which it leaves as it is. A key path in its place costs many times as much at each use, and
  ///     each line of each record is one.
  ///   - setter: Sets it.
  ///   - format: How it stands in files.
  ///   - role: What the key is to users.
  ///   - formerNames: Names of earlier versions.
  ///   - isLeftOutIfUnset: Whether listings leave it out where it has no value.
  init<Value: Equatable>(
    _ name: String, _ getter: @escaping @Sendable (inout Record) -> Value,
    _ setter: @escaping @Sendable (inout Record, Value) -> Void, _ format: RecordValueFormat<Value>,
    _ role: RecordKeyRole = .setting, formerly formerNames: [String] = [], isLeftOutIfUnset: Bool = false
  ) {
    self.name = name
    self.formerNames = formerNames
    self.role = role
    describeValues = { format.values }
    partComparer = nil
    self.isLeftOutIfUnset = isLeftOutIfUnset
    checker = { format.parse($0) != nil }
    self.getter = { format.print(getter(&$0)) }
    comparer = { getter(&$0) == getter(&$1) }
    self.setter = { record, text in
      guard let value = format.parse(text) else { return false }
      setter(&record, value)
      return true
    }
  }

  /// The key of a part, as a key of the whole.
  ///
  /// - Parameters:
  ///   - key: The part's key.
  ///   - partComparer: Compares the part as a whole.
  ///   - getter: Asks the key for the part's text.
  ///   - comparer: Has the key compare the parts of two records.
  ///   - setter: Has the key take a text over into the part.
  init<Part>(
    _ key: RecordKey<Part>, of partComparer: @escaping PartComparer,
    _ getter: @escaping @Sendable (RecordKey<Part>, inout Record) -> String,
    _ comparer: @escaping @Sendable (RecordKey<Part>, inout Record, inout Record) -> Bool,
    _ setter: @escaping @Sendable (RecordKey<Part>, inout Record, String) -> Bool
  ) {
    name = key.name
    formerNames = key.formerNames
    role = key.role
    describeValues = key.describeValues
    isLeftOutIfUnset = key.isLeftOutIfUnset
    self.partComparer = partComparer
    checker = key.checker
    self.getter = { getter(key, &$0) }
    self.comparer = { comparer(key, &$0, &$1) }
    self.setter = { setter(key, &$0, $1) }
  }

  /// The value as it stands in a file; empty for one that does not stand there.
  public func text(of record: Record) -> String {
    var record = record
    return text(in: &record)
  }

  /// The same of a record in place, which is left as it is.
  func text(in record: inout Record) -> String { getter(&record) }

  /// Whether two records, which are left as they are, have the same value.
  func isSame(in left: inout Record, _ right: inout Record) -> Bool { comparer(&left, &right) }

  /// Gives the record a value.
  func set(_ text: String, in record: inout Record) throws(RecordError) {
    guard isShortEnough(text), take(text, into: &record) else { throw .badValue(key: name, expected: values) }
  }

  /// Gives the record a value of any length, and tells whether it is one.
  func take(_ text: String, into record: inout Record) -> Bool { setter(&record, text) }

  /// Throws `badValue` for a text that is no value of this key.
  func check(_ text: String) throws(RecordError) {
    guard isShortEnough(text), checker(text) else { throw .badValue(key: name, expected: values) }
  }

  /// Longer ones are cut by open-iscsi, which makes another value of them.
  private func isShortEnough(_ text: String) -> Bool { text.utf8.count <= RecordValueFormat<String>.longest }
}

/// The keys of a kind of record, in the order of its files.
public struct RecordKeys<Record: Sendable>: Sendable {
  /// All keys.
  public let all: [RecordKey<Record>]
  /// The names as they stand in files, former ones too, by their length, which tells most of them apart.
  private let names: [[(octets: [UInt8], position: Int)]]
  /// A record without any setting.
  let standardRecord: Record?
  /// The lines of such a record, by key. They say nothing. A key without a value has none, as in files.
  private let standard: RecordLines
  private let standardValues: [[UInt8]]

  /// The keys.
  ///
  /// - Parameters:
  ///   - all: The keys, in the order of files.
  ///   - standard: A record without any setting. Records are read into such ones.
  init(_ all: [RecordKey<Record>], standard: Record? = nil) {
    self.all = all
    standardRecord = standard
    let present = all.enumerated().map { (name: $1.name, position: $0) }
    let former = all.enumerated().flatMap { position, key in key.formerNames.map { (name: $0, position: position) } }
    let longest = (present + former).map(\.name.utf8.count).max() ?? 0
    var names: [[(octets: [UInt8], position: Int)]] = Array(repeating: [], count: longest + 1)
    for (name, position) in present + former { names[name.utf8.count].append((Array(name.utf8), position)) }
    self.names = names
    // What says which record it is counts in any case.
    var values: [String] = []
    if var record = standard { values = all.map { $0.role == .identity ? "" : $0.text(in: &record) } }
    var lines = RecordLines()
    for (key, value) in zip(all, values) {
      if value.isEmpty { lines.appendNothing() } else { lines.append(key: key.name, value: value) }
    }
    self.standard = lines
    standardValues = values.map { Array($0.utf8) }
  }

  /// The key of a present or former name; nil if there is none.
  public subscript(name: String) -> RecordKey<Record>? { position(of: name).map { all[$0] } }

  private func position(of name: String) -> Int? {
    let name = Array(name.utf8)
    guard name.count < names.count else { return nil }
    return names[name.count].first { $0.octets == name }?.position
  }

  /// What a text says of a record.
  struct Settings {
    /// Which key has which value, in the order of the text, but for what is so without it.
    fileprivate(set) var values: [(position: Int, value: Range<Int>)] = []
    /// Whether the text has any key, be it one of these or not.
    fileprivate(set) var isEmpty = true
    /// The last of the keys that have come with a value of their own.
    fileprivate var last = -1

    /// Forgets the values of keys that come again, with the standard one: the last one holds.
    fileprivate mutating func forget(where isMeant: (_ position: Int) -> Bool) {
      if !values.isEmpty { values.removeAll { isMeant($0.position) } }
    }
  }

  /// What a text says.
  func settings(in text: RecordText) -> Settings {
    var settings = Settings()
    var (start, next) = (0, 0)
    while true {
      // Files have the keys in our order and most of their values as they are without any setting, so that most lines are
      // known whole, many at a time.
      let run = standard.run(from: next, at: start, in: text.octets)
      if run.end > start {
        settings.isEmpty = false
        if run.lines.lowerBound <= settings.last {
          settings.forget { run.lines.contains($0) && !standardValues[$0].isEmpty }
        }
        (start, next) = (run.end, run.lines.upperBound)
      }
      guard let (line, content) = text.line(at: start) else { return settings }
      start = line.upperBound + 1
      guard case .entry(let key, let value) = content else { continue }
      settings.isEmpty = false
      guard let position = position(ofKeyAt: key, in: text) else { continue }
      next = position + 1
      if position < standardValues.count, text.isAt(value, standardValues[position]) {
        settings.forget { $0 == position }
      } else {
        settings.last = max(settings.last, position)
        settings.values.append((position, value))
      }
    }
  }

  /// Gives a record the values that a text has; keys that it does not have keep theirs.
  ///
  /// - Parameters:
  ///   - text: The values. Keys that no record has are passed over.
  ///   - record: What they are given to; it has no setting yet.
  ///   - onlySettings: Whether keys that say which record it is are passed over too.
  /// - Returns: What could not be taken over.
  func read(_ text: RecordText, into record: inout Record, onlySettings: Bool = false) -> [RecordError] {
    read(settings(in: text), of: text, into: &record) { !onlySettings || $0.role != .identity }
  }

  /// Gives a record what a text says.
  ///
  /// - Parameters:
  ///   - settings: What it says.
  ///   - text: The text.
  ///   - record: What is changed.
  ///   - isMeant: Which keys count.
  /// - Returns: What could not be taken over.
  func read(
    _ settings: Settings, of text: RecordText, into record: inout Record, where isMeant: (RecordKey<Record>) -> Bool
  ) -> [RecordError] {
    var errors: [RecordError] = []
    for (position, value) in settings.values where isMeant(all[position]) {
      do throws(RecordError) { try all[position].set(text.text(value), in: &record) } catch { errors.append(error) }
    }
    return errors
  }

  /// Lets settings pass that could not be taken over, as open-iscsi stores any number, and a record must not get lost by one.
  ///
  /// - Parameters:
  ///   - refused: What could not be taken over.
  ///   - errors: Is told what is passed over.
  ///   - isNeeded: Whether a key must have its value all the same, by its name. What says which record it is must in any case.
  /// - Throws: The first of those.
  func pass(
    over refused: [RecordError], _ errors: inout [RecordError], unless isNeeded: (String) -> Bool = { _ in false }
  ) throws(RecordError) {
    for error in refused {
      if case .badValue(let key, _) = error, self[key]?.role == .identity || isNeeded(key) { throw error }
      errors.append(error)
    }
  }

  /// The value of a key in what a text says; nil if it is not there, or is as it is without any setting.
  func value(of name: String, in settings: Settings, of text: RecordText) -> String? {
    guard let position = position(of: name) else { return nil }
    return settings.values.last { $0.position == position }.map { text.text($0.value) }
  }

  /// Which key has its name in a part of a file.
  func position(ofKeyAt range: Range<Int>, in text: RecordText) -> Int? {
    guard range.count < names.count else { return nil }
    return names[range.count].first { text.isAt(range, $0.octets) }?.position
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
  /// How listings show it: all keys that its file can have.
  var shownLayout: RecordLayout<Self> { get }
  /// How it stands in its file: the keys that have a value.
  var storedLayout: RecordLayout<Self> { get }
  /// The lines by which listings show it.
  ///
  /// Each kind of record has its own, as the compiler makes a fast one for a type that it knows.
  ///
  /// - Parameter hidesSecrets: Whether stars are in the place of secrets.
  /// - Returns: The octets of the lines, with their ends.
  func listing(hidesSecrets: Bool) -> [UInt8]
  /// Changes a setting.
  ///
  /// - Parameters:
  ///   - key: Its name.
  ///   - value: The value as it stands in files.
  /// - Throws: `unknownKey`, `identity`, or `badValue`; the record is as it was then.
  mutating func set(_ key: String, to value: String) throws(RecordError)
  /// Whether a key is one of its kind that its own file does not have, as it is of the other version of IP.
  func lacks(_ key: String) -> Bool
}

extension KeyedRecord {
  /// A record without an interface lacks no key.
  public func lacks(_ key: String) -> Bool { false }

  /// The keys that its file has where they have a value; listings show them without one too, in this order.
  public var shownKeys: [RecordKey<Self>] { shownLayout.keys }

  /// The keys and values that its file has, in the file's order.
  public var entries: [(key: String, value: String)] {
    storedLayout.keys.compactMap { key in
      let text = key.text(of: self)
      return text.isEmpty ? nil : (key.name, text)
    }
  }
}
