// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("JSON coding")
struct JSONCoderTests {
  struct Sample: Codable, Hashable {
    enum Color: String, Codable { case red, darkBlue = "dark-blue" }

    struct Inner: Codable, Hashable {
      var id: UInt64
      var weight: Double?
    }

    var name: String
    var isOpen = true
    var count: UInt8 = 7
    var delta: Int32 = -5
    var color: Color = .darkBlue
    var note: String?
    var inners: [Inner] = []
    var byName: [String: Int] = [:]
    var first: Inner?
    var anything: JSONValue?
  }

  private static let full = Sample(
    name: "é", note: "n", inners: [.init(id: 1, weight: 0.5), .init(id: 2)], byName: ["a": -1], first: .init(id: 3),
    anything: ["x": [1, nil, 2.5, true, "s", ["y": [:]]]])

  private static let fullForm: JSONValue = [
    "name": "é", "isOpen": true, "count": 7, "delta": -5, "color": "dark-blue", "note": "n",
    "inners": [["id": 1, "weight": 0.5], ["id": 2]], "byName": ["a": -1], "first": ["id": 3],
    "anything": ["x": [1, nil, 2.5, true, "s", ["y": [:]]]],
  ]

  private static let minimalForm: JSONValue = [
    "name": "m", "isOpen": true, "count": 7, "delta": -5, "color": "dark-blue", "inners": [], "byName": [:],
  ]

  @Test("A structure becomes an object and comes back; properties that are nil are left out")
  func roundTrip() throws {
    #expect(try JSONValueEncoder().encode(Self.full) == Self.fullForm)
    #expect(try JSONValueDecoder().decode(Sample.self, from: Self.fullForm) == Self.full)
    #expect(try JSONValueEncoder().encode(Sample(name: "m")) == Self.minimalForm)
    #expect(try JSONValueDecoder().decode(Sample.self, from: Self.minimalForm) == Sample(name: "m"))
  }

  @Test("Unknown keys are ignored, and null is as good as a missing optional")
  func lenient() throws {
    let value = try Self.minimalForm.with("unknown", ["x": 1]).with("note", nil).with("first", nil)
    #expect(try JSONValueDecoder().decode(Sample.self, from: value) == Sample(name: "m"))
  }

  @Test("An integer is a number where a number is wanted, but not the other way round")
  func numbers() throws {
    #expect(try JSONValueDecoder().decode([Double].self, from: [1, 2.5]) == [1, 2.5])
    #expect(throws: JSONCodingError.self) { try JSONValueDecoder().decode(Int.self, from: 1.0) }
  }

  @Test(
    "An error tells the path of the key and what is wrong there",
    arguments: [
      ("name", nil, ["name"], "is missing"),
      ("name", 1, ["name"], "must be a string, not an integer"),
      ("isOpen", "true", ["isOpen"], "must be a boolean, not a string"),
      ("count", 256, ["count"], "must be from 0 to 255, not 256"),
      ("count", -1, ["count"], "must be from 0 to 255, not -1"),
      ("count", 1.5, ["count"], "must be an integer, not a number"),
      ("delta", 2_147_483_648, ["delta"], "must be from -2147483648 to 2147483647, not 2147483648"),
      ("inners", ["a": 1], ["inners"], "must be an array, not an object"),
      ("inners", [["id": 1], [:]], ["inners", "1", "id"], "is missing"),
      ("inners", [["id": -1]], ["inners", "0", "id"], "must be from 0 to 18446744073709551615, not -1"),
      ("first", ["id": 1, "weight": "x"], ["first", "weight"], "must be a number, not a string"),
      ("first", [], ["first"], "must be an object, not an array"),
      ("byName", ["a": "x"], ["byName", "a"], "must be an integer, not a string"),
    ] as [(String, JSONValue, [String], String)])
  func decodingErrors(key: String, value: JSONValue, path: [String], words: String) throws {
    let form = try Self.minimalForm.with(key, value)
    let error = try #require(throws: JSONCodingError.self) { try JSONValueDecoder().decode(Sample.self, from: form) }
    #expect(error.path == path)
    #expect(error.problem.description == words)
  }

