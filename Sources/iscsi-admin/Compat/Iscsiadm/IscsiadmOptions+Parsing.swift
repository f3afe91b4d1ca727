// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension IscsiadmOptions {
  /// Why a command line is not acted upon, or all that it asks for.
  enum Stop: Error, Hashable {
    /// `-h`.
    case help
    /// `-V`.
    case version
    /// Something is wrong with it.
    case refused(Refusal)
  }

  /// What is wrong with a command line: lines for standard error, each complete, and the exit code.
  struct Refusal: Error, Hashable {
    let lines: [String]
    var status = ExitStatus.invalidArgument
  }

  /// Reads the arguments after the program's name, in their order, up to the first that ends it.
  ///
  /// - Parameters:
  ///   - arguments: What follows the name.
  ///   - program: The name that the program was called by, for getopt's own lines.
  /// - Throws: What ends it.
  init(_ arguments: [String], program: String) throws(Stop) {
    self.init()
    let items = Self.grammar.items(arguments)
    for item in items {
      switch item {
      case .operand: break
      case .mistake(let mistake): throw .refused(Self.refusal(of: mistake, program))
      case .option(.mode, let word):
        mode = try Self.mode(word ?? "", items, program)
      case .option(let option, let value?): try apply(option, value)
      case .option(let option, nil): try apply(option)
      }
    }
  }

  /// Reads a mode's word and checks the whole command line for what this mode does not know: at once, so that this is
  /// told before what is wrong with a later option.
  private static func mode(
    _ word: String, _ items: [GetOpt<Option>.Item], _ program: String
  ) throws(Stop) -> Mode {
    guard let mode = Mode(rawValue: word) else {
      throw .refused(Refusal(lines: ["iscsiadm: mode -1 is not yet supported"]))
    }
    for item in items {
      switch item {
      case .operand: break
      case .mistake(let mistake):
        throw .refused(Refusal(lines: [mistake.line(of: program), mode.refusal(of: "?")]))
      case .option(let option, _):
        if !mode.letters.contains(option.rawValue) {
          throw .refused(Refusal(lines: [mode.refusal(of: option.rawValue)]))
        }
      }
    }
    return mode
  }

  private static func refusal(of mistake: GetOptMistake, _ program: String) -> Refusal {
    let line = mistake.letter.map { "iscsiadm: unrecognized character '\($0)'".printable } ?? tryHelp
    return Refusal(lines: [mistake.line(of: program), line])
  }

  /// What follows a command line that is not understood at all.
  static let tryHelp = "Try `iscsiadm --help' for more information."

  private mutating func apply(_ option: Option, _ value: String) throws(Stop) {
    switch option {
    case .operation:
      guard let operation = Operations(word: value) else {
        throw .refused(Refusal(lines: ["iscsiadm: can not recognize operation: '\(value.printable)'"]))
      }
      operations.formUnion(operation)
    case .session: session = Self.session(value)
    case .host where value.contains(":"): host = .hardwareAddress(value)
    case .host:
      guard let number = Self.leadingNumber(value).flatMap(UInt32.init(exactly:)) else {
        throw .refused(Self.tooLarge("host no", value))
      }
      host = .number(HostNumber(rawValue: number))
    case .index where Self.leadingNumber(value) == nil: throw .refused(Self.tooLarge("index", value))
    case .target: target = value
    case .portal: portal = IscsiadmPortal(value)
    case .interface: interfaces.append(value)
    case .type: discoveryType = DiscoveryType(word: value)
    case .name: addName(value)
    case .value: addValue(value)
    case .loginAll: loginAll = value
    case .logoutAll: logoutAll = value
    case .submode: submode = Submode(rawValue: value)
    case .pingAddress: pingAddress = value
    case .portalType: portalType = value
    case .kill:
      let priority = leadingInteger(value)
      guard priority >= 0 else {
        let line = "Invalid killiscsid priority \(priority) Priority must be greater than or equal to zero."
        throw .refused(Refusal(lines: ["iscsiadm: \(line)"]))
      }
      killPriority = priority
    default: apply(option, number: leadingInteger(value))
    }
  }

  private static func tooLarge(_ name: String, _ value: String) -> Refusal {
    Refusal(lines: ["iscsiadm: Invalid \(name) \(value.printable). Numerical result out of range."])
  }

  /// The number at the start of a text as C's strtoull reads it, which takes one below 0 from 2^64; nil if it is too large.
  private static func leadingNumber(_ text: String) -> UInt64? {
    let octets = text.utf8.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
    let isNegative = octets.first == UInt8(ascii: "-")
    let digits = octets.dropFirst(isNegative || octets.first == UInt8(ascii: "+") ? 1 : 0).prefix {
      (0x30...0x39).contains($0)
    }
    guard !digits.isEmpty else { return 0 }
    return UInt64(Substring(digits)).map { isNegative ? 0 &- $0 : $0 }
  }

  private mutating func apply(_ option: Option, number: Int) {
    switch option {
    case .print: printLevel = number
    case .debug: debugLevel = number
    case .pingSize: pingSize = number
    case .pingCount: pingCount = number
    case .pingInterval: pingInterval = number
    case .index: index = number
    default: break
    }
  }

  private mutating func apply(_ option: Option) throws(Stop) {
    switch option {
    case .help: throw .help
    case .version: throw .version
    case .login: flags.insert(.login)
    case .logout: flags.insert(.logout)
    case .rescan: flags.insert(.rescan)
    case .statistics: flags.insert(.statistics)
    case .discover: flags.insert(.discover)
    case .showSecrets: flags.insert(.showSecrets)
    case .noWait: flags.insert(.noWait)
    default: break
    }
  }

  /// A number above 0 with or without `+` is a session's, all else a path.
  private static func session(_ text: String) -> SessionArgument {
    let digits = text.hasPrefix("+") ? text.dropFirst() : text[...]
    guard digits.isDecimal, let number = UInt32(digits), number > 0, number <= Int32.max else { return .path(text) }
    return .id(SessionID(rawValue: number))
  }
}

