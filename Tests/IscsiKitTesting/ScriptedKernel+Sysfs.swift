// SPDX-License-Identifier: Apache-2.0
public import IscsiKit

extension ScriptedKernel {
  /// What sysfs would show of a session now, without devices: by its state and by the parameters that were set.
  ///
  ///     if let snapshot = kernel.snapshot(of: session) { try tree.add(snapshot) }
  ///
  /// - Parameter id: The session.
  /// - Returns: Its snapshot, to be put into a `SysfsTree`; nil if there is no such session.
  public func snapshot(of id: SessionID) -> SessionSnapshot? {
    guard let session = sessions[id] else { return nil }
    let parameters = session.parameters
    var snapshot = SessionSnapshot(id: id)
    snapshot.transport = "tcp"
    snapshot.host = .example(session.host)
    snapshot.state = session.connection == .up ? .loggedIn : session.connection == .failed ? .failed : .free
    let wasUp = session.connection == .up || session.connection == .failed
    snapshot.targetState = session.isUnbound ? .unbound : wasUp ? .scanned : .allocated
    snapshot.targetNumber = session.isUnbound ? nil : 0
    snapshot.targetName = parameters[15]
    snapshot.tag = parameters[16].flatMap { PortalGroupTag($0) }
    snapshot.userName = parameters[22]
    snapshot.userNameIn = parameters[23]
    snapshot.replacementTimeout = parameters[19].flatMap { Int32($0) }
    snapshot.fastAbort = parameters[26].map { $0 == "1" }
    snapshot.abortTimeout = parameters[27].flatMap { Int32($0) }
    snapshot.luResetTimeout = parameters[28].flatMap { Int32($0) }
    snapshot.targetResetTimeout = parameters[35].flatMap { Int32($0) }
    snapshot.interfaceName = parameters[32]
    snapshot.initiatorName = parameters[34]
    snapshot.connection = session.connection.map { state in
      var connection = ConnectionSnapshot(id: .leading)
      connection.state = state
      connection.address = session.peerPort.map { _ in "127.0.0.1" }
      connection.port = session.peerPort
      connection.persistentAddress = parameters[17]
      connection.persistentPort = parameters[18].flatMap { UInt16($0) }
      connection.noopTimeout = parameters[30].flatMap { UInt32($0) }
      connection.noopInterval = parameters[31].flatMap { UInt32($0) }
      return connection
    }
    return snapshot
  }
}
