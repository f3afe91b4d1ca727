// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@testable import iscsi_admin

@Suite("iscsi_discovery")
struct IscsiDiscoveryTests {
  /// A run over an iscsiadm that knows what a portal has.
  private struct Run {
    /// The words that iscsiadm was called with.
    var calls: [String] = []
    var output = ""
    var errors = ""
    var status = IscsiKit.ExitStatus.internal

    /// Runs a command line; discovery and list of sessions print what is given, and over some transports no login goes.
    init(
      _ line: String, targets: String = "10.0.0.1:3260,1 iqn.a\n", sessions: String = "", refused: Set<String> = [],
      daemon: Bool = true
    ) {
      final class Log {
        var calls: [String] = []
        var output = ""
        var errors = ""
        var transport = ""
      }
      let log = Log()
      var program = IscsiDiscovery(program: "/sbin/iscsi_discovery")
      program.isDaemonThere = { daemon }
      program.console = IscsiadmConsole(say: { log.output += $0 }, complain: { log.errors += $0 + "\n" })
      program.iscsiadm = { words, console in
        log.calls.append(words.joined(separator: " "))
        if words == ["-m", "session"] { console.say(sessions) }
        if words.contains("discovery") { console.say(targets) }
        if words.contains("-T") { console.say("# BEGIN RECORD\niface.transport_name = tcp\n# END RECORD\n") }
        if words.contains("iface.transport_name") { log.transport = words.last ?? "" }
        if words.contains("--logout") { console.say("Logging out\n") }
        if words.contains("--login") { console.say("never shown\n") }
        return words.contains("--login") && refused.contains(log.transport) ? .fatalLogin : .success
      }
      status = program.run(line.split(separator: " ").map(String.init))
      (calls, output, errors) = (log.calls, log.output, log.errors)
    }
  }

  @Test("A target is tried, marked for the start, and left again")
  func found() {
    let run = Run("10.0.0.1")
    #expect(
      run.calls == [
        "-m session", "-m discovery --type sendtargets --portal 10.0.0.1:3260", "-m node -p 10.0.0.1:3260 -T iqn.a",
        "-m node --targetname iqn.a --portal 10.0.0.1:3260 --op update -n iface.transport_name -v tcp",
        "-m node --targetname iqn.a --portal 10.0.0.1:3260 --op update -n node.conn[0].startup -v automatic",
        "-m node --targetname iqn.a --portal 10.0.0.1:3260 --login",
        "-m node --targetname iqn.a --portal 10.0.0.1:3260 --logout",
      ])
    #expect(
      run.output == """
        Set target iqn.a to automatic login over tcp to portal 10.0.0.1:3260
        Logging out
        discovered 1 targets at 10.0.0.1

        """)
    #expect(run.status == .success && run.errors.isEmpty)
  }

  @Test("Sessions stay and startup is left alone on request, at another port")
  func options() {
    let run = Run("10.0.0.1 -lmp 3261")
    #expect(run.calls[1].hasSuffix("--portal 10.0.0.1:3261"))
    #expect(!run.calls.contains { $0.contains("--logout") || $0.contains("startup") })
  }

  @Test("Without a login over one transport tcp is tried, for the targets that follow too")
  func fallback() {
    let targets = "10.0.0.1:3260,1 iqn.a\n[fd00::1]:3260,1 iqn.b\n"
    let run = Run("10.0.0.1 -d -t iser", targets: targets, refused: ["iser"])
    #expect(
      run.output == """
        starting discovery to 10.0.0.1
        Testing iser-login to target iqn.a portal 10.0.0.1:3260
        Cannot login over iser to portal 10.0.0.1:3260
        starting to test tcp-login to target iqn.a portal 10.0.0.1:3260
        Set target iqn.a to automatic login over tcp to portal 10.0.0.1:3260
        Logging out
        Testing tcp-login to target iqn.b portal [fd00::1]:3260
        Set target iqn.b to automatic login over tcp to portal [fd00::1]:3260
        Logging out
        discovered 2 targets at 10.0.0.1

        """)
    #expect(run.calls.filter { $0.contains("Digest") }.count == 2)
    let forced = Run("10.0.0.1 -f -t cxgb3i", refused: ["cxgb3i"])
    #expect(forced.output.hasPrefix("Cannot login over cxgb3i to portal 10.0.0.1:3260\ndiscovered 1 "))
    #expect(forced.calls.contains { $0.hasSuffix("MaxRecvDataSegmentLength -v 8192") })
    #expect(forced.calls.last?.hasSuffix("node.conn[0].startup -v manual") == true)
  }

  @Test("A discovery that finds nothing ends as the script's does")
  func nothing() {
    let run = Run("10.0.0.1", targets: "", refused: ["tcp"])
    #expect(run.output.hasSuffix("discovered 1 targets at 10.0.0.1\n") && run.status == .success)
    #expect(run.calls.contains("-m node --targetname --portal --login"))
  }

  @Test("Sessions with the portal are in the way")
  func sessions() {
    let run = Run("10.0.0.1", sessions: "tcp: [1] 10.0.0.1:3260,1 iqn.a (non-flash)\n")
    #expect(run.status == .sessionNotFound && run.calls == ["-m session"])
    #expect(run.output.hasPrefix("Please logout from all targets on 10.0.0.1:3260 before trying"))
    #expect(Run("10.0.0.1", sessions: "tcp: [1] 10.0.0.2:3260,1 iqn.a (non-flash)\n").status == .success)
  }

  @Test(
    "Wrong arguments end it before anything is asked",
    arguments: [
      ("", "Usage: /sbin/iscsi_discovery <IP> [-p <port>]", ""), ("-d", "-d is not a vaild IP address!\n", ""),
      ("10.0.0", "10.0.0 is not a vaild IP address!\n", ""), ("10.0.0.256", "10.0.0.256 is not", ""),
      ("target", "target is not", ""), ("10.0.0.1 -x", "Usage: ", "/sbin/iscsi_discovery: illegal option -- x\n"),
      ("10.0.0.1 -p", "Usage: ", "/sbin/iscsi_discovery: option requires an argument -- p\n"),
    ])
  func refused(line: String, output: String, errors: String) {
    let run = Run(line)
    #expect(run.status == .failure && run.output.hasPrefix(output) && run.errors == errors && run.calls.isEmpty)
  }

  @Test("Who asks for help gets it, with a daemon or without", arguments: ["-h", "--help"], [true, false])
  func help(option: String, daemon: Bool) {
    let run = Run(option, daemon: daemon)
    #expect(run.status == .success && run.output.hasPrefix("Usage: ") && run.errors.isEmpty && run.calls.isEmpty)
  }

  @Test("There must be a daemon")
  func daemon() {
    let run = Run("", daemon: false)
    #expect(run.status == .failure && run.output == "iscsid is not running\nExiting...\n" && run.calls.isEmpty)
  }
}
