// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension Iscsiadm {
  /// Does what needs open-iscsi's database of records: the modes `node`, `discovery`, `discoverydb` and `iface`, and in
  /// mode `session` all that is about the record of one session.
  ///
  /// - Parameters:
  ///   - options: What the user asks for.
  ///   - session: The session of whose record it is about, which has a target's name and a tag; nil in other modes.
  /// - Returns: The exit code.
  /// - Throws: What failed.
  func runOnRecords(
    _ options: IscsiadmOptions, of session: SessionSnapshot?
  ) throws(IscsiadmError) -> ExitStatus {
    let machine = try RecordMachine(machine)
    switch options.mode {
    case .discovery, .discoverydb:
      return try DiscoveryMode(
        machine: machine, console: console, options: options, isOnRecord: options.mode == .discoverydb
      ).run()
    case .iface: return try InterfaceMode(machine: machine, console: console, options: options).run()
    default: return try NodeMode(machine: machine, console: console, options: options, session: session).run()
    }
  }
}
