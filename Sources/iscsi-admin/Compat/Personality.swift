// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// The names of open-iscsi's programs, by which the executable can be called.
enum Personality: String {
  case iscsiadm
  case iscsid
  case iscsistart

  /// Says that the personality is not there yet: who calls it must not take silence for success.
  func run() -> ExitStatus {
    StandardError.write("\(rawValue): not supported by this version of iscsi-admin; use iscsi-admin's own commands\n")
    return .notSupported
  }
}
