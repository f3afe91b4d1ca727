// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Varlink server and client")
struct VarlinkServerTests {
  private static let sample = SampleService.name

  @Test("A call is answered, and the connection serves the next one")
  func calls() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      for text in ["a", "é\n", ""] {
        let reply = try await client.call("\(Self.sample).Echo", ["text": .string(text)], until: .soon)
        #expect(reply == ["text": .string(text)])
      }
    }
  }

  @Test("The service is told who calls")
  func peer() async throws {
    try await VarlinkFixture.run { fixture in
      let reply = try await fixture.client().call("\(Self.sample).Peer", until: .soon)
      #expect(reply == ["uid": .integer(Int64(geteuid())), "pid": .integer(Int64(getpid()))])
    }
  }

  @Test("The server tells what it is and what it offers")
  func introspection() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      let info = try await client.call("org.varlink.service.GetInfo", until: .soon)
      #expect(
        info == [
          "vendor": "Example", "product": "Sample", "version": "1.2", "url": "https://example.org",
          "interfaces": ["org.varlink.service", .string(Self.sample)],
        ])
      for name in ["org.varlink.service", Self.sample] {
        let reply = try await client.call(
          "org.varlink.service.GetInterfaceDescription", ["interface": .string(name)], until: .soon)
        guard case .string(let text)? = reply["description"] else { throw VarlinkError.malformed }
        #expect(try VarlinkInterface(text).name == name)
      }
      await #expect(
        throws: VarlinkError.remote(name: VarlinkErrorName.interfaceNotFound, parameters: ["interface": "a.b"])
      ) {
        try await client.call("org.varlink.service.GetInterfaceDescription", ["interface": "a.b"], until: .soon)
      }
    }
  }

  @Test("What org.varlink.service answers is what its description says")
  func introspectionFits() async throws {
    let interface = try VarlinkInterface(VarlinkIntrospection.interface.text)
    let service = VarlinkIntrospection(identity: VarlinkFixture.identity, others: [:])
    for (name, method) in interface.methods {
      let call = VarlinkCall(method: name, parameters: ["interface": "org.varlink.service"])
      guard case .success(let parameters) = await service.call(call) else { throw VarlinkError.malformed }
      try interface.validate(parameters, against: method.output)
    }
  }

  @Test(
    "A request that goes nowhere gets the standard error",
    arguments: [
      ("nodots", [:], "InterfaceNotFound", ["interface": "nodots"]),
      ("a.b.C", [:], "InterfaceNotFound", ["interface": "a.b"]),
      ("io.example.Sample.Nope", [:], "MethodNotFound", ["method": "io.example.Sample.Nope"]),
      ("io.example.Sample.", [:], "MethodNotFound", ["method": "io.example.Sample."]),
      ("io.example.Sample.Undone", [:], "MethodNotImplemented", ["method": "Undone"]),
      ("io.example.Sample.Echo", [:], "InvalidParameter", ["parameter": "text"]),
      ("io.example.Sample.Echo", ["text": 1], "InvalidParameter", ["parameter": "text"]),
      ("io.example.Sample.Echo", ["text": "", "color": "blue"], "InvalidParameter", ["parameter": "color"]),
      ("io.example.Sample.Count", ["to": 3], "ExpectedMore", [:]),
    ] as [(String, JSONValue, String, JSONValue)])
  func standardErrors(method: String, input: JSONValue, name: String, parameters: JSONValue) async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      await #expect(throws: VarlinkError.remote(name: "org.varlink.service.\(name)", parameters: parameters)) {
        try await client.call(method, input, until: .soon)
      }
      // An error is an answer: the connection goes on.
      #expect(try await client.call("\(Self.sample).Echo", ["text": "x"], until: .soon) == ["text": "x"])
    }
  }

  @Test("An error of the interface arrives with its parameters, and parameters of a newer client do no harm")
  func ownErrors() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      await #expect(throws: VarlinkError.remote(name: "\(Self.sample).Failed", parameters: ["why": "asked"])) {
        try await client.call("\(Self.sample).Fail", ["newer": [1]], until: .soon)
      }
    }
  }

  @Test("A reply that cannot be said is an error, not silence")
  func unsayable() async throws {
    var limits = VarlinkServer.Limits()
    limits.replySize = 1000
    try await VarlinkFixture.run(limits: limits) { fixture in
      let client = try await fixture.client()
      let name = VarlinkErrorName.internal
      await #expect(throws: VarlinkError.remote(name: name, parameters: ["reason": "a number is out of range"])) {
        try await client.call("\(Self.sample).Unsayable", until: .soon)
      }
      await #expect(throws: VarlinkError.remote(name: name, parameters: ["reason": "the reply is too large"])) {
        try await client.call("\(Self.sample).Fill", ["octets": 1000], until: .soon)
      }
    }
  }

  @Test("Replies come one by one, the last one ends the sequence, and the connection goes on")
  func more() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      for count in [1, 5, 300] {
        var numbers: [JSONValue] = []
        let replies = try await client.callMore(
          "\(Self.sample).Count", ["to": .integer(Int64(count))], until: .soon)
        for try await reply in replies { numbers.append(reply["number"] ?? nil) }
        #expect(numbers == (1...count).map { .integer(Int64($0)) })
      }
    }
  }

  @Test("Replies that several tasks send at once arrive whole")
  func crowd() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      let parameters: JSONValue = ["tasks": 20, "octets": 50_000]
      var replies: [JSONValue] = []
      for try await reply in try await client.callMore("\(Self.sample).Crowd", parameters, until: .soon) {
        replies.append(reply)
      }
      #expect(replies.count == 21)
      #expect(replies.dropLast().allSatisfy { $0 == ["text": .string(String(repeating: "y", count: 50_000))] })
      #expect(replies.last == ["sent": 20])
    }
  }

  @Test("Replies that are dropped before the last one close the connection")
  func droppedReplies() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      for try await _ in try await client.callMore("\(Self.sample).Count", ["to": 1_000_000], until: .soon) { break }
      await #expect(throws: VarlinkError.closed) {
        try await client.call("\(Self.sample).Echo", ["text": ""], until: .soon)
      }
      #expect(await eventually { fixture.server.clientCount == 0 })
    }
  }

  @Test("A client that hangs up cancels its running call")
  func hangUpCancels() async throws {
    try await VarlinkFixture.run { fixture in
      var raw: RawVarlinkClient? = try await fixture.rawClient()
      try await raw?.write(#"{"method":"io.example.Sample.Hang"}"# + "\0")
      #expect(await eventually { fixture.service.hasNoted("hangs") })
      #expect(!fixture.service.hasNoted("ended"))
      raw = nil
      #expect(await eventually { fixture.service.hasNoted("ended") })
      #expect(await eventually { fixture.server.clientCount == 0 })
    }
  }

  @Test("A cancelled client cancels the call at the server")
  func clientCancellation() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      let task = Task { try await client.call("\(Self.sample).Hang", until: .soon) }
      #expect(await eventually { fixture.service.hasNoted("hangs") })
      await #expect(throws: VarlinkError.busy) {
        try await client.call("\(Self.sample).Echo", ["text": ""], until: .soon)
      }
      task.cancel()
      await #expect(throws: VarlinkError.cancelled) { try await task.value }
      #expect(await eventually { fixture.service.hasNoted("ended") })
      await #expect(throws: VarlinkError.closed) {
        try await client.call("\(Self.sample).Echo", ["text": ""], until: .soon)
      }
    }
  }

  @Test("A call that takes too long times out and closes the connection")
  func timeout() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      await #expect(throws: VarlinkError.timedOut) {
        try await client.call("\(Self.sample).Hang", until: .now + .milliseconds(50))
      }
      #expect(await eventually { fixture.service.hasNoted("ended") })
      let other = try await fixture.client()
      let replies = try await other.callMore("\(Self.sample).Hang", until: .now + .milliseconds(50))
      await #expect(throws: VarlinkError.timedOut) { for try await _ in replies {} }
    }
  }

  @Test("Closing the server cancels calls, delivers their replies and ends all connections")
  func close() async throws {
    let directory = try SocketDirectory()
    let service = SampleService()
    let server = try VarlinkServer(
      listener: UnixListener(at: directory.socket), identity: VarlinkFixture.identity, services: [service])
    let running = Task { await server.run() }
    let idle = try await VarlinkClient.connect(to: directory.socket, until: .soon)
    let client = try await VarlinkClient.connect(to: directory.socket, until: .soon)
    let call = Task { try await client.call("\(Self.sample).Hang", until: .soon) }
    #expect(await eventually { service.hasNoted("hangs") })
    server.close()
    await running.value
    #expect(try await call.value == ["wasCancelled": true])
    await #expect(throws: VarlinkError.closed) {
      try await idle.call("\(Self.sample).Echo", ["text": ""], until: .soon)
    }
    #expect(server.clientCount == 0)
    await #expect(throws: VarlinkError.notConnected(directory.socket, .noSuchFileOrDirectory)) {
      _ = try await VarlinkClient.connect(to: directory.socket, until: .soon)
    }
  }

  @Test("A server that is closed before it runs ends at once")
  func closedBefore() async throws {
    let directory = try SocketDirectory()
    let server = try VarlinkServer(
      listener: UnixListener(at: directory.socket), identity: VarlinkFixture.identity, services: [])
    server.close()
    await server.run()
  }

  @Test("A server whose task is cancelled ends")
  func cancelledServer() async throws {
    let directory = try SocketDirectory()
    let server = try VarlinkServer(
      listener: UnixListener(at: directory.socket), identity: VarlinkFixture.identity, services: [])
    let running = Task { await server.run() }
    _ = try await VarlinkClient.connect(to: directory.socket, until: .soon)
    running.cancel()
    await running.value
  }

  @Test("A service whose description is wrong makes no server")
  func badDescription() throws {
    struct Broken: VarlinkService {
      let description: VarlinkInterfaceDescription
      func call(_ call: VarlinkCall) async -> VarlinkReply { .success() }
    }
    let directory = try SocketDirectory()
    let listener = try UnixListener(at: directory.socket)
    for (name, text) in [("io.example.A", "interface io.example.B"), ("io.example.A", "interface io.example.A type")] {
      let service = Broken(description: VarlinkInterfaceDescription(name: name, text: text))
      #expect(throws: VarlinkInterfaceError.self) {
        try VarlinkServer(listener: listener, identity: VarlinkFixture.identity, services: [service])
      }
    }
  }

  @Test("Many clients at once are all answered")
  func concurrency() async throws {
    try await VarlinkFixture.run { fixture in
      try await withThrowingTaskGroup { group in
        for number in 0..<60 {
          group.addTask {
            let client = try await fixture.client()
            for round in 0..<20 {
              let text = JSONValue.string("\(number) \(round)")
              #expect(try await client.call("\(Self.sample).Echo", ["text": text], until: .soon) == ["text": text])
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }
}
