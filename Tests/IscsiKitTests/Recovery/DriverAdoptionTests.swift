// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import Testing

@testable import IscsiKit

@Suite("A driver takes a session up, and lets go of it", .timeLimit(.minutes(1)))
struct DriverAdoptionTests {
  /// Notes what a driver tells.
  private final class Owner: SessionDriverOwner {
    private let notices = Mutex<[SessionMachine.Notice]>([])
    private let end = Mutex(false)
    var hasEnded: Bool { end.withLock { $0 } }

    func driver(
      _ driver: SessionDriver, connectedTo address: SocketAddress, for request: LoginRequest, isFirst: Bool
    ) async throws(OperationError.Cause) {}
    func driver(_ driver: SessionDriver, created session: SessionID, for request: LoginRequest, isid: ISID) {}
    func driver(_ driver: SessionDriver, unmade session: SessionID, isLeft: Bool) {}
    func driver(_ driver: SessionDriver, noted notice: SessionMachine.Notice, _ supervision: Supervision) {
      notices.withLock { $0.append(notice) }
    }
    func driver(_ driver: SessionDriver, changed supervision: Supervision) {}
    func driver(_ driver: SessionDriver, owes settings: TimeoutSettings) {}
    func driver(_ driver: SessionDriver, keeps settings: TimeoutSettings) {}
    func driver(_ driver: SessionDriver, hasIdleNOPs areIdle: Bool) {}
    func driverEnded(_ driver: SessionDriver) { end.withLock { $0 = true } }
    func has(_ notice: SessionMachine.Notice) -> Bool { notices.withLock { $0.contains(notice) } }
  }

  private func makeDriver(_ fixture: SessionFixture, _ session: SessionID, _ owner: Owner) throws -> SessionDriver {
    let environment = SessionDriver.Environment(
      link: fixture.link, sysfs: Sysfs(root: fixture.tree.root), gate: RecoveryGate(limit: 1),
      loginGate: RecoveryGate(limit: 1))
    return SessionDriver(.init(try fixture.request()), session: session, in: environment, owner: owner)
  }

  /// What a look at a session that is up gives.
  private static func up(
    _ session: SessionID, of link: KernelLink
  ) throws(OperationError.Cause) -> SessionDriver.Found {
    do throws(KernelError) {
      let taken = try link.adopt(session, host: HostNumber(rawValue: 2), transport: "tcp", connectionState: .up)
      return SessionDriver.Found(session: taken, state: .up(isScanned: true))
    } catch {
      throw .kernel(error)
    }
  }

  @Test("A connection that is lost just when it was looked at is recovered")
  func lostMeanwhile() async throws {
    let (fixture, owner) = (try await SessionFixture(), Owner())
    let session = fixture.kernel.addSession(connection: .up)
    let driver = try makeDriver(fixture, session, owner)
    let (kernel, link) = (fixture.kernel, fixture.link)
    let state = try await driver.adopt { () throws(OperationError.Cause) in
      let found = try Self.up(session, of: link)
      kernel.failConnection(of: session)
      return found
    }
    #expect(state == .up(isScanned: true))
    #expect(await eventually { owner.has(.lost(.kernel(.connectionClosed))) })
    #expect(await eventually { kernel.sessions[session]?.connection == .up })
    #expect(kernel.violations == [])
  }

  @Test("A logout that comes before the session was looked at ends it, and is answered")
  func logoutBefore() async throws {
    let (fixture, owner) = (try await SessionFixture(), Owner())
    let session = fixture.kernel.addSession(connection: .up)
    let driver = try makeDriver(fixture, session, owner)
    let link = fixture.link
    let logout = Task { await driver.logOut(timeout: .seconds(60)) }
    #expect(await eventually { () async in await !driver.logoutWaiters.isEmpty })
    #expect(fixture.kernel.sessions.count == 1)
    _ = try await driver.adopt { () throws(OperationError.Cause) in try Self.up(session, of: link) }
    let report = try await logout.value.get()
    #expect(report.session == session && owner.hasEnded)
    await fixture.expectNothingLeft()
  }

