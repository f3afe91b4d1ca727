// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@Suite("libiscsi against a real target", .serialized, .enabled(if: TgtServer.isAvailable))
struct UserspaceInitiatorTests {
  private let initiator: InitiatorName
  private let target: TargetName
  private let alice: CHAPCredentials
  private let storage: CHAPCredentials

  init() throws {
    initiator = try InitiatorName("iqn.2026-01.org.example:host")
    target = try TargetName("iqn.2026-01.org.example:disks")
    alice = CHAPCredentials(name: "alice", secret: try #require(Secret("aliceSecret12")))
    storage = CHAPCredentials(name: "storage", secret: try #require(Secret("storageSecret")))
  }

  private var soon: ContinuousClock.Instant { .now + .seconds(60) }

  private func connect(
    _ server: TgtServer, _ authentication: Authentication = .none
  ) async throws(UserspaceError) -> UserspaceInitiator {
    try await UserspaceInitiator.connect(
      to: target, at: server.portal, authentication: authentication, initiator: initiator, until: soon)
  }

  @Test("Units are found, described and read")
  func units() async throws {
    let server = try await TgtServer.start()
    try await server.addTarget(
      target,
      units: [
        .init(1, size: 64 << 20), .init(2, parameters: "readonly=1,thin_provisioning=1,scsi_sn=abc-123"),
        .init(300, size: 1 << 42),
      ])
    let session = try await connect(server)
    let luns = try await session.reportLUNs(until: soon)
    #expect(luns == [0, 1, 2, 300].compactMap(LUN.init(number:)))

    let controller = try await session.identify(luns[0], until: soon)
    #expect(controller.type == .controller)
    #expect(controller.size == nil)

    let disk = try await session.identify(luns[1], until: soon)
    #expect(disk.type == .disk)
    #expect(disk.isConnected)
    #expect(disk.readiness == .ready)
    #expect((disk.vendor, disk.product, disk.revision) == ("IET", "VIRTUAL-DISK", "0001"))
    #expect((disk.size, disk.logicalBlockSize) == (64 << 20, 512))
    #expect((disk.isWriteProtected, disk.isThinProvisioned, disk.isRemovable) == (false, false, false))
    #expect(disk.identifier == .naa("3000000100000001"))
    #expect(try await session.readFirstBlock(of: luns[1], until: soon) > .zero)

    let thin = try await session.identify(luns[2], until: soon)
    #expect((thin.isWriteProtected, thin.isThinProvisioned) == (true, true))
    #expect(thin.serialNumber == "abc-123")
    // More than READ CAPACITY (10) can tell.
    #expect(try await session.identify(luns[3], until: soon).size == 1 << 42)
    try await session.disconnect(until: soon)
  }

  @Test("A LUN without a unit is described as not connected, and its block is refused by the unit")
  func missingUnit() async throws {
    let server = try await TgtServer.start()
    try await server.addTarget(target, units: [.init(1)])
    let session = try await connect(server)
    let lun = try #require(LUN(number: 9))
    #expect(try await session.identify(lun, until: soon).isConnected == false)
    let error = await #expect(throws: UserspaceError.self) { try await session.readFirstBlock(of: lun, until: soon) }
    #expect(error?.isOfUnit == true)
    // The session goes on.
    #expect(try await session.reportLUNs(until: soon).count == 2)
  }

  @Test("A unit whose medium is offline says that it is not ready")
  func notReady() async throws {
    let server = try await TgtServer.start()
    try await server.addTarget(target, units: [.init(1, parameters: "online=0")])
    let session = try await connect(server)
    let unit = try await session.identify(try #require(LUN(number: 1)), until: soon)
    guard case .notReady(let sense) = unit.readiness else {
      Issue.record("\(unit.readiness)")
      return
    }
    #expect(sense.key == SCSISense.notReady)
    #expect(unit.size == nil)
  }

  @Test("A LUN of two levels, which libiscsi cannot address, is refused before anything is sent")
  func twoLevels() async throws {
    let server = try await TgtServer.start()
    try await server.addTarget(target, units: [.init(1)])
    let session = try await connect(server)
    let error = await #expect(throws: UserspaceError.self) {
      try await session.identify(LUN(rawValue: 0x0001_0002_0000_0000), until: soon)
    }
    #expect(error?.reason == .unaddressable)
  }

  @Test("CHAP lets us in")
  func chap() async throws {
    let server = try await TgtServer.start()
    try await server.addTarget(target, units: [.init(1)], account: alice, mutual: storage)
    for authentication in [
      Authentication(outgoing: alice), Authentication(outgoing: alice, algorithms: [.sha256, .md5]),
    ] {
      let session = try await connect(server, authentication)
      #expect(try await session.reportLUNs(until: soon).count == 2)
      try await session.disconnect(until: soon)
    }
  }

  @Test("Each failure of authentication has its own reason and exit code")
  func authenticationFailures() async throws {
    let server = try await TgtServer.start()
    try await server.addTarget(target, units: [.init(1)], account: alice, mutual: storage)
    let wrong = try #require(Secret("wrongSecret12"))
    let cases: [(Authentication, String)] = [
      (.none, "the target asks for CHAP (0201)"),
      (Authentication(outgoing: CHAPCredentials(name: "alice", secret: wrong)), "CHAP secret rejected (0201)"),
      (Authentication(outgoing: CHAPCredentials(name: "bob", secret: alice.secret)), "CHAP secret rejected (0201)"),
    ]
    for (authentication, reason) in cases {
      let error = await #expect(throws: UserspaceError.self) { try await connect(server, authentication) }
      #expect(error?.description == "login to \(target) at \(server.portal) failed: \(reason)")
      #expect(error?.exitStatus == .authentication)
    }
  }

  @Test("Authentication that libiscsi cannot do safely is refused before anything is sent")
  func refusedAuthentication() async throws {
    let long = CHAPCredentials(name: String(repeating: "a", count: 256), secret: alice.secret)
    let empty = CHAPCredentials(name: "", secret: alice.secret)
    let cases: [(Authentication, UserspaceError.Reason)] = [
      (Authentication(outgoing: alice, algorithms: [.sha256]), .unsupportedAlgorithms([.sha256])),
      (Authentication(outgoing: alice, incoming: storage), .mutualAuthentication),
      (Authentication(incoming: storage), .mutualAuthentication),
      (Authentication(outgoing: long), .unusableCredentials), (Authentication(outgoing: empty), .unusableCredentials),
    ]
    let listener = try TestListener()
    for (authentication, reason) in cases {
      let error = await #expect(throws: UserspaceError.self) {
        try await UserspaceInitiator.connect(
          to: target, at: listener.portal, authentication: authentication, initiator: initiator, until: soon)
      }
      #expect(error?.reason == reason)
      let second = await #expect(throws: UserspaceError.self) {
        try await UserspaceInitiator.discover(
          at: listener.portal, authentication: authentication, initiator: initiator, until: soon)
      }
      #expect(second?.reason == reason)
    }
    #expect(TestListener.connections(to: listener.port) == 0)
  }

