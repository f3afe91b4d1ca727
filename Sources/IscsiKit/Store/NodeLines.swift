// SPDX-License-Identifier: Apache-2.0

/// Makes the lines of the records of nodes, one after the other. Those of a database have their settings in common, so that of most
/// only the lines are made that say which node it is.
public struct NodeLines {
  /// What the lines are for.
  public enum Form: Hashable, Sendable {
    /// For users: all keys, those without a value as `<empty>`; stars may be in the place of secrets.
    case shown(hidesSecrets: Bool)
    /// For the record's file: the keys that have a value.
    case stored
  }

  private let form: Form
  private var last: Last?

  /// The record whose lines were made last. It and they are compared and changed in their place, as a copy of a record takes as long
  /// as some of its lines.
  private final class Last {
    var record: NodeRecord
    let layout: RecordLayout<NodeRecord>
    var lines: RecordLines

    init(_ record: NodeRecord, _ layout: RecordLayout<NodeRecord>, _ lines: RecordLines) {
      self.record = record
      self.layout = layout
      self.lines = lines
    }
  }

  /// No lines yet.
  public init(_ form: Form) { self.form = form }

  /// The octets of a record's lines, with their ends.
  public mutating func octets(of record: NodeRecord) -> [UInt8] {
    var record = record
    return lines(of: &record).octets
  }

  /// The lines of a record, which is left as it is: one a key of its layout.
  mutating func lines(of record: inout NodeRecord) -> RecordLines {
    let layout = form == .stored ? record.storedLayout : record.shownLayout
    // Each part of an object that is handed over to be changed is locked for that time: once, and not for each key.
    if let last, last.layout === layout, layout.take(identityOf: &record, into: &last.record, &last.lines) {
      return last.lines
    }
    let lines = layout.lines(of: record, hidesSecrets: form == .shown(hidesSecrets: true))
    last = Last(record, layout, lines)
    return lines
  }
}

extension RecordLayout<NodeRecord> {
  /// Makes a record, and its lines, those of the node of another record, with its own settings.
  ///
  /// - Parameters:
  ///   - other: The other record, which is left as it is.
  ///   - record: The record.
  ///   - lines: Its lines.
  /// - Returns: Whether the settings of both are the same.
  fileprivate func take(identityOf other: inout NodeRecord, into record: inout NodeRecord, _ lines: inout RecordLines)
    -> Bool
  {
    for index in identityKeys where !keys[index].isSame(in: &other, &record) {
      lines.replace(index, by: line(at: index, of: &other))
    }
    record.takeIdentity(of: &other)
    return NodeRecord.areSame(&other, &record)
  }
}

extension NodeRecord {
  /// Takes over from another record what says which one it is: what the keys of that role are of.
  fileprivate mutating func takeIdentity(of other: inout NodeRecord) {
    target = other.target
    portal = other.portal
    discoveryAddress = other.discoveryAddress
    discoveryPort = other.discoveryPort
    discoveryKind = other.discoveryKind
    interface.name = other.interface.name
  }

  /// Whether two records, which are left as they are, are the same.
  fileprivate static func areSame(_ left: inout NodeRecord, _ right: inout NodeRecord) -> Bool { left == right }
}
