// SPDX-License-Identifier: Apache-2.0
internal import Logging

/// One entry of the log, of bounded size.
struct LogEntry: Sendable {
  /// A piece of metadata.
  struct Field: Hashable, Sendable {
    let key: String
    let value: String
  }

  /// The most octets of a message; what is longer is cut.
  static let messageLimit = 8192
  /// The most octets of a field's value.
  static let valueLimit = 1024
  /// The most fields.
  static let fieldLimit = 24

  let level: Logger.Level
  let message: String
  let fields: [Field]
  /// When it was logged.
  let time: ContinuousClock.Instant

  /// An entry whose parts are cut to their limits.
  init(_ level: Logger.Level, _ message: String, _ fields: [Field] = [], at time: ContinuousClock.Instant = .now) {
    self.level = level
    self.message = message.cut(to: Self.messageLimit)
    self.fields = fields.prefix(Self.fieldLimit).map {
      Field(key: $0.key.cut(to: Self.valueLimit), value: $0.value.cut(to: Self.valueLimit))
    }
    self.time = time
  }

  /// About how many octets it takes while it waits.
  var size: Int { fields.reduce(64 + message.utf8.count) { $0 + 32 + $1.key.utf8.count + $1.value.utf8.count } }
}

extension LogEntry {
  /// What a terminal or a file shows: one line, `iscsi-admin: warning: the message`. Fields are for the journal, where
  /// they can be asked for; what people need is in the message.
  func line(identifier: String) -> String {
    let name =
      switch level {
      case .trace, .debug: "debug: "
      case .info, .notice: ""
      case .warning: "warning: "
      case .error, .critical: "error: "
      }
    return "\(identifier): \(name)\(message.onOneLine)\n"
  }

  /// What journald's own protocol wants: a datagram of fields.
  ///
  /// A value with a line end is preceded by its length (systemd: "Native Journal Protocol"), so no text that comes from
  /// a target can be taken for a field.
  ///
  /// - Parameters:
  ///   - identifier: The program's name.
  ///   - delay: How long the entry waited to be written. The journal's own time would tell the wrong story of an outage.
  /// - Returns: The datagram.
  func journalFields(identifier: String, delay: Duration) -> [UInt8] {
    var octets: [UInt8] = []
    octets.appendJournalField("MESSAGE", message)
    octets.appendJournalField("PRIORITY", String(priority))
    octets.appendJournalField("SYSLOG_IDENTIFIER", identifier)
    for field in fields { octets.appendJournalField(field.journalName, field.value) }
    if delay >= .seconds(1) {
      let microseconds = delay.components.seconds.multipliedSaturating(by: 1_000_000)
      octets.appendJournalField("ISCSI_DELAY_USEC", String(microseconds))
    }
    return octets
  }

  /// syslog's number of the level.
  private var priority: Int {
    switch level {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}

extension LogEntry.Field {
  /// The name as the journal allows it: upper case letters, digits and underscores, at most 64.
  var journalName: String {
    let name = key.uppercased().utf8.prefix(58).map { octet in
      octet.isDigit || (0x41...0x5A).contains(octet) ? octet : UInt8(ascii: "_")
    }
    return "ISCSI_" + String(decoding: name, as: UTF8.self)
  }
}

extension [UInt8] {
  fileprivate mutating func appendJournalField(_ name: String, _ value: String) {
    append(contentsOf: name.utf8)
    if value.utf8.contains(0x0A) {
      append(0x0A)
      let count = UInt64(value.utf8.count)
      for shift in 0..<8 { append(UInt8(truncatingIfNeeded: count >> (8 * UInt64(shift)))) }
    } else {
      append(UInt8(ascii: "="))
    }
    append(contentsOf: value.utf8)
    append(0x0A)
  }
}

extension Int64 {
  fileprivate func multipliedSaturating(by factor: Int64) -> Int64 {
    let (value, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? .max : value
  }
}

extension String {
  /// The text, or as many of its first octets as are allowed and make whole characters.
  fileprivate func cut(to limit: Int) -> String {
    guard utf8.count > limit else { return self }
    return String(decoding: utf8.prefix(limit - 3).dropPartialScalar, as: UTF8.self) + "..."
  }

  /// Control characters are written as escapes: they must not end the line or move a terminal's cursor.
  fileprivate var onOneLine: String {
    guard unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      text += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
    }
  }
}

extension Substring.UTF8View {
  /// Without the octets at the end that begin a character and do not complete it.
  fileprivate var dropPartialScalar: Substring.UTF8View {
    var rest = self
    while let last = rest.last, last & 0xC0 == 0x80 { rest = rest.dropLast() }
    return rest.last.map { $0 >= 0x80 } == true ? rest.dropLast() : rest
  }
}
