// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

/// A discovery whose time is enough for any machine.
func makeDiscovery(
  _ authentication: Authentication = .none, timeout: Duration = .seconds(60)
) throws -> SendTargetsDiscovery {
  var discovery = SendTargetsDiscovery(initiator: try InitiatorName("iqn.2001-04.com.example:host"))
  discovery.authentication = authentication
  discovery.timeout = timeout
  return discovery
}

/// Checks that a discovery has closed its connection, on both sides.
func expectClosed(_ target: LoopbackTarget, sourceLocation: SourceLocation = #_sourceLocation) async {
  #expect(TestListener.connections(to: target.portal.port) == 0, sourceLocation: sourceLocation)
  #expect(await eventually { target.openConnectionCount == 0 }, sourceLocation: sourceLocation)
}

@Suite("SendTargets discovery", .timeLimit(.minutes(2)))
struct SendTargetsTests {
  private func serve(pieces: Int? = nil, _ target: InMemoryTarget) throws -> LoopbackTarget {
    try LoopbackTarget(pieceLength: pieces) { _ in target }
  }

  /// Runs a discovery that must fail, and tells why.
  private func failure(_ discovery: SendTargetsDiscovery, _ portal: Portal) async -> OperationError? {
    let error = await #expect(throws: OperationError.self) { try await discovery.run(at: portal) }
    #expect(error?.operation == .discovery(portal))
    return error
  }

  @Test("The targets are found, the session is logged out, and the connection is closed", arguments: [nil, 1, 7])
  func plain(pieces: Int?) async throws {
    let target = try testTarget()
    let server = try serve(pieces: pieces, target)
    let response = try await makeDiscovery().run(at: server.portal)
    #expect(response.targets == target.targets)
    #expect(response.refused == [])
    await expectClosed(server)
    #expect(server.received.map(\.opcode) == [.loginRequest, .textRequest, .logoutRequest])
    guard case .loginRequest(let login)? = server.received.first else {
      Issue.record("there was no login")
      return
    }
    let keys = TextEntries(octets: login.data)
    #expect(keys["SessionType"] == "Discovery" && keys["TargetName"] == nil)
  }

  @Test("A target without address is where it was asked for, and one that has nothing is no error")
  func ownAddress() async throws {
    var target = try testTarget()
    target.targets = [DiscoveredTarget(name: target.name, portals: [])]
    let server = try serve(target)
    #expect(try await makeDiscovery().run(at: server.portal).targets.map(\.portals) == [[server.portal]])
    target.targets = []
    let empty = try serve(target)
    #expect(try await makeDiscovery().run(at: empty.portal).targets == [])
  }

  @Test("Every CHAP algorithm works in one direction and in both", arguments: CHAPAlgorithm.allCases, [false, true])
  func chap(algorithm: CHAPAlgorithm, mutual: Bool) async throws {
    let target = try testTarget(authentication: try TestAccounts.chap([algorithm]))
    let server = try serve(target)
    let authentication = try TestAccounts.authentication(mutual: mutual, CHAPAlgorithm.allCases)
    #expect(try await makeDiscovery(authentication).run(at: server.portal).targets == target.targets)
  }

  @Test("Who is not let in is told why, without the secret")
  func wrongSecret() async throws {
    let server = try serve(try testTarget(authentication: try TestAccounts.chap()))
    let wrong = CHAPCredentials(name: "host", secret: try #require(Secret("wrongSecret1234")))
    let error = await failure(try makeDiscovery(Authentication(outgoing: wrong)), server.portal)
    #expect(error?.cause == .login(.rejected(.authenticationFailure)))
    #expect(error?.exitStatus == .authentication)
    var told = error?.description ?? ""
    dump(error, to: &told)
    #expect(!told.contains("wrongSecret1234"))
    #expect(
      await failure(try makeDiscovery(), server.portal)?.cause
        == .login(.authenticationRequired(.authenticationFailure)))
    await expectClosed(server)
  }

