// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("JSON text")
struct JSONTextTests {
  @Test(
    "A value is read and printed again, compact and with sorted keys",
    arguments: [
      ("null", .null, "null"),
      (" true\n", true, "true"),
      ("false", false, "false"),
      ("0", 0, "0"),
      ("-0", 0, "0"),
      ("-9223372036854775808", .integer(.min), "-9223372036854775808"),
      ("9223372036854775807", .integer(.max), "9223372036854775807"),
      ("1.5", 1.5, "1.5"),
      ("1e2", 100.0, "100.0"),
      ("\"\"", "", "\"\""),
      (#""a\"\\\/\n\u00e9\ud83d\ude00é""#, "a\"\\/\né😀é", #""a\"\\/\né😀é""#),
      ("[]", [], "[]"),
      ("[1, [ ], {}]", [1, [], [:]], "[1,[],{}]"),
      (#"{"b": 1, "a": {"": null}}"#, ["b": 1, "a": ["": nil]], #"{"a":{"":null},"b":1}"#),
    ] as [(String, JSONValue, String)])
  func roundTrip(text: String, value: JSONValue, printed: String) throws {
    #expect(try JSONText.parse(Array(text.utf8)) == value)
    #expect(try JSONText.print(value) == Array(printed.utf8))
    #expect(try JSONText.parse(Array(printed.utf8)) == value)
  }

  @Test(
    "A text that is not one JSON value is refused with its reason",
    arguments: [
      ("", .malformed(offset: 0)),
      ("[1,]", .malformed(offset: 4)),
      ("[01]", .malformed(offset: 2)),
      ("[1 2]", .malformed(offset: 4)),
      ("{a:1}", .malformed(offset: 2)),
      ("[NaN]", .malformed(offset: 4)),
      ("[\"\n\"]", .malformed(offset: 2)),
      (#"["\ud800"]"#, .malformed(offset: 9)),
      (#"{"a":1,"a":1}"#, .duplicateKey),
      // The same letter, composed and decomposed.
      (#"{"\u00e9":1,"e\u0301":1}"#, .duplicateKey),
      ("1 2", .trailingText(offset: 3)),
      ("{}\0", .trailingText(offset: 3)),
      (#"["\u0000"]"#, .embeddedNUL),
      (#"{"\u0000":1}"#, .embeddedNUL),
      ("9223372036854775808", .numberOutOfRange),
      ("[1e400]", .numberOutOfRange),
    ] as [(String, JSONTextError)])
  func refuses(text: String, reason: JSONTextError) {
    #expect(throws: reason) { try JSONText.parse(Array(text.utf8)) }
  }

  @Test("What is not UTF-8 is refused", arguments: [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22]] as [[UInt8]])
  func invalidUTF8(octets: [UInt8]) {
    #expect(throws: JSONTextError.self) { try JSONText.parse(octets) }
  }

  @Test("Nesting up to the limit is read and printed, deeper nesting is not")
  func depth() throws {
    let text = { (depth: Int) in
      Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }
    let deepest = try JSONText.parse(text(JSONText.maxDepth))
    #expect(try JSONText.print(deepest) == text(JSONText.maxDepth))
    #expect(throws: JSONTextError.tooDeep) { try JSONText.parse(text(JSONText.maxDepth + 1)) }
    #expect(throws: JSONTextError.tooDeep) { try JSONText.parse(text(1 << 20)) }
    #expect(throws: JSONTextError.tooDeep) { try JSONText.print(["a": .array([deepest])]) }
    // Brackets in strings do not nest.
    let brackets = "\"" + String(repeating: #"[\""#, count: 100) + "\""
    #expect(try JSONText.parse(Array(brackets.utf8)) == .string(String(repeating: "[\"", count: 100)))
  }

  @Test(
    "What JSON cannot say is not printed",
    arguments: [
      (.number(.nan), .numberOutOfRange), (.array([.number(.infinity)]), .numberOutOfRange),
      ("a\0b", .embeddedNUL), (["a\0": 1], .embeddedNUL),
    ] as [(JSONValue, JSONTextError)])
  func unprintable(value: JSONValue, reason: JSONTextError) {
    #expect(throws: reason) { try JSONText.print(value) }
  }

  @Test("Random values survive the way out and back", arguments: [1, 2, 3] as [UInt64])
  func randomValues(seed: UInt64) throws {
    var generator = SplitMix(state: seed)
    for _ in 0..<300 {
      let value = JSONValue.random(depth: 5, using: &generator)
      let text = try JSONText.print(value)
      #expect(try JSONText.parse(text) == value)
    }
  }

  @Test("Mutated texts are read or refused, and what is read can be printed", arguments: [1, 2, 3, 4] as [UInt64])
  func mutations(seed: UInt64) throws {
    var generator = SplitMix(state: seed)
    for _ in 0..<2000 {
      var text = try JSONText.print(.random(depth: 4, using: &generator))
      text.mutate(using: &generator)
      guard let value = try? JSONText.parse(text) else { continue }
      let printed = try JSONText.print(value)
      #expect(try JSONText.parse(printed) == value)
    }
  }

  @Test("Members are found by their key, in objects only")
  func members() {
    #expect((["a": 1] as JSONValue)["a"] == 1)
    #expect((["a": 1] as JSONValue)["b"] == nil)
    #expect((["a"] as JSONValue)["a"] == nil)
  }
}

extension JSONValue {
  /// A value of every kind, nested up to `depth`.
  static func random(depth: Int, using generator: inout SplitMix) -> JSONValue {
    switch Int.random(in: 0...(depth > 0 ? 7 : 4), using: &generator) {
    case 0: .null
    case 1: .bool(.random(using: &generator))
    case 2: .integer(.random(in: .min ... .max, using: &generator))
    case 3: .number(Double.random(in: -1e300...1e300, using: &generator))
    case 4: .string(randomText(using: &generator))
    case 5, 6:
      .array((0..<Int.random(in: 0...4, using: &generator)).map { _ in random(depth: depth - 1, using: &generator) })
    default:
      .object(
        Dictionary(
          (0..<Int.random(in: 0...4, using: &generator)).map { _ in
            (randomText(using: &generator), random(depth: depth - 1, using: &generator))
          }
        ) { $1 })
    }
  }

  private static func randomText(using generator: inout SplitMix) -> String {
    let letters = Array("aB\"\\/\u{1}\n\u{7F}é\u{2028}😀{[".unicodeScalars)
    var text = ""
    for _ in 0..<Int.random(in: 0...6, using: &generator) {
      if let letter = letters.randomElement(using: &generator) { text.unicodeScalars.append(letter) }
    }
    return text
  }
}

extension [UInt8] {
  /// Changes, removes, doubles or adds a few octets.
  mutating func mutate(using generator: inout SplitMix) {
    let structure = Array("{}[]\",:\\0-.eu \0".utf8) + [0xFF, 0xC3, 0x80]
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      let index = Int.random(in: 0...count, using: &generator)
      let octet = structure.randomElement(using: &generator) ?? 0
      switch Int.random(in: 0...3, using: &generator) {
      case 0 where index < count: self[index] = octet
      case 1 where index < count: remove(at: index)
      case 2: replaceSubrange(index..<index, with: self[0..<Swift.min(count, index)])
      default: insert(octet, at: index)
      }
    }
  }
}
