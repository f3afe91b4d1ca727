// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Octets many at a time")
struct OctetScanTests {
  /// Arrays of few different octets, so that much is the same, of lengths on both sides of a word's.
  private static func arrays(_ count: Int) -> [[UInt8]] {
    let octets: [UInt8] = [0x61, 0x61, 0x61, 0x0A, 0x00, 0x7F, 0x80, 0xFF]
    var generator = SeededGenerator(state: 7)
    return (0..<count).map { _ in
      (0..<Int.random(in: 0...40, using: &generator)).map { _ in octets.randomElement(using: &generator) ?? 0 }
    }
  }

  @Test("What two arrays have in common is counted as octet by octet, from any offsets")
  func commonCount() {
    let arrays = Self.arrays(60)
    for left in arrays {
      for right in arrays {
        for (first, second) in [(0, 0), (1, 0), (0, 3), (9, 8), (40, 0), (0, 41)] {
          let expected = zip(left.dropFirst(first), right.dropFirst(second)).prefix { $0 == $1 }.count
          #expect(OctetScan.commonCount(left, from: first, right, from: second) == expected)
        }
      }
    }
    #expect(OctetScan.commonCount([1], from: -1, [1], from: 0) == 0)
  }

  @Test("A difference is found at each place of long arrays")
  func differencePlaces() {
    let octets = [UInt8](repeating: 0x61, count: 101)
    for place in octets.indices {
      var other = octets
      other[place] = 0xE1
      #expect(OctetScan.commonCount(octets, from: 0, other, from: 0) == place)
    }
    #expect(OctetScan.commonCount(octets, from: 0, octets, from: 0) == 101)
  }

  @Test("An octet is found where it comes first behind an offset")
  func firstIndex() {
    for octets in Self.arrays(60) {
      for start in 0...(octets.count + 1) {
        let expected = octets.indices.first { $0 >= start && octets[$0] == 0x0A }
        #expect(OctetScan.firstIndex(of: 0x0A, in: octets, from: start) == expected)
      }
    }
    #expect(OctetScan.firstIndex(of: 0x0A, in: [0x0A], from: -1) == nil)
  }

  @Test("ASCII without NUL is told from the rest, at each place")
  func asciiText() {
    let octets = [UInt8](repeating: 0x01, count: 21) + [0x7F, 0x0A, 0x20]
    #expect(OctetScan.isASCIIText(octets, 0..<24))
    #expect(OctetScan.isASCIIText([], 0..<0))
    #expect(!OctetScan.isASCIIText(octets, 0..<25))
    for place in octets.indices {
      for bad: UInt8 in [0x00, 0x80, 0xFF] {
        var other = octets
        other[place] = bad
        #expect(!OctetScan.isASCIIText(other, 0..<24))
        #expect(OctetScan.isASCIIText(other, (place + 1)..<24))
      }
    }
  }
}
