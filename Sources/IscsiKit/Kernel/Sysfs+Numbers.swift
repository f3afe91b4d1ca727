// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// A connection whose target the kernel asks for signs of life.
struct WatchedConnection: Hashable, Sendable {
  /// The connection.
  var connection: SocketQuery.Connection
  /// After how much silence the kernel asks for a sign of life.
  var noopInterval: Duration
  /// How long it waits for that, and then gives the connection up.
  var noopTimeout: Duration
}

extension Sysfs {
  /// The StatSN that a session's connection expects next; nil if there is none.
  func expStatSN(of id: SessionID) -> UInt32? {
    readingConnection(of: id) { (connection) throws(Errno) in try connection.number("exp_statsn") }
  }

  /// A session's connection, if the kernel asks its target for signs of life.
  func watchedConnection(of id: SessionID) -> WatchedConnection? {
    readingConnection(of: id) { (connection) throws(Errno) in
      guard let interval: UInt32 = try connection.number("recv_tmo"), interval > 0,
        let timeout: UInt32 = try connection.number("ping_tmo"), timeout > 0, let ends = try ends(of: connection)
      else { return nil }
      return WatchedConnection(
        connection: ends, noopInterval: .seconds(Int64(interval)),
        noopTimeout: .seconds(Int64(timeout)))
    }
  }

  /// Both ends of a session's connection; nil if there is none, or the kernel does not tell.
  func connectionEnds(of id: SessionID) -> SocketQuery.Connection? {
    readingConnection(of: id) { (connection) throws(Errno) in try ends(of: connection) }
  }

  private func ends(of connection: borrowing SysfsDirectory) throws(Errno) -> SocketQuery.Connection? {
    guard let remote = try connection.text("address").flatMap({ IPAddress($0) }),
      let remotePort: UInt16 = try connection.number("port"),
      let localPort: UInt16 = try connection.number("local_port"), let local = try hostAddress(of: connection)
    else { return nil }
    return SocketQuery.Connection(
      local: SocketQuery.End(address: local, port: localPort),
      remote: SocketQuery.End(address: remote, port: remotePort))
  }

  /// Our own address, which the host of the session shows.
  private func hostAddress(of connection: borrowing SysfsDirectory) throws(Errno) -> IPAddress? {
    // From the connection's class device to its device, the session's and the host's.
    guard let hosts = try connection.directory("device/../../iscsi_host"), let name = try hosts.names().first else {
      return nil
    }
    return try hosts.text("\(name)/ipaddress").flatMap { IPAddress($0) }
  }

  private func readingConnection<Value>(
    of id: SessionID, _ read: (borrowing SysfsDirectory) throws(Errno) -> Value?
  ) -> Value? {
    let found = try? reading("iscsi_session") { (sessions) throws(Errno) -> Value? in
      let name = "connection\(id):\(ConnectionID.leading)"
      guard let connection = try sessions.directory("session\(id)/device/\(name)/iscsi_connection/\(name)") else {
        return nil
      }
      return try read(connection)
    }
    return found ?? nil
  }

  /// Whether a session's connection is up, as `SessionSnapshot.isConnectionUp` tells it, by one or two small files alone; nil if
  /// there is no such session.
  func isConnectionUp(of id: SessionID) throws(SysfsError) -> Bool? {
    try reading("iscsi_session") { (sessions) throws(Errno) -> Bool? in
      guard let session = try sessions.directory("session\(id)") else { return nil }
      let name = "connection\(id):\(ConnectionID.leading)"
      guard let connection = try session.directory("device/\(name)/iscsi_connection/\(name)") else { return false }
      if let state = try connection.contents("state").flatMap(KernelConnectionState.init) { return state == .up }
      return try session.contents("state").flatMap(KernelSessionState.init) == .loggedIn
    } ?? nil
  }

  /// A session's `recovery_tmo` in seconds, -1 for none; nil if there is no such session or the kernel does not tell.
  func replacementTimeout(of id: SessionID) throws(SysfsError) -> Int32? {
    try reading("iscsi_session") { (sessions) throws(Errno) -> Int32? in
      guard let session = try sessions.directory("session\(id)") else { return nil }
      return SysfsSessionReader.seconds(try session.text("recovery_tmo"))
    } ?? nil
  }
}