  @Test("Who wants a session logged out that cannot be taken up is told why, now and later")
  func abandoned() async throws {
    let (fixture, owner) = (try await SessionFixture(), Owner())
    let session = fixture.kernel.addSession(connection: .up)
    let driver = try makeDriver(fixture, session, owner)
    let logout = Task { await driver.logOut(timeout: .seconds(60)) }
    #expect(await eventually { () async in await !driver.logoutWaiters.isEmpty })
    await #expect(throws: OperationError.Cause.unknownIdentity) {
      try await driver.adopt { () throws(OperationError.Cause) in throw .unknownIdentity }
    }
    for result in [await logout.value, await driver.logOut(timeout: .seconds(60))] {
      let error = #expect(throws: OperationError.self) { try result.get() }
      #expect(error?.cause == .unknownIdentity)
    }
    #expect(fixture.kernel.sessions.count == 1 && fixture.link.core.claims.claim(session))
  }

  @Test("A driver that nobody keeps goes, and lets go of the session and of its events")
  func dropped() async throws {
    let (fixture, owner) = (try await SessionFixture(), Owner())
    let session = fixture.kernel.addSession(connection: .up)
    var driver: SessionDriver? = try makeDriver(fixture, session, owner)
    weak let reference = driver
    let link = fixture.link
    _ = try await driver?.adopt { () throws(OperationError.Cause) in try Self.up(session, of: link) }
    #expect(link.core.subscriberCount(of: session) == 1)
    driver = nil
    #expect(await eventually { reference == nil })
    #expect(await eventually { link.core.subscriberCount(of: session) == 0 })
    #expect(link.core.claims.claim(session))
  }

  @Test("A manager that goes lets go of its sessions, whatever they are waiting for", arguments: [false, true])
  func managerGoes(isRecovering: Bool) async throws {
    let fixture = try await SupervisedFixture(refusing: .serviceUnavailable, upTo: 99)
    var manager: SessionManager? = SessionManager(
      link: fixture.base.link, sysfs: Sysfs(root: fixture.base.tree.root), registry: fixture.base.registry)
    weak let reference = manager
    let session = try #require(try await manager?.login(try fixture.base.request())).session
    if isRecovering {
      fixture.kernel.failConnection(of: session)
      #expect(await eventually { manager?.supervisions()[session]?.0.outage?.lastFailure != nil })
    }
    manager = nil
    #expect(await eventually { reference == nil })
    #expect(await eventually { fixture.base.link.core.subscriberCount(of: session) == 0 })
    // The session stays in the kernel, and on record for the next manager.
    #expect(fixture.kernel.sessions[session] != nil)
    #expect(fixture.base.registry.read(session)?.stage == .established)
    #expect(await eventually { fixture.base.link.core.claims.claim(session) })
  }

  @Test("Two logouts at a time of a session that nobody has taken up yet do not contradict each other")
  func twoLogouts() async throws {
    for _ in 0..<20 {
      let fixture = try await SupervisedFixture()
      let session = fixture.kernel.addSession(connection: .down)
      var snapshot = SessionSnapshot.example(session.rawValue)
      (snapshot.host, snapshot.state) = (.example(HostNumber(rawValue: 2)), .failed)
      snapshot.connection?.state = .failed
      try fixture.base.tree.add(snapshot)
      let results = await fixture.manager.logOut([session, session])
      #expect(results.contains { if case .success = $0 { true } else { false } })
      for case .failure(let error) in results {
        // The other one has just begun, or has ended.
        #expect(error.cause == .loginUnderWay || error.cause == .noSession)
      }
      #expect(await eventually { fixture.manager.supervisions().isEmpty })
      #expect(fixture.kernel.sessions.isEmpty && fixture.kernel.violations == [])
    }
  }
}
