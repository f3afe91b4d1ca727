// SPDX-License-Identifier: Apache-2.0

/// The octets of a hexadecimal text; blanks and bars are for the reader.
func octets(_ text: String) -> [UInt8] {
  var digits = text.filter(\.isHexDigit)[...]
  var octets: [UInt8] = []
  while let octet = UInt8(digits.prefix(2), radix: 16) {
    octets.append(octet)
    digits = digits.dropFirst(2)
  }
  return octets
}
