// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import Testing

@testable import iscsi_admin

@Suite("Arguments")
struct ArgumentTests {
  /// What the program says to arguments that it cannot use.
  private func refusal(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) throws -> CommandOutput
  {
    let error = try #require(throws: (any Error).self, sourceLocation: sourceLocation) {
      _ = try IscsiAdmin.command(arguments)
    }
    return IscsiAdmin.output(for: error, of: arguments)
  }

  private static let target = "iqn.2026-11.org.example:disk"
  private static let login = ["login", target, "-p", "san"]

  @Test(
    "What cannot be used is refused with 7 and one line: what it is, for which option, and why",
    arguments: [
      (
        ["login", "--all", "--startup", "sometimes"],
        "the value 'sometimes' is invalid for '--startup <word>': not manual, automatic or onboot; "
          + "see iscsi-admin login --help"
      ),
      (
        ["login", "--all", "--startup", "manual", "-p", "san"],
        "--startup and --portal exclude each other; see iscsi-admin login --help"
      ),
      (
        ["login", "-p", "san"],
        "no target: give the targets' names, or --all for all that a discovery or the records have; "
          + "see iscsi-admin login --help"
      ),
      (login + ["--all"], "--all and targets' names exclude each other; see iscsi-admin login --help"),
      (login + ["--lun", "1", "--no-scan"], "--lun and --no-scan exclude each other; see iscsi-admin login --help"),
      (
        ["login", target, "--lun", "1"],
        "--lun needs --portal: without it the records of the targets say how to log in (iscsi-admin node set); "
          + "see iscsi-admin login --help"
      ),
      (
        ["login", "--all", "--retry", "0", "--user", "me", "--noop-timeout", "5"],
        "--retry, --user and --noop-timeout need --portal: without it the records of the targets say how to log in "
          + "(iscsi-admin node set); see iscsi-admin login --help"
      ),
      (login + ["--json", "--quiet"], "--json and --quiet exclude each other; see iscsi-admin login --help"),
      (
        login + ["--interface-device", "eth0", "--interface-address", "10.0.0.1"],
        "--interface-device, --interface-mac and --interface-address exclude each other; see iscsi-admin login --help"
      ),
      (
        ["login", "a/b", "-p", "san"],
        "the value 'a/b' is invalid for '<target>': the character '/' at octet 1 may not stand in an iSCSI name; "
          + "see iscsi-admin login --help"
      ),
      (
        login + ["--initiator-name", "me"],
        "the value 'me' is invalid for '--initiator-name <iqn>': the name starts with none of iqn., eui. and naa.; "
          + "see iscsi-admin login --help"
      ),
      (
        ["discover", "10.0.0.1:0"],
        "the value '10.0.0.1:0' is invalid for '<portal>': \"0\" is not a TCP port (1 to 65535); "
          + "see iscsi-admin discover --help"
      ),
      (
        login + ["--interface-mac", "02:00"],
        "the value '02:00' is invalid for '--interface-mac <mac>': not a MAC address (six hexadecimal octets with "
          + "colons); see iscsi-admin login --help"
      ),
      (
        login + ["--interface-address", "eth0"],
        "the value 'eth0' is invalid for '--interface-address <ip>': not an IP address; see iscsi-admin login --help"
      ),
      (
        login + ["--data-digest", "CRC32"],
        "the value 'CRC32' is invalid for '--data-digest <list>': not None, CRC32C or both with a comma; "
          + "see iscsi-admin login --help"
      ),
      (
        login + ["--chap-algorithms", "MD4"],
        "the value 'MD4' is invalid for '--chap-algorithms <list>': not a list of SHA3-256, SHA256, SHA1 and MD5 with "
          + "commas, each at most once; see iscsi-admin login --help"
      ),
      (
        login + ["--replacement-timeout", "-2"],
        "the value '-2' is invalid for '--replacement-timeout <s>': must be off or 0 to 2147483 seconds (-1 is off: for "
          + "ever); see iscsi-admin login --help"
      ),
      (
        login + ["--noop-interval", "3000000"],
        "the value '3000000' is invalid for '--noop-interval <s>': must be 0 to 2147483 seconds; "
          + "see iscsi-admin login --help"
      ),
      (
        ["session", "set", "1", "--abort-timeout", "0"],
        "the value '0' is invalid for '--abort-timeout <s>': must be 1 to 2147483 seconds; "
          + "see iscsi-admin session set --help"
      ),
      (["logout", "1", "--all"], "--all and sessions exclude each other; see iscsi-admin logout --help"),
      (
        ["logout"],
        "no session: give session numbers or target names, or --all for all sessions; see iscsi-admin logout --help"
      ),
      (
        ["logout", "a/b"],
        "the value 'a/b' is invalid for '<session>': neither a session number nor a target's name: the character "
          + "'/' at octet 1 may not stand in an iSCSI name; see iscsi-admin logout --help"
      ),
      (
        ["probe", "iscsi://san"],
        "the value 'iscsi://san' is invalid for '<url>': the URL names no target; write "
          + "iscsi://[user@]host[:port]/target-name[/lun]; see iscsi-admin probe --help"
      ),
      (["session", "lst"], "unknown command 'lst' (did you mean 'list'?); see iscsi-admin session --help"),
      (["lgoin", target], "unknown command 'lgoin' (did you mean 'login'?); see iscsi-admin --help"),
      (
        ["list"],
        "unknown command 'list' (did you mean 'session list', 'node list', 'iface list' or 'discovery list'?); "
          + "see iscsi-admin --help"
      ),
      (["nonsense"], "unknown command 'nonsense'; see iscsi-admin --help"),
      (["help", "nonsense"], "unknown command 'nonsense'; see iscsi-admin --help"),
      (
        ["help", "session", "lst"], "unknown command 'lst' (did you mean 'list'?); see iscsi-admin session --help"
      ),
      (["session", "--jsn"], "unknown option '--jsn'; see iscsi-admin session --help"),
      (["version", "--jsn"], "unknown option '--jsn' (did you mean '--json'?); see iscsi-admin version --help"),
      (["version", "x"], "unexpected argument 'x'; see iscsi-admin version --help"),
      (["login", "--frob"], "unknown option '--frob'; see iscsi-admin login --help"),
      (
        ["login", target, "--potal", "10.0.0.1:3261"],
        "unknown option '--potal' (did you mean '--portal'?); see iscsi-admin login --help"
      ),
      (["session", "set", "1", "--frob"], "unknown option '--frob'; see iscsi-admin session set --help"),
      (["probe", "--frob=1"], "unknown option '--frob'; see iscsi-admin probe --help"),
      (["logout", "--al"], "unknown option '--al' (did you mean '--all'?); see iscsi-admin logout --help"),
      (["logout", "--socket", "/run/other", "--frob"], "unknown option '--frob'; see iscsi-admin logout --help"),
      (["discover", "--", "--frob"], nil),
      (["session", "rescan", "1\u{1B}[2J"], nil),
    ] as [([String], String?)])
  func refused(arguments: [String], line: String?) throws {
    let output = try refusal(arguments)
    #expect(output.text == "")
    #expect(output.status == .invalidArgument)
    if let line { #expect(output.diagnostics == "iscsi-admin: \(line)\n") }
    #expect(output.diagnosticLines.count == 1)
    #expect(output.diagnostics.unicodeScalars.dropLast().allSatisfy { (0x20..<0x7F).contains($0.value) })
  }

  @Test(
    "Numbers are decimal and within their range",
    arguments: [
      login + ["--timeout", "0"], login + ["--timeout", "x"], login + ["--timeout", "+1"],
      login + ["--timeout", "4294967296"], login + ["--timeout", "-1"], login + ["--noop-interval", "1s"],
      login + ["--noop-timeout", "-1"], login + ["--noop-timeout", "2147483648"],
      login + ["--replacement-timeout", "2147483648"], login + ["--lun", "16384"], login + ["--lun", "+1"],
      login + ["--lun", ""], ["session", "rescan", "x"], ["session", "rescan", "1x"],
      ["session", "show", "4294967296"],
      ["session", "rescan", "+1"], ["session", "show", ""], ["logout", "4294967296"],
      ["discover", "san", "--timeout", "0"],
      ["probe", "iscsi://san/\(target)/16384"],
    ])
  func numbers(arguments: [String]) throws {
    #expect(try refusal(arguments).status == .invalidArgument)
  }

  @Test(
    "Lists name each word once", arguments: ["", "MD4", "MD5,MD5", "MD5,", ",MD5", "MD5 ,SHA1", "CRC32C"])
  func lists(list: String) throws {
    #expect(try refusal(Self.login + ["--chap-algorithms", list]).status == .invalidArgument)
    #expect(try refusal(Self.login + ["--header-digest", list + ",None,None"]).status == .invalidArgument)
  }

  @Test(
    "A login by records refuses each option that only a login with --portal follows, the default value too",
    arguments: [
      ["--lun", "1"], ["--no-scan"], ["--retry", "0"], ["--timeout", "30"], ["--user", "me"],
      ["--password-file", "-"], ["--mutual-user", "it"], ["--mutual-password-file", "-"], ["--chap-algorithms", "MD5"],
      ["--interface-device", "eth0"], ["--interface-mac", "02:00:00:00:00:01"], ["--interface-address", "10.0.0.9"],
      ["--initiator-name", "iqn.2026-11.org.example:host"], ["--replacement-timeout", "120"],
      ["--noop-interval", "5"], ["--noop-timeout", "5"], ["--header-digest", "None"], ["--data-digest", "None"],
    ])
  func recordsSay(option: [String]) throws {
    for subject in [[Self.target], ["--all"]] {
      let output = try refusal(["login"] + subject + option)
      #expect(output.status == .invalidArgument)
      #expect(output.diagnostics.hasPrefix("iscsi-admin: \(option[0]) needs --portal: "))
    }
    if option[0] != "--password-file" && !option[0].hasPrefix("--mutual") {
      #expect(throws: Never.self) { try IscsiAdmin.command(Self.login + option) }
    }
  }

  @Test("A login by records takes what does not say how to log in")
  func recordsOptions() throws {
    #expect(throws: Never.self) {
      try IscsiAdmin.command(["login", Self.target, "--no-wait", "--json", "--socket", "/run/other"])
    }
  }

  /// What the daemon makes of a login.
  private func resolved(_ command: LoginCommand) throws -> SessionOptions {
    var login = try command.template(at: #require(command.portal))
    login.target = Self.target
    let name = try InitiatorName("iqn.2026-11.org.example:host")
    return try login.request { () throws(LoginDescriptionError) in name }.options
  }

  @Test("A login takes what the options say")
  func loginOptions() throws {
    let command = try LoginCommand.parse(
      Array(Self.login.dropFirst()) + [
        "--replacement-timeout", "-1", "--noop-interval", "0", "--noop-timeout", "7", "--header-digest", "CRC32C,None",
        "--lun", "1", "--lun", "300", "--interface-mac", "02:00:00:00:00:0A", "--timeout", "9",
      ])
    let options = try resolved(command)
    #expect(options.timeouts.replacement == nil)
    #expect(options.timeouts.noopInterval == .zero)
    #expect(options.timeouts.noopTimeout == .seconds(7))
    #expect(options.timeouts.login == .seconds(9))
    #expect(options.operational.headerDigest == [.crc32c, .none])
    #expect(options.operational.dataDigest == [.none])
    #expect(options.scan == .only([1, 300].compactMap(LUN.init(number:))))
    #expect(options.interfaceName == "02:00:00:00:00:0a")
    #expect(
      try resolved(LoginCommand.parse(Array(Self.login.dropFirst())))
        == { () -> SessionOptions in
          var options = SessionOptions()
          options.timeouts.login = .seconds(30)
          return options
        }())
  }

  @Test(
    "A secret on the command line is refused, and not repeated",
    arguments: [
      ["probe", "iscsi://me%topSecret@san/\(target)"], ["probe", "iscsi:/me%topSecret@san/\(target)"],
      ["probe", "nonsense", "iscsi://me%topSecret@san/\(target)"], ["discover", "iscsi://me%topSecret@san"],
      ["login", "--portal=iscsi://me%topSecret@san"],
    ])
  func secret(arguments: [String]) throws {
    let output = try refusal(arguments)
    #expect(
      output.diagnostics
        == "iscsi-admin: an argument has a secret, which every user of this machine can read; give it with "
        + "--password-file FILE or in $ISCSI_PASSWORD; see iscsi-admin \(arguments[0]) --help\n")
    #expect(output.status == .invalidArgument)
  }

  @Test("There is no option that takes a secret")
  func noSecretOption() throws {
    let output = try refusal(Self.login + ["--secret=topSecret"])
    #expect(output.diagnostics.hasPrefix("iscsi-admin: unknown option '--secret'"))
    #expect(!output.diagnostics.contains("topSecret"))
  }

  @Test(
    "Whoever tries to give a secret is told where it can be given, and the secret is not repeated",
    arguments: [
      ["--password=topSecret"], ["--password", "topSecret"], ["--mutual-password=topSecret"],
      ["--mutual-password", "topSecret"],
    ])
  func triedSecretOption(arguments: [String]) throws {
    let output = try refusal(Self.login + arguments)
    #expect(
      output.diagnostics.hasPrefix("iscsi-admin: a secret on the command line is for all to read: use --password-file"))
    #expect(!output.diagnostics.contains("topSecret"))
    #expect(output.status == .invalidArgument)
  }

  @Test("A link-local portal is no secret")
  func scope() throws {
    #expect(try DiscoverCommand.parse(["fe80::1%eth0"]).portal.address == "[fe80::1%eth0]:3260")
  }
}

