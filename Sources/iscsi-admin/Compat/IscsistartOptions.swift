// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The command line of `iscsistart`.
struct IscsistartOptions: Hashable, Sendable {
  /// What it may be asked for besides a login to the target that it names.
  enum Action: Hashable, Sendable {
    case help, version, showFirmware, setUpNetwork, logInToFirmware
  }

  /// Why a command line is refused.
  enum Refusal: Error, Hashable {
    /// getopt's own complaint.
    case mistake(GetOptMistake)
    /// `-P` without `=`; its value.
    case parameterWithoutValue(String)
  }

  /// -b, -f, -N, -h and -v.
  var actions: Set<Action> = []
  /// -i; any text.
  var initiator: String?
  /// -t; any text.
  var target: String?
  /// -g: the portal group tag, as C's atoi reads it.
  var tag: Int?
  /// -a; any text.
  var address: String?
  /// -p likewise.
  var port = Int(Portal.defaultPort)
  /// -u.
  var user: String?
  /// -w.
  var password: String?
  /// -U.
  var targetUser: String?
  /// -W.
  var targetPassword: String?
  /// -c.
  var configurationFile: String?
  /// -d, which is taken and has no effect.
  var debugLevel = 0
  /// -P, in their order.
  var parameters: [IscsiadmOptions.Parameter] = []

  private enum Option: Hashable {
    case config, initiatorName, targetName, tag, address, port, user, password, targetUser, targetPassword, debug
    case connect, network, show, parameter, help, version
  }

  private static let options = GetOpt<Option>([
    GetOpt.Rule(option: .config, letter: "c", name: "config", takesValue: true),
    GetOpt.Rule(option: .initiatorName, letter: "i", name: "initiatorname", takesValue: true),
    GetOpt.Rule(option: .targetName, letter: "t", name: "targetname", takesValue: true),
    GetOpt.Rule(option: .tag, letter: "g", name: "tgpt", takesValue: true),
    GetOpt.Rule(option: .address, letter: "a", name: "address", takesValue: true),
    GetOpt.Rule(option: .port, letter: "p", name: "port", takesValue: true),
    GetOpt.Rule(option: .user, letter: "u", name: "username", takesValue: true),
    GetOpt.Rule(option: .password, letter: "w", name: "password", takesValue: true),
    GetOpt.Rule(option: .targetUser, letter: "U", name: "username_in", takesValue: true),
    GetOpt.Rule(option: .targetPassword, letter: "W", name: "password_in", takesValue: true),
    GetOpt.Rule(option: .debug, letter: "d", name: "debug", takesValue: true),
    GetOpt.Rule(option: .connect, letter: "b", name: "fwparam_connect", takesValue: false),
    GetOpt.Rule(option: .network, letter: "N", name: "fwparam_network", takesValue: false),
    GetOpt.Rule(option: .show, letter: "f", name: "fwparam_print", takesValue: false),
    GetOpt.Rule(option: .parameter, letter: "P", name: "param", takesValue: true),
    GetOpt.Rule(option: .help, letter: "h", name: "help", takesValue: false),
    GetOpt.Rule(option: .version, letter: "v", name: "version", takesValue: false),
  ])

  /// No options.
  init() {}

  /// Reads arguments; words that are no options are passed over.
  init(_ arguments: [String]) throws(Refusal) {
    for item in Self.options.items(arguments) {
      switch item {
      case .option(let option, let value): try apply(option, value ?? "")
      case .operand: break
      case .mistake(let mistake): throw .mistake(mistake)
      }
    }
  }

  private mutating func apply(_ option: Option, _ value: String) throws(Refusal) {
    switch option {
    case .config: configurationFile = value
    case .initiatorName: initiator = value
    case .targetName: target = value
    case .tag: tag = leadingInteger(value)
    case .address: address = value
    case .port: port = leadingInteger(value)
    case .user: user = value
    case .password: password = value
    case .targetUser: targetUser = value
    case .targetPassword: targetPassword = value
    case .debug: debugLevel = leadingInteger(value)
    case .connect: actions.insert(.logInToFirmware)
    case .network: actions.insert(.setUpNetwork)
    case .show: actions.insert(.showFirmware)
    case .help: actions.insert(.help)
    case .version: actions.insert(.version)
    case .parameter:
      let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[1].isEmpty else { throw .parameterWithoutValue(value) }
      parameters.append(IscsiadmOptions.Parameter(name: String(parts[0]), value: String(parts[1])))
    }
  }
}
