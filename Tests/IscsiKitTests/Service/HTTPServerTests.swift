// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("HTTP")
struct HTTPServerTests {
  @Test(
    "A request is read as far as it has come",
    arguments: [
      ("", nil), ("GET /metrics HTTP/1.1\r\nHost: x\r\n", nil),
      ("GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\nAccept:  a/b\r\naccept: c/d\r\n\r\n", "GET /metrics a/b,c/d"),
      ("HEAD / HTTP/1.0\n\n", "HEAD / "), ("POST / HTTP/1.1\r\n\r\n", "405"), ("GET / HTTP/2\r\n\r\n", "505"),
      ("GET /\r\n\r\n", "400"), ("\r\n\r\n", "400"), ("GET  / HTTP/1.1\r\n\r\n", "400"),
      ("GET / HTTP/1.1\r\nnonsense\r\n\r\n", "400"), ("GET / FTP/1.1\r\n\r\n", "400"),
      ("GET /" + String(repeating: "x", count: 9000) + " HTTP/1.1\r\n\r\n", "431"),
      (String(repeating: "x", count: 8192), "431"),
    ])
  func reading(text: String, result: String?) {
    let found: String? =
      switch HTTPRequest.read(Array(text.utf8)) {
      case .incomplete: nil
      case .whole(let request): "\(request.isHead ? "HEAD" : "GET") \(request.path) \(request.accepted)"
      case .refused(let status): String(status.rawValue)
      }
    #expect(found == result)
  }

  @Test("Octets of any kind are read without a trap")
  func hostile() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let octets = (0..<Int.random(in: 0...80, using: &random)).map { _ in
        [UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: " "), UInt8(ascii: ":"), .random(in: 0...255)]
          .randomElement()
          ?? 0
      }
      if case .whole(let request) = HTTPRequest.read(octets) { #expect(!request.path.isEmpty) }
    }
  }

  @Test("A document is given to each who asks, over a Unix socket")
  func unix() async throws {
    let directory = try SocketDirectory()
    let server = HTTPServer(try UnixListener(at: directory.socket), answer: Self.echo)
    try await withServer(server) {
      for path in ["/one", "/two"] {
        let client = try await LocalSocket.connect(to: directory.socket, until: .soon)
        let answer = try await ask("GET \(path) HTTP/1.1\r\n\r\n", client)
        #expect(
          answer == "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\(path)")
      }
      let client = try await LocalSocket.connect(to: directory.socket, until: .soon)
      #expect(
        try await ask("HEAD /one HTTP/1.1\r\n\r\n", client)
          == "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
      let other = try await LocalSocket.connect(to: directory.socket, until: .soon)
      #expect(try await ask("DELETE / HTTP/1.1\r\n\r\n", other).contains("405 Method Not Allowed\r\n"))
    }
  }

  @Test("The loopback device is served, in IPv4 and IPv6", arguments: ["127.0.0.1", "::1"])
  func loopback(host: String) async throws {
    let address = try #require(IPAddress(host))
    let listener = try LoopbackListener(at: SocketAddress(address, port: 0))
    let portal = Portal(host: .address(address, scope: nil), port: listener.port)
    try await withServer(HTTPServer(listener, answer: Self.echo)) {
      let socket = try await TCPSocket.connect(to: portal, until: .soon)
      try await socket.write(Array("GET /tcp HTTP/1.1\r\nHost: \(portal.address)\r\n\r\n".utf8), until: .soon)
      let answer = try await socket.read(upTo: 4096, until: .soon)
      #expect(String(decoding: answer, as: UTF8.self).hasSuffix("\r\n\r\n/tcp"))
    }
  }

  @Test("No other address is listened at", arguments: ["0.0.0.0", "10.0.0.1", "::", "fe80::1", "128.0.0.1"])
  func others(host: String) throws {
    let address = try #require(IPAddress(host))
    #expect(throws: Errno.addressNotAvailable) { try LoopbackListener(at: SocketAddress(address, port: 0)) }
  }

  @Test("Clients who say nothing are sent away in time, and disturb nobody meanwhile")
  func silence() async throws {
    let directory = try SocketDirectory()
    var limits = HTTPServer.Limits()
    limits.patience = .milliseconds(200)
    let server = HTTPServer(try UnixListener(at: directory.socket), limits, answer: Self.echo)
    try await withServer(server) {
      let silent = try await LocalSocket.connect(to: directory.socket, until: .soon)
      try await silent.write(Array("GET / HT".utf8), until: .soon)
      let client = try await LocalSocket.connect(to: directory.socket, until: .soon)
      #expect(try await ask("GET /x HTTP/1.1\r\n\r\n", client).hasSuffix("/x"))
      #expect(try await ask("", silent).hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
    }
  }

  @Test("One client too many is told so")
  func crowd() async throws {
    let directory = try SocketDirectory()
    var limits = HTTPServer.Limits()
    limits.clients = 1
    let server = HTTPServer(try UnixListener(at: directory.socket), limits, answer: Self.echo)
    try await withServer(server) {
      let first = try await LocalSocket.connect(to: directory.socket, until: .soon)
      let second = try await LocalSocket.connect(to: directory.socket, until: .soon)
      #expect(try await ask("", second).hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
      #expect(try await ask("GET /x HTTP/1.1\r\n\r\n", first).hasSuffix("/x"))
    }
  }

  @Sendable private static func echo(_ request: HTTPRequest) async -> HTTPResponse {
    HTTPResponse(request.path, mediaType: "text/x")
  }

  private func withServer(_ server: HTTPServer, _ body: () async throws -> Void) async throws {
    let task = Task { await server.run() }
    defer { task.cancel() }
    try await body()
    task.cancel()
    await task.value
  }

  /// Sends a request and gives all that comes until the server closes.
  private func ask(_ request: String, _ socket: LocalSocket) async throws -> String {
    if !request.isEmpty { try await socket.write(Array(request.utf8), until: .soon) }
    var answer: [UInt8] = []
    while true {
      let octets: [UInt8]
      do { octets = try await socket.read(upTo: 4096, until: .soon) } catch LocalSocketError.closedByPeer { break }
      if octets.isEmpty { break }
      answer += octets
    }
    return String(decoding: answer, as: UTF8.self)
  }
}