  @Test("Discovery tells every target with its portal")
  func discovery() async throws {
    let server = try await TgtServer.start()
    let other = try TargetName("iqn.2026-01.org.example:tapes")
    try await server.addTarget(target, units: [.init(1)])
    try await server.addTarget(other, units: [])
    let found = try await UserspaceInitiator.discover(at: server.portal, initiator: initiator, until: soon)
    #expect(Set(found.map(\.name)) == [target, other])
    #expect(found.allSatisfy { $0.portals.map(\.address) == [server.portal.address] })
  }

  @Test("A target that is not there is refused with its status")
  func unknownTarget() async throws {
    let server = try await TgtServer.start()
    // Without any target tgtd just closes the connection.
    try await server.addTarget(TargetName("iqn.2026-01.org.example:tapes"), units: [])
    let error = await #expect(throws: UserspaceError.self) { try await connect(server) }
    #expect(error?.reason == .loginRejected(.notFound))
    #expect(error?.exitStatus == .fatalLogin)
  }

  @Test("A host name is resolved, and an address that refuses is followed by the next")
  func hostName() async throws {
    let server = try await TgtServer.start()
    try await server.addTarget(target, units: [.init(1)])
    let session = try await UserspaceInitiator.connect(
      to: target, at: Portal(host: .name("localhost"), port: server.port), initiator: initiator, until: soon)
    #expect(try await session.reportLUNs(until: soon).count == 2)
  }

  @Test("A server that dies in the middle of a session ends it with an error, and the session stays closed")
  func lostConnection() async throws {
    let server = try await TgtServer.start()
    try await server.addTarget(target, units: [.init(1)])
    let session = try await connect(server)
    server.stop()
    let first = await #expect(throws: UserspaceError.self) { try await session.reportLUNs(until: soon) }
    #expect(first?.reason == .disconnected)
    let second = await #expect(throws: UserspaceError.self) { try await session.reportLUNs(until: soon) }
    #expect(second?.reason == .closed)
  }