extension IscsiadmOptions.Mode {
  /// The short names of the options that the mode takes.
  var letters: String {
    switch self {
    case .discovery, .discoverydb: "DSIPdmntplov"
    case .node: "RsPIdmlSonvupTULW"
    case .session: "PiRdrmusonSv"
    case .host: "CHdmPotnvxA"
    case .iface: "HIdnvmPoCabci"
    case .fw: "dmlWnv"
    }
  }

  fileprivate func refusal(of letter: Character) -> String {
    // Both modes of discovery have one name here.
    let name = self == .discoverydb ? "discovery" : rawValue
    return "iscsiadm: \(name) mode: option '-\(letter)' is not allowed/supported"
  }
}

extension IscsiadmOptions {
  /// The options, by their short names.
  enum Option: Character {
    case mode = "m", portal = "p", target = "T", interface = "I", operation = "o", type = "t"
    case name = "n", value = "v", host = "H", session = "r", rescan = "R", print = "P"
    case discover = "D", login = "l", loginAll = "L", logout = "u", logoutAll = "U"
    case statistics = "s", kill = "k", debug = "d", showSecrets = "S", version = "V", help = "h"
    case submode = "C", pingAddress = "a", pingSize = "b", pingCount = "c", pingInterval = "i"
    case index = "x", portalType = "A", noWait = "W"
  }

  private static let grammar = GetOpt(rules)

  private static let rules: [GetOpt<Option>.Rule] = [
    rule(.portal, "portal"), rule(.target, "targetname"), rule(.interface, "interface"),
    rule(.operation, "op"), rule(.type, "type"), rule(.name, "name"), rule(.value, "value"),
    rule(.host, "host"), rule(.session, "sid"), flag(.rescan, "rescan"), rule(.print, "print"),
    flag(.discover, "discover"), flag(.login, "login"), rule(.loginAll, "loginall"),
    flag(.logout, "logout"), rule(.logoutAll, "logoutall"), flag(.statistics, "stats"),
    rule(.kill, "killiscsid"), rule(.debug, "debug"), rule(.mode, "mode"),
    flag(.showSecrets, "show"), flag(.version, "version"), flag(.help, "help"),
    rule(.submode, "submode"), rule(.pingAddress, "ip"), rule(.pingSize, "packetsize"),
    rule(.pingCount, "count"), rule(.pingInterval, "interval"), rule(.index, "index"),
    rule(.portalType, "portal_type"), flag(.noWait, "no_wait"),
  ]

  private static func rule(_ option: Option, _ name: String) -> GetOpt<Option>.Rule {
    GetOpt.Rule(option: option, letter: option.rawValue, name: name, takesValue: true)
  }

  private static func flag(_ option: Option, _ name: String) -> GetOpt<Option>.Rule {
    GetOpt.Rule(option: option, letter: option.rawValue, name: name, takesValue: false)
  }
}
