// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension Sysfs {
  /// The StatSN that a session's connection expects next; nil if there is none.
  func expStatSN(of id: SessionID) -> UInt32? {
    let found = try? reading("iscsi_session") { (sessions) throws(Errno) -> UInt32? in
      let name = "connection\(id):\(ConnectionID.leading)"
      guard let connection = try sessions.directory("session\(id)/device/\(name)/iscsi_connection/\(name)") else {
        return nil
      }
      return try connection.number("exp_statsn")
    }
    return found ?? nil
  }

  /// A session's `recovery_tmo` in seconds, -1 for none; nil if there is no such session or the kernel does not tell.
  func replacementTimeout(of id: SessionID) throws(SysfsError) -> Int32? {
    try reading("iscsi_session") { (sessions) throws(Errno) -> Int32? in
      guard let session = try sessions.directory("session\(id)") else { return nil }
      return SysfsSessionReader.seconds(try session.text("recovery_tmo"))
    } ?? nil
  }
}
