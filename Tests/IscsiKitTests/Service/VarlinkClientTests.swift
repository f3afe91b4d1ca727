// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Varlink client")
struct VarlinkClientTests {
  /// Calls a service that answers every request with these octets, and closes if there are none.
  private func call(answeredBy answer: [UInt8], more: Bool = false) async throws -> [JSONValue] {
    let directory = try SocketDirectory()
    let listener = try UnixListener(at: directory.socket)
    let client = try await VarlinkClient.connect(to: directory.socket, until: .soon)
    let socket = try await listener.accept()
    let server = Task {
      _ = try await socket.read(upTo: 65_536, until: .soon)
      // The client may have had enough before all is written.
      try? await socket.write(answer, until: .soon)
      socket.shutdown()
    }
    defer { server.cancel() }
    guard more else { return [try await client.call("a.b.C", until: .soon)] }
    var replies: [JSONValue] = []
    for try await reply in try await client.callMore("a.b.C", until: .soon) { replies.append(reply) }
    return replies
  }

  @Test(
    "Answers are read, with and without their optional keys",
    arguments: [
      ("{}", [:]), (#"{"parameters":null,"continues":false,"error":null}"#, [:]),
      (#"{"parameters":{"a":1},"unknown":2}"#, ["a": 1]),
    ] as [(String, JSONValue)])
  func answers(text: String, parameters: JSONValue) async throws {
    #expect(try await call(answeredBy: Array(text.utf8) + [0]) == [parameters])
  }

  @Test(
    "An answer that is no Varlink is refused",
    arguments: [
      "", "x", "[]", #"{"parameters":[]}"#, #"{"parameters":1}"#, #"{"error":1}"#, #"{"continues":1}"#,
      // More than was asked for.
      #"{"continues":true}"#,
    ])
  func malformed(text: String) async throws {
    await #expect(throws: VarlinkError.malformed) { try await call(answeredBy: Array(text.utf8) + [0]) }
  }

  @Test("An answer without an end, or beyond the limit, is refused")
  func tooLong() async throws {
    await #expect(throws: VarlinkError.closed) { try await call(answeredBy: [0x7B]) }
    await #expect(throws: VarlinkError.closed) { try await call(answeredBy: []) }
    let endless = [UInt8](repeating: 0x20, count: VarlinkClient.replySizeLimit + 1)
    await #expect(throws: VarlinkError.malformed) { try await call(answeredBy: endless) }
  }

  @Test("A stream that ends early, or with an error, says so after what has come")
  func streams() async throws {
    let two = #"{"continues":true,"parameters":{"n":1}}"# + "\0" + #"{"continues":true,"parameters":{"n":2}}"# + "\0"
    await #expect(throws: VarlinkError.closed) { try await call(answeredBy: Array(two.utf8), more: true) }
    let failed = Array((two + #"{"error":"a.b.Failed"}"# + "\0").utf8)
    await #expect(throws: VarlinkError.remote(name: "a.b.Failed", parameters: [:])) {
      try await call(answeredBy: failed, more: true)
    }
    let whole = Array((two + #"{"parameters":{"n":3}}"# + "\0").utf8)
    #expect(try await call(answeredBy: whole, more: true) == [["n": 1], ["n": 2], ["n": 3]])
  }

  /// The same, asked for by a thread that blocks.
  private func callBlocking(answeredBy answer: [UInt8]) async throws -> JSONValue {
    let directory = try SocketDirectory()
    let listener = try UnixListener(at: directory.socket)
    let server = Task {
      let socket = try await listener.accept()
      _ = try await socket.read(upTo: 65_536, until: .soon)
      try? await socket.write(answer, until: .soon)
      socket.shutdown()
    }
    defer { server.cancel() }
    return try await onThread { try VarlinkClient.callBlocking("a.b.C", [:], at: directory.socket, until: .soon) }
  }

  private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await BlockingWork(limit: 1).run(until: .soon) { Result { try body() } }.get()
  }

  @Test("A call that blocks gets the same answers and errors")
  func blocking() async throws {
    #expect(try await callBlocking(answeredBy: Array(#"{"parameters":{"a":1}}"#.utf8) + [0]) == ["a": 1])
    let long = String(repeating: "x", count: 1 << 20)
    #expect(
      try await callBlocking(answeredBy: Array(#"{"parameters":{"a":"\#(long)"}}"#.utf8) + [0]) == ["a": .string(long)])
    for text in ["", "x", #"{"parameters":1}"#, #"{"continues":true}"#] {
      await #expect(throws: VarlinkError.malformed) { try await callBlocking(answeredBy: Array(text.utf8) + [0]) }
    }
    await #expect(throws: VarlinkError.remote(name: "a.b.Failed", parameters: [:])) {
      try await callBlocking(answeredBy: Array(#"{"error":"a.b.Failed"}"#.utf8) + [0])
    }
    await #expect(throws: VarlinkError.closed) { try await callBlocking(answeredBy: [0x7B]) }
    let endless = [UInt8](repeating: 0x20, count: VarlinkClient.replySizeLimit + 1)
    await #expect(throws: VarlinkError.malformed) { try await callBlocking(answeredBy: endless) }
  }

  @Test("A call that blocks ends where nobody listens, nobody answers, or nobody has room")
  func blockingWithoutAnswer() async throws {
    let directory = try SocketDirectory()
    let path = directory.socket
    let call = { @Sendable (patience: Duration) in
      try VarlinkClient.callBlocking("a.b.C", [:], at: path, until: .now + patience)
    }
    await #expect(throws: VarlinkError.notConnected(path, .noSuchFileOrDirectory)) {
      try await onThread { try call(.seconds(60)) }
    }
    let listener = try UnixListener(at: path)
    await #expect(throws: VarlinkError.timedOut) { try await onThread { try call(.milliseconds(20)) } }
    var clients: [VarlinkClient] = []
    await #expect(throws: VarlinkError.timedOut) {
      while clients.count < 10_000 { clients.append(try await .connect(to: path, until: .now + .milliseconds(50))) }
    }
    await #expect(throws: VarlinkError.timedOut) { try await onThread { try call(.milliseconds(50)) } }
    listener.close()
  }

  @Test("A request that JSON cannot say is not sent, and the connection goes on")
  func unsayable() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      await #expect(throws: VarlinkError.unsayable(.numberOutOfRange)) {
        try await client.call("io.example.Sample.Echo", ["text": .number(.nan)], until: .soon)
      }
      #expect(try await client.call("io.example.Sample.Echo", ["text": "x"], until: .soon) == ["text": "x"])
    }
  }

  @Test("A service that accepts nobody lets the call time out, and a full queue the connect")
  func deafService() async throws {
    let directory = try SocketDirectory()
    let listener = try UnixListener(at: directory.socket)
    var clients: [VarlinkClient] = []
    await #expect(throws: VarlinkError.timedOut) {
      while clients.count < 10_000 {
        clients.append(try await .connect(to: directory.socket, until: .now + .milliseconds(50)))
      }
    }
    let first = try #require(clients.first)
    await #expect(throws: VarlinkError.timedOut) { try await first.call("a.b.C", until: .now + .milliseconds(20)) }
    listener.close()
  }

  @Test("A client that is closed here ends its call")
  func closing() async throws {
    try await VarlinkFixture.run { fixture in
      let client = try await fixture.client()
      let call = Task { try await client.call("io.example.Sample.Hang", until: .soon) }
      #expect(await eventually { fixture.service.hasNoted("hangs") })
      client.close()
      await #expect(throws: VarlinkError.closed) { try await call.value }
    }
  }

  @Test("Mutated answers are read or refused", arguments: [1, 2] as [UInt64])
  func fuzz(seed: UInt64) async throws {
    var generator = SplitMix(state: seed)
    for _ in 0..<100 {
      let good = #"{"continues":true,"parameters":{"n":1}}"# + "\0" + #"{"parameters":{"n":[1,{}]}}"# + "\0"
      var answer = Array(good.utf8)
      answer.mutate(using: &generator)
      do {
        _ = try await call(answeredBy: answer, more: true)
      } catch is VarlinkError {
        continue
      }
    }
  }

  @Test(
    "Errors carry open-iscsi's exit codes",
    arguments: [
      (VarlinkError.notConnected("/x", .noSuchFileOrDirectory), IscsiKit.ExitStatus.daemonNotConnected),
      (.notConnected("/x", .permissionDenied), .access), (.closed, .daemonCommunication), (.timedOut, .requestTimeout),
      (.malformed, .daemonCommunication), (.busy, .busy), (.cancelled, .failure),
      (.remote(name: VarlinkErrorName.busy, parameters: [:]), .busy),
      (.remote(name: "a.b.C", parameters: [:]), .failure), (.system(.ioError), .daemonCommunication),
      (.unsayable(.embeddedNUL), .invalidArgument),
    ])
  func exitCodes(error: VarlinkError, status: IscsiKit.ExitStatus) {
    #expect(error.exitStatus == status)
    #expect(!error.description.isEmpty)
  }
}
