// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Words of the kernel's command line, and assignments of a shell")
struct KernelCommandLineTests {
  @Test(
    "Words are split as the kernel does",
    arguments: [
      ("a=1 b  c=\n", ["a=1", "b", "c="]), ("x=\"1 2\" y", ["x=1 2", "y"]), ("\"x=1 2\" y=\"\"", ["x=1 2", "y="]),
      ("x=a\"b c\"d", ["x=a\"b c\"d"]), ("x=\"open end", ["x=open end"]), ("", []), ("a=b=c", ["a=b=c"]),
    ] as [(String, [String])])
  func words(text: String, words: [String]) {
    let line = KernelCommandLine(text)
    #expect(line.words.map { word in word.name + (word.value.map { "=\($0)" } ?? "") } == words)
  }

  @Test("No description or dump has a word, which may be a secret")
  func secrets() {
    let line = KernelCommandLine("rd.iscsi.password=wonderland12")
    var text = "\(line)"
    dump(line, to: &text)
    #expect(text.contains("1 words") && !text.contains("wonder"))
    let file = ShellAssignments("ISCSI_PASSWORD=wonderland12")
    var other = "\(file)"
    dump(file, to: &other)
    #expect(!other.contains("wonder"))
  }

  @Test(
    "Assignments are read with a shell's quotes",
    arguments: [
      ("A=1\nB='two words'\nC=\"a \\\"b\\\" \\c\"\n", ["A=1", "B=two words", "C=a \"b\" \\c"]),
      ("# A=1\nexport A=2; B=3 # C=4", ["A=2", "B=3"]), ("A=a\\ b", ["A=a b"]), ("A=one\\\ntwo", ["A=onetwo"]),
      ("A='it'\\''s'", ["A=it's"]), ("A='$x'", ["A=$x"]), ("A=\"`x`", []),
    ] as [(String, [String])])
  func assignments(text: String, wanted: [String]) {
    #expect(ShellAssignments(text).all.map { "\($0.name)=\($0.value)" } == wanted)
  }

  @Test("What is no assignment, or would have to be evaluated, is told by its line")
  func refused() {
    let file = ShellAssignments("A=1\nif true\nB=$A\n1C=2\nD='open\nE=2\n")
    #expect(file.all.map(\.name) == ["A"])
    #expect(file.refusedLines == [2, 3, 4, 5])
    #expect(ShellAssignments("A=1 A=2")["A"] == "2")
  }
}