@Suite("Sessions that arguments name")
struct SessionSelectionTests {
  private let sessions = [1, 2, 3].map { (id: UInt32) -> SessionSnapshot in
    var session = SessionSnapshot(id: SessionID(rawValue: id))
    session.targetName = "iqn.2026-11.org.example:disk\(id % 2)"
    session.connection = ConnectionSnapshot(id: .leading)
    session.connection?.persistentAddress = "10.0.0.\(id)"
    session.connection?.persistentPort = 3260
    return session
  }

  private func choose(_ arguments: String...) throws -> (chosen: [UInt32], missing: [String]) {
    let (chosen, missing) = try LogoutCommand.parse(arguments).choose(from: sessions)
    return (chosen.map(\.id.rawValue), missing.map(\.description))
  }

  @Test("Numbers and names choose each session once, in the order of the listing")
  func chosen() throws {
    #expect(try choose("3", "iqn.2026-11.org.example:disk1", "3").chosen == [1, 3])
    #expect(try choose("--all").chosen == [1, 2, 3])
    #expect(try choose("--all", "--portal", "10.0.0.2").chosen == [2])
    #expect(try choose("iqn.2026-11.org.example:disk1", "--portal", "10.0.0.3").chosen == [3])
  }

  @Test("What is named and not there is told, and the others are chosen all the same")
  func missing() throws {
    let (chosen, missing) = try choose("9", "iqn.2026-11.org.example:disk9", "2")
    #expect(chosen == [2])
    #expect(missing == ["there is no session 9", "there is no session with iqn.2026-11.org.example:disk9"])
    #expect(try choose("1", "--portal", "10.0.0.2").missing == ["there is no session 1 at 10.0.0.2:3260"])
    #expect(try choose("--all", "--portal", "10.0.0.9").missing == ["there is no session at 10.0.0.9:3260"])
  }

