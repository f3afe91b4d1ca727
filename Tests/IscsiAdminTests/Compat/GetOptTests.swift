// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import iscsi_admin

@Suite("The rules of getopt_long")
struct GetOptTests {
  private static let grammar = GetOpt<Character>([
    GetOpt.Rule(option: "p", letter: "p", name: "portal", takesValue: true),
    GetOpt.Rule(option: "A", letter: "A", name: "portal_type", takesValue: true),
    GetOpt.Rule(option: "P", letter: "P", name: "print", takesValue: true),
    GetOpt.Rule(option: "l", letter: "l", name: "login", takesValue: false),
    GetOpt.Rule(option: "L", letter: "L", name: "loginall", takesValue: true),
    GetOpt.Rule(option: "u", letter: "u", name: "logout", takesValue: false),
  ])

  struct Case: CustomTestStringConvertible, Sendable {
    let words: [String]
    let items: [GetOpt<Character>.Item]
    var testDescription: String { words.joined(separator: " ") }

    init(_ words: String..., is items: [GetOpt<Character>.Item]) {
      self.words = words
      self.items = items
    }
  }

  @Test(
    "Words become options and operands",
    arguments: [
      Case(is: []),
      Case("-l", is: [.option("l", value: nil)]),
      Case("-p", "x", is: [.option("p", value: "x")]),
      Case("-px", is: [.option("p", value: "x")]),
      Case("-p=x", is: [.option("p", value: "=x")]),
      Case("-p", "-l", is: [.option("p", value: "-l")]),
      Case("-p", "--", is: [.option("p", value: "--")]),
      Case("-p", "", is: [.option("p", value: "")]),
      Case("-lup", "x", is: [.option("l", value: nil), .option("u", value: nil), .option("p", value: "x")]),
      Case("-lpu", is: [.option("l", value: nil), .option("p", value: "u")]),
      Case("--portal", "x", is: [.option("p", value: "x")]),
      Case("--portal=x=y", is: [.option("p", value: "x=y")]),
      Case("--portal=", is: [.option("p", value: "")]),
      Case("--portal", "--login", is: [.option("p", value: "--login")]),
      Case("--pr", "1", is: [.option("P", value: "1")]),
      Case("--portal_=x", is: [.option("A", value: "x")]),
      Case("--login", is: [.option("l", value: nil)]),
      Case("--loginall=all", is: [.option("L", value: "all")]),
      Case("a", "-l", "b", is: [.operand("a"), .option("l", value: nil), .operand("b")]),
      Case("-", "-l", is: [.operand("-"), .option("l", value: nil)]),
      Case("", "-l", is: [.operand(""), .option("l", value: nil)]),
      Case("-l", "--", "-u", "--", is: [.option("l", value: nil), .operand("-u"), .operand("--")]),
    ])
  func items(example: Case) {
    #expect(Self.grammar.items(example.words) == example.items)
  }

  @Test(
    "Mistakes are told in the words of the C library, and the rest is read on",
    arguments: [
      (["-z"], "prog: invalid option -- 'z'", 0), (["-zl"], "prog: invalid option -- 'z'", 1),
      (["-p"], "prog: option requires an argument -- 'p'", 0), (["-lp"], "prog: option requires an argument -- 'p'", 1),
      (["--foo", "-l"], "prog: unrecognized option '--foo'", 1),
      (["--foo=1"], "prog: unrecognized option '--foo=1'", 0),
      (["--por=1"], "prog: option '--por=1' is ambiguous; possibilities: '--portal' '--portal_type'", 0),
      (["--log", "-l"], "prog: option '--log' is ambiguous; possibilities: '--login' '--loginall' '--logout'", 1),
      (["--portal"], "prog: option '--portal' requires an argument", 0),
      (["--pri"], "prog: option '--print' requires an argument", 0),
      (["--logo=1", "-l"], "prog: option '--logout' doesn't allow an argument", 1),
    ])
  func mistakes(words: [String], line: String, others: Int) {
    let items = Self.grammar.items(words)
    let lines = items.compactMap { if case .mistake(let mistake) = $0 { mistake.line(of: "prog") } else { nil } }
    #expect(lines == [line])
    #expect(items.count - lines.count == others)
  }

  @Test("A mistake names the short option that it is about, if there is one")
  func letters() {
    #expect(GetOptMistake.invalidLetter("z").letter == "z")
    #expect(GetOptMistake.valueOfNameMissing("p", name: "portal").letter == "p")
    #expect(GetOptMistake.valueNotAllowed("l", name: "login").letter == "l")
    #expect(GetOptMistake.unknownName("--foo").letter == nil)
  }
}
