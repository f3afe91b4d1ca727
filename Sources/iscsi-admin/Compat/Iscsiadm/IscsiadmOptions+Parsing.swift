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
        if !mode.letters.contains(option.letter) {
          throw .refused(Refusal(lines: [mode.refusal(of: option.letter)]))
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
    case .host:
      host =
        value.contains(":")
        ? .hardwareAddress(value)
        : .number(HostNumber(rawValue: UInt32(clamping: leadingInteger(value))))
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
  var letters: Set<Character> {
    switch self {
    case .discovery, .discoverydb: Set("DSIPdmntplov")
    case .node: Set("RsPIdmlSonvupTULW")
    case .session: Set("PiRdrmusonSv")
    case .host: Set("CHdmPotnvxA")
    case .iface: Set("HIdnvmPoCabci")
    case .fw: Set("dmlWnv")
    }
  }

  fileprivate func refusal(of letter: Character) -> String {
    // Both modes of discovery have one name here.
    let name = self == .discoverydb ? "discovery" : rawValue
    return "iscsiadm: \(name) mode: option '-\(letter)' is not allowed/supported"
  }
}

extension IscsiadmOptions {
  /// The options by what they are.
  enum Option: Hashable {
    case mode, portal, target, interface, operation, type, name, value, host, session, rescan, print, discover, login
    case loginAll, logout, logoutAll, statistics, kill, debug, showSecrets, version, help, submode, pingAddress
    case pingSize, pingCount, pingInterval, index, portalType, noWait

    fileprivate var letter: Character { Self.letters[self] ?? "?" }

    private static let letters = Dictionary(uniqueKeysWithValues: rules.map { ($0.option, $0.letter) })
  }

  private static let grammar = GetOpt(rules)

  private static let rules: [GetOpt<Option>.Rule] = [
    rule(.portal, "p", "portal"), rule(.target, "T", "targetname"), rule(.interface, "I", "interface"),
    rule(.operation, "o", "op"), rule(.type, "t", "type"), rule(.name, "n", "name"), rule(.value, "v", "value"),
    rule(.host, "H", "host"), rule(.session, "r", "sid"), flag(.rescan, "R", "rescan"), rule(.print, "P", "print"),
    flag(.discover, "D", "discover"), flag(.login, "l", "login"), rule(.loginAll, "L", "loginall"),
    flag(.logout, "u", "logout"), rule(.logoutAll, "U", "logoutall"), flag(.statistics, "s", "stats"),
    rule(.kill, "k", "killiscsid"), rule(.debug, "d", "debug"), rule(.mode, "m", "mode"),
    flag(.showSecrets, "S", "show"), flag(.version, "V", "version"), flag(.help, "h", "help"),
    rule(.submode, "C", "submode"), rule(.pingAddress, "a", "ip"), rule(.pingSize, "b", "packetsize"),
    rule(.pingCount, "c", "count"), rule(.pingInterval, "i", "interval"), rule(.index, "x", "index"),
    rule(.portalType, "A", "portal_type"), flag(.noWait, "W", "no_wait"),
  ]

  private static func rule(_ option: Option, _ letter: Character, _ name: String) -> GetOpt<Option>.Rule {
    GetOpt.Rule(option: option, letter: letter, name: name, takesValue: true)
  }

  private static func flag(_ option: Option, _ letter: Character, _ name: String) -> GetOpt<Option>.Rule {
    GetOpt.Rule(option: option, letter: letter, name: name, takesValue: false)
  }
}
