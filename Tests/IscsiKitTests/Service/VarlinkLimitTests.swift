// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Limits of the Varlink server")
struct VarlinkLimitTests {
  private static let echo = #"{"method":"io.example.Sample.Echo","parameters":{"text":"x"}}"# + "\0"
  private static let echoed = #"{"parameters":{"text":"x"}}"#

  @Test("Requests that come in one piece are answered in order")
  func pipelining() async throws {
    try await VarlinkFixture.run { fixture in
      let raw = try await fixture.rawClient()
      let requests = (0..<50).map { #"{"method":"io.example.Sample.Echo","parameters":{"text":"\#($0)"}}"# + "\0" }
      try await raw.write(requests.joined())
      for number in 0..<50 { #expect(try await raw.read() == #"{"parameters":{"text":"\#(number)"}}"#) }
    }
  }

  @Test("A request that comes in small pieces is answered")
  func pieces() async throws {
    try await VarlinkFixture.run { fixture in
      let raw = try await fixture.rawClient()
      for octet in Self.echo.utf8 { try await raw.socket.write([octet], until: .soon) }
      #expect(try await raw.read() == Self.echoed)
    }
  }

  @Test("A oneway call gets no reply, not even an error, and is done although its client leaves")
  func oneway() async throws {
    try await VarlinkFixture.run { fixture in
      var raw: RawVarlinkClient? = try await fixture.rawClient()
      let log = #"{"method":"io.example.Sample.Log","parameters":{"text":"first"},"oneway":true}"# + "\0"
      let count = #"{"method":"io.example.Sample.Count","parameters":{"to":3},"oneway":true,"more":true}"# + "\0"
      let unknown = #"{"method":"no.such.Thing","oneway":true}"# + "\0"
      try await raw?.write(log + count + unknown + Self.echo)
      #expect(try await raw?.read() == Self.echoed)
      try await raw?.write(log.split(separator: "first").joined(separator: "second"))
      raw = nil
      #expect(await eventually { fixture.service.hasNoted("second") })
      #expect(fixture.service.hasNoted("first"))
    }
  }

  @Test("An upgrade is refused")
  func upgrade() async throws {
    try await VarlinkFixture.run { fixture in
      let raw = try await fixture.rawClient()
      try await raw.write(#"{"method":"io.example.Sample.Hang","upgrade":true}"# + "\0")
      let refusal = #"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"upgrade"}}"#
      #expect(try await raw.read() == refusal)
    }
  }

  @Test("A client that has ended its sending still gets its answers")
  func halfClose() async throws {
    try await VarlinkFixture.run { fixture in
      let descriptor = try LocalSocket.makeDescriptor()
      let address = try UnixAddress(checking: fixture.path)
      #expect(unsafe address.withSocketAddress { unsafe connect(descriptor, $0, $1) } == 0)
      let raw = RawVarlinkClient(LocalSocket(owning: descriptor))
      try await raw.write(#"{"method":"io.example.Sample.Count","parameters":{"to":2},"more":true}"# + "\0")
      #expect(shutdown(descriptor, Int32(SHUT_WR)) == 0)
      #expect(try await raw.read() == #"{"continues":true,"parameters":{"number":1}}"#)
      #expect(try await raw.read() == #"{"parameters":{"number":2}}"#)
      #expect(try await raw.read() == nil)
    }
  }

  @Test(
    "Who does not speak Varlink is closed",
    arguments: [
      "", "GET / HTTP/1.1\r\n", "{}", "[]", "1", #"{"method":1}"#, #"{"method":"a.B","parameters":[]}"#,
      #"{"method":"a.B","more":1}"#, #"{"method":"a.B"} {}"#,
    ])
  func garbage(text: String) async throws {
    try await VarlinkFixture.run { fixture in
      let raw = try await fixture.rawClient()
      try await raw.write(text + "\0")
      #expect(try await raw.read() == nil)
    }
  }

  @Test("A request of the greatest size is answered, a longer one closes the connection")
  func requestSize() async throws {
    var limits = VarlinkServer.Limits()
    limits.requestSize = 100_000
    try await VarlinkFixture.run(limits: limits) { fixture in
      let padding = String(repeating: " ", count: 100_000 - Self.echo.utf8.count + 1)
      let raw = try await fixture.rawClient()
      try await raw.write(padding + Self.echo)
      #expect(try await raw.read() == Self.echoed)
      // The server may close before all is written.
      try? await raw.write(padding + " " + Self.echo)
      #expect(try await raw.read() == nil)
      let endless = try await fixture.rawClient()
      try? await endless.write(String(repeating: "x", count: 1_000_000))
      #expect(try await endless.read() == nil)
    }
  }

  @Test("A request that is never finished closes the connection, a silent one stays")
  func halfMessage() async throws {
    var limits = VarlinkServer.Limits()
    limits.stall = .milliseconds(100)
    try await VarlinkFixture.run(limits: limits) { fixture in
      let silent = try await fixture.rawClient()
      let half = try await fixture.rawClient()
      try await half.write(String(Self.echo.prefix(10)))
      #expect(try await half.read() == nil)
      try await silent.write(Self.echo)
      #expect(try await silent.read() == Self.echoed)
    }
  }

  @Test("A client that hangs up amid a request is forgotten")
  func halfMessageAndHangUp() async throws {
    try await VarlinkFixture.run { fixture in
      var raw: RawVarlinkClient? = try await fixture.rawClient()
      try await raw?.write(Self.echo + Self.echo.prefix(10))
      #expect(try await raw?.read() == Self.echoed)
      #expect(fixture.server.clientCount == 1)
      raw = nil
      #expect(await eventually { fixture.server.clientCount == 0 })
    }
  }

  @Test("A client that does not read is dropped, and the others do not notice")
  func slowReader() async throws {
    var limits = VarlinkServer.Limits()
    limits.stall = .milliseconds(300)
    try await VarlinkFixture.run(limits: limits) { fixture in
      let slow = try await fixture.rawClient()
      try await slow.write(#"{"method":"io.example.Sample.Count","parameters":{"to":10000000},"more":true}"# + "\0")
      let client = try await fixture.client()
      for _ in 0..<20 {
        #expect(try await client.call("io.example.Sample.Echo", ["text": "x"], until: .soon) == ["text": "x"])
      }
      #expect(await eventually { fixture.service.hasNoted("ended") })
      #expect(await eventually { fixture.server.clientCount == 1 })
    }
  }

  @Test("Tasks that send to a client that does not read cannot fill the memory")
  func crowdedOutbox() async throws {
    var limits = VarlinkServer.Limits()
    limits.replySize = 500_000
    try await VarlinkFixture.run(limits: limits) { fixture in
      let slow = try await fixture.rawClient()
      let parameters = #"{"tasks":20,"octets":400000}"#
      try await slow.write(#"{"method":"io.example.Sample.Crowd","more":true,"parameters":\#(parameters)}"# + "\0")
      #expect(await eventually { fixture.service.hasNoted("sent 0") })
      #expect(await eventually { fixture.server.clientCount == 0 })
    }
  }

  @Test("More clients than there is room for are told so, until one leaves")
  func tooMany() async throws {
    var limits = VarlinkServer.Limits()
    limits.clients = 3
    try await VarlinkFixture.run(limits: limits) { fixture in
      var clients: [VarlinkClient] = []
      for _ in 0..<3 {
        clients.append(try await fixture.client())
        _ = try await clients.last?.call("io.example.Sample.Peer", until: .soon)
      }
      let busy = VarlinkError.remote(name: VarlinkErrorName.busy, parameters: [:])
      for _ in 0..<3 {
        await #expect(throws: busy) { try await fixture.client().call("io.example.Sample.Peer", until: .soon) }
      }
      clients.removeLast()
      #expect(await eventually { fixture.server.clientCount == 2 })
      _ = try await fixture.client().call("io.example.Sample.Peer", until: .soon)
    }
  }

  @Test("A user who may not use the server is told so and closed")
  func wrongUser() async throws {
    try await VarlinkFixture.run(admits: { $0.userID != geteuid() }) { fixture in
      let client = try await fixture.client()
      let error = await #expect(throws: VarlinkError.self) {
        try await client.call("io.example.Sample.Peer", until: .soon)
      }
      #expect(error == .remote(name: "io.iscsi-admin.Initiator.PermissionDenied", parameters: [:]))
      #expect(error?.exitStatus == .access)
      #expect(fixture.server.clientCount == 0)
    }
  }

  @Test("Requests beyond the rate wait their turn")
  func rate() async throws {
    var limits = VarlinkServer.Limits()
    limits.requestBurst = 2
    limits.requestsPerSecond = 20
    try await VarlinkFixture.run(limits: limits) { fixture in
      let raw = try await fixture.rawClient()
      let begin = ContinuousClock.now
      try await raw.write(String(repeating: Self.echo, count: 6))
      for _ in 0..<6 { #expect(try await raw.read() == Self.echoed) }
      #expect(ContinuousClock.now - begin >= .milliseconds(200))
    }
  }

  @Test("Requests of a user beyond the rate wait their turn, also when each has a connection of its own")
  func userRate() async throws {
    var limits = VarlinkServer.Limits()
    limits.userBurst = 2
    limits.userRequestsPerSecond = 20
    try await VarlinkFixture.run(limits: limits) { fixture in
      let begin = ContinuousClock.now
      for _ in 0..<6 {
        let raw = try await fixture.rawClient()
        try await raw.write(Self.echo)
        #expect(try await raw.read() == Self.echoed)
      }
      #expect(ContinuousClock.now - begin >= .milliseconds(200))
    }
  }

  @Test("Random requests leave the server in order", arguments: [1, 2] as [UInt64])
  func fuzz(seed: UInt64) async throws {
    var generator = SplitMix(state: seed)
    try await VarlinkFixture.run { fixture in
      for _ in 0..<100 {
        let raw = try await fixture.rawClient()
        for _ in 0..<3 {
          var request = Array(#"{"method":"io.example.Sample.Count","parameters":{"to":2},"more":true}"#.utf8)
          request.mutate(using: &generator)
          // The server may have closed.
          try? await raw.socket.write(request + [0], until: .soon)
        }
      }
      #expect(await eventually { fixture.server.clientCount == 0 })
      let reply = try await fixture.client().call("io.example.Sample.Echo", ["text": "x"], until: .soon)
      #expect(reply == ["text": "x"])
    }
  }
}
