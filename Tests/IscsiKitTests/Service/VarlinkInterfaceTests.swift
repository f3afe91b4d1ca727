// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("Varlink interface descriptions")
struct VarlinkInterfaceTests {
  private static let text = """
    # A comment with ( and method.
    interface org.example-one.encoding\r

    type State (start, progress, end_1) # an enumeration
    type Shipment (
      name: string,
      size: int,
      weight: ?float,
      position: (x: int, y: int),
      states: []?State,
      labels: [string][]string,
      inner: ?Shipment,
      direction: ?(left, right),
      foreign: object,
      whatever: any
    )
    method Order(shipment: Shipment, number: ?[]int) -> ()
    method Ping() -> (isAlive: bool)
    error NotEnough (required_gold: int)
    error Empty()
    """

  private static let shipment: JSONValue = [
    "name": "n", "size": 1, "position": ["x": 0, "y": -1], "states": ["start", nil, "end_1"],
    "labels": ["a": ["b", "c"]], "foreign": ["x": 1], "whatever": nil,
  ]

  @Test("A description is read with all that it says")
  func reads() throws {
    let interface = try VarlinkInterface(Self.text)
    #expect(interface.name == "org.example-one.encoding")
    #expect(interface.types["State"] == .enumeration(["start", "progress", "end_1"]))
    #expect(interface.types.count == 2)
    #expect(
      interface.methods["Order"]?.input
        == .structure([
          VarlinkField(name: "shipment", type: .named("Shipment")),
          VarlinkField(name: "number", type: .optional(.array(.int))),
        ]))
    #expect(interface.methods["Order"]?.output == .structure([]))
    #expect(interface.methods["Ping"]?.output == .structure([VarlinkField(name: "isAlive", type: .bool)]))
    #expect(
      interface.errors == [
        "NotEnough": .structure([VarlinkField(name: "required_gold", type: .int)]), "Empty": .structure([]),
      ])
    guard case .structure(let fields)? = interface.types["Shipment"], fields.count == 10 else {
      Issue.record("Shipment is no structure of ten fields")
      return
    }
    #expect(fields[4].type == .array(.optional(.named("State"))))
    #expect(fields[5].type == .dictionary(.array(.string)))
    #expect(fields[7].type == .optional(.enumeration(["left", "right"])))
  }

  @Test(
    "A description that breaks the grammar is refused with its line",
    arguments: [
      ("", 1, .expected("the word interface")),
      ("interface", 1, .badName("")),
      ("interface one", 1, .badName("one")),
      ("interface a..b", 1, .badName("a..b")),
      ("interface a.-b", 1, .badName("a.-b")),
      ("interface 1.b", 1, .badName("1.b")),
      ("interface a.b\nnonsense X ()", 2, .expected("one of the words type, method and error")),
      ("interface a.b\ntype x ()", 2, .badName("x")),
      ("interface a.b\ntype X_Y ()", 2, .badName("X_Y")),
      ("interface a.b\ntype X ()\n# c\nerror X ()", 4, .duplicate("X")),
      ("interface a.b\ntype X (a: int, a: int)", 2, .duplicate("a")),
      ("interface a.b\ntype X (a, a)", 2, .duplicate("a")),
      ("interface a.b\ntype X (a: int, b)", 2, .expected("`:`")),
      ("interface a.b\ntype X (a, b: int)", 2, .expected("`)`")),
      ("interface a.b\ntype X (a: int,)", 2, .badName("")),
      ("interface a.b\ntype X (_a: int)", 2, .badName("_a")),
      ("interface a.b\ntype X (a__b: int)", 2, .badName("a__b")),
      ("interface a.b\ntype X (a: ??int)", 2, .expected("a type")),
      ("interface a.b\ntype X (a: integer)", 2, .expected("a type")),
      ("interface a.b\ntype X (a:\nNope)", 3, .unknownType("Nope")),
      ("interface a.b\ntype X int", 2, .expected("`(`")),
      ("interface a.b\nmethod X () ()", 2, .expected("`->`")),
      ("interface a.b\nmethod X (a, b) -> ()", 2, .expected("a structure")),
      ("interface a.b\nmethod X () -> (", 2, .badName("")),
      ("interface a.b\nmethod X (é: int) -> ()", 2, .badName("")),
    ] as [(String, Int, VarlinkInterfaceError.Problem)])
  func refuses(text: String, line: Int, problem: VarlinkInterfaceError.Problem) throws {
    let error = try #require(throws: VarlinkInterfaceError.self) { try VarlinkInterface(text) }
    #expect(error.line == line)
    #expect(error.problem == problem)
  }

  @Test("Deep nesting is refused, not followed", arguments: ["[]", "(a: ", "[string]", "?[]"])
  func depth(step: String) throws {
    let text = "interface a.b type X (a: " + String(repeating: step, count: 100_000)
    let error = try #require(throws: VarlinkInterfaceError.self) { try VarlinkInterface(text) }
    #expect(error.problem == .tooDeep)
  }

  @Test("A value that fits its type is accepted")
  func accepts() throws {
    let interface = try VarlinkInterface(Self.text)
    try interface.validate(Self.shipment, against: .named("Shipment"))
    var value = try Self.shipment.with("weight", 1).with("inner", Self.shipment).with("direction", "left")
    try interface.validate(value, against: .named("Shipment"))
    value = try value.with("newer", 1)
    try interface.validate(value, against: .named("Shipment"), allowsUnknown: true)
    try interface.validate([nil, ["a": Self.shipment]], against: .array(.optional(.dictionary(.named("Shipment")))))
  }

  @Test(
    "A value that does not fit is refused with its path",
    arguments: [
      ("name", 1, ["name"], "must be a string, not an integer"),
      ("name", nil, ["name"], "must be a string, not null"),
      ("size", 1.0, ["size"], "must be an integer, not a number"),
      ("weight", "1", ["weight"], "must be a number, not a string"),
      ("position", ["x": 1], ["position", "y"], "is missing"),
      ("position", [], ["position"], "must be an object, not an array"),
      ("states", ["start", "stop"], ["states", "1"], "must be one of start, progress, end_1"),
      ("states", "start", ["states"], "must be an array, not a string"),
      ("labels", ["a": ["b", 1]], ["labels", "a", "1"], "must be a string, not an integer"),
      ("foreign", 1, ["foreign"], "must be an object, not an integer"),
      ("newer", 1, ["newer"], "is not in the interface"),
    ] as [(String, JSONValue, [String], String)])
  func mismatches(key: String, value: JSONValue, path: [String], problem: String) throws {
    let interface = try VarlinkInterface(Self.text)
    let shipment = try Self.shipment.with(key, value)
    let mismatch = try #require(throws: VarlinkMismatch.self) {
      try interface.validate(shipment, against: .named("Shipment"))
    }
    #expect(mismatch.path == path)
    #expect(mismatch.problem == problem)
  }

  @Test("A type that needs itself fits no value, and is no trap")
  func endlessType() throws {
    let interface = try VarlinkInterface("interface a.b type X (x: X)")
    var value: JSONValue = [:]
    for _ in 0..<50 { value = ["x": value] }
    #expect(throws: VarlinkMismatch.self) { try interface.validate(value, against: .named("X")) }
  }

  @Test("Mutated descriptions are read or refused", arguments: [1, 2, 3] as [UInt64])
  func fuzz(seed: UInt64) {
    var generator = SplitMix(state: seed)
    for _ in 0..<1000 {
      var octets = Array(Self.text.utf8)
      octets.mutate(using: &generator)
      let interface = try? VarlinkInterface(String(decoding: octets, as: UTF8.self))
      try? interface?.validate(Self.shipment, against: .named("Shipment"))
    }
  }
}
