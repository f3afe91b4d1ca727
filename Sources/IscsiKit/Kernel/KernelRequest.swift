// SPDX-License-Identifier: Apache-2.0

/// How a connection is stopped (kernel: `STOP_CONN_TERM`, `STOP_CONN_RECOVER`).
///
/// The kernel answers every other number with success and does nothing, so there is no other case here.
enum StopMode: UInt32, Hashable, Sendable {
  /// For good: all commands fail. Only the removal of the connection may follow.
  case terminate = 1
  /// For recovery: commands wait for the next login or for the recovery timeout.
  case recover = 3
}

/// What user space asks of the kernel's initiator, for the transport `tcp`.
///
/// Only the link and the session types use requests: the kernel does not check their order, and some orders hang it.
enum KernelRequest: Hashable, Sendable {
  /// Makes a SCSI host and a session.
  case createSession(initialCommandSN: UInt32, maxCommands: UInt16, queueDepth: UInt16)
  /// Removes a session that has no connection any more, and waits for it.
  case destroySession(SessionID)
  /// The same in the background: `SESSION_DESTROYED` tells the end.
  case destroySessionAsync(SessionID)
  /// Makes the connection of a session.
  case createConnection(SessionID, ConnectionID)
  /// Removes a connection.
  case destroyConnection(SessionID, ConnectionID)
  /// Gives the kernel a reference to a connected TCP socket of this process.
  case bindConnection(SessionID, ConnectionID, socket: Int32)
  /// Sets a parameter.
  case setParameter(SessionID, ConnectionID, KernelParameter)
  /// Sets a parameter of a host.
  case setHostParameter(HostNumber, HostParameter)
  /// Enters the full feature phase.
  case startConnection(SessionID, ConnectionID)
  /// Stops a connection.
  case stopConnection(SessionID, ConnectionID, StopMode)
  /// Sends a PDU: 48 octets of header, then data without padding.
  case sendPDU(SessionID, ConnectionID, header: [UInt8], data: [UInt8])
  /// Asks for the counters of a connection. The asker must have joined group 1, or the kernel waits for ever.
  case getStatistics(SessionID, ConnectionID)
  /// Removes the SCSI devices of a session in the background: `SESSION_UNBOUND` tells the end.
  case unbindSession(SessionID)
  /// Asks for nothing, but is checked like any request: `ENOSYS` says that permission, handle and kernel are there.
  case probe

  /// The number of the request.
  var type: KernelMessageType {
    switch self {
    case .createSession: .createSession
    case .destroySession: .destroySession
    case .destroySessionAsync: .destroySessionAsync
    case .createConnection: .createConnection
    case .destroyConnection: .destroyConnection
    case .bindConnection: .bindConnection
    case .setParameter: .setParameter
    case .setHostParameter: .setHostParameter
    case .startConnection: .startConnection
    case .stopConnection: .stopConnection
    case .sendPDU: .sendPDU
    case .getStatistics: .getStatistics
    case .unbindSession: .unbindSession
    case .probe: .getParameter
    }
  }

  /// The session that the request is about.
  var session: SessionID? {
    switch self {
    case .destroySession(let id), .destroySessionAsync(let id), .createConnection(let id, _),
      .destroyConnection(let id, _), .bindConnection(let id, _, _), .setParameter(let id, _, _),
      .startConnection(let id, _), .stopConnection(let id, _, _), .sendPDU(let id, _, _, _),
      .getStatistics(let id, _), .unbindSession(let id):
      id
    case .createSession, .setHostParameter, .probe: nil
    }
  }

