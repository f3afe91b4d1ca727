// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import iscsi_admin

@Suite("The shell's getopts")
struct ShellOptionsTests {
  @Test(
    "Options end at the first operand or at --",
    arguments: [
      ([], [], []), (["a", "-f"], [], ["a", "-f"]), (["-f", "--", "-p"], [.option("f", value: nil)], ["-p"]),
      (["-f", "-", "x"], [.option("f", value: nil)], ["-", "x"]),
      (["-fp8", "x"], [.option("f", value: nil), .option("p", value: "8")], ["x"]),
      (["-p", "-f", "x"], [.option("p", value: "-f")], ["x"]), (["-p", ""], [.option("p", value: "")], []),
    ] as [([String], [ShellOptions.Item], [String])])
  func order(arguments: [String], items: [ShellOptions.Item], operands: [String]) {
    let options = ShellOptions(arguments[...], "fp:")
    #expect(options.items == items && Array(options.operands) == operands)
  }

  @Test(
    "Mistakes are told in bash's words",
    arguments: [
      (["-x"], "/sbin/p: illegal option -- x"), (["-fx"], "/sbin/p: illegal option -- x"),
      (["-:"], "/sbin/p: illegal option -- :"), (["--force"], "/sbin/p: illegal option -- -"),
      (["-p"], "/sbin/p: option requires an argument -- p"), (["-fp"], "/sbin/p: option requires an argument -- p"),
    ])
  func mistakes(arguments: [String], line: String) {
    let items = ShellOptions(arguments[...], "fp:").items
    #expect(items.lazy.compactMap { $0.complaint(of: "/sbin/p") }.first == line)
  }
}
