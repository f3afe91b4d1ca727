// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The names of open-iscsi's programs, by which the executable can be called.
enum Personality: String {
  case iscsiadm
  case iscsid
  case iscsistart
  case iscsiIname = "iscsi-iname"
  case iscsiGenInitiatorName = "iscsi-gen-initiatorname"
  case iscsiDiscovery = "iscsi_discovery"
  case iscsiFwLogin = "iscsi_fw_login"

  /// Does what the program of this name does.
  ///
  /// - Parameters:
  ///   - arguments: What follows the name.
  ///   - program: The name that it was called by, with its path if it has one.
  /// - Returns: The exit code.
  func run(_ arguments: [String], program: String) -> ExitStatus {
    switch self {
    case .iscsiadm:
      Iscsiadm.endAtSignals()
      return Iscsiadm(machine: Iscsiadm.Machine(endsSoon: true)).run(arguments, program: program)
    case .iscsid:
      do throws(GetOptMistake) {
        return try Iscsid(arguments).run()
      } catch {
        StandardError.write("\(error.line(of: program))\nTry `iscsid --help' for more information.\n")
        return .failure
      }
    case .iscsiIname: return IscsiIname.run(arguments)
    case .iscsiGenInitiatorName: return IscsiGenInitiatorName(program: program).run(arguments)
    case .iscsiDiscovery:
      var discovery = IscsiDiscovery(program: program)
      return discovery.run(arguments)
    case .iscsiFwLogin: return IscsiFwLogin.run(arguments)
    case .iscsistart: return Iscsistart(program: program).run(arguments)
    }
  }
}
