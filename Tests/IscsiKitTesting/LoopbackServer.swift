// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import Synchronization
import SystemPackage

/// What runs in the thread of a `LoopbackTarget`. It does not know its owner, so that the owner can go away.
final class LoopbackServer: Sendable {
  /// What tests ask about.
  struct Log {
    var connections = 0
    var open = 0
    var received: [PDU] = []
  }

  /// Who answers on a connection.
  enum Peer: Sendable {
    /// One that takes PDUs of iSCSI.
    case pdus(any StreamNode, PDUAssembler)
    /// One that takes octets.
    case octets(any OctetNode)
  }

  /// One connection.
  private struct Connection {
    let descriptor: CInt
    var peer: Peer
    var outgoing: [UInt8] = []
    /// Whether the connection is closed once `outgoing` is sent.
    var closes = false
    var isDead = false
  }

  let log = Mutex(Log())
  private let listener: CInt
  /// Has the listener's port too, and keeps it when that is closed: whoever connects then must be refused, and not come to
  /// somebody else who was given the port.
  private let reservation: CInt
  private let maxConnections: Int
  /// The thread ends when an octet comes out of this pipe. That its write end is closed is not enough: a child process
  /// may have a copy of it.
  private let wake: (readEnd: FileDescriptor, writeEnd: FileDescriptor)
  private let pieceLength: Int?
  private let makePeer: @Sendable () -> Peer

