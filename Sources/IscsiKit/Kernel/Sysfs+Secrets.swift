// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension Sysfs {
  /// The CHAP secrets that a session's program gave to the kernel, for whoever has to log the session in again, or is
  /// asked to show them.
  ///
  /// Only root can read them. What cannot be read, or is no secret, is nil.
  public func secrets(of id: SessionID) -> (outgoing: Secret?, incoming: Secret?) {
    let found = try? reading("iscsi_session") { (sessions) throws(Errno) -> (Secret?, Secret?)? in
      guard let session = try sessions.directory("session\(id)") else { return nil }
      return (
        try session.text("password").flatMap { Secret($0) }, try session.text("password_in").flatMap { Secret($0) }
      )
    }
    return (found??.0, found??.1)
  }
}
