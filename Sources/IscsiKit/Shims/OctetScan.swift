// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Compares and searches octets in arrays, many at a time.
///
/// Thousands of records are read line by line. Swift goes through an array an octet at a time, with each index checked, which
/// takes several times as long as everything else about a record.
enum OctetScan {
  /// Whether a part of an array has the same octets as one of the same length of another; false for what is beyond an end.
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

  /// How many octets two arrays have in common, from an offset in each; 0 for an offset beyond an end.
  static func commonCount(
    _ left: borrowing [UInt8], from first: Int, _ right: borrowing [UInt8], from second: Int
  ) -> Int {
    let count = min(left.count - first, right.count - second)
    guard first >= 0, second >= 0, count > 0 else { return 0 }
    // Both pointers live for the call only; `count` octets from the offsets on are within the arrays.
    return unsafe left.withUnsafeBytes { left in
      unsafe right.withUnsafeBytes { right in
        var same = 0
        // Four words at a time: mostly there is no difference, and then one question is enough for all of them.
        while count - same >= 32 {
          let (one, other) = (first + same, second + same)
          var bits = unsafe difference(left, one, right, other)
          unsafe bits |= difference(left, one + 8, right, other + 8)
          unsafe bits |= difference(left, one + 16, right, other + 16)
          unsafe bits |= difference(left, one + 24, right, other + 24)
          if bits != 0 { break }
          same += 32
        }
        while count - same >= 8 {
          let difference = unsafe difference(left, first + same, right, second + same)
          if difference != 0 { return same + difference.trailingZeroBitCount / 8 }
          same += 8
        }
        while same < count, unsafe left[first + same] == right[second + same] { same += 1 }
        return same
      }
    }
  }

  /// Where an octet comes first in an array, from an offset on.
  static func firstIndex(of octet: UInt8, in octets: borrowing [UInt8], from start: Int) -> Int? {
    guard start >= 0, start < octets.count else { return nil }
    // The pointer lives for the call only, and it reads from the offset to the array's end.
    return unsafe octets.withUnsafeBytes { octets in
      guard let base = octets.baseAddress, let found = unsafe memchr(base + start, CInt(octet), octets.count - start)
      else { return nil }
      return unsafe UnsafeRawPointer(found) - base
    }
  }

  /// Whether a part of an array is nothing but ASCII without NUL; false for what is beyond an end.
  static func isASCIIText(_ octets: borrowing [UInt8], _ range: Range<Int>) -> Bool {
    guard range.lowerBound >= 0, range.upperBound <= octets.count else { return false }
    let (ones, tops) = (UInt64(0x0101_0101_0101_0101), UInt64(0x8080_8080_8080_8080))
    // The pointer lives for the call only, and the range is within the array.
    return unsafe octets.withUnsafeBytes { octets in
      var place = range.lowerBound
      while range.upperBound - place >= 8 {
        let word = unsafe word(octets, place)
        // The top bit of an octet is set, or is borrowed from below where the octet is 0.
        if (word | (word &- ones)) & tops != 0 { return false }
        place += 8
      }
      while place < range.upperBound {
        if unsafe octets[place] &- 1 >= 0x7F { return false }
        place += 1
      }
      return true
    }
  }

  /// Which bits of eight octets differ. Whoever asks knows that they are there.
  private static func difference(
    _ left: UnsafeRawBufferPointer, _ first: Int, _ right: UnsafeRawBufferPointer, _ second: Int
  ) -> UInt64 {
    unsafe word(left, first) ^ word(right, second)
  }

  /// The eight octets at an offset, the first one lowest. Whoever asks knows that they are there.
  private static func word(_ octets: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
    UInt64(littleEndian: unsafe octets.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}
