// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Compares octets in parts of arrays.
enum OctetComparison {
  /// Whether a part of an array has the same octets as one of the same length of another; false for what is beyond an end.
  ///
  /// Thousands of records are compared line by line. Swift compares arrays' parts an octet at a time, with each index
  /// checked, which takes several times as long as everything else about a record.
  static func areEqual(_ left: borrowing [UInt8], _ range: Range<Int>, _ right: borrowing [UInt8], at start: Int)
    -> Bool
  {
    guard range.lowerBound >= 0, range.upperBound <= left.count, start >= 0, range.count <= right.count - start else {
      return false
    }
    // Both pointers live for the call only, and it reads what was found to be within the arrays.
    return unsafe left.withUnsafeBytes { left in
      unsafe right.withUnsafeBytes { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return range.isEmpty }
        return unsafe memcmp(left + range.lowerBound, right + start, range.count) == 0
      }
    }
  }
}
