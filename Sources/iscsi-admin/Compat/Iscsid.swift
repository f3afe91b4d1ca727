// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Logging
import SystemPackage

/// The daemon by the name of open-iscsi's, with its arguments.
struct Iscsid: Hashable {
  /// Why the arguments are none.
  enum Refusal: Error, Hashable {
    /// An option that there is none of, or that lacks its argument; as the user wrote it.
    case usage(String)
  }

  /// What is to be done.
  enum Action: Hashable {
    case run
    case help
    case version
  }

  var action = Action.run
  var isForeground = false
  var initiatorNameFile = InitiatorNameFile.standardPath.string
  /// Where the number of a process in the background is kept; nil is nowhere.
  var pidFile: String? = "/run/iscsid.pid"
  var debugLevel = 0

  /// The options that take an argument, and those that take none, by their short names.
  private static let withArgument: [Character: String] = [
    "c": "config", "i": "initiatorname", "d": "debug", "u": "uid", "g": "gid", "p": "pid",
  ]
  private static let withoutArgument: [Character: String] = [
    "f": "foreground", "n": "no-pid-file", "v": "version", "h": "help",
  ]

  /// Reads arguments as getopt_long does: bundled short options, `--name value` and `--name=value`; words that are no
  /// options are passed over.
  init(_ arguments: [String]) throws(Refusal) {
    var rest = arguments[...]
    while let word = rest.popFirst(), word != "--" {
      if word.hasPrefix("--") {
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        try take(long: String(parts[0]), parts.count == 2 ? String(parts[1]) : nil, &rest, word)
      } else if word.hasPrefix("-"), word != "-" {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
          if let name = Self.withoutArgument[letter] {
            try apply(name, nil)
          } else if let name = Self.withArgument[letter] {
            guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else { throw .usage(word) }
            try apply(name, value)
            letters = ""
          } else {
            throw .usage("-\(letter)")
          }
        }
      }
    }
  }

  private mutating func take(
    long name: String, _ value: String?, _ rest: inout ArraySlice<String>, _ word: String
  ) throws(Refusal) {
    let all = Array(Self.withArgument.values) + Array(Self.withoutArgument.values)
    // A name can be cut as long as it is one option's.
    let matches = all.filter { $0 == name }.isEmpty ? all.filter { $0.hasPrefix(name) } : [name]
    guard matches.count == 1, let match = matches.first else { throw .usage(word) }
    guard Self.withArgument.values.contains(match) else {
      guard value == nil else { throw .usage(word) }
      return try apply(match, nil)
    }
    guard let value = value ?? rest.popFirst() else { throw .usage(word) }
    try apply(match, value)
  }

  private mutating func apply(_ name: String, _ value: String?) throws(Refusal) {
    switch (name, value) {
    case ("foreground", _): isForeground = true
    case ("no-pid-file", _): pidFile = nil
    case ("version", _): action = .version
    case ("help", _): action = .help
    case ("initiatorname", let path?): initiatorNameFile = path
    case ("pid", let path?): pidFile = path
    case ("debug", let level?): debugLevel = Int(level) ?? 0
    // The configuration is that of records, which there are none of yet, and the process needs root for the kernel.
    default: return
    }
  }

  /// Does what the arguments say.
  func run() -> ExitStatus {
    switch action {
    case .help:
      _ = try? FileDescriptor.standardOutput.writeAll(Self.help.utf8)
      return .success
    case .version:
      _ = try? FileDescriptor.standardOutput.writeAll("iscsid version \(versionText)\n".utf8)
      return .success
    case .run: break
    }
    var file: PIDFile?
    var configuration = Daemon.Configuration(version: versionText)
    if !isForeground {
      do throws(DaemonStartError) {
        let process = try BackgroundProcess.start()
        // Who cannot start says so to whoever starts it.
        configuration.whenReady = { process.ready() }
        if let pidFile { file = try PIDFile(path: FilePath(pidFile)) }
      } catch {
        StandardError.write("iscsid: \(error.description.printable)\n")
        return error.exitStatus
      }
    }
    defer { file?.remove() }
    configuration.initiatorNameFile = InitiatorNameFile(path: FilePath(initiatorNameFile))
    do throws(DaemonError) {
      try runDaemon(configuration, identifier: "iscsid", level: debugLevel > 0 ? .debug : .info)
      return .success
    } catch {
      StandardError.write("iscsid: \(error.description.printable)\n")
      return error.exitStatus
    }
  }

  private static let help = """
    Usage: iscsid [OPTION]

    The iSCSI daemon of iscsi-admin, by the name of open-iscsi's.

      -c, --config=FILE         accepted; sessions carry their own settings
      -i, --initiatorname=FILE  read the initiator's name from FILE
      -f, --foreground          stay in the foreground
      -d, --debug=LEVEL         tell more, above 0
      -u, --uid=UID             accepted; the kernel wants root
      -g, --gid=GID             accepted; the kernel wants root
      -n, --no-pid-file         write no pid file
      -p, --pid=FILE            write the pid file FILE (/run/iscsid.pid)
      -h, --help                show this
      -v, --version             show the version

    """
}
