// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("Text of key=value pairs")
struct TextParserTests {
  @Test(
    "A text is read into its pairs, in order",
    arguments: [
      ("", []),
      ("\0\0", []),
      ("A=1\0", [TextPair(key: "A", value: "1")]),
      ("A=1", [TextPair(key: "A", value: "1")]),
      ("A=1\0\0B=\0", [TextPair(key: "A", value: "1"), TextPair(key: "B", value: "")]),
      ("A=b=c\0", [TextPair(key: "A", value: "b=c")]),
      ("TargetAlias=Größe 1\0", [TextPair(.targetAlias, "Größe 1")]),
      (
        "X-com.example.a+b@c_d=1\0X#y=2\0",
        [
          TextPair(key: "X-com.example.a+b@c_d", value: "1"), TextPair(key: "X#y", value: "2"),
        ]
      ),
    ])
  func reads(text: String, pairs: [TextPair]) throws {
    #expect(try TextParser.parse(Array(text.utf8)) == pairs)
  }

  @Test(
    "A text that breaks the grammar is refused with its reason",
    arguments: [
      ("A\0", TextError.noSeparator("A")),
      ("A=1\0junk\0", .noSeparator("junk")),
      ("=1\0", .badKey("")),
      ("A B=1\0", .badKey("A B")),
      ("A\n=1\0", .badKey("A\n")),
      ("Ä=1\0", .badKey("Ä")),
      (String(repeating: "k", count: 64) + "=1\0", .badKey(String(repeating: "k", count: 64))),
      ("A=1\0A=2\0", .duplicate(key: "A")),
      ("A=" + String(repeating: "v", count: 8193) + "\0", .valueTooLong(key: "A", octets: 8193)),
      (String(repeating: "\0", count: 65_537), .tooLong(octets: 65_537, limit: 65_536)),
    ])
  func refuses(text: String, reason: TextError) {
    #expect(throws: reason) { try TextParser.parse(Array(text.utf8)) }
  }

  @Test("Limits themselves are allowed")
  func limits() throws {
    let key = String(repeating: "k", count: 63)
    let value = String(repeating: "v", count: 8192)
    #expect(try TextParser.parse(Array("\(key)=\(value)\0".utf8)) == [TextPair(key: key, value: value)])
    #expect(try TextParser.parse([UInt8](repeating: 0, count: 65_536)).isEmpty)
  }

  @Test("A value that is not UTF-8 is refused")
  func invalidUTF8() {
    #expect(throws: TextError.notUTF8(key: "A")) { try TextParser.parse([0x41, 0x3D, 0xFF, 0]) }
  }

  @Test("Keys may repeat in the answer to SendTargets")
  func duplicates() throws {
    let pairs = [
      TextPair(.targetName, "iqn.2001-04.com.example:a"), TextPair(.targetName, "iqn.2001-04.com.example:b"),
    ]
    #expect(try TextParser.parse(TextParser.encode(pairs), duplicates: .allowed) == pairs)
  }

  @Test("An error shows a peer's text on one line, in ASCII and shortened")
  func messages() {
    let text = TextError.noSeparator("a\n\u{1B}[2J\u{202E}" + String(repeating: "x", count: 100)).description
    #expect(text.unicodeScalars.allSatisfy { $0.isASCII && $0.value >= 32 })
    #expect(text.utf8.count < 130)
  }

  @Test(
    "Numbers are decimal or hexadecimal",
    arguments: [
      ("0", 0), ("262144", 262_144), ("0x40000", 262_144), ("0XfF", 255), ("18446744073709551615", .max),
      ("18446744073709551616", nil), ("0x10000000000000000", nil), ("", nil), ("0x", nil), ("-1", nil), ("+1", nil),
      ("1 ", nil), ("1K", nil), ("0b1", nil), ("\u{661}", nil), (String(repeating: "0", count: 256), nil),
    ] as [(String, UInt64?)])
  func numbers(text: String, value: UInt64?) {
    #expect(TextNumber.parse(text) == value)
  }

  @Test(
    "Binary values are hexadecimal or base64, within a limit",
    arguments: [
      ("0x00ff", [0, 255]), ("0X00Ff", [0, 255]), ("0xfff", [15, 255]), ("0x", nil), ("0xgg", nil), ("00ff", nil),
      ("", nil), ("0", nil), ("0x0102030405", nil),
      ("0bAQIDBA==", [1, 2, 3, 4]), ("0BAQID", [1, 2, 3]), ("0bAQI=", [1, 2]), ("0b+/8=", [251, 255]),
      ("0b", nil), ("0bAQI", nil), ("0bAQ=I", nil), ("0b====", nil), ("0bAR==", nil), ("0bAQIDBAU=", nil),
      ("0bAQ I", nil), ("0b\u{C4}\u{C4}", nil),
    ] as [(String, [UInt8]?)])
  func binaries(text: String, value: [UInt8]?) {
    #expect(TextBinary.parse(text, limit: 4) == value)
  }

  @Test("A binary value survives the way out and back")
  func binaryRoundTrip() {
    let octets = (0...255).map { UInt8($0) }
    #expect(TextBinary.parse(TextBinary.encode(octets), limit: 256) == octets)
    #expect(TextBinary.parse(TextBinary.encode(octets), limit: 255) == nil)
  }
}
