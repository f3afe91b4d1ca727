// SPDX-License-Identifier: Apache-2.0

/// An IPv4 or IPv6 address as a value, without scope.
///
/// Parsing and printing are done here and not by C's `inet_pton`, so that the model has no unsafe code; the text
/// form of IPv6 is the one of RFC 5952.
public enum IPAddress: Hashable, Sendable, CustomStringConvertible {
  /// The four octets of an IPv4 address, most significant first, as one number.
  case v4(UInt32)
  /// The eight groups of an IPv6 address.
  case v6([8 of UInt16])

  /// Parses dotted decimal IPv4 or any RFC 4291 form of IPv6 (no brackets, no scope); nil if it is neither.
  public init?(_ text: some StringProtocol) {
    if text.utf8.contains(UInt8(ascii: ":")) {
      guard let groups = Self.parseV6(text) else { return nil }
      self = .v6(groups)
    } else {
      guard let value = Self.parseV4(text) else { return nil }
      self = .v4(value)
    }
  }

  /// Whether this is an IPv6 address.
  public var isIPv6: Bool {
    if case .v6 = self { true } else { false }
  }

  /// Whether this is an IPv6 link-local address (fe80::/10), which needs a scope to be reached.
  public var isLinkLocal: Bool {
    if case .v6(let groups) = self { groups[0] & 0xFFC0 == 0xFE80 } else { false }
  }

  /// Whether this is an address that leads to this machine itself (127.0.0.0/8, ::1).
  public var isLoopback: Bool {
    switch self {
    case .v4(let value): value >> 24 == 127
    case .v6(let groups): groups.indices.allSatisfy { groups[$0] == ($0 == 7 ? 1 : 0) }
    }
  }

  /// The address in network order: 4 or 16 octets.
  public var octets: [UInt8] {
    switch self {
    case .v4(let value): (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) }
    case .v6(let groups):
      groups.indices.flatMap { [UInt8(groups[$0] >> 8), UInt8(groups[$0] & 0xFF)] }
    }
  }

  /// An address from 4 or 16 octets in network order; nil for another count.
  public init?(octets: some Collection<UInt8>) {
    let bytes = Array(octets)
    switch bytes.count {
    case 4: self = .v4(bytes.reduce(0) { $0 << 8 | UInt32($1) })
    case 16: self = .v6([8 of UInt16] { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) })
    default: return nil
    }
  }

  /// Dotted decimal, or IPv6 as RFC 5952 writes it (lower case, longest run of zeros compressed).
  public var description: String {
    switch self {
    case .v4(let value): "\(value >> 24).\(value >> 16 & 0xFF).\(value >> 8 & 0xFF).\(value & 0xFF)"
    case .v6(let groups): Self.format(groups)
    }
  }

  /// Compares the addresses themselves, so that two spellings of one address are equal.
  public static func == (left: IPAddress, right: IPAddress) -> Bool {
    switch (left, right) {
    case (.v4(let a), .v4(let b)): a == b
    case (.v6(let a), .v6(let b)): a.indices.allSatisfy { a[$0] == b[$0] }
    default: false
    }
  }

  /// Hashes the octets.
  public func hash(into hasher: inout Hasher) { hasher.combine(octets) }

  private static func parseV4(_ text: some StringProtocol) -> UInt32? {
    var (value, octet, digits, dots): (UInt32, UInt32, Int, Int) = (0, 0, 0, 0)
    for character in text.utf8 {
      if character.isDigit {
        (octet, digits) = (octet * 10 + UInt32(character - 0x30), digits + 1)
        guard digits <= 3, octet <= 255 else { return nil }
      } else {
        guard character == UInt8(ascii: "."), digits > 0, dots < 3 else { return nil }
        (value, octet, digits, dots) = (value << 8 | octet, 0, 0, dots + 1)
      }
    }
    return digits > 0 && dots == 3 ? value << 8 | octet : nil
  }

  private static func parseV6(_ text: some StringProtocol) -> [8 of UInt16]? {
    guard text.utf8.count <= 45 else { return nil }
    let bytes = Array(text.utf8)
    let gaps = bytes.indices.dropLast().filter { bytes[$0] == 0x3A && bytes[$0 + 1] == 0x3A }
    guard gaps.count <= 1 else { return nil }
    guard let gap = gaps.first else {
      guard let all = parseGroups(bytes[...]), all.count == 8 else { return nil }
      return .init { all[$0] }
    }
    guard let head = parseGroups(bytes[..<gap]), let tail = parseGroups(bytes[(gap + 2)...]) else { return nil }
    guard head.count + tail.count <= 7 else { return nil }
    let all = head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    return .init { all[$0] }
  }

  /// Parses colon-separated groups, the last of which may be an embedded IPv4 address; empty text gives no groups.
  private static func parseGroups(_ bytes: ArraySlice<UInt8>) -> [UInt16]? {
    guard !bytes.isEmpty else { return [] }
    let parts = bytes.split(separator: 0x3A, omittingEmptySubsequences: false)
    var groups: [UInt16] = []
    for (index, part) in parts.enumerated() {
      let text = String(decoding: part, as: UTF8.self)
      if index == parts.count - 1, part.contains(0x2E) {
        guard let v4 = parseV4(text) else { return nil }
        groups += [UInt16(v4 >> 16), UInt16(v4 & 0xFFFF)]
      } else {
        guard (1...4).contains(part.count), part.allSatisfy(\.isHexDigit), let group = UInt16(text, radix: 16) else {
          return nil
        }
        groups.append(group)
      }
    }
    return groups
  }

  private static func format(_ groups: [8 of UInt16]) -> String {
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start > best.count, end - start >= 2 { best = start..<end }
      start = max(end, start + 1)
    }
    let text = { (range: Range<Int>) in range.map { String(groups[$0], radix: 16) }.joined(separator: ":") }
    return best.isEmpty ? text(0..<8) : text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
  }
}
