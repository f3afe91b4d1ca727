// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@testable import iscsi_admin

@Suite("iscsi-iname")
struct IscsiInameTests {
  @Test(
    "The name begins as it is told, with InitiatorName= before it on request",
    arguments: [
      ([], "iqn.2016-04.com.open-iscsi:"), (["-g"], "InitiatorName=iqn.2016-04.com.open-iscsi:"),
      (["-p", "iqn.x"], "iqn.x:"), (["-piqn.x"], "iqn.x:"), (["--prefix=iqn.x"], "iqn.x:"), (["--pre", "a"], "a:"),
      (["-g", "-p", "iqn.y"], "InitiatorName=iqn.y:"), (["-gpiqn.y"], "InitiatorName=iqn.y:"),
      (["--generate-iname-prefix", "--prefix=a"], "InitiatorName=a:"),
    ] as [([String], String)])
  func names(arguments: [String], beginning: String) throws {
    let program = try IscsiIname(arguments)
    #expect(program.output.hasPrefix(beginning) && program.output.hasSuffix("\n"))
    #expect(program.output.dropFirst(beginning.count).dropLast().wholeMatch(of: /[0-9a-f]{12}/) != nil)
    #expect(program.output != (try IscsiIname(arguments)).output)
  }

  @Test("The longest beginning has 210 octets")
  func length() throws {
    let longest = String(repeating: "a", count: 210)
    #expect(try IscsiIname(["-p", longest]).output.utf8.count == 224)
    #expect(throws: IscsiIname.Refusal.prefixTooLong) { try IscsiIname(["-p", longest + "a"]) }
    #expect(IscsiIname.run(["-p", longest + "a"]) == .failure)
  }

  @Test(
    "Other arguments are refused",
    arguments: [["-x"], ["-p"], ["--prefix"], ["word"], ["--nonsense"], ["--help=1"], ["-g", "--", "word"], ["--=a"]])
  func refused(arguments: [String]) {
    #expect(throws: IscsiIname.Refusal.self) { try IscsiIname(arguments) }
  }

  @Test("Help is for whoever asks", arguments: ["-h", "--help"])
  func help(argument: String) throws {
    #expect(try IscsiIname([argument]).output.hasPrefix("Usage: iscsi-iname"))
  }
}