  /// The output of a logout that names sessions, of which one goes between the listing and its turn.
  private func logout(_ arguments: String..., gone: UInt32) throws -> CommandOutput {
    let command = try LogoutCommand.parse(arguments)
    let (chosen, missing) = command.choose(from: sessions)
    let results = try chosen.map { session in
      let failure = OperationError(.logout(session.id, target: nil), .noSession)
      let isGone = session.id.rawValue == gone
      return InitiatorTypes.LogoutResult(
        isGone ? .failure(failure) : .success(try Samples.logout(Int(session.id.rawValue))), of: session.id)
    }
    return try command.outcome(results, of: chosen, missing).output(ReportOptions.parse([]))
  }

  @Test("A session that goes between the listing and its turn is told as one that was gone before")
  func goneMeanwhile() throws {
    let byName = try logout("iqn.2026-11.org.example:disk0", gone: 2)
    #expect(byName.status == .noObjectsFound && byName.text == "")
    #expect(byName.failures.map(\.message) == ["there is no session with iqn.2026-11.org.example:disk0"])
    #expect(try logout("2", gone: 2).status == .sessionNotFound)
    // Another session of the name is logged out of.
    let other = try logout("iqn.2026-11.org.example:disk1", gone: 3)
    #expect(other.status == .success && other.failures.isEmpty && other.text.hasPrefix("session 1: logged out"))
    #expect(try logout("1", "9", gone: 1).failures.map(\.exitCode) == [2, 2])
  }
}
