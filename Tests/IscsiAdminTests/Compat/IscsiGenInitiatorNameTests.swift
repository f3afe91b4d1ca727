// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKit
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("iscsi-gen-initiatorname")
struct IscsiGenInitiatorNameTests {
  /// A machine with files of its own.
  private final class Fixture {
    let directory = FilePath(FileManager.default.temporaryDirectory.path).appending("iscsi-gen-\(UUID().uuidString)")
    var output = ""
    var errors = ""
    var userID: UInt32 = 0

    init() throws {
      try FileManager.default.createDirectory(atPath: directory.string, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory.string) }

    func write(_ text: String, to name: String) throws {
      try Data(text.utf8).write(to: URL(filePath: directory.appending(name).string))
    }

    var stored: String? {
      let octets = FileManager.default.contents(atPath: directory.appending("name").string)
      return octets.map { String(decoding: $0, as: UTF8.self) }
    }

    func run(_ arguments: String...) -> IscsiKit.ExitStatus {
      (output, errors) = ("", "")
      var program = IscsiGenInitiatorName(program: "/sbin/iscsi-gen-initiatorname")
      program.machine.file = InitiatorNameFile(path: directory.appending("name"))
      program.machine.commandLine = directory.appending("cmdline")
      program.machine.firmwareName = directory.appending("firmware")
      program.machine.userID = userID
      program.console = IscsiadmConsole(say: { self.output += $0 }, complain: { self.errors += $0 + "\n" })
      return program.run(arguments)
    }
  }

  @Test("A random name begins as it is told")
  func random() throws {
    let machine = try Fixture()
    #expect(machine.run() == .success && machine.output.isEmpty && machine.errors.isEmpty)
    let first = try #require(machine.stored)
    #expect(first.wholeMatch(of: /InitiatorName=iqn\.1996-04\.de\.suse:01:[0-9a-f]{12}\n/) != nil)
    #expect(machine.run("-fp", "iqn.2026-11.org.example") == .success)
    let second = try #require(machine.stored)
    #expect(second.wholeMatch(of: /InitiatorName=iqn\.2026-11\.org\.example:[0-9a-f]{12}\n/) != nil)
  }

  @Test("An empty name is none")
  func empty() throws {
    let machine = try Fixture()
    try machine.write("InitiatorName=\n", to: "name")
    #expect(machine.run() == .success)
    #expect(machine.stored?.hasPrefix("InitiatorName=iqn.") == true)
  }

  @Test("A name stays unless it is forced away", arguments: ["iqn.2026-11.org.example:host", "nonsense"])
  func existing(name: String) throws {
    let machine = try Fixture()
    try machine.write("# a comment\nInitiatorName=\(name)\n", to: "name")
    #expect(machine.run() == .failure)
    #expect(machine.errors == "Error: you cannot overwrite the current InitiatorName unless 'force' is set.\n")
    #expect(machine.output.hasPrefix("Usage: iscsi-gen-initiatorname [OPTIONS]"))
    #expect(machine.stored?.contains(name) == true)
    #expect(machine.run("-f") == .success && machine.stored?.contains(name) == false)
  }

  @Test("A file without a name is no obstacle", arguments: ["", "GenerateName=yes\n", "InitiatorName=\n"])
  func nameless(text: String) throws {
    let machine = try Fixture()
    try machine.write(text, to: "name")
    #expect(machine.run() == .success && machine.stored?.hasPrefix("InitiatorName=iqn.") == true)
  }

  @Test("The kernel's command line and firmware go before chance, if they agree")
  func given() throws {
    let machine = try Fixture()
    try machine.write("iqn.2026-11.org.example:firmware\n", to: "firmware")
    #expect(machine.run() == .success && machine.stored == "InitiatorName=iqn.2026-11.org.example:firmware\n")
    let name = "rd.initiatorname=iqn.2026-11.org.example:kernel"
    try machine.write("ro rd.initiatorname=iqn.x quiet \(name) ip=dhcp\n", to: "cmdline")
    #expect(machine.run("-f") == .failure)
    #expect(
      machine.errors == """
        Error: Kernel cmdline Initiator Name: iqn.2026-11.org.example:kernel
          does not match iBFT Initiator Name: iqn.2026-11.org.example:firmware
        Please ensure they both match, or remove the kernel parameter, then
          run 'iscsi-gen-initiatorname [-f]' to update iSCSI InitiatorName

        """)
    try machine.write("", to: "firmware")
    #expect(machine.run("-f") == .success && machine.stored == "InitiatorName=iqn.2026-11.org.example:kernel\n")
  }

  @Test("What would be no name is not stored")
  func invalid() throws {
    let machine = try Fixture()
    #expect(machine.run("-p", "nonsense") == .failure && machine.errors.hasPrefix("Error: "))
    #expect(machine.run("-p", "iqn.2026-11.org.example:" + String(repeating: "a", count: 190)) == .failure)
    #expect(machine.stored == nil)
  }

  @Test(
    "Other arguments and other users are refused with the usage",
    arguments: [
      (["-x"], 0, "/sbin/iscsi-gen-initiatorname: illegal option -- x\n"),
      (["a", "-f"], 0, "Error: Invalid argument(s): a -f\n"),
      ([], 1000, "Error: You must be root to run this command\n"),
    ] as [([String], UInt32, String)])
  func refused(arguments: [String], user: UInt32, errors: String) throws {
    let machine = try Fixture()
    machine.userID = user
    let status =
      switch arguments.count {
      case 0: machine.run()
      case 1: machine.run(arguments[0])
      default: machine.run(arguments[0], arguments[1])
      }
    #expect(status == .failure && machine.errors == errors && machine.output.hasPrefix("Usage: "))
    #expect(machine.stored == nil)
  }

  @Test("Help is for whoever asks")
  func help() throws {
    let machine = try Fixture()
    #expect(machine.run("-h", "-x") == .success && machine.errors.isEmpty)
    #expect(machine.run("--help") == .success && machine.errors.isEmpty && machine.stored == nil)
    #expect(
      machine.output == """
        Usage: iscsi-gen-initiatorname [OPTIONS] -- generate an iSCSI initiatorname
        Where OPTIONS are from:
           -h          print usage and exit
           -f          overwrite existing InitiatorName, if any
           -p IQN-PRE  set prefix for generated IQN (default iqn.1996-04.de.suse:01)

        """)
  }
}
