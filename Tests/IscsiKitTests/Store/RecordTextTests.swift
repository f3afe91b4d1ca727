// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("The text of a record")
struct RecordTextTests {
  private func octets(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test(
    "A line is a key and a value, whatever blanks there are",
    arguments: [
      ("a = b", "a", "b"), ("a=b", "a", "b"), ("  a\t=  b \t", "a", "b"), ("a =", "a", ""), ("a = b = c", "a", "b = c"),
      ("a = b # c", "a", "b # c"), ("a = \"b\"", "a", "\"b\""), ("a = b\r", "a", "b"), ("a = ü", "a", "ü"),
      ("node.conn[0].port = 1", "node.conn[0].port", "1"),
    ])
  func entry(line: String, key: String, value: String) {
    let text = RecordText(octets(line + "\n"))
    #expect(text.lines == [.entry(key: key, value: value)])
    #expect(text[key] == value)
    #expect(text.problems.isEmpty)
  }

  @Test("Comments and blank lines say nothing", arguments: ["# a = b", "   # a = b", "", " \t", "#"])
  func comment(line: String) {
    let text = RecordText(octets(line + "\n"))
    #expect(text.lines == [.other(octets(line))])
    #expect(text.problems.isEmpty)
  }

  @Test(
    "What cannot be read is told with its line, and the others are read",
    arguments: [
      ([0x61], RecordText.Problem.Reason.noValue), (Array("a b".utf8), .noValue), (Array("= b".utf8), .noValue),
      ([0x61, 0x3D, 0xFF], .notText), ([0x61, 0x3D, 0x00], .notText),
      (Array("a=".utf8) + [UInt8](repeating: 0x62, count: 2045), .tooLong),
    ] as [([UInt8], RecordText.Problem.Reason)])
  func unreadable(line: [UInt8], reason: RecordText.Problem.Reason) {
    let text = RecordText(octets("x = 1\n") + line + octets("\ny = 2\n"))
    #expect(text.problems == [.init(line: 2, reason: reason)])
    #expect(text["x"] == "1" && text["y"] == "2" && text["a"] == nil)
  }

  @Test("The longest line is read")
  func longest() {
    let value = String(repeating: "b", count: 2044)
    #expect(RecordText(octets("a=\(value)\n"))["a"] == value)
  }

  @Test("A last line without an end is what an interrupted writer has left: it does not count")
  func unterminated() {
    let text = RecordText(octets("a = 1\nb = 2"))
    #expect(text["a"] == "1" && text["b"] == nil)
    #expect(text.problems == [.init(line: 2, reason: .unterminated)])
    #expect(RecordText([]).problems.isEmpty)
  }

  @Test("Of a key that comes twice the last value holds, and stays alone when the text is written")
  func twice() {
    let text = RecordText(octets("a = 1\na = 2\n"))
    #expect(text["a"] == "2")
    #expect(
      text.rewritten([("a", "2")]) { $0 == "a" } == octets("# BEGIN RECORD 2.1.8\na = 2\n# END RECORD\n"))
  }

  @Test("Comments and unknown keys stay before the line that they were before, when that is gone at the end")
  func rewriting() {
    let old = """
      # BEGIN RECORD 2.0
      # about b
      b = 1
      strange = yes
      a = 1
      # about c
      c = 1

      # at the end
      # END RECORD

      """
    let new = RecordText(octets(old)).rewritten([("a", "9"), ("b", "8"), ("d", "7")]) {
      ["a", "b", "c", "d"].contains($0)
    }
    #expect(
      String(decoding: new, as: UTF8.self) == """
        # BEGIN RECORD 2.1.8
        strange = yes
        a = 9
        # about b
        b = 8
        d = 7
        # about c

        # at the end
        # END RECORD

        """)
    let again = RecordText(new).rewritten([("a", "9"), ("b", "8"), ("d", "7")]) {
      ["a", "b", "c", "d"].contains($0)
    }
    #expect(again == new)
  }

  @Test("Nothing that is described or dumped shows a value")
  func secrets() {
    let text = RecordText(octets("node.session.auth.password = topsecret\n"))
    var dumped = ""
    dump(text, to: &dumped)
    #expect(!dumped.contains("topsecret") && !"\(text)".contains("topsecret"))
    #expect(!String(reflecting: text).contains("topsecret"))
  }

  @Test("Any octets are lines, and written again are the same lines")
  func fuzzed() {
    var generator = SeededGenerator(state: 7)
    let alphabet = Array("ab= #\n\t\r".utf8) + [0, 0xC3, 0xBC, 0xFF]
    for _ in 0..<2000 {
      let octets = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
        alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
      }
      let text = RecordText(octets)
      let rewritten = RecordText(text.rewritten([]) { _ in false })
      #expect(rewritten.lines.count == text.lines.count + 2)
      #expect(rewritten["a"] == text["a"] && rewritten["b"] == text["b"])
    }
  }
}
