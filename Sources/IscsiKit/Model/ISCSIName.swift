// SPDX-License-Identifier: Apache-2.0

/// Why a text is not an iSCSI name (RFC 7143, section 4.2.7).
public enum ISCSINameError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The text is empty.
  case empty
  /// The name has this many octets; 223 is the most that RFC 7143 allows.
  case tooLong(octets: Int)
  /// The name starts with none of `iqn.`, `eui.` and `naa.`.
  case unknownFormat
  /// This character, at this octet offset, may not stand in an iSCSI name.
  case forbiddenCharacter(Unicode.Scalar, offset: Int)
  /// A name of a target may not begin with this character.
  case forbiddenBeginning(Unicode.Scalar)
  /// An `iqn.` name lacks the `yyyy-mm.` date or the naming authority behind it.
  case malformedIQN
  /// An `eui.` name must have 16 hexadecimal digits.
  case malformedEUI
  /// An `naa.` name must have 16 or 32 hexadecimal digits.
  case malformedNAA

  /// The reason in words, fit to follow "refused: ".
  public var description: String {
    switch self {
    case .empty: "the name is empty"
    case .tooLong(let octets): "the name has \(octets) octets, more than the 223 that iSCSI allows"
    case .unknownFormat: "the name starts with none of iqn., eui. and naa."
    case .forbiddenCharacter(let scalar, let offset):
      "the character '\(scalar.escaped(asASCII: true))' at octet \(offset) may not stand in an iSCSI name"
    case .forbiddenBeginning(let scalar): "the name begins with '\(scalar)'"
    case .malformedIQN: "an iqn. name reads iqn.yyyy-mm.reversed.domain[:text]"
    case .malformedEUI: "an eui. name has exactly 16 hexadecimal digits"
    case .malformedNAA: "an naa. name has 16 or 32 hexadecimal digits"
    }
  }
}

/// A validated iSCSI name of a target or an initiator (RFC 7143, section 4.2.7).
///
/// The text is kept as given, never rewritten: targets compare names octet by octet. A value of this type has no
/// control character, white space, slash or NUL, so it can be a path component and stands on one line.
public struct ISCSIName: Hashable, Sendable, CustomStringConvertible {
  /// The longest name in octets.
  public static let maximumLength = 223

  /// The name as it goes on the wire.
  public let description: String

  /// Checks `text` against RFC 7143 section 4.2.7 and RFC 3722, with underscores and upper case let through.
  public init(_ text: String) throws(ISCSINameError) {
    try Self.checkCharacters(text)
    try Self.checkFormat(text)
    description = text
  }

  /// Throws what is wrong with a text in whatever format: its length, or a character.
  fileprivate static func checkCharacters(_ text: String) throws(ISCSINameError) {
    guard !text.isEmpty else { throw .empty }
    guard text.utf8.count <= maximumLength else { throw .tooLong(octets: text.utf8.count) }
    // Nearly all names are nothing but ASCII letters, digits and a few marks, which is seen without decoding.
    if !text.utf8.allSatisfy(isAllowed) {
      var offset = 0
      for scalar in text.unicodeScalars {
        guard isAllowed(scalar) else { throw .forbiddenCharacter(scalar, offset: offset) }
        offset += scalar.utf8.count
      }
    }
  }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    scalar.isASCII
      ? isAllowed(UInt8(truncatingIfNeeded: scalar.value))
      : scalar.properties.isAlphabetic || scalar.properties.numericType != nil
  }

  private static func isAllowed(_ octet: UInt8) -> Bool {
    switch octet {
    // a to z, A to Z, 0 to 9 and ":", "-" and ".", "_"
    case 0x61...0x7A, 0x41...0x5A, 0x30...0x3A, 0x2D, 0x2E, 0x5F: true
    default: false
    }
  }

  private static func checkFormat(_ text: String) throws(ISCSINameError) {
    let octets = Array(text.utf8)
    guard octets.count >= 4, octets[3] == UInt8(ascii: ".") else { throw .unknownFormat }
    let rest = octets[4...]
    // The type is written in either case; the characters are known to be letters, digits or marks.
    switch (octets[0] | 0x20, octets[1] | 0x20, octets[2] | 0x20) {
    case (UInt8(ascii: "i"), UInt8(ascii: "q"), UInt8(ascii: "n")):
      // yyyy-mm. and at least one character of the naming authority
      let isDate =
        rest.count > 8 && rest[4..<8].allSatisfy(\.isDigit) && rest[8] == UInt8(ascii: "-")
        && rest[9].isDigit && rest[10].isDigit && rest[11] == UInt8(ascii: ".")
      guard isDate, rest[12] != UInt8(ascii: ":") else { throw .malformedIQN }
    case (UInt8(ascii: "e"), UInt8(ascii: "u"), UInt8(ascii: "i")):
      guard rest.count == 16, rest.allSatisfy(\.isHexDigit) else { throw .malformedEUI }
    case (UInt8(ascii: "n"), UInt8(ascii: "a"), UInt8(ascii: "a")):
      guard rest.count == 16 || rest.count == 32, rest.allSatisfy(\.isHexDigit) else { throw .malformedNAA }
    default:
      throw .unknownFormat
    }
  }
}

