// SPDX-License-Identifier: Apache-2.0

extension FixedWidthInteger {
  /// The octets of the number, most significant first.
  var bigEndianOctets: [UInt8] {
    (0..<Self.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) }
  }
}

extension RandomAccessCollection<UInt8> where Index == Int {
  /// The big-endian number that starts `offset` octets from the beginning; nil if it is not all there.
  func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type = Number.self) -> Number? {
    let width = Number.bitWidth / 8
    guard offset >= 0, offset <= count - width else { return nil }
    let start = startIndex + offset
    return self[start..<start + width].reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
  }
}
