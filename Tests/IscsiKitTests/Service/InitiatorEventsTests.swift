// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import IscsiKit

@Suite("The sequence of the daemon's events", .timeLimit(.minutes(1)))
struct InitiatorEventsTests {
  /// A daemon that ends its first Monitor call at once, and notes from where each call goes on.
  private final class FickleDaemon: VarlinkService {
    private let calls = Mutex<(pings: Int, afters: [UInt64?])>((0, []))
    var afters: [UInt64?] { calls.withLock { $0.afters } }
    var description: VarlinkInterfaceDescription {
      VarlinkInterfaceDescription(name: InitiatorInterface.name, text: InitiatorInterface.text)
    }

    func call(_ call: VarlinkCall) async -> VarlinkReply {
      do {
        return call.method == "Ping" ? try ping() : try await monitor(call)
      } catch {
        return .failure(name: VarlinkErrorName.internal)
      }
    }

    private func ping() throws -> VarlinkReply {
      let number = calls.withLock { calls in
        calls.pings += 1
        return calls.pings
      }
      let identity = InitiatorTypes.Identity(
        version: "1", instance: "a", processID: 1, sessions: 0, firstEvent: 1, lastEvent: UInt64(number * 5))
      return .success(try JSONValueEncoder().encode(identity))
    }

    private func monitor(_ call: VarlinkCall) async throws -> VarlinkReply {
      let input = try call.decodeParameters(as: InitiatorTypes.MonitorInput.self)
      let number = calls.withLock { calls in
        calls.afters.append(input.after)
        return calls.afters.count
      }
      if number > 1 {
        let event = InitiatorTypes.Event(
          sequence: 6, time: 0, kind: "lost", session: nil, target: "iqn.x", portal: "192.0.2.1:3260", message: "lost")
        try await call.send(JSONValueEncoder().encode(InitiatorTypes.MonitorOutput(event: event)))
      }
      let failure = InitiatorTypes.Failure(message: "ends", exitCode: Int(ExitStatus.tryAgain.rawValue))
      let output = InitiatorTypes.FailureOutput(failure: failure)
      return .failure(
        name: InitiatorInterface.name + ".OperationFailed", parameters: try JSONValueEncoder().encode(output))
    }
  }

  /// A daemon to which nothing happens.
  private final class QuietDaemon: VarlinkService {
    let monitors = Atomic(0)
    var description: VarlinkInterfaceDescription {
      VarlinkInterfaceDescription(name: InitiatorInterface.name, text: InitiatorInterface.text)
    }

    func call(_ call: VarlinkCall) async -> VarlinkReply {
      guard call.method == "Monitor" else { return .success() }
      monitors.add(1, ordering: .relaxed)
      try? await Reactor.shared.sleep(until: .now + .seconds(600))
      return .success()
    }
  }

  /// Runs a service for clients of the daemon.
  private func run(
    _ service: any VarlinkService, limits: VarlinkServer.Limits = VarlinkServer.Limits(),
    admits: @escaping @Sendable (UnixPeer) -> Bool = { _ in true }, _ body: (Initiator) async throws -> Void
  ) async throws {
    let directory = try SocketDirectory()
    let server = try VarlinkServer(
      listener: UnixListener(at: directory.socket), identity: VarlinkFixture.identity, services: [service],
      limits: limits, admits: admits)
    let running = Task { await server.run() }
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(Initiator(socket: directory.socket))) } catch { outcome = .failure(error) }
    server.close()
    await running.value
    try outcome.get()
  }

  @Test("An answer that lacks something tells what, and that the two are of different versions")
  func otherVersion() async throws {
    try await run(QuietDaemon()) { initiator in
      let error = await #expect(throws: InitiatorError.self) { try await initiator.ping() }
      #expect(error?.description.hasPrefix("the daemon's answer is not understood: ") == true)
      #expect(error?.description.contains("version") == true)
      #expect(error?.advice == "update the daemon or this program, so that both are of one version")
      #expect(error?.exitStatus == .daemonCommunication)
    }
  }

  @Test("A connection that is lost before the first event loses none")
  func lostEarly() async throws {
    let daemon = FickleDaemon()
    try await run(daemon) { initiator in
      var events = initiator.events().makeAsyncIterator()
      let event = try await events.next()
      #expect(event?.sequence == 6)
      #expect(daemon.afters == [5, 5])
    }
  }

  @Test("The number that is known is what a daemon is asked by, whichever it is of")
  func known() async throws {
    let daemon = FickleDaemon()
    try await run(daemon) { initiator in
      var events = initiator.events(after: 77).makeAsyncIterator()
      let event = try await events.next()
      #expect(event?.sequence == 6)
      #expect(daemon.afters == [77, 77])
    }
  }

  @Test("The sequence ends with its task, while it waits for a daemon too")
  func cancelled() async throws {
    let directory = try SocketDirectory()
    let initiator = Initiator(socket: directory.socket)
    let reading = Task { for try await _ in initiator.events() {} }
    reading.cancel()
    try await reading.value
  }

  @Test("The sequence ends with its task, without an error, while it waits for an event too")
  func cancelledInWait() async throws {
    let daemon = QuietDaemon()
    try await run(daemon) { initiator in
      let reading = Task { for try await _ in initiator.events(after: 1) {} }
      #expect(await eventually { daemon.monitors.load(ordering: .relaxed) == 1 })
      reading.cancel()
      try await reading.value
    }
  }

  @Test("A daemon that has no room for one more client is waited for")
  func busy() async throws {
    var limits = VarlinkServer.Limits()
    limits.clients = 1
    let daemon = QuietDaemon()
    try await run(daemon, limits: limits) { initiator in
      let first = Task { for try await _ in initiator.events(after: 1) {} }
      #expect(await eventually { daemon.monitors.load(ordering: .relaxed) == 1 })
      let error = await #expect(throws: InitiatorError.self) { try await initiator.ping() }
      #expect(error?.exitStatus == .busy)
      let second = Task { for try await _ in initiator.events(after: 1) {} }
      // Longer than its pause between two tries.
      try await Task.sleep(for: .milliseconds(700))
      first.cancel()
      try await first.value
      #expect(await eventually { daemon.monitors.load(ordering: .relaxed) == 2 })
      second.cancel()
      try await second.value
    }
  }

  @Test("Who may not talk to the daemon is told so, and does not wait for another")
  func permission() async throws {
    try await run(FickleDaemon(), admits: { _ in false }) { initiator in
      let error = await #expect(throws: InitiatorError.self) { try await initiator.ping() }
      #expect(error?.exitStatus == .access && error?.advice == "run it as root")
      await #expect(throws: InitiatorError.self) { for try await _ in initiator.events() {} }
    }
  }
}
