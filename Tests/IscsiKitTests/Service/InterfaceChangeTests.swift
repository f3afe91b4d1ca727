// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Changes of the daemon's interface")
struct InterfaceChangeTests {
  /// The interface as programs of others know it: that of the last release, whose documentation is copied here. Until the
  /// first one it is what the interface has come to.
  private static func baseline() throws -> VarlinkInterface {
    let path = FilePath(#filePath).removingLastComponent().appending("Interface-baseline.varlink")
    return try VarlinkInterface(String(decoding: FileContents(of: path, limit: 1 << 20).octets, as: UTF8.self))
  }

  @Test("Whoever knows the interface of the last release can use this one: things were only added")
  func added() throws {
    let changes = InterfaceChanges(from: try Self.baseline(), to: try VarlinkInterface(InitiatorInterface.text))
    #expect(changes.breaks == [])
  }

  private static let text = """
    interface a.b
    type Kind (one, two)
    type Size (bytes: int)
    type Item (name: string, kind: ?Kind, sizes: []Size, labels: [string]string, inner: (x: int))
    type Unused (a: int)
    method Do(item: Item, count: ?int) -> (items: []Item, total: int)
    method Ping() -> (answer: Answer)
    type Answer (text: string)
    error Failed (item: Item, code: int)
    """

  @Test(
    "What would break them is told",
    arguments: [
      ("interface a.b", "interface a.c", "the interface is called a.c"),
      ("method Ping() -> (answer: Answer)\n", "", "method Ping is gone"),
      ("error Failed", "error Failure", "error Failed is gone"),
      ("type Unused (a: int)\n", "", "type Unused is gone"),
      ("(one, two)", "(one)", "Kind: two is gone"),
      ("name: string, ", "", "Item: name is gone"),
      ("kind: ?Kind", "kind: Kind", "Item: kind is of another type"),
      ("bytes: int", "bytes: ?int", "Size: bytes is of another type"),
      ("sizes: []Size", "sizes: []Kind", "Item: sizes is of another type"),
      ("sizes: []Size", "sizes: Size", "Item: sizes is of another type"),
      ("[string]string", "[string]int", "Item: labels is of another type"),
      ("(x: int)", "(x: float)", "Item: inner: x is of another type"),
      ("(x: int)", "(x: int, y: int)", "Item: inner: y is new, and must be there"),
      ("type Unused (a: int)", "type Unused (b: int)", "Unused: a is gone"),
      ("count: ?int", "count: ?string", "Do in: count is of another type"),
      ("count: ?int", "count: ?int, more: int", "Do in: more is new, and must be there"),
      ("bytes: int", "bytes: int, more: []int", "Size: more is new, and must be there"),
      (", total: int", "", "Do out: total is gone"),
      ("code: int", "code: string", "Failed: code is of another type"),
      ("text: string", "text: []string", "Answer: text is of another type"),
    ])
  func breaks(part: String, replacement: String, told: String) throws {
    let old = try VarlinkInterface(Self.text)
    try #require(Self.text.contains(part))
    let new = try VarlinkInterface(Self.text.replacing(part, with: replacement))
    // What is both sent and received may be told twice.
    #expect(Set(InterfaceChanges(from: old, to: new).breaks) == [told])
  }

  @Test(
    "What they can pass over is no break",
    arguments: [
      ("(one, two)", "(zero, one, two, three)"),
      ("name: string, ", "first: ?int, name: string, "),
      ("count: ?int", "count: ?int, more: ?Kind"),
      ("total: int", "total: int, more: int"),
      ("text: string", "text: string, more: int"),
      ("code: int", "code: int, more: ?int"),
      ("error Failed", "error New (x: int)\nerror Failed"),
      ("method Ping", "method New(x: int) -> ()\nmethod Ping"),
      ("type Unused", "type New (x: int)\ntype Unused"),
    ])
  func harmless(part: String, replacement: String) throws {
    let old = try VarlinkInterface(Self.text)
    try #require(Self.text.contains(part))
    let new = try VarlinkInterface(Self.text.replacing(part, with: replacement))
    #expect(InterfaceChanges(from: old, to: new).breaks == [])
    // The way back would not be.
    #expect(InterfaceChanges(from: new, to: old).breaks != [])
  }

  @Test("No field of the interface can go without being missed, wherever it is")
  func everyField() throws {
    let whole = try VarlinkInterface(InitiatorInterface.text)
    /// The structures with one field less.
    func cut(_ type: VarlinkType) -> [VarlinkType] {
      guard case .structure(let fields) = type else { return [] }
      return fields.indices.map { index in
        var fewer = fields
        fewer.remove(at: index)
        return .structure(fewer)
      }
    }
    var count = 0
    func expectBreak(
      _ change: (inout [String: VarlinkType], inout [String: VarlinkInterface.Method], inout [String: VarlinkType]) ->
        Void
    ) {
      var (types, methods, errors) = (whole.types, whole.methods, whole.errors)
      change(&types, &methods, &errors)
      let new = VarlinkInterface(name: whole.name, types: types, methods: methods, errors: errors)
      #expect(InterfaceChanges(from: whole, to: new).breaks.count >= 1)
      count += 1
    }
    for (name, type) in whole.types { for cut in cut(type) { expectBreak { types, _, _ in types[name] = cut } } }
    for (name, error) in whole.errors { for cut in cut(error) { expectBreak { _, _, errors in errors[name] = cut } } }
    for (name, method) in whole.methods {
      for cut in cut(method.input) {
        expectBreak { _, methods, _ in methods[name] = VarlinkInterface.Method(input: cut, output: method.output) }
      }
      for cut in cut(method.output) {
        expectBreak { _, methods, _ in methods[name] = VarlinkInterface.Method(input: method.input, output: cut) }
      }
    }
    #expect(count > 150)
  }
}
