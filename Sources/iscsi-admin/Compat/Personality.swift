// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The names of open-iscsi's programs, by which the executable can be called.
enum Personality: String {
  case iscsiadm
  case iscsid
  case iscsistart

  /// Does what the program of this name does. One that is not there yet says so: who calls it must not take silence for
  /// success.
  ///
  /// - Parameter arguments: What follows the name.
  /// - Returns: The exit code.
  func run(_ arguments: [String]) -> ExitStatus {
    guard self == .iscsid else {
      StandardError.write(
        "\(rawValue): not supported by this version of iscsi-admin; use iscsi-admin's own commands\n")
      return .notSupported
    }
    do throws(Iscsid.Refusal) {
      return try Iscsid(arguments).run()
    } catch {
      switch error {
      case .usage(let word): StandardError.write("iscsid: \(word.printable) is no option; try iscsid --help\n")
      }
      return .failure
    }
  }
}
