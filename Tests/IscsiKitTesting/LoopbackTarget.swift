// SPDX-License-Identifier: Apache-2.0
import Glibc
public import IscsiKit
import Synchronization
public import SystemPackage

/// Serves a `StreamNode` on a TCP port of 127.0.0.1, so that drivers with real sockets can be tested.
///
/// A thread of its own waits with `poll`; it stops when the value is closed or goes away. Each connection gets a node of
/// its own, and at most `maxConnections` are served at a time unless told otherwise: more wait in the listener's queue.
public final class LoopbackTarget: Sendable {
  /// The most connections that are served at a time.
  public static let maxConnections = 16

  /// Where it listens.
  public let portal: Portal

  private let server: LoopbackServer
  private let thread: Mutex<pthread_t?>

  /// Starts to listen.
  ///
  /// - Parameters:
  ///   - connections: The most connections to serve at a time.
  ///   - pieceLength: Sends at most this many octets at a time, so that PDUs arrive in pieces; nil sends all at once.
  ///   - makeNode: Makes the node of a new connection; it is told where the target listens.
  /// - Throws: The error of the system call that failed.
  public convenience init(
    connections: Int = LoopbackTarget.maxConnections, pieceLength: Int? = nil,
    serving makeNode: @escaping @Sendable (Portal) -> any StreamNode
  ) throws(Errno) {
    try self.init(connections: connections, pieceLength: pieceLength) { portal in
      LoopbackServer.Peer.pdus(makeNode(portal), PDUAssembler(maxDataLength: 1 << 20))
    }
  }

  /// Starts to listen for another protocol.
  ///
  /// - Parameters:
  ///   - pieceLength: Sends at most this many octets at a time; nil sends all at once.
  ///   - makeNode: Makes the node of a new connection.
  /// - Throws: The error of the system call that failed.
  public convenience init(
    pieceLength: Int? = nil, servingOctets makeNode: @escaping @Sendable () -> any OctetNode
  ) throws(Errno) {
    try self.init(connections: Self.maxConnections, pieceLength: pieceLength) { _ in
      LoopbackServer.Peer.octets(makeNode())
    }
  }

  private init(
    connections: Int, pieceLength: Int?, makePeer: @escaping @Sendable (Portal) -> LoopbackServer.Peer
  ) throws(Errno) {
    let (listener, port) = try LoopbackSocket.listen(backlog: max(connections, 16))
    let portal = Portal(host: .address(.v4(0x7F00_0001), scope: nil), port: port)
    server = try LoopbackServer(listener: listener, port: port, connections: connections, pieceLength: pieceLength) {
      makePeer(portal)
    }
    self.portal = portal
    thread = Mutex(try server.start())
  }

  deinit { close() }

  /// How many connections were taken since the start.
  public var connectionCount: Int { server.log.withLock { $0.connections } }

  /// All PDUs that came, in order, of all connections.
  public var received: [PDU] { server.log.withLock { $0.received } }

  /// How many connections are open now.
  public var openConnectionCount: Int { server.log.withLock { $0.open } }

  /// Closes all sockets and waits for the thread to end. Nothing happens the second time.
  public func close() {
    // The handle is taken out under the lock, so that the thread is joined once.
    let handle = thread.withLock { handle in
      defer { handle = nil }
      return handle
    }
    guard let handle else { return }
    server.stop()
    // No result is asked for; the handle is that of a joinable thread that nobody joined before.
    _ = pthread_join(handle, nil)
    server.closeDescriptors()
  }
}
