// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("initiator-name")
struct InitiatorNameCommandTests {
  private func run(_ file: TemporaryFile, _ arguments: String...) throws -> CommandOutput {
    try InitiatorNameCommand.parse(["--file", file.path.string] + arguments).output(for: .plain)
  }

  @Test("the name that is stored, as text and as JSON")
  func show() throws {
    let file = try TemporaryFile("InitiatorName=iqn.2026-11.org.example:host\n")
    #expect(try run(file).text == "iqn.2026-11.org.example:host\n")
    try Golden.expect(try run(file, "--json").text, is: "initiator-name.json")
    let none = try run(try TemporaryFile("\n"))
    #expect(none.status == .invalidArgument)
    #expect(
      none.diagnostics.hasSuffix(
        "; give one with --initiator-name, or make one: iscsi-admin initiator-name "
          + "--generate --write\n"))
  }

  @Test("a new name is printed, and stored on request")
  func generate() throws {
    let file = try TemporaryFile("\n")
    let printed = try run(file, "--generate", "--prefix", "iqn.2026-11.org.example").text
    #expect(printed.hasPrefix("iqn.2026-11.org.example:") && printed.utf8.count == 37)
    #expect(try run(file).status == .invalidArgument)
    let stored = try run(file, "--generate", "--write").text
    #expect(stored.hasPrefix("iqn.2016-04.com.open-iscsi:"))
    #expect(try run(file).text == stored)
    let refused = try run(file, "--generate", "--write")
    #expect(refused.status == .sessionExists && refused.text == "")
    #expect(try run(file).text == stored)
    let replaced = try run(file, "--generate", "--write", "--force").text
    #expect(replaced != stored)
    #expect(try run(file).text == replaced)
  }
}
