// SPDX-License-Identifier: Apache-2.0

/// Reads and writes the text of a data segment: `key=value` pairs, each ended by NUL (RFC 7143, section 6.1).
public enum TextParser {
  /// The longest key in octets.
  public static let maximumKeyLength = 63
  /// The longest value in octets that we take; single values have 255 at most, but lists and binary values more.
  public static let maximumValueLength = 8192
  /// The longest text in octets, over all PDUs that it spreads over.
  public static let maximumLength = 65_536

  /// Whether one key may stand more than once in a text.
  public enum Duplicates: Hashable, Sendable {
    /// As in a login.
    case refused
    /// As in the answer to SendTargets.
    case allowed
  }

  /// The pairs of `data` in their order. Empty parts (extra NULs) are skipped, and the last NUL may be missing.
  ///
  /// The value is everything behind the first `=`; it may be empty. Values are checked for length and UTF-8 only.
  public static func parse(
    _ data: [UInt8], duplicates: Duplicates = .refused
  ) throws(TextError) -> [TextPair] {
    guard data.count <= maximumLength else { throw .tooLong(octets: data.count, limit: maximumLength) }
    var pairs: [TextPair] = []
    var keys: Set<String> = []
    var rest = data[...]
    while let start = rest.firstIndex(where: { $0 != 0 }) {
      let part = rest[start...].prefix { $0 != 0 }
      rest = rest[part.endIndex...]
      let pair = try parsePair(part)
      guard keys.insert(pair.key).inserted || duplicates == .allowed else { throw .duplicate(key: pair.key) }
      pairs.append(pair)
    }
    return pairs
  }

  /// The text of `pairs`, each with its NUL.
  public static func encode(_ pairs: [TextPair]) -> [UInt8] {
    pairs.flatMap { Array($0.description.utf8) + [0] }
  }

  private static func parsePair(_ part: ArraySlice<UInt8>) throws(TextError) -> TextPair {
    guard let separator = part.firstIndex(of: UInt8(ascii: "=")) else {
      throw .noSeparator(String(decoding: part.prefix(maximumKeyLength), as: UTF8.self))
    }
    let keyOctets = part[..<separator]
    let key = String(decoding: keyOctets.prefix(maximumKeyLength + 1), as: UTF8.self)
    guard (1...maximumKeyLength).contains(keyOctets.count), keyOctets.allSatisfy(isKeyOctet) else {
      throw .badKey(key)
    }
    let octets = part[part.index(after: separator)...]
    guard octets.count <= maximumValueLength else { throw .valueTooLong(key: key, octets: octets.count) }
    guard let value = String(validating: octets, as: UTF8.self) else { throw .notUTF8(key: key) }
    return TextPair(key: key, value: value)
  }

  /// The characters of a standard-label, and `#` of the X# keys. That a label starts with a capital is not asked for:
  /// `iSCSIProtocolLevel` does not either.
  private static func isKeyOctet(_ octet: UInt8) -> Bool {
    switch octet {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "@"), UInt8(ascii: "_"),
      UInt8(ascii: "#"):
      true
    default: false
    }
  }
}

/// Numbers in text (RFC 7143, section 6.1).
public enum TextNumber {
  /// Parses a decimal number, or a hexadecimal one after `0x`; nil if it is neither or needs more than 64 bits.
  public static func parse(_ text: some StringProtocol) -> UInt64? {
    let octets = Array(text.utf8)
    guard (1...255).contains(octets.count) else { return nil }
    if octets.count > 2, octets[0] == UInt8(ascii: "0"), octets[1] | 0x20 == UInt8(ascii: "x") {
      guard octets[2...].allSatisfy(\.isHexDigit) else { return nil }
      return UInt64(text.dropFirst(2), radix: 16)
    }
    guard octets.allSatisfy(\.isDigit) else { return nil }
    return UInt64(text)
  }
}

/// Binary values in text: hexadecimal after `0x` or base64 after `0b` (RFC 7143, section 6.1).
public enum TextBinary {
  /// Parses a binary value of at most `limit` octets; nil if it is not one, is empty or is longer.
  ///
  /// An odd count of hexadecimal digits has a zero in front, as with numbers. Base64 is RFC 4648's, with its padding
  /// and without stray bits.
  public static func parse(_ text: some StringProtocol, limit: Int) -> [UInt8]? {
    let octets = Array(text.utf8)
    guard octets.count > 2, octets[0] == UInt8(ascii: "0") else { return nil }
    let digits = octets[2...]
    switch octets[1] | 0x20 {
    case UInt8(ascii: "x") where (digits.count + 1) / 2 <= limit: return parseHexadecimal(digits)
    case UInt8(ascii: "b") where digits.count / 4 * 3 - 2 <= limit:
      guard let value = parseBase64(digits), value.count <= limit else { return nil }
      return value
    default: return nil
    }
  }

  /// The value as `0x` and lower case hexadecimal digits, which every implementation must understand.
  public static func encode(_ octets: [UInt8]) -> String {
    "0x" + octets.map(\.hexadecimal).joined()
  }

  private static func parseHexadecimal(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
    var value: [UInt8] = []
    value.reserveCapacity((digits.count + 1) / 2)
    var high: UInt8? = digits.count.isMultiple(of: 2) ? nil : 0
    for digit in digits {
      guard let nibble = digit.hexDigitValue else { return nil }
      if let first = high {
        value.append(first << 4 | nibble)
        high = nil
      } else {
        high = nibble
      }
    }
    return value
  }

  private static func parseBase64(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
    let padding = digits.suffix(2).count { $0 == UInt8(ascii: "=") }
    let data = digits.dropLast(padding)
    guard digits.count.isMultiple(of: 4), !data.isEmpty else { return nil }
    var value: [UInt8] = []
    var bits: UInt32 = 0
    var bitCount = 0
    for digit in data {
      guard let sextet = base64Value(digit) else { return nil }
      bits = (bits << 6 | sextet) & 0xFFFF
      bitCount += 6
      if bitCount >= 8 {
        bitCount -= 8
        value.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
      }
    }
    guard bits & (1 << UInt32(bitCount) - 1) == 0 else { return nil }
    return value
  }

  private static func base64Value(_ digit: UInt8) -> UInt32? {
    switch digit {
    case 0x41...0x5A: UInt32(digit) - 0x41
    case 0x61...0x7A: UInt32(digit) - 0x61 + 26
    case 0x30...0x39: UInt32(digit) - 0x30 + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
