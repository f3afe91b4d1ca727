// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@Suite("Logins by a manager", .timeLimit(.minutes(2)))
struct ManagerLoginTests {
  /// A fixture whose peers send a login on as told: from the peer of a number to another portal.
  private func redirecting(
    peers: Int, permanently: Bool = false, _ next: @escaping @Sendable (Int, [Portal]) -> Portal?
  ) async throws -> SessionFixture {
    let fixture = try await SessionFixture(peers: peers) { _ in SilentNode() }
    let (portals, honest) = (fixture.peers.map(\.portal), try testTarget())
    fixture.kernel.serve { session in
      var target = honest
      target.login.redirectsPermanently = permanently
      target.login.redirect = portals.firstIndex { $0.port == session.peerPort }.flatMap { next($0, portals) }
      return target
    }
    return fixture
  }

  @Test("A redirect is followed with a session of its own, and the record's portal stays", arguments: [false, true])
  func redirect(permanently: Bool) async throws {
    let fixture = try await redirecting(peers: 2, permanently: permanently) { $0 == 0 ? $1[1] : nil }
    let report = try await fixture.sessions.login(try fixture.request())
    #expect(report.portal == fixture.peers[1].portal)
    #expect(report.session == SessionID(rawValue: 2) && fixture.kernel.sessions.count == 1)
    let session = try #require(fixture.kernel.sessions[report.session])
    #expect(session.peerPort == fixture.peers[1].portal.port)
    #expect(session.parameters[18] == String(fixture.portal.port))
    #expect(await eventually { fixture.peers[0].openConnectionCount == 0 })
    #expect(fixture.kernel.violations == [])
  }

  @Test("Redirects in a circle are an error, and nothing is left")
  func circle() async throws {
    let fixture = try await redirecting(peers: 3) { $1[($0 + 1) % 3] }
    #expect(await fixture.failure(try fixture.request()) == .login(.redirectLoop(fixture.portal)))
    #expect(fixture.peers.map(\.connectionCount) == [1, 1, 1])
    await fixture.expectNothingLeft()
  }

  @Test("Redirects without an end are an error, and nothing is left")
  func endless() async throws {
    let fixture = try await redirecting(peers: 10) { $1[($0 + 1) % 10] }
    #expect(await fixture.failure(try fixture.request()) == .login(.tooManyRedirects(8)))
    await fixture.expectNothingLeft()
  }

  @Test("A redirect to where nobody listens fails as a connection does")
  func redirectToNowhere() async throws {
    // A port that no other test can get in the meantime.
    let closed = try Portal("127.0.0.1:1")
    let fixture = try await redirecting(peers: 1) { _, _ in closed }
    #expect(await fixture.failure(try fixture.request()) == .transport(.refused))
    await fixture.expectNothingLeft()
  }

  @Test("A redirect to the unspecified address is refused, and nothing is left", arguments: ["0.0.0.0", "[::]:3261"])
  func redirectToUnspecified(text: String) async throws {
    let nowhere = try Portal(text)
    let fixture = try await redirecting(peers: 1) { _, _ in nowhere }
    #expect(await fixture.failure(try fixture.request()) == .login(.redirectToNowhere(nowhere)))
    await fixture.expectNothingLeft()
  }

  @Test("Redirects by slow targets take no longer than one login may")
  func slowRedirects() async throws {
    let fixture = try await redirecting(peers: 10) { index, portals in
      // A target that takes its time; eight of them take more than a login has.
      usleep(100_000)
      return portals[(index + 1) % 10]
    }
    let cause = await fixture.failure(try fixture.request(timeout: .milliseconds(300)))
    #expect(cause != .login(.tooManyRedirects(8)))
    #expect(fixture.peers[9].connectionCount == 0)
    await fixture.expectNothingLeft()
  }

  private func addExisting(_ fixture: SessionFixture, interface: String = "default") throws {
    var session = SessionSnapshot.example(9)
    session.targetName = "iqn.2001-04.com.example:disk"
    session.interfaceName = interface
    session.connection?.persistentAddress = "127.0.0.1"
    session.connection?.persistentPort = fixture.portal.port
    try fixture.tree.add(session)
  }

  @Test("A session that exists is not made again, and nobody is asked")
  func exists() async throws {
    let fixture = try await SessionFixture()
    try addExisting(fixture)
    let request = try fixture.request()
    let error = await #expect(throws: OperationError.self) { try await fixture.sessions.login(request) }
    #expect(error?.cause == .sessionExists(SessionID(rawValue: 9)))
    #expect(error?.exitStatus == .sessionExists)
    #expect(fixture.requestTypes.isEmpty && fixture.peers[0].connectionCount == 0)
  }

