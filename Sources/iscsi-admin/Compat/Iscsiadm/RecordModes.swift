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
    let what = session == nil ? "mode \(options.mode?.rawValue ?? "")" : "the record of a session"
    throw IscsiadmError(
      .notSupported, "\(what) is not supported by this version of iscsi-admin; use iscsi-admin's own commands")
  }
}
