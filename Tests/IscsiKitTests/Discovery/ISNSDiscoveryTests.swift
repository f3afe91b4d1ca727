// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Synchronization
import Testing

@Suite("iSNS discovery", .timeLimit(.minutes(2)))
struct ISNSDiscoveryTests {
  private static let name = "iqn.2001-04.com.example:disk"
  private static let attributes = [ISNSAttribute].isns(
    target: name, at: [(.v4(0xC000_0201), 3260, 1), (.v4(0xC000_0202), 3260, 2)])

  private func makeServer(_ change: (inout InMemoryISNSServer) -> Void = { _ in }) -> InMemoryISNSServer {
    var server = InMemoryISNSServer()
    server.attributes = Self.attributes
    change(&server)
    return server
  }

  private func makeDiscovery(_ timeout: Duration = .seconds(60)) throws -> ISNSDiscovery {
    ISNSDiscovery(initiator: try InitiatorName("iqn.2001-04.com.example:host"), timeout: timeout)
  }

  /// What a discovery comes to, and which requests came to the server; its connection is closed then.
  private func run(
    _ server: InMemoryISNSServer, pieces: Int? = nil, timeout: Duration = .seconds(60)
  ) async throws -> (result: Result<ISNSTargets, OperationError>, asked: [ISNSFunction]) {
    let log = RequestLog()
    var logged = server
    logged.log = { log.add($0) }
    let node = logged
    let target = try LoopbackTarget(pieceLength: pieces, servingOctets: { node })
    let discovery = try makeDiscovery(timeout)
    let result = await Result { () async throws(OperationError) in try await discovery.run(at: target.portal) }
    await expectClosed(target)
    if case .failure(let error) = result { #expect(error.operation == .discovery(target.portal)) }
    return (result, log.functions)
  }

  /// What a discovery comes to whose time is over when the server was asked this much: as much time as that takes on
  /// this machine.
  private func runUntilAsked(
    _ expected: [ISNSFunction], _ server: InMemoryISNSServer
  ) async throws -> Result<ISNSTargets, OperationError> {
    var timeout = Duration.milliseconds(200)
    while true {
      let (result, asked) = try await run(server, timeout: timeout)
      if asked == expected || timeout > .seconds(30) {
        #expect(asked == expected)
        return result
      }
      timeout *= 4
    }
  }

  private func cause(_ result: Result<ISNSTargets, OperationError>) -> OperationError.Cause? {
    if case .failure(let error) = result { error.cause } else { nil }
  }

  @Test("The targets are found and the connection is closed, in pieces of any size", arguments: [nil, 1, 7])
  func plain(pieces: Int?) async throws {
    let (result, asked) = try await run(makeServer { $0.maxPayload = 40 }, pieces: pieces)
    let targets = try result.get().targets
    #expect(targets.map(\.name.description) == [Self.name])
    #expect(targets.first?.portals.map(\.description) == ["192.0.2.1:3260,1", "192.0.2.2:3260,2"])
    #expect(asked == [.query])
  }

  @Test("A server that wants a registration gets one, and is left without")
  func registration() async throws {
    let (result, asked) = try await run(makeServer { $0.wantsRegistration = true })
    #expect(try result.get().targets.count == 1)
    #expect(asked == [.query, .register, .query, .deregister])
  }

  @Test("A server that does not take the end of a registration well does not spoil the answer")
  func badFarewell() async throws {
    let (closed, _) = try await run(
      makeServer {
        $0.wantsRegistration = true
        $0.closesOn = [.deregister]
      })
    #expect(try closed.get().targets.count == 1)
    let (silent, _) = try await run(
      makeServer {
        $0.wantsRegistration = true
        $0.silentOn = [.deregister]
      })
    #expect(try silent.get().targets.count == 1)
  }

  @Test("A refused query and a refused registration are told apart")
  func refusals() async throws {
    let (query, _) = try await run(makeServer { $0.statuses[.query] = .sourceUnauthorized })
    #expect(cause(query) == .isns(.query(.sourceUnauthorized)))
    let (registration, asked) = try await run(
      makeServer {
        $0.wantsRegistration = true
        $0.statuses[.register] = .sourceUnauthorized
      })
    #expect(cause(registration) == .isns(.registration(.sourceUnauthorized)))
    #expect(asked == [.query, .register])
  }

  @Test("A server that closes the connection or says nothing is given up, and the registration with it")
  func lost() async throws {
    let (closed, _) = try await run(makeServer { $0.closesOn = [.query] })
    #expect(cause(closed) == .transport(.closedByPeer))
    let silent = try await runUntilAsked([.query], makeServer { $0.silentOn = [.query] })
    #expect(cause(silent) == .isns(.timedOut(.query)))
    let (registered, asked) = try await run(
      makeServer {
        $0.statuses[.query] = .sourceUnknown
        $0.closesOn = [.register]
      })
    #expect(cause(registered) == .transport(.closedByPeer))
    #expect(asked == [.query, .register])
  }

  @Test("A discovery that is given up while it is registered takes itself out")
  func givenUp() async throws {
    let result = try await runUntilAsked(
      [.query, .register, .query, .deregister],
      makeServer {
        $0.wantsRegistration = true
        $0.isSilentOnceRegistered = true
      })
    #expect(cause(result) == .isns(.timedOut(.query)))
  }

  @Test("A discovery that is given up while the answer to its registration is out takes itself out")
  func givenUpRegistering() async throws {
    let result = try await runUntilAsked(
      [.query, .register, .deregister],
      makeServer {
        $0.wantsRegistration = true
        $0.silentOn = [.register]
      })
    #expect(cause(result) == .isns(.timedOut(.register)))
  }

  @Test("A discovery that is cancelled while the answer to its registration is out takes itself out")
  func cancelledRegistering() async throws {
    let log = RequestLog()
    let node = makeServer {
      $0.wantsRegistration = true
      $0.silentOn = [.register]
      $0.log = { log.add($0) }
    }
    let target = try LoopbackTarget(servingOctets: { node })
    let discovery = try makeDiscovery()
    let run = Task { await Result { () async throws(OperationError) in try await discovery.run(at: target.portal) } }
    #expect(await eventually { log.functions == [.query, .register] })
    run.cancel()
    #expect(cause(await run.value) == .cancelled)
    #expect(await eventually { log.functions == [.query, .register, .deregister] })
  }

  @Test("A discovery whose answer is none once it is registered takes itself out")
  func garbledRegistered() async throws {
    let (result, asked) = try await run(
      makeServer {
        $0.wantsRegistration = true
        $0.isGarbledOnceRegistered = true
      })
    #expect(cause(result) == .isns(.malformed(.version(0x4854))))
    #expect(asked == [.query, .register, .query, .deregister])
  }

  @Test("Messages of the server's own on the way are passed over; octets that are none end the discovery")
  func notices() async throws {
    let notice = ISNSMessage(ISNSFunction(rawValue: 8), transactionID: 9, payload: [0, 0, 0, 0])
    let (result, _) = try await run(makeServer { $0.notices = notice.octets(from: .server) })
    #expect(try result.get().targets.count == 1)
    let (noise, _) = try await run(makeServer { $0.notices = Array("HTTP/1.1 400 Bad Request".utf8) })
    #expect(cause(noise) == .isns(.malformed(.version(0x4854))))
  }

  @Test("5000 targets with three portals each are found over many PDUs")
  func many() async throws {
    let targets = (0..<5000).flatMap { number in
      [ISNSAttribute].isns(
        target: "iqn.2001-04.com.example:disk\(number)",
        at: (1...3).map { (.v4(0xC000_0200 + UInt32($0)), 3260, PortalGroupTag($0)) })
    }
    let (result, _) = try await run(makeServer { $0.attributes = targets })
    let found = try result.get().targets
    #expect(found.count == 5000 && found.allSatisfy { $0.portals.count == 3 })
  }

  @Test("A closed port refuses the connection")
  func closedPort() async throws {
    let portal = try TestListener().portal, discovery = try makeDiscovery()
    let error = await #expect(throws: OperationError.self) { try await discovery.run(at: portal) }
    #expect(error?.cause == .transport(.refused) && error?.exitStatus == .transport)
  }

  @Test("A discovery that is cancelled ends at once and closes its connection")
  func cancelled() async throws {
    let listener = try TestListener()
    let discovery = try makeDiscovery()
    let run = Task { await Result { () async throws(OperationError) in try await discovery.run(at: listener.portal) } }
    try await listener.waitForConnection(until: .now + .seconds(60))
    run.cancel()
    guard case .failure(let error) = await run.value else {
      Issue.record("something was found")
      return
    }
    #expect(error.cause == .cancelled)
    #expect(TestListener.connections(to: listener.port) == 0)
  }
}

/// Which requests came.
private final class RequestLog: Sendable {
  private let requests = Mutex<[ISNSMessage]>([])

  func add(_ request: ISNSMessage) { requests.withLock { $0.append(request) } }

  var functions: [ISNSFunction] { requests.withLock { $0.map(\.function) } }
}