  @Test("A missing key is told as such, and a word that is none of an enumeration's is a bad value")
  func kindsOfErrors() throws {
    let missing = try #require(throws: JSONCodingError.self) { try JSONValueDecoder().decode(Sample.self, from: [:]) }
    #expect(missing == JSONCodingError(path: ["name"], problem: .missing))
    #expect(missing.description == "name: is missing")
    let form = try Self.minimalForm.with("color", .string(String(repeating: "green", count: 1000)))
    let bad = try #require(throws: JSONCodingError.self) { try JSONValueDecoder().decode(Sample.self, from: form) }
    #expect(bad.path == ["color"])
    guard case .badValue(let words) = bad.problem else { throw bad }
    #expect(words.count <= 200)
    let top = try #require(throws: JSONCodingError.self) { try JSONValueDecoder().decode(Sample.self, from: 1) }
    #expect(top.description == "the value: must be an object, not an integer")
  }

  @Test("What JSON cannot say is an error at its path, not a trap")
  func encodingErrors() throws {
    let sample = Sample(name: "", inners: [.init(id: 1), .init(id: .max)])
    let range = try #require(throws: JSONCodingError.self) { try JSONValueEncoder().encode(sample) }
    #expect(range.path == ["inners", "1", "id"])
    #expect(range.problem == .badValue("is out of range: 18446744073709551615"))
    let infinite = try #require(throws: JSONCodingError.self) { try JSONValueEncoder().encode(["x": Double.infinity]) }
    #expect(infinite == JSONCodingError(path: ["x"], problem: .badValue("must be finite")))
  }

  @Test("Values that are no structures can be coded, too")
  func plainValues() throws {
    #expect(try JSONValueEncoder().encode("a") == "a")
    #expect(try JSONValueEncoder().encode([1, nil, 3]) == [1, nil, 3])
    #expect(try JSONValueDecoder().decode([Int?].self, from: [1, nil, 3]) == [1, nil, 3])
    #expect(try JSONValueEncoder().encode(Int?.none) == nil)
    #expect(try JSONValueDecoder().decode(Int?.self, from: nil) == nil)
    #expect(try JSONValueEncoder().encode([String: Int]()) == [:])
    #expect(try JSONValueEncoder().encode([Int]()) == [])
    #expect(try JSONValueDecoder().decode(JSONValue.self, from: [1, ["a": nil]]) == [1, ["a": nil]])
  }

  @Test("Classes keep what they inherit, and containers by hand work")
  func inheritance() throws {
    let form = try JSONValueEncoder().encode(Derived())
    #expect(form == ["super": ["base": 1], "list": [[1], ["k": "v"]]])
    #expect(try JSONValueDecoder().decode(Derived.self, from: form).base == 1)
  }

  @Test("Random values in place of the right ones are read or refused", arguments: [1, 2, 3] as [UInt64])
  func fuzz(seed: UInt64) throws {
    var generator = SplitMix(state: seed)
    for _ in 0..<1000 {
      let key = try #require(["name", "count", "inners", "first", "byName", "color"].randomElement(using: &generator))
      let form = try Self.fullForm.with(key, .random(depth: 3, using: &generator))
      guard let sample = try? JSONValueDecoder().decode(Sample.self, from: form) else { continue }
      #expect(try JSONValueDecoder().decode(Sample.self, from: JSONValueEncoder().encode(sample)) == sample)
    }
  }
}

extension JSONValue {
  struct NotAnObject: Error {}

  /// The object with one member changed or added.
  func with(_ key: String, _ value: JSONValue) throws -> JSONValue {
    guard case .object(var members) = self else { throw NotAnObject() }
    members[key] = value
    return .object(members)
  }
}

private class Base: Codable {
  var base = 1
}

private final class Derived: Base {
  enum Keys: String, CodingKey { case list }
  enum Inner: String, CodingKey { case k }

  override init() { super.init() }

  required init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    var list = try container.nestedUnkeyedContainer(forKey: .list)
    var numbers = try list.nestedUnkeyedContainer()
    #expect(try numbers.decode(Int.self) == 1)
    #expect(throws: DecodingError.self) { try numbers.decode(Int.self) }
    #expect(try list.nestedContainer(keyedBy: Inner.self).decode(String.self, forKey: .k) == "v")
    #expect(list.isAtEnd)
    try super.init(from: container.superDecoder())
  }

  override func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    try super.encode(to: container.superEncoder())
    var list = container.nestedUnkeyedContainer(forKey: .list)
    var numbers = list.nestedUnkeyedContainer()
    try numbers.encode(1)
    var inner = list.nestedContainer(keyedBy: Inner.self)
    try inner.encode("v", forKey: .k)
  }
}
