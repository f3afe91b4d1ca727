// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// open-iscsi's `iscsi_discovery`: asks a portal for targets, tries to log in to each, and leaves records of them.
///
/// It is a script there, and programs may go by what it prints, so that this calls `iscsiadm` as often and with the same
/// words as the script does.
struct IscsiDiscovery {
  /// Whether there is a daemon.
  var isDaemonThere: () -> Bool = {
    runBlocking { () async -> Bool in (try? await Initiator().ping()) != nil }
  }
  /// Runs `iscsiadm` with what follows its name.
  var iscsiadm: ([String], IscsiadmConsole) -> ExitStatus = { Iscsiadm(console: $1).run($0) }
  var console = IscsiadmConsole.standard

  /// The name that it was called by, with its path if it has one.
  private let program: String
  private var address = ""
  private var port = "3260"
  private var transport = "tcp"
  /// Whether no other transport is tried.
  private var isForced = false
  private var isManual = false
  private var staysLoggedIn = false
  private var isVerbose = false

  /// A program of this name.
  init(program: String) { self.program = program }

  /// Does what the arguments say.
  ///
  /// - Parameter arguments: What follows the program's name.
  /// - Returns: 0 whatever was found, and for who asks for help; 1 for wrong arguments and without a daemon, 2 if there are sessions with the portal.
  mutating func run(_ arguments: [String]) -> ExitStatus {
    if arguments.first == "-h" || arguments.first == "--help" { return showUsage(.success) }
    guard isDaemonThere() else { return say("iscsid is not running\nExiting...", .failure) }
    guard let first = arguments.first else { return showUsage(.failure) }
    guard Self.isAddress(first) else { return say("\(first) is not a vaild IP address!", .failure) }
    address = first
    for item in ShellOptions(arguments.dropFirst(), "dfmlt:p:").items {
      switch item {
      case .option("d", _): isVerbose = true
      case .option("f", _): isForced = true
      case .option("m", _): isManual = true
      case .option("l", _): staysLoggedIn = true
      case .option("t", let value): transport = value ?? ""
      case .option("p", let value): port = value ?? ""
      case .option: break
      case .unknown, .valueMissing:
        if let line = item.complaint(of: program) { console.complain(line) }
        return showUsage(.failure)
      }
    }
    return discover()
  }

  /// Whether a text has four parts that are numbers up to 255; more of them are passed over, as by the script.
  static func isAddress(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count >= 4 && parts.prefix(4).allSatisfy { Int($0).map { $0 <= 255 } ?? false }
  }

  private mutating func discover() -> ExitStatus {
    let portal = "\(address):\(port)"
    guard !output(of: ["-m", "session"]).contains(where: { $0.contains(portal) }) else {
      return say(
        "Please logout from all targets on \(portal) before trying to run discovery on that portal", .sessionNotFound)
    }
    debug("starting discovery to \(address)")
    // Without any line the script goes on with an empty one, and counts it.
    var lines = output(of: ["-m", "discovery", "--type", "sendtargets", "--portal", portal])
    if lines.isEmpty { lines = [""] }
    for line in lines {
      let words = line.split(separator: " ", maxSplits: 1)
      let found = words.first.map { $0.lastIndex(of: ",").map(words[0].prefix(upTo:)) ?? $0 } ?? ""
      selectTransport(Node(target: words.count > 1 ? String(words[1]) : "", portal: String(found)))
    }
    return say("discovered \(lines.count) targets at \(address)", .success)
  }

  // MARK: - One target

  private struct Node {
    let target: String
    let portal: String
  }

  private mutating func selectTransport(_ node: Node) {
    setTransport(transport, of: node)
    debug("Testing \(transport)-login to target \(node.target) portal \(node.portal)")
    guard !tryLogin(node), !isForced else { return }
    // For all targets that follow as well.
    setTransport("tcp", of: node)
    debug("starting to test tcp-login to target \(node.target) portal \(node.portal)")
    _ = tryLogin(node)
  }

  private mutating func setTransport(_ name: String, of node: Node) {
    transport = name
    switch name {
    case "iser":
      update("node.conn[0].iscsi.HeaderDigest", "None", of: node)
      update("node.conn[0].iscsi.DataDigest", "None", of: node)
    case "cxgb3i": update("node.conn[0].iscsi.MaxRecvDataSegmentLength", "8192", of: node)
    default: break
    }
    let keys = output(of: ["-m", "node", "-p", node.portal, "-T", node.target])
      .filter { $0.contains("transport_name") }.compactMap { $0.split(separator: " ").first.map(String.init) }
    call(selecting(node) + ["--op", "update", "-n"] + keys + ["-v", name])
  }

  /// Logs in, tells how it went, and out again unless the session is to stay; whether it went well.
  private func tryLogin(_ node: Node) -> Bool {
    if !isManual { update("node.conn[0].startup", "automatic", of: node) }
    let silent = IscsiadmConsole(say: { _ in }, complain: { _ in })
    guard call(selecting(node) + ["--login"], silent) == .success else {
      _ = say("Cannot login over \(transport) to portal \(node.portal)", .failure)
      update("node.conn[0].startup", "manual", of: node)
      return false
    }
    _ = say("Set target \(node.target) to automatic login over \(transport) to portal \(node.portal)", .success)
    if !staysLoggedIn { call(selecting(node) + ["--logout"]) }
    return true
  }

  private func selecting(_ node: Node) -> [String] {
    ["-m", "node", "--targetname", node.target, "--portal", node.portal]
  }

  private func update(_ key: String, _ value: String, of node: Node) {
    call(selecting(node) + ["--op", "update", "-n", key, "-v", value])
  }

  // MARK: - iscsiadm, and what is told

  /// Runs `iscsiadm`. The shell drops words that are empty, so that the next one takes their place.
  @discardableResult
  private func call(_ words: [String], _ other: IscsiadmConsole? = nil) -> ExitStatus {
    iscsiadm(words.filter { !$0.isEmpty }, other ?? console)
  }

  /// The lines that `iscsiadm` prints; what it complains of is told.
  private func output(of words: [String]) -> [String] {
    var text = ""
    call(words, IscsiadmConsole(say: { text += $0 }, complain: console.complain))
    return text.split(separator: "\n").map(String.init)
  }

  /// Says something to whoever wants to know more, with one blank where words are missing.
  private func debug(_ text: String) {
    if isVerbose { _ = say(text.split(separator: " ").joined(separator: " "), .success) }
  }

  private func say(_ text: String, _ status: ExitStatus) -> ExitStatus {
    for line in text.split(separator: "\n") { console.say("\(String(line).printable)\n") }
    return status
  }

  private func showUsage(_ status: ExitStatus) -> ExitStatus {
    console.say(
      """
      Usage: \(program.printable) <IP> [-p <port>] [-d] [-t <tcp|iser> [-f]] [-m] [-l]
      Options:
      -p		set the port number (default is 3260).
      -d		print debugging information
      -t		set transport (default is tcp).
      -f		force specific transport -disable the fallback to tcp (default is fallback enabled).
      			force the transport specified by the argument of the -t flag.
      -m		manual startup - will set manual startup (default is automatic startup).
      -l		login to the new discovered nodes (default is false).

      """)
    return status
  }
}
