// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import iscsi_admin

@Suite("Table")
struct TableTests {
  private var table: Table {
    var table = Table([
      .init(header: "ID", alignment: .right), .init(header: "NAME", minimumWidth: 5), .init(header: "STATE"),
    ])
    table.add([.init("1"), .init("abcdefghijkl"), .init("up", .good)])
    table.add([.init("10"), .init("abc"), .init(nil)])
    return table
  }

  @Test("columns are as wide as they need, and lines end without blanks")
  func plain() {
    #expect(
      table.lines(for: .plain) == [
        "ID  NAME          STATE",
        " 1  abcdefghijkl  up",
        "10  abc           -",
      ])
  }

  @Test("a line that must wrap anyway is not cut, and an optional column without content is left out")
  func whole() {
    var table = Table([
      Table.Column(header: "N"), Table.Column(header: "NAME", minimumWidth: 5),
      Table.Column(header: "MORE", isOptional: true),
    ])
    table.add([Table.Cell("1"), Table.Cell("abcdefghijkl"), Table.Cell(nil)])
    #expect(table.lines(for: Terminal(width: 6)) == ["N  NAME", "1  abcdefghijkl"])
    #expect(table.lines(for: Terminal(width: 10)).last?.contains("…") == true)
  }

  @Test(
    "a narrow terminal takes from the middle of what may shrink, down to its minimum",
    arguments: [(23, "abcdefghijkl"), (22, "abc…fghijkl"), (18, "ab…ijkl"), (16, "a…jkl"), (16, "a…jkl")])
  func shrinking(width: Int, name: String) {
    let line = table.lines(for: Terminal(width: width))[1]
    #expect(line.split(separator: " ")[1] == name)
    #expect(line.count <= max(width, 16))
  }

  @Test("without a terminal nothing is cut")
  func noTerminal() {
    #expect(!table.lines(for: .plain).joined().contains("…"))
  }

  @Test("colours come only where they are wanted and do not move columns")
  func colours() {
    let lines = table.lines(for: Terminal(width: nil, hasColour: true))
    #expect(lines[1] == " 1  abcdefghijkl  \u{1B}[32mup\u{1B}[0m")
    #expect(lines[2] == "10  abc           -")
  }

  @Test(
    "colour is wanted unless the environment says no",
    arguments: [
      ([:], true), (["NO_COLOR": ""], true), (["NO_COLOR": "1"], false), (["TERM": "dumb"], false),
      (["TERM": "xterm"], true),
    ])
  func environment(environment: [String: String], wanted: Bool) {
    #expect(Terminal.wantsColour(environment) == wanted)
  }

  @Test(
    "control characters and direction marks of a target do not reach the terminal",
    arguments: ["a\u{1B}[2Jb", "a\nb", "a\rb", "a\u{7}b", "a\u{9B}b", "a\u{202E}b"])
  func controlCharacters(text: String) {
    let cell = Table.Cell(text)
    #expect(cell.text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.isASCII })
    #expect(cell.text.hasPrefix("a\\"))
    #expect(cell.text.hasSuffix("b"))
  }

  @Test(
    "sizes are in binary units",
    arguments: [
      (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (33_554_432, "32.0 MiB"),
      (1_099_511_627_775, "1023.9 GiB"), (UInt64.max, "15.9 EiB"),
    ])
  func sizes(octets: UInt64, text: String) {
    #expect(binarySize(octets) == text)
  }
}
