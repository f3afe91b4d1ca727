// SPDX-License-Identifier: Apache-2.0
import Synchronization
import SystemPackage

@testable import IscsiKit

/// A service with a method for every way to answer.
final class SampleService: VarlinkService {
  static let name = "io.example.Sample"
  static let text = """
    # For tests.
    interface io.example.Sample

    type Color (red, green)

    method Echo(text: string, number: ?int, color: ?Color) -> (text: string)
    method Peer() -> (uid: int, pid: int)
    # Answers several times.
    method Count(to: int) -> (number: int)
    # Ends when it is cancelled only.
    method Hang() -> (wasCancelled: bool)
    method Fill(octets: int) -> (text: string)
    method Crowd(tasks: int, octets: int) -> (sent: int)
    method Undone() -> ()
    method Unsayable() -> (number: float)
    method Fail() -> ()
    method Log(text: string) -> ()

    error Failed (why: string)

    """

  let log = Mutex<[String]>([])
  var description: VarlinkInterfaceDescription { VarlinkInterfaceDescription(name: Self.name, text: Self.text) }

  func note(_ text: String) { log.withLock { $0.append(text) } }
  func hasNoted(_ text: String) -> Bool { log.withLock { $0.contains(text) } }

  func call(_ call: VarlinkCall) async -> VarlinkReply {
    switch call.method {
    case "Echo": return .success(["text": call.parameters["text"] ?? ""])
    case "Peer":
      return .success(["uid": .integer(Int64(call.peer.userID)), "pid": .integer(Int64(call.peer.processID))])
    case "Count": return await count(call)
    case "Hang":
      note("hangs")
      try? await Reactor.shared.sleep(until: .now + .seconds(600))
      note("ended")
      return .success(["wasCancelled": .bool(Task.isCancelled)])
    case "Fill":
      return .success(["text": .string(String(repeating: "x", count: Self.integer(call.parameters["octets"])))])
    case "Crowd": return await crowd(call)
    case "Unsayable": return .success(["number": .number(.nan)])
    case "Fail": return .failure(name: "\(Self.name).Failed", parameters: ["why": "asked"])
    case "Log":
      if case .string(let text)? = call.parameters["text"] { note(text) }
      return .success()
    default: return .methodNotImplemented(call.method)
    }
  }

  private func count(_ call: VarlinkCall) async -> VarlinkReply {
    guard call.wantsMore else { return .expectedMore }
    let end = Self.integer(call.parameters["to"])
    for number in 1..<max(end, 1) {
      do throws(VarlinkSendError) {
        try await call.send(["number": .integer(Int64(number))])
      } catch {
        note("\(error)")
        return .success(["number": -1])
      }
    }
    return .success(["number": .integer(Int64(end))])
  }

  /// Several tasks that send at once.
  private func crowd(_ call: VarlinkCall) async -> VarlinkReply {
    let text = JSONValue.string(String(repeating: "y", count: Self.integer(call.parameters["octets"])))
    let sent = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<Self.integer(call.parameters["tasks"]) {
        group.addTask { (try? await call.send(["text": text])) != nil }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    note("sent \(sent)")
    return .success(["sent": .integer(Int64(sent))])
  }

  private static func integer(_ value: JSONValue?) -> Int {
    if case .integer(let integer)? = value { Int(clamping: integer) } else { 0 }
  }
}

/// A server with the sample service that runs during a test.
struct VarlinkFixture {
  static let identity = VarlinkIdentity(
    vendor: "Example", product: "Sample", version: "1.2", url: "https://example.org")

  let service = SampleService()
  let directory: SocketDirectory
  let server: VarlinkServer
  var path: FilePath { directory.socket }

  /// Runs `body` beside a server, closes the server and waits for its end.
  static func run(
    limits: VarlinkServer.Limits = VarlinkServer.Limits(),
    admits: @escaping @Sendable (UnixPeer) -> Bool = { _ in true },
    _ body: (VarlinkFixture) async throws -> Void
  ) async throws {
    let directory = try SocketDirectory()
    let fixture = try VarlinkFixture(directory: directory, limits: limits, admits: admits)
    let running = Task { await fixture.server.run() }
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(fixture)) } catch { outcome = .failure(error) }
    fixture.server.close()
    await running.value
    try outcome.get()
  }

  private init(
    directory: SocketDirectory, limits: VarlinkServer.Limits, admits: @escaping @Sendable (UnixPeer) -> Bool
  ) throws {
    self.directory = directory
    server = try VarlinkServer(
      listener: UnixListener(at: directory.socket), identity: Self.identity, services: [service], limits: limits,
      admits: admits)
  }

  func client() async throws -> VarlinkClient { try await .connect(to: path, until: .soon) }
  func rawClient() async throws -> RawVarlinkClient { RawVarlinkClient(try await .connect(to: path, until: .soon)) }
}

/// A client that can misbehave.
final class RawVarlinkClient {
  let socket: LocalSocket
  private var buffer = VarlinkMessageBuffer(limit: 16 << 20)

  init(_ socket: LocalSocket) { self.socket = socket }

  func write(_ text: String) async throws { try await socket.write(Array(text.utf8), until: .soon) }

  /// The next message as a text; nil at the end of the stream.
  func read() async throws -> String? {
    while true {
      if let message = try buffer.next() { return String(decoding: message, as: UTF8.self) }
      do {
        let octets = try await socket.read(upTo: 65_536, until: .soon)
        guard !octets.isEmpty else { return nil }
        buffer.append(octets)
      } catch LocalSocketError.closedByPeer {
        return nil
      }
    }
  }
}
