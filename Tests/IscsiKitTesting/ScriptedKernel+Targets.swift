// SPDX-License-Identifier: Apache-2.0
import Glibc
public import IscsiKit
import Synchronization

/// A target at the level of PDUs, as it stands behind a `ScriptedKernel`. A value stands for one connection.
public protocol PDUNode: Sendable {
  /// Takes a PDU of the initiator and gives the answers, in order.
  mutating func respond(to pdu: PDU) -> [PDU]
  /// Whether it closes the connection behind what it sent last.
  var isClosed: Bool { get }
}

extension InMemoryTarget: PDUNode {}

extension HostileTarget: PDUNode {
  /// Whether the honest part of it closes the connection.
  public var isClosed: Bool { base.isClosed }
}

/// A node that takes everything and never answers; with `LoopbackTarget` it is the far end of a socket that a
/// `ScriptedKernel` has, whose PDUs go another way.
public struct SilentNode: PDUNode, StreamNode {
  /// It never closes the connection.
  public let isClosed = false

  /// A silent node.
  public init() {}

  /// Nothing.
  public func respond(to pdu: PDU) -> [PDU] { [] }
  /// Nothing.
  public func reply(to pdu: PDU) -> StreamReply { StreamReply(octets: []) }
}

extension ScriptedKernel {
  /// Puts targets behind the kernel, one for each connection: they get what SEND_PDU sends and their answers come as RECV_PDU, and a target that
  /// closes its connection fails that of the kernel.
  ///
  ///     kernel.serve { session in InMemoryTarget(name: name, portals: [portal]) }
  ///
  /// - Parameter makeNode: Makes the node of a connection, when its first PDU comes; runs on the link's thread.
  public func serve(_ makeNode: @escaping @Sendable (Session) -> any PDUNode) {
    let nodes = NodeTable()
    answerPDUs { [weak self] id, message in
      guard let self, let session = sessions[id], let pdu = try? PDU(header: message.header, data: message.data) else {
        return []
      }
      let (answers, isClosed) = nodes.respond(to: pdu, in: id, session.bindCount) { makeNode(session) }
      for answer in answers {
        let encoded = answer.encoded()
        deliver(ScriptedPDU(header: encoded.header, data: encoded.data), to: id)
      }
      if isClosed { failConnection(of: id) }
      return []
    }
  }
}

/// The nodes of the sessions' present connections.
private final class NodeTable: Sendable {
  private let nodes = Mutex<[SessionID: (connection: Int, node: any PDUNode)]>([:])

  func respond(
    to pdu: PDU, in session: SessionID, _ connection: Int, orMake makeNode: () -> any PDUNode
  ) -> ([PDU], isClosed: Bool) {
    nodes.withLock { nodes in
      let known = nodes[session].flatMap { $0.connection == connection ? $0.node : nil }
      var node = known ?? makeNode()
      defer { nodes[session] = (connection, node) }
      return (node.respond(to: pdu), node.isClosed)
    }
  }
}

/// The reference to a socket that the kernel takes with BIND_CONN: the connection lives as long as one of them.
final class SocketReference: Sendable {
  private let descriptor: Int32

  /// Takes a reference; nil if there is no such descriptor.
  init?(_ number: Int32) {
    descriptor = fcntl(number, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
  }

  deinit { _ = close(descriptor) }

  /// The TCP port that the socket is connected to; nil if it is none over IPv4, or not connected.
  var peerPort: UInt16? { TestListener.peerPort(of: descriptor) }
}
