// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@Suite("Loopback target", .timeLimit(.minutes(1)))
struct LoopbackTargetTests {
  private let request = PDU.loginRequest(
    loginRequest(
      .operational, to: .fullFeature, "InitiatorName=iqn.2001-04.com.example:host", "SessionType=Discovery"))

  @Test("A login over TCP gets the in-memory target's answer, in one piece or octet by octet", arguments: [nil, 1, 7])
  func login(pieceLength: Int?) throws {
    var expected = try testTarget()
    let node = expected
    let target = try LoopbackTarget(pieceLength: pieceLength) { _ in node }
    let client = try Client(target.portal)
    defer { client.close() }
    try client.send(request)
    #expect(try client.receive() == expected.respond(to: request).first)
    #expect(target.received == [request])
    #expect(target.connectionCount == 1)
  }

  @Test("Each connection has a node of its own")
  func connections() throws {
    let node = try testTarget()
    let target = try LoopbackTarget { _ in node }
    let clients = try (0..<3).map { _ in try Client(target.portal) }
    defer { for client in clients { client.close() } }
    for client in clients { try client.send(request) }
    for client in clients {
      guard case .loginResponse(let response)? = try client.receive() else {
        Issue.record("no Login Response")
        return
      }
      #expect(response.transit)
    }
    #expect(target.connectionCount == 3)
  }

  @Test("One connection more than the limit waits until another one is closed")
  func connectionLimit() throws {
    let node = try testTarget()
    let target = try LoopbackTarget { _ in node }
    let clients = try (0...LoopbackTarget.maxConnections).map { _ in try Client(target.portal) }
    defer { for client in clients.dropFirst() { client.close() } }
    for client in clients { try client.send(request) }
    for client in clients.dropLast() { #expect(try client.receive() != nil) }
    #expect(target.connectionCount == LoopbackTarget.maxConnections)
    clients[0].close()
    #expect(try clients.last?.receive() != nil)
  }

  @Test("The node is told where it listens")
  func portal() throws {
    let template = try testTarget()
    let target = try LoopbackTarget { portal in
      var node = template
      node.login.redirect = portal
      return node
    }
    let client = try Client(target.portal)
    defer { client.close() }
    try client.send(request)
    guard case .loginResponse(let response)? = try client.receive() else {
      Issue.record("no Login Response")
      return
    }
    #expect(TextEntries(octets: response.data)["TargetAddress"] == target.portal.description)
    #expect(try client.receive() == nil, "the connection is closed behind a redirection")
  }

  @Test(
    "A connection that a case closes ends inside a PDU",
    arguments: [HostileTarget.Case.truncatedHeader, .truncatedData])
  func truncated(misbehaviour: HostileTarget.Case) throws {
    let node = HostileTarget(misbehaviour, base: try testTarget())
    let target = try LoopbackTarget { _ in node }
    let client = try Client(target.portal)
    defer { client.close() }
    try client.send(request)
    #expect(throws: EndInsidePDU.self) { try client.receive() }
  }

  @Test("A closed target has closed its connections and takes no more")
  func close() throws {
    let node = try testTarget()
    // Somebody else may have its port at once, but not each time.
    let isRefused = try (0..<5).contains { _ in
      let target = try LoopbackTarget { _ in node }
      let client = try Client(target.portal)
      defer { client.close() }
      try client.send(request)
      _ = try client.receive()
      target.close()
      target.close()
      #expect(try client.receive() == nil)
      return (try? Client(target.portal))?.close() == nil
    }
    #expect(isRefused)
  }

  @Test("A target that goes away closes its connections")
  func goesAway() throws {
    let node = try testTarget()
    var target: LoopbackTarget? = try LoopbackTarget { _ in node }
    let client = try Client(try #require(target?.portal))
    defer { client.close() }
    try client.send(request)
    _ = try client.receive()
    target = nil
    #expect(try client.receive() == nil)
  }
}

/// A blocking client of the loopback target.
private final class Client {
  private let descriptor: FileDescriptor
  private var assembler = PDUAssembler(maxDataLength: 1 << 20)
  /// How many octets came since the last PDU.
  private var unread = 0

  init(_ portal: Portal) throws {
    descriptor = FileDescriptor(rawValue: socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = portal.port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    // `connect` takes a sockaddr_in by the address of its generic head, with its true size.
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      let generic = unsafe UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self)
      return unsafe connect(descriptor.rawValue, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
    guard result == 0 else {
      let error = Errno(rawValue: errno)
      try? descriptor.close()
      throw error
    }
  }

  func close() { try? descriptor.close() }

  func send(_ pdu: PDU) throws { try descriptor.writeAll(pdu.encoded().streamOctets) }

  /// The next PDU, or nil at the end of the stream behind one. The targets here send one PDU at a time.
  func receive() throws -> PDU? {
    while true {
      if let pdu = try assembler.next() {
        unread = 0
        return pdu
      }
      var octets = [UInt8](repeating: 0, count: 4096)
      // The buffer is writable through the call, and `read` tells how much of it was written.
      let count = try unsafe octets.withUnsafeMutableBytes { try unsafe descriptor.read(into: $0) }
      if count == 0 {
        guard unread == 0 else { throw EndInsidePDU() }
        return nil
      }
      unread += count
      assembler.feed(octets[..<count])
    }
  }
}

/// The stream ended inside a PDU.
private struct EndInsidePDU: Error {}
