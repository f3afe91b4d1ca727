// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The command line of `iscsiadm`, as far as it can be understood without the mode's own rules.
///
/// Numbers are read as C's atoi reads them, and most words are not checked here: what is wrong with them is for the
/// mode to say, or to pass over in silence, as open-iscsi does.
struct IscsiadmOptions: Hashable, Sendable {
  /// What `-m` names.
  enum Mode: String, Sendable, CaseIterable {
    case discovery, discoverydb, node, session, host, iface, fw
  }

  /// What `-o` names; all that are given hold.
  struct Operations: OptionSet, Hashable, Sendable {
    let rawValue: UInt16

    static let new = Operations(rawValue: 1 << 0)
    static let delete = Operations(rawValue: 1 << 1)
    static let update = Operations(rawValue: 1 << 2)
    static let show = Operations(rawValue: 1 << 3)
    static let nonpersistent = Operations(rawValue: 1 << 4)
    static let apply = Operations(rawValue: 1 << 5)
    static let applyAll = Operations(rawValue: 1 << 6)
    static let login = Operations(rawValue: 1 << 7)
    static let logout = Operations(rawValue: 1 << 8)

    init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The operation of a word; nil if there is none.
    init?(word: String) {
      switch word {
      case "new": self = .new
      case "delete": self = .delete
      case "update": self = .update
      case "show": self = .show
      case "nonpersistent": self = .nonpersistent
      case "apply": self = .apply
      case "applyall": self = .applyAll
      case "login": self = .login
      case "logout": self = .logout
      default: return nil
      }
    }
  }

  /// What `-t` names; another word is no type.
  enum DiscoveryType: Hashable, Sendable {
    case sendTargets, isns, firmware, slp

    init?(word: String) {
      switch word {
      case "sendtargets", "st": self = .sendTargets
      case "isns": self = .isns
      case "fw": self = .firmware
      case "slp": self = .slp
      default: return nil
      }
    }
  }

  /// What `-C` names; another word is none.
  enum Submode: String, Sendable {
    case ping, chap, flashnode, stats
  }

  /// What `-r` names, as it was written: a number, or a path into sysfs.
  enum SessionArgument: Hashable, Sendable {
    case id(SessionID)
    case path(String)
  }

  /// What `-H` names: a number, or a MAC address.
  enum HostArgument: Hashable, Sendable {
    case number(HostNumber)
    case hardwareAddress(String)
  }

  /// A name and its value (`-n`, `-v`).
  struct Parameter: Hashable, Sendable {
    let name: String
    let value: String
  }

  /// -m; nil if none is given.
  var mode: Mode?
  /// -T; any text.
  var target: String?
  /// -p.
  var portal: IscsiadmPortal?
  /// -I, in their order; any text.
  var interfaces: [String] = []
  /// -o.
  var operations: Operations = []
  /// -t; nil for a word that is no type, too.
  var discoveryType: DiscoveryType?
  /// Every -n with its -v, whichever came first; what has no partner is left out.
  var parameters: [Parameter] { zip(names, values).map { Parameter(name: $0, value: $1) } }
  /// -H.
  var host: HostArgument?
  /// -r.
  var session: SessionArgument?
  /// -P; below 0 is as if it were not given.
  var printLevel: Int?
  /// -L: the startup of the nodes to log in to; any text.
  var loginAll: String?
  /// -U: the startup of the nodes to log out of; any text.
  var logoutAll: String?
  /// -k: the priority with which the daemon is to end.
  var killPriority: Int?
  /// -d.
  var debugLevel = 0
  /// -C.
  var submode: Submode?
  /// -a: whom to ping.
  var pingAddress: String?
  /// -b: octets of a ping.
  var pingSize: Int?
  /// -c: how many pings.
  var pingCount: Int?
  /// -i: seconds from one ping to the next.
  var pingInterval: Int?
  /// -x: an entry of a card's CHAP table, or a flash node.
  var index: Int?
  /// -A: `ipv4` or `ipv6`; any text.
  var portalType: String?
  /// -l, -u, -R, -s, -D, -S and -W.
  var flags: Flags = []

  /// Options without a value.
  struct Flags: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    static let login = Flags(rawValue: 1 << 0)
    static let logout = Flags(rawValue: 1 << 1)
    static let rescan = Flags(rawValue: 1 << 2)
    static let statistics = Flags(rawValue: 1 << 3)
    static let discover = Flags(rawValue: 1 << 4)
    static let showSecrets = Flags(rawValue: 1 << 5)
    static let noWait = Flags(rawValue: 1 << 6)
  }

  private(set) var names: [String] = []
  private(set) var values: [String] = []

  /// No options.
  init() {}

  /// Notes a name. One before it that has no value yet is forgotten.
  mutating func addName(_ name: String) {
    if names.count > values.count { names.removeLast() }
    names.append(name)
  }
  /// Notes a value, likewise. Line ends behind it do not count: no reader of a record would see them, and a program that passes on a
  /// file's secret has them.
  mutating func addValue(_ value: String) {
    if values.count > names.count { values.removeLast() }
    var characters = value.unicodeScalars
    while let last = characters.last, last == "\n" || last == "\r" { characters.removeLast() }
    values.append(String(characters))
  }
}

/// A portal as `-p` has it: an address or a host's name, a port and a tag, none of which is checked.
///
/// `10.0.0.1`, `10.0.0.1:3260`, `10.0.0.1:3260,1`, `san:3260`, `[fd00::1]:3260,1`, `[fd00::1]`, `fd00::1`.
struct IscsiadmPortal: Hashable, Sendable {
  /// Address or name, without brackets.
  let host: String
  /// The port; nil if there is none.
  let port: Int?
  /// The portal group tag; nil if there is none.
  let tag: Int?

  /// Reads any text.
  init(_ text: String) {
    let parts = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
    let address = parts[0]
    tag = parts.count == 2 ? leadingInteger(parts[1]) : nil
    if address.hasPrefix("["), let end = address.firstIndex(of: "]") {
      host = String(address[address.index(after: address.startIndex)..<end])
      let rest = address[address.index(after: end)...]
      port = rest.hasPrefix(":") ? leadingInteger(rest.dropFirst()) : nil
    } else if address.count(where: { $0 == ":" }) == 1, let colon = address.firstIndex(of: ":") {
      host = String(address[..<colon])
      port = leadingInteger(address[address.index(after: colon)...])
    } else {
      host = String(address)
      port = nil
    }
  }
}

/// The number at the start of a text as C's atoi reads it: blanks and a sign may come first, what follows is passed
/// over, and no number is 0.
///
/// - Parameter text: Any text.
/// - Returns: The number; the nearest 32-bit number if it does not fit into one.
func leadingInteger(_ text: some StringProtocol) -> Int {
  let octets = text.utf8.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
  let isNegative = octets.first == UInt8(ascii: "-")
  let hasSign = isNegative || octets.first == UInt8(ascii: "+")
  var magnitude = 0
  for octet in octets.dropFirst(hasSign ? 1 : 0) {
    guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet) else { break }
    magnitude = min(magnitude * 10 + Int(octet - UInt8(ascii: "0")), Int(Int32.max))
  }
  return isNegative ? -magnitude : magnitude
}
