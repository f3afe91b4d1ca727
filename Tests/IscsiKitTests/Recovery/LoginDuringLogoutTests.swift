// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import Testing

@testable import IscsiKit

@Suite("Logins while the session is being logged out of, and who waits for logouts", .timeLimit(.minutes(2)))
struct LoginDuringLogoutTests {
  /// A session whose logout begins and does not end before `release`.
  private func leaving(_ fixture: SupervisedFixture) async throws -> (SessionID, Task<Void, any Error>) {
    let session = try await fixture.logIn()
    fixture.kernel.inject(.withoutEvent, into: .unbindSession)
    let manager = fixture.manager
    let logout = Task { _ = try #require(await manager.logOut([session]).first).get() }
    #expect(await eventually { fixture.supervision(session)?.phase == .loggingOut })
    return (session, logout)
  }

  /// Lets the kernel tell that the devices are gone, and takes the session out of sysfs as it does.
  private func release(_ session: SessionID, _ fixture: SupervisedFixture) {
    let host = fixture.kernel.sessions[session]?.host.rawValue ?? 0
    fixture.base.tree.remove("class/iscsi_session/session\(session)")
    fixture.kernel.multicast(.sessionUnbound, words: [session.rawValue, host])
  }

  @Test("A login waits for the end of the logout, and then there is a session")
  func waits() async throws {
    let fixture = try await SupervisedFixture()
    let (old, logout) = try await leaving(fixture)
    let (manager, request) = (fixture.manager, try fixture.base.request())
    let login = Task { await manager.login([request, request]) }
    // Who does not wait is told at once.
    let refusal = try #require(await manager.beginLogin([request]).first)
    #expect(refusal?.cause == .logoutUnderWay(old) && refusal?.exitStatus == .busy)
    release(old, fixture)
    try await logout.value
    let results = await login.value
    let statuses = results.map { result -> UInt8 in
      if case .failure(let error) = result { error.exitStatus.rawValue } else { 0 }
    }
    #expect(statuses.sorted() == [0, 15])
    let made = try #require(results.compactMap { try? $0.get().session }.first)
    #expect(made != old && Array(fixture.kernel.sessions.keys) == [made])
    #expect(fixture.kernel.violations == [])
  }

  @Test("A login that cannot wait for so long says that the logout is under way, by 28 and not by 15")
  func givesUp() async throws {
    let fixture = try await SupervisedFixture()
    let (old, logout) = try await leaving(fixture)
    let result = await fixture.manager.login([try fixture.base.request(timeout: .milliseconds(50))]).first
    let error = #expect(throws: OperationError.self) { try #require(result).get() }
    #expect(error?.cause == .logoutUnderWay(old) && error?.exitStatus == .busy)
    #expect(error?.description.contains("still being logged out of") == true)
    release(old, fixture)
    try await logout.value
  }

  @Test("A login that is cancelled while it waits leaves the logout to its end")
  func cancelled() async throws {
    let fixture = try await SupervisedFixture()
    let (old, logout) = try await leaving(fixture)
    let (manager, request) = (fixture.manager, try fixture.base.request())
    let login = Task { await manager.login([request]) }
    login.cancel()
    let result = try #require(await login.value.first)
    let error = #expect(throws: OperationError.self) { try result.get() }
    #expect(error?.cause == .cancelled)
    release(old, fixture)
    try await logout.value
    #expect(fixture.kernel.sessions.isEmpty)
  }

  @Test("Who gives up the wait for a logout is let go at once; the logout goes on, and others wait for it")
  func givenUpWait() async throws {
    let fixture = try await SupervisedFixture()
    let (session, logout) = try await leaving(fixture)
    let manager = fixture.manager
    for _ in 0..<200 {
      let impatient = Task { await manager.logOut([session]) }
      impatient.cancel()
      let result = try #require(await impatient.value.first)
      let error = #expect(throws: OperationError.self) { try result.get() }
      #expect(error?.cause == .cancelled)
    }
    #expect(fixture.supervision(session)?.phase == .loggingOut)
    release(session, fixture)
    try await logout.value
    #expect(fixture.kernel.sessions.isEmpty)
  }

  @Test("A logout that lasts holds up no other of its call")
  func besideSlowOnes() async throws {
    let target = try testTarget()
    let fixture = try await SupervisedFixture(connections: 64) { _ in target }
    var request = try fixture.base.request()
    request.options.sessionCount = 41
    let sessions = try await fixture.manager.login(Array(repeating: request, count: 41)).map { try $0.get().session }
    for session in sessions { try fixture.show(session) }
    for _ in 0..<40 { fixture.kernel.inject(.withoutEvent, into: .unbindSession) }
    let manager = fixture.manager
    let logout = Task { await manager.logOut(sessions) }
    // Of 41 the one whose turn in the kernel comes last ends.
    #expect(await eventually { fixture.kernel.sessions.count == 40 })
    logout.cancel()
    _ = await logout.value
    for session in sessions where fixture.kernel.sessions[session] != nil { release(session, fixture) }
    #expect(await eventually { fixture.kernel.sessions.isEmpty })
  }

  private func show(_ fixture: SupervisedFixture, at configured: String, connected: String) throws {
    var session = SessionSnapshot.example(9)
    session.targetName = "iqn.2001-04.com.example:disk"
    session.connection?.persistentAddress = configured
    session.connection?.persistentPort = fixture.base.portal.port
    session.connection?.address = connected
    try fixture.base.tree.add(session)
  }

  @Test("A session by a host's name and a login by its address are one session, and the other way round")
  func names() async throws {
    let fixture = try await SupervisedFixture()
    var request = try fixture.base.request()
    try show(fixture, at: "san", connected: "127.0.0.1")
    let byAddress = await fixture.manager.login([request]).first
    #expect(throws: OperationError(.login(request.target, request.portal), .sessionExists(SessionID(rawValue: 9)))) {
      try #require(byAddress).get()
    }
    fixture.base.tree.remove("class/iscsi_session/session9")
    let address = try #require(PortalHost.name("localhost").addresses.first).description
    try show(fixture, at: address, connected: address)
    request.portal.host = .name("localhost")
    let byName = await fixture.manager.login([request]).first
    #expect(throws: OperationError(.login(request.target, request.portal), .sessionExists(SessionID(rawValue: 9)))) {
      try #require(byName).get()
    }
    #expect(fixture.kernel.sessions.isEmpty)
  }

  /// The entry and the driver of a login, which does not begin.
  private func claim(
    _ request: LoginRequest, of manager: SessionManager
  ) throws -> (SessionDirectory<SessionDriver>.Ticket, SessionDriver) {
    try manager.directory.withLock { directory in
      guard case .claimed(let ticket) = directory.claim(SessionKey(request)) else { throw KeyIsTaken() }
      manager.enter(request, ticket, in: &directory)
      return (ticket, try #require(directory[ticket]?.driver))
    }
  }

  private struct KeyIsTaken: Error {}

  @Test("Whoever comes by a host's name to an address with a session makes no second one there")
  func otherAddress() async throws {
    let fixture = try await SupervisedFixture()
    try show(fixture, at: "127.0.0.7", connected: "127.0.0.7")
    var named = try fixture.base.request()
    named.portal.host = .name("san")
    let (manager, request) = (fixture.manager, named)
    let (ticket, driver) = try claim(request, of: manager)
    let connect = { @Sendable (last: UInt8, isFirst: Bool) async throws in
      let address = SocketAddress(.v4(0x7F00_0000 + UInt32(last)), port: request.portal.port)
      try await manager.driver(driver, connectedTo: address, for: request, isFirst: isFirst)
    }
    await #expect(throws: OperationError.Cause.sessionExists(SessionID(rawValue: 9))) { try await connect(7, true) }
    try await connect(8, true)
    // Who asks for that address now is kept off.
    let claimed = { @Sendable (last: UInt8) in
      var other = request
      other.portal.host = .address(.v4(0x7F00_0000 + UInt32(last)), scope: nil)
      let key = SessionKey(other)
      return manager.directory.withLock { $0.claim(key) } == .underWay(ticket)
    }
    #expect(claimed(8))
    // Once there is a session it goes on wherever its host is found.
    try await connect(7, false)
    #expect(claimed(7))
  }

  @Test("Whoever comes by a host's name to an address whose session is on its way out waits for that")
  func leavingAddress() async throws {
    let fixture = try await SupervisedFixture()
    let (old, logout) = try await leaving(fixture)
    var named = try fixture.base.request()
    named.portal.host = .name("san")
    let (manager, request) = (fixture.manager, named)
    let (_, driver) = try claim(request, of: manager)
    let address = SocketAddress(.v4(0x7F00_0001), port: request.portal.port)
    let connection = Task { try await manager.driver(driver, connectedTo: address, for: request, isFirst: true) }
    let leaver = try #require(manager.directory.withLock { $0[old]?.driver })
    #expect(await eventually { await !leaver.waiters.isEmpty })
    release(old, fixture)
    try await connection.value
    try await logout.value
  }
}