  /// A server that owns `listener`, which listens at `port`, even if this throws.
  init(
    listener: CInt, port: UInt16, connections: Int, pieceLength: Int?,
    makePeer: @escaping @Sendable () -> Peer
  ) throws(Errno) {
    self.listener = listener
    maxConnections = connections
    self.pieceLength = pieceLength
    self.makePeer = makePeer
    do {
      reservation = try LoopbackSocket.take(port: port).descriptor
    } catch {
      _ = close(listener)
      throw error
    }
    do {
      wake = try FileDescriptor.pipe()
      for end in [wake.readEnd, wake.writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
    } catch {
      _ = close(listener)
      _ = close(reservation)
      throw error as? Errno ?? .ioError
    }
  }

  deinit { _ = close(reservation) }

  /// Starts the thread, which keeps the server alive by itself.
  func start() throws(Errno) -> pthread_t {
    let context = unsafe Unmanaged.passRetained(self)
    var thread = pthread_t()
    // The context is a retained reference that the thread takes over; the attributes are the defaults.
    let result = unsafe pthread_create(
      &thread, nil,
      { pointer in
        guard let pointer = unsafe pointer else { return nil }
        unsafe Unmanaged<LoopbackServer>.fromOpaque(pointer).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    guard result == 0 else {
      unsafe context.release()
      stop()
      closeDescriptors()
      throw Errno(rawValue: result)
    }
    return thread
  }

  /// Makes the thread end.
  func stop() {
    _ = try? wake.writeEnd.writeAll([0])
    try? wake.writeEnd.close()
  }

  /// Closes the other descriptors, once the thread has ended or was never started.
  func closeDescriptors() {
    _ = close(listener)
    try? wake.readEnd.close()
  }

  private func run() {
    var connections: [Connection] = []
    defer { for connection in connections { _ = close(connection.descriptor) } }
    while true {
      let takesMore = connections.count < maxConnections
      var waits = [
        pollfd(fd: wake.readEnd.rawValue, events: Int16(POLLIN), revents: 0),
        pollfd(fd: takesMore ? listener : -1, events: Int16(POLLIN), revents: 0),
      ]
      for connection in connections {
        // A connection that is about to be closed reads no more.
        let events = connection.outgoing.isEmpty ? POLLIN : POLLOUT
        waits.append(pollfd(fd: connection.descriptor, events: Int16(events), revents: 0))
      }
      // The array lives through the call, and its count is passed along.
      let result = unsafe poll(&waits, nfds_t(waits.count), -1)
      if result < 0, errno == EINTR { continue }
      guard result >= 0, waits[0].revents == 0 else { return }
      for index in connections.indices where waits[index + 2].revents != 0 { serve(&connections[index]) }
      for connection in connections where connection.isDead { _ = close(connection.descriptor) }
      connections.removeAll(where: \.isDead)
      if waits[1].revents != 0, let descriptor = try? LoopbackSocket.accept(listener) {
        connections.append(Connection(descriptor: descriptor, peer: makePeer()))
        log.withLock { $0.connections += 1 }
      }
      let open = connections.count
      log.withLock { $0.open = open }
    }
  }

  private func serve(_ connection: inout Connection) {
    if connection.outgoing.isEmpty {
      receive(&connection)
    } else {
      send(&connection)
    }
    if connection.closes, connection.outgoing.isEmpty { connection.isDead = true }
  }

  private func receive(_ connection: inout Connection) {
    guard let octets = LoopbackSocket.read(connection.descriptor) else { return }
    guard !octets.isEmpty else {
      connection.isDead = true
      return
    }
    switch connection.peer {
    case .octets(var node):
      let reply = node.reply(to: octets)
      connection.peer = .octets(node)
      connection.outgoing += reply.octets
      connection.closes = reply.closes
    case .pdus(var node, var assembler):
      assembler.feed(octets)
      answer(&node, &assembler, on: &connection)
      connection.peer = .pdus(node, assembler)
    }
  }

  private func answer(
    _ node: inout any StreamNode, _ assembler: inout PDUAssembler, on connection: inout Connection
  ) {
    do throws(PDUError) {
      while !connection.closes, let pdu = try assembler.next() {
        log.withLock { $0.received.append(pdu) }
        let reply = node.reply(to: pdu)
        connection.outgoing += reply.octets
        connection.closes = reply.closes
      }
    } catch {
      // An initiator that sends nonsense is cut off.
      connection.isDead = true
    }
  }

  private func send(_ connection: inout Connection) {
    let piece = connection.outgoing.prefix(pieceLength ?? connection.outgoing.count)
    guard let sent = LoopbackSocket.write(connection.descriptor, Array(piece)) else {
      connection.isDead = true
      return
    }
    connection.outgoing.removeFirst(sent)
  }
}

/// The socket calls that the loopback target needs.
enum LoopbackSocket {
  /// Turns -1 into the error that the system call left.
  static func check(_ result: CInt) throws(Errno) -> CInt {
    guard result >= 0 else { throw Errno(rawValue: errno) }
    return result
  }

  /// Listens on a free port of 127.0.0.1, with room for so many that wait.
  static func listen(backlog: Int) throws(Errno) -> (descriptor: CInt, port: UInt16) {
    let (descriptor, port) = try take(port: 0)
    guard Glibc.listen(descriptor, CInt(clamping: backlog)) == 0 else {
      let failure = Errno(rawValue: errno)
      _ = close(descriptor)
      throw failure
    }
    return (descriptor, port)
  }

  /// Takes a port of 127.0.0.1, a free one if it is 0, so that nobody else gets it. Several sockets of this process can have it.
  static func take(port wanted: UInt16) throws(Errno) -> (descriptor: CInt, port: UInt16) {
    let flags = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let descriptor = try check(socket(AF_INET, flags, 0))
    do throws(Errno) {
      var on: CInt = 1
      // The option's value and its size belong together.
      _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, socklen_t(MemoryLayout<CInt>.size))
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      address.sin_port = wanted.bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      // The socket calls take a sockaddr_in by the address of its generic head; `length` is its true size.
      let port = try unsafe withUnsafeMutablePointer(to: &address) { pointer throws(Errno) -> UInt16 in
        let generic = unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self)
        _ = try unsafe check(bind(descriptor, generic, length))
        _ = try unsafe check(getsockname(descriptor, generic, &length))
        return unsafe UInt16(bigEndian: pointer.pointee.sin_port)
      }
      return (descriptor, port)
    } catch {
      _ = close(descriptor)
      throw error
    }
  }

  /// Takes a connection off the listener's queue and makes it non-blocking.
  static func accept(_ listener: CInt) throws(Errno) -> CInt {
    // The null pointers say that the peer's address is not wanted.
    let descriptor = try check(Glibc.accept(listener, nil, nil))
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    var on: CInt = 1
    // Pieces must leave one by one; the option's value and its size belong together.
    _ = unsafe setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
    return descriptor
  }

  /// What has come: empty at the end of the stream or after an error, nil if there is nothing yet.
  static func read(_ descriptor: CInt) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    // The buffer lives through the call, and its count is passed along.
    let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
    if count < 0, errno == EAGAIN || errno == EINTR { return nil }
    return Array(buffer.prefix(max(0, count)))
  }

  /// Sends what the socket takes and tells how much that was; nil after an error.
  static func write(_ descriptor: CInt, _ octets: [UInt8]) -> Int? {
    // The array lives through the call, and its count is passed along; a closed peer must not raise SIGPIPE.
    let count = unsafe send(descriptor, octets, octets.count, CInt(MSG_NOSIGNAL))
    if count < 0, errno == EAGAIN || errno == EINTR { return 0 }
    return count < 0 ? nil : count
  }
}