  @Test("Fifty sessions, ended in order, by failure and by letting go, leave no socket behind")
  func noLeak() async throws {
    let server = try await TgtServer.start()
    try await server.addTarget(target, units: [.init(1)], account: alice)
    let wrong = CHAPCredentials(name: "alice", secret: storage.secret)
    for round in 0..<50 {
      if round % 5 == 4 {
        await #expect(throws: UserspaceError.self) { try await connect(server, Authentication(outgoing: wrong)) }
        continue
      }
      let session = try await connect(server, Authentication(outgoing: alice))
      #expect(TestListener.connections(to: server.port) == 1)
      _ = try await session.reportLUNs(until: soon)
      if round % 2 == 0 { try await session.disconnect(until: soon) }
    }
    #expect(TestListener.connections(to: server.port) == 0)
  }
}

@Suite("libiscsi against ports that are no target")
struct UserspaceTransportTests {
  private func connect(
    to portal: Portal, until deadline: ContinuousClock.Instant
  ) async throws -> UserspaceInitiator {
    try await UserspaceInitiator.connect(
      to: TargetName("iqn.2026-01.org.example:disks"), at: portal,
      initiator: InitiatorName("iqn.2026-01.org.example:host"), until: deadline)
  }

  @Test("A closed port refuses at once")
  func closedPort() async throws {
    // The listener ends with this statement, and its port is closed.
    let portal = try TestListener().portal
    let error = await #expect(throws: UserspaceError.self) {
      try await connect(to: portal, until: .now + .seconds(60))
    }
    #expect(error?.reason == .transport(.refused))
    #expect(error?.exitStatus == .transport)
  }

  @Test("A target that never answers ends with the deadline, and the socket is closed")
  func deadline() async throws {
    let listener = try TestListener()
    let start = ContinuousClock.now
    let error = await #expect(throws: UserspaceError.self) {
      try await connect(to: listener.portal, until: start + .milliseconds(200))
    }
    let elapsed = ContinuousClock.now - start
    #expect(error?.reason == .transport(.timedOut))
    #expect(error?.exitStatus == .transportTimeout)
    #expect(elapsed >= .milliseconds(200))
    #expect(TestListener.connections(to: listener.port) == 0)
  }

  /// The connection to a target that sends logins on to a portal.
  private func connect(redirectedTo portal: Portal) async throws -> UserspaceInitiator {
    var node = try testTarget()
    node.login.redirect = portal
    let redirecting = node
    let target = try LoopbackTarget { _ in redirecting }
    return try await UserspaceInitiator.connect(
      to: node.name, at: target.portal, initiator: InitiatorName("iqn.2026-01.org.example:host"),
      until: .now + .seconds(60))
  }

  @Test("A redirect is followed")
  func redirect() async throws {
    let honest = try testTarget()
    let target = try LoopbackTarget { _ in honest }
    #expect(try await connect(redirectedTo: target.portal).portal.address == target.portal.address)
  }

  @Test("A redirect to the unspecified address is refused", arguments: ["0.0.0.0", "[::]:3260"])
  func redirectToUnspecified(text: String) async throws {
    let nowhere = try Portal(text)
    let error = await #expect(throws: UserspaceError.self) { try await connect(redirectedTo: nowhere) }
    guard case .redirection(.redirectToNowhere(let portal))? = error?.reason else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(portal.host == nowhere.host)
    #expect(error?.exitStatus == .fatalLogin)
  }

  @Test("A cancelled task ends at once, and the socket is closed")
  func cancellation() async throws {
    let listener = try TestListener()
    let portal = listener.portal
    let task = Task { _ = try await connect(to: portal, until: .now + .seconds(600)) }
    try await listener.waitForConnection(until: .now + .seconds(60))
    task.cancel()
    let error = await #expect(throws: UserspaceError.self) { try await task.value }
    #expect(error?.reason == .transport(.cancelled))
    #expect(TestListener.connections(to: listener.port) == 0)
  }

  @Test("A name that does not exist says so")
  func unknownHost() async throws {
    let portal = try Portal("no-such-host.invalid")
    let error = await #expect(throws: UserspaceError.self) {
      try await connect(to: portal, until: .now + .seconds(60))
    }
    guard case .transport(.unresolvable) = error?.reason else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