  /// Appends the message, padded to four octets, and returns what the kernel will echo of it.
  ///
  /// A message whose `nlmsg_len` is wrong is dropped by the kernel without an answer: the length is patched in last,
  /// from what was really written. The padding is not counted.
  func encode(into datagram: inout [UInt8], handle: TransportHandle) -> KernelRequestEcho {
    let start = datagram.count
    let text = self.text
    datagram.appendHostInteger(UInt32(0))
    datagram.appendHostInteger(UInt16(truncatingIfNeeded: type.rawValue))
    // Flags, sequence number and port: the kernel ignores all three.
    datagram.append(contentsOf: repeatElement(0, count: 10))
    datagram.appendHostInteger(type.rawValue)
    datagram.appendHostInteger(UInt32(0))
    datagram.appendHostInteger(handle.rawValue)
    appendArguments(to: &datagram, textLength: UInt32(truncatingIfNeeded: text.count))
    // The rest of the request's union, and the union of the reply: zeros.
    datagram.append(
      contentsOf: repeatElement(0, count: start + KernelMessage.Offset.payload - datagram.count))
    datagram.append(contentsOf: text)
    if case .sendPDU(_, _, let header, let data) = self {
      datagram.append(contentsOf: header)
      datagram.append(contentsOf: data)
    }
    let length = UInt32(truncatingIfNeeded: datagram.count - start)
    let prefix = length.hostOctets
    for offset in prefix.indices { datagram[start + offset] = prefix[offset] }
    while datagram.count % 4 != 0 { datagram.append(0) }
    let union = start + KernelMessage.Offset.request
    return KernelRequestEcho(
      datagram.hostInteger(at: union, as: UInt64.self), datagram.hostInteger(at: union + 8, as: UInt64.self),
      datagram.hostInteger(at: union + 16, as: UInt64.self))
  }

  /// Appends the request's member of the kernel's union.
  private func appendArguments(to datagram: inout [UInt8], textLength: UInt32) {
    switch self {
    case .createSession(let initialCommandSN, let maxCommands, let queueDepth):
      datagram.appendHostInteger(initialCommandSN)
      datagram.appendHostInteger(maxCommands)
      datagram.appendHostInteger(queueDepth)
    case .destroySession(let session), .destroySessionAsync(let session), .unbindSession(let session):
      datagram.appendHostInteger(session.rawValue)
    case .createConnection(let session, let connection), .destroyConnection(let session, let connection),
      .startConnection(let session, let connection), .getStatistics(let session, let connection):
      datagram.appendHostInteger(session.rawValue)
      datagram.appendHostInteger(connection.rawValue)
    case .bindConnection(let session, let connection, let socket):
      datagram.appendHostInteger(session.rawValue)
      datagram.appendHostInteger(connection.rawValue)
      datagram.appendHostInteger(UInt64(UInt32(bitPattern: socket)))
      // The leading connection: the only one of a session of this transport.
      datagram.appendHostInteger(UInt32(1))
    case .setParameter(let session, let connection, let parameter):
      datagram.appendHostInteger(session.rawValue)
      datagram.appendHostInteger(connection.rawValue)
      datagram.appendHostInteger(parameter.number)
      datagram.appendHostInteger(textLength)
    case .setHostParameter(let host, let parameter):
      datagram.appendHostInteger(host.rawValue)
      datagram.appendHostInteger(parameter.number)
      datagram.appendHostInteger(textLength)
    case .stopConnection(let session, let connection, let mode):
      datagram.appendHostInteger(session.rawValue)
      datagram.appendHostInteger(connection.rawValue)
      datagram.appendHostInteger(UInt64(0))
      datagram.appendHostInteger(mode.rawValue)
    case .sendPDU(let session, let connection, let header, let data):
      datagram.appendHostInteger(session.rawValue)
      datagram.appendHostInteger(connection.rawValue)
      datagram.appendHostInteger(UInt32(truncatingIfNeeded: header.count))
      datagram.appendHostInteger(UInt32(truncatingIfNeeded: data.count))
    case .probe: break
    }
  }

  /// The text of a parameter; empty for other requests.
  private var text: [UInt8] {
    switch self {
    case .setParameter(_, _, let parameter): parameter.octets
    case .setHostParameter(_, let parameter): parameter.octets
    default: []
    }
  }
}

extension UInt32 {
  /// The four octets in host byte order.
  var hostOctets: [4 of UInt8] {
    let value = littleEndian
    return [
      UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value >> 16),
      UInt8(truncatingIfNeeded: value >> 24),
    ]
  }
}