/// The name of an iSCSI target node, in one of the standard's formats or, as some targets have them, in none.
///
/// It has the characters of an ``ISCSIName``, and begins with neither a hyphen nor a full stop: it can be a path component that no
/// listing hides, and no program takes it for an option.
public struct TargetName: Hashable, Sendable, CustomStringConvertible {
  /// What a name contains that the standard does not allow but that real targets use.
  public enum Warning: Hashable, Sendable, CustomStringConvertible {
    /// The name has an underscore, which RFC 3722 does not allow.
    case underscore
    /// The name has an upper case letter, which RFC 3722 maps to lower case.
    case upperCase
    /// The name is in none of the formats of RFC 7143.
    case noFormat

    /// The warning in words.
    public var description: String {
      switch self {
      case .underscore: "the name has an underscore, which RFC 3722 does not allow"
      case .upperCase: "the name has upper case letters, which RFC 3722 maps to lower case"
      case .noFormat: "the name is in none of the formats of RFC 7143 (iqn., eui., naa.)"
      }
    }
  }

  /// The name as it goes on the wire.
  public let description: String

  /// Checks `text` as the name of a target.
  public init(_ text: String) throws(ISCSINameError) {
    try ISCSIName.checkCharacters(text)
    if let first = text.unicodeScalars.first, first == "-" || first == "." { throw .forbiddenBeginning(first) }
    description = text
  }

  /// The same as a name of the standard; nil if it is in none of its formats.
  public var iscsiName: ISCSIName? { try? ISCSIName(description) }

  /// Deviations from RFC 3722 and RFC 7143 that are accepted; empty for a clean name.
  public var warnings: [Warning] {
    var found: [Warning] = []
    if description.utf8.contains(UInt8(ascii: "_")) { found.append(.underscore) }
    if description.utf8.contains(where: { (0x41...0x5A).contains($0) }) { found.append(.upperCase) }
    if iscsiName == nil { found.append(.noFormat) }
    return found
  }
}

/// The name of an iSCSI initiator node.
public struct InitiatorName: Hashable, Sendable, CustomStringConvertible {
  /// The validated name.
  public let name: ISCSIName
  /// The name as it goes on the wire.
  public var description: String { name.description }

  /// Checks `text` as an iSCSI name.
  public init(_ text: String) throws(ISCSINameError) { name = try ISCSIName(text) }
}

extension TargetName: Comparable {
  /// Orders names by their octets, as listings do.
  public static func < (left: TargetName, right: TargetName) -> Bool {
    left.description < right.description
  }
}

extension UInt8 {
  /// Whether this octet is an ASCII decimal digit.
  var isDigit: Bool { (0x30...0x39).contains(self) }

  /// The value of this octet as an ASCII hexadecimal digit, or nil.
  var hexDigitValue: UInt8? {
    switch self {
    case 0x30...0x39: self - 0x30
    case 0x41...0x46: self - 0x41 + 10
    case 0x61...0x66: self - 0x61 + 10
    default: nil
    }
  }

  /// Whether this octet is an ASCII hexadecimal digit.
  var isHexDigit: Bool { hexDigitValue != nil }
}
