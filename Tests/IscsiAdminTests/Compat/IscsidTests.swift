// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import iscsi_admin

@Suite("The daemon by open-iscsi's name")
struct IscsidTests {
  @Test("Without arguments it goes to the background with a pid file")
  func defaults() throws {
    let daemon = try Iscsid([])
    #expect(daemon.action == .run && !daemon.isForeground && daemon.pidFile == "/run/iscsid.pid")
  }

  @Test(
    "Options are read as getopt_long reads them",
    arguments: [
      ["-f", "-d", "8", "-i", "/tmp/name", "-c", "/etc/iscsid.conf"], ["-fd8", "-i/tmp/name"],
      ["--foreground", "--debug=8", "--initiatorname", "/tmp/name"],
      ["--fore", "word", "--deb", "8", "--init=/tmp/name"],
    ])
  func options(arguments: [String]) throws {
    let daemon = try Iscsid(arguments)
    #expect(daemon.isForeground && daemon.debugLevel == 8 && daemon.initiatorNameFile == "/tmp/name")
  }

  @Test("The pid file can be another one or none")
  func pidFile() throws {
    #expect(try Iscsid(["-p", "/tmp/pid"]).pidFile == "/tmp/pid")
    #expect(try Iscsid(["-n"]).pidFile == nil)
  }

  @Test("What is no option is refused", arguments: ["-x", "--nonsense", "-d", "--debug", "--foreground=1", "-fx"])
  func refused(argument: String) {
    #expect(throws: GetOptMistake.self) { try Iscsid([argument]) }
  }

  @Test("Help and version are told from a run", arguments: [("-h", Iscsid.Action.help), ("--version", .version)])
  func actions(argument: String, action: Iscsid.Action) throws {
    #expect(try Iscsid([argument]).action == action)
  }
}