  @Test("5000 targets with three portals each are found over many responses", arguments: [true, false])
  func many(setsContinueBit: Bool) async throws {
    var target = try testTarget()
    target.setsContinueBit = setsContinueBit
    target.targets = try (0..<5000).map { number in
      DiscoveredTarget(
        name: try TargetName("iqn.2001-04.com.example:disk\(number)"),
        portals: try (1...3).map { try Portal("192.0.2.\($0):3260,\($0)") })
    }
    let server = try serve(target)
    let response = try await makeDiscovery().run(at: server.portal)
    #expect(response.targets == target.targets)
    await expectClosed(server)
  }

  @Test("A redirect is followed, and the targets are where it ended", arguments: [false, true])
  func redirect(permanently: Bool) async throws {
    var target = try testTarget()
    target.targets = [DiscoveredTarget(name: target.name, portals: [])]
    let end = try serve(target)
    target.login.redirect = end.portal
    target.login.redirectsPermanently = permanently
    let start = try serve(target)
    let response = try await makeDiscovery().run(at: start.portal)
    #expect(response.targets.map(\.portals) == [[end.portal]])
    await expectClosed(start)
    await expectClosed(end)
  }

  @Test("NOP-Ins and notices on the way are answered or passed over")
  func unsolicited() async throws {
    var target = try testTarget()
    var ping = NOPInPDU()
    ping.targetTransferTag = 7
    target.unsolicited = [.nopIn(ping), .nopIn(NOPInPDU())]
    let server = try serve(target)
    #expect(try await makeDiscovery().run(at: server.portal).targets == target.targets)
    #expect(server.received.map(\.opcode).contains(.nopOut))
  }

  @Test("A closed port refuses the connection")
  func closedPort() async throws {
    let error = await failure(try makeDiscovery(), try TestListener().portal)
    #expect(error?.cause == .transport(.refused))
    #expect(error?.exitStatus == .transport)
  }

  @Test("A target that takes the connection and says nothing is given up in time")
  func silent() async throws {
    let listener = try TestListener()
    let error = await failure(try makeDiscovery(timeout: .milliseconds(150)), listener.portal)
    #expect(error?.cause == .login(.timedOut))
    #expect(error?.exitStatus == .pduTimeout)
    #expect(TestListener.connections(to: listener.port) == 0)
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

  @Test("50 discoveries leave no descriptor open")
  func descriptors() async throws {
    let server = try serve(try testTarget())
    let discovery = try makeDiscovery()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<10 {
        group.addTask {
          var count = 0
          for _ in 0..<5 { count += try await discovery.run(at: server.portal).targets.count }
          return count
        }
      }
      for try await count in group { #expect(count == 5) }
    }
    #expect(server.connectionCount == 50)
    await expectClosed(server)
  }

  @Test("Two discoveries do not have the same ISID")
  func isid() async throws {
    let server = try serve(try testTarget())
    for _ in 0..<2 { _ = try await makeDiscovery().run(at: server.portal) }
    let isids = server.received.compactMap { pdu -> ISID? in
      if case .loginRequest(let request) = pdu { request.isid } else { nil }
    }
    #expect(isids.count == 2 && Set(isids).count == 2)
  }
}

@Suite("SendTargets against a real target", .enabled(if: TgtServer.isAvailable), .timeLimit(.minutes(2)))
struct SendTargetsAgainstTgtTests {
  @Test("What is found is what libiscsi finds", arguments: [0, 1, 40])
  func agrees(count: Int) async throws {
    let server = try await TgtServer.start()
    // Without any target tgtd refuses all connections, so one is there that is not ours to count.
    for number in 0...count {
      try await server.addTarget(TargetName("iqn.2026-01.org.example:disk\(number)"), units: [])
    }
    let discovery = try makeDiscovery()
    let ours = try await discovery.run(at: server.portal)
    let theirs = try await UserspaceInitiator.discover(
      at: server.portal, initiator: discovery.initiator, until: .now + .seconds(60))
    #expect(ours.targets.count == count + 1 && ours.refused == [])
    #expect(
      Dictionary(uniqueKeysWithValues: ours.targets.map { ($0.name, $0.portals) })
        == Dictionary(uniqueKeysWithValues: theirs.map { ($0.name, $0.portals) }))
  }
}
