// SPDX-License-Identifier: Apache-2.0

/// How the values of a type stand in a record.
struct RecordValueFormat<Value: Sendable>: Sendable {
  /// The most octets of a value (open-iscsi's `VALUE_MAXVAL` without its NUL).
  static var longest: Int { 255 }

  private let describe: @Sendable () -> String
  /// Reads a value; nil for a text that is none.
  let parse: @Sendable (String) -> Value?
  /// The text of a value; empty for one that does not stand in files.
  let print: @Sendable (Value) -> String

  /// A format. The words for its values are made when somebody asks for them: most programs go by all keys and want none.
  init(
    values: @escaping @autoclosure @Sendable () -> String, parse: @escaping @Sendable (String) -> Value?,
    print: @escaping @Sendable (Value) -> String
  ) {
    describe = values
    self.parse = parse
    self.print = print
  }

  /// What the values are, in words that follow "must be".
  var values: String { describe() }
}

extension RecordValueFormat where Value == String? {
  /// A text; an empty one is none.
  static var text: Self { text(upTo: longest) }

  /// A text of limited length.
  static func text(upTo limit: Int) -> Self {
    Self(values: "at most \(limit) octets of text") { text in
      guard text.utf8.count <= limit, !text.utf8.contains(where: { $0 < 0x20 }) else { return nil }
      return text.isEmpty ? .some(nil) : text
    } print: {
      $0 ?? ""
    }
  }
}

extension RecordValueFormat where Value == Secret? {
  /// A CHAP secret; an empty text is none.
  static var secret: Self {
    Self(values: "at most \(longest) octets of text in one line") { text in
      // What cannot be a secret must not become none.
      text.isEmpty ? .some(nil) : Secret(text).map(Optional.some)
    } print: {
      $0.map { String(decoding: $0.octets, as: UTF8.self) } ?? ""
    }
  }
}

extension RecordValueFormat where Value == Bool {
  /// `Yes` or `No`.
  static var yesNo: Self {
    Self(values: "Yes or No") {
      $0 == "Yes" ? true : $0 == "No" ? false : nil
    } print: {
      $0 ? "Yes" : "No"
    }
  }
}

extension RecordValueFormat where Value: FixedWidthInteger {
  /// A decimal number of the type's range, or of a smaller one.
  static func number(_ range: ClosedRange<Value> = .min ... .max) -> Self {
    Self(values: "a number from \(range.lowerBound) to \(range.upperBound)") { text in
      guard text.utf8.first != UInt8(ascii: "+"), let number = Value(text), range.contains(number) else { return nil }
      return number
    } print: {
      String($0)
    }
  }
}

extension RecordValueFormat {
  /// A decimal number of the type's range; nil stands in files as `none`.
  static func number<Number: FixedWidthInteger & Sendable>(orNone none: String) -> Self where Value == Number? {
    let format = RecordValueFormat<Number>.number()
    return Self(values: none.isEmpty ? format.values : "\(format.values), or \(none)") { text in
      text == none ? .some(nil) : format.parse(text).map(Optional.some)
    } print: {
      $0.map { String($0) } ?? none
    }
  }
}

extension RecordValueFormat where Value == Duration {
  /// Whole seconds.
  static var seconds: Self {
    Self(values: "a number of seconds") {
      UInt32($0).flatMap { $0 <= UInt32(Int32.max) ? .seconds(Int64($0)) : nil }
    } print: {
      String($0.components.seconds)
    }
  }
}

extension RecordValueFormat where Value == Duration? {
  /// Whole seconds; a negative number is for ever.
  static var secondsOrForever: Self {
    Self(values: "a number of seconds, or -1 for ever") { text in
      Int32(text).map { $0 < 0 ? nil : .seconds(Int64($0)) }
    } print: {
      $0.map { String($0.components.seconds) } ?? "-1"
    }
  }
}

extension RecordValueFormat where Value: CaseIterable & RawRepresentable<String> {
  /// One of some words, letter by letter.
  static var word: Self {
    Self(values: Value.allCases.map(\.rawValue).list("or")) {
      Value(rawValue: $0)
    } print: {
      $0.rawValue
    }
  }
}

extension RecordValueFormat where Value == PortalHost {
  /// An address, or the name of a host.
  static var host: Self {
    Self(values: "an address or the name of a host") {
      try? PortalHost($0)
    } print: {
      $0.description
    }
  }
}

extension RecordValueFormat where Value == [Digest] {
  /// Digests in order of preference, in one of the four ways that open-iscsi knows.
  static var digests: Self {
    let words: [String: [Digest]] = [
      "None": [.none], "CRC32C": [.crc32c], "CRC32C,None": [.crc32c, .none], "None,CRC32C": [.none, .crc32c],
    ]
    return Self(values: "None, CRC32C, \"CRC32C,None\" or \"None,CRC32C\"") {
      words[$0]
    } print: {
      $0.map(\.rawValue).joined(separator: ",")
    }
  }
}

extension RecordValueFormat where Value == [CHAPAlgorithm] {
  /// Algorithms in order of preference, separated by commas or blanks. Words that are none are passed over, as open-iscsi
  /// does, but not all of them. An empty list leaves the choice to the login.
  static var algorithms: Self {
    Self(values: "a list of \(CHAPAlgorithm.allCases.map(\.description).list("and"))") { text in
      var algorithms: [CHAPAlgorithm] = []
      for word in text.split(whereSeparator: { ", \t".contains($0) }) {
        guard let algorithm = CHAPAlgorithm.allCases.first(where: { $0.description == word }) else { continue }
        if !algorithms.contains(algorithm) { algorithms.append(algorithm) }
      }
      return algorithms.isEmpty && text.contains(where: { !$0.isWhitespace }) ? nil : algorithms
    } print: {
      $0.map(\.description).joined(separator: ",")
    }
  }
}