  @Test("A session through another interface is another session")
  func otherInterface() async throws {
    let fixture = try await SessionFixture()
    try addExisting(fixture, interface: "iface0")
    _ = try await fixture.sessions.login(try fixture.request())
    #expect(fixture.kernel.sessions.count == 1)
  }

  @Test("Of equal logins in one call, one is made")
  func twice() async throws {
    let fixture = try await SessionFixture()
    let results = await fixture.sessions.login(Array(repeating: try fixture.request(), count: 3))
    let causes = results.map { result -> OperationError.Cause? in
      if case .failure(let error) = result { error.cause } else { nil }
    }
    let session = try #require(fixture.kernel.sessions.keys.first)
    #expect(causes == [nil, .sessionExists(session), .sessionExists(session)])
    #expect(fixture.kernel.sessions.count == 1)
  }

  @Test("A logout of a session that is still being made ends well, and by the number that it was asked for")
  func loggedOutMeanwhile() async throws {
    let fixture = try await SessionFixture(SilentNode())
    let (sessions, request) = (fixture.sessions, try fixture.request())
    let login = Task { await sessions.login([request]) }
    #expect(await eventually { fixture.kernel.requests.contains { $0.type == .sendPDU } })
    let session = try #require(fixture.kernel.sessions.keys.first)
    let report = try #require(await sessions.logOut([session]).first).get()
    #expect(report.session == session && report.problems == [])
    guard case .failure(let error)? = await login.value.first else {
      Issue.record("the login succeeded")
      return
    }
    #expect(error.cause == .cancelled)
    await fixture.expectNothingLeft()
  }

  @Test("A login that failed can be made again")
  func again() async throws {
    let fixture = try await SessionFixture()
    fixture.kernel.inject(.refuse(.noMemory), into: .createSession)
    let request = try fixture.request()
    #expect(await fixture.failure(request) != nil)
    _ = try await fixture.sessions.login(request)
    #expect(await fixture.sessions.login([request]).count == 1)
  }

  @Test("Targets that are dead, however many, hold up no other of their call")
  func besideDeadOnes() async throws {
    let fixture = try await SessionFixture()
    // Nobody listens there, and each is tried again for a minute.
    var requests: [LoginRequest] = []
    for index in 1...40 {
      var dead = try fixture.request()
      dead.portal = try Portal("127.1.0.\(index):1")
      dead.options.timeouts.loginRetryWindow = .seconds(60)
      requests.append(dead)
    }
    requests.append(try fixture.request())
    let (ended, sessions, all) = (Notes<Int>(), fixture.sessions, requests)
    let login = Task {
      await sessions.login(all) { index, step in
        if step == .end { ended.add(index) }
      }
    }
    #expect(await eventually { ended.all == [40] })
    #expect(fixture.kernel.sessions.count == 1)
    login.cancel()
    let results = await login.value
    #expect(results.count { (try? $0.get()) != nil } == 1 && (try? results.last?.get()) != nil)
  }

  @Test("64 logins at a time get their own answers")
  func parallel() async throws {
    // A peer takes 16 connections.
    let fixture = try await SessionFixture(peers: 8) { _ in SilentNode() }
    let names = try (0..<64).map { try TargetName("iqn.2001-04.com.example:disk\($0)") }
    fixture.kernel.serve { session in
      guard let index = names.firstIndex(where: { $0.description == session.parameters[15] }) else {
        return SilentNode()
      }
      let portal = Portal(host: .name("disk"), tag: UInt16(index))
      return InMemoryTarget(name: names[index], portals: [portal])
    }
    var requests: [LoginRequest] = []
    for (index, name) in names.enumerated() {
      var request = try fixture.request()
      request.target = name
      request.portal = fixture.peers[index % 8].portal
      request.options.scan = .all
      requests.append(request)
    }
    let results = await fixture.sessions.login(requests)
    #expect(results.count == 64)
    for (index, result) in results.enumerated() {
      let report = try result.get()
      #expect(report.target == names[index] && report.login.tag == UInt16(index))
      let session = try #require(fixture.kernel.sessions[report.session])
      #expect(session.parameters[15] == names[index].description && session.parameters[16] == String(index))
      #expect(session.peerPort == requests[index].portal.port)
    }
    #expect(Set(results.compactMap { try? $0.get().session }).count == 64)
    #expect(fixture.kernel.violations == [])
  }
}
