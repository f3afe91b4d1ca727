// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("First logins by a manager: races, retries and what is left", .timeLimit(.minutes(2)))
struct ManagerRetryTests {
  /// A target that answers the first so many logins with a status.
  private func refusing(_ status: LoginStatus, _ times: Int) async throws -> SupervisedFixture {
    let target = try testTarget()
    return try await SupervisedFixture { session in
      var target = target
      // Each attempt makes a session and a host of its own, the first of them number 2.
      if session.host.rawValue <= times + 1 { target.login.refusal = status }
      return target
    }
  }

  /// What sysfs shows of the first session before it has a name.
  private func showNameless(_ fixture: SupervisedFixture) throws -> SessionID {
    var snapshot = SessionSnapshot(id: SessionID(rawValue: 1))
    (snapshot.transport, snapshot.state) = ("tcp", .free)
    snapshot.host = .example(HostNumber(rawValue: 2))
    try fixture.base.tree.add(snapshot)
    return snapshot.id
  }

  @Test("Of 50 logins at a time to one target, one makes a session, and the others say so by 15")
  func fifty() async throws {
    let fixture = try await SupervisedFixture()
    let (manager, request) = (fixture.manager, try fixture.base.request())
    let results = await withTaskGroup(of: Result<LoginReport, OperationError>.self) { group in
      for _ in 0..<50 {
        group.addTask { await Result { () async throws(OperationError) in try await manager.login(request) } }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let statuses = results.compactMap { if case .failure(let error) = $0 { error.exitStatus } else { nil } }
    #expect(statuses == Array(repeating: .sessionExists, count: 49))
    #expect(fixture.kernel.sessions.count == 1 && fixture.kernel.violations == [])
    #expect(fixture.kernel.requests.count { $0.type == .createSession } == 1)
  }

  @Test("As many sessions are made as are wanted, with ISIDs of their own")
  func sessionCount() async throws {
    let fixture = try await SupervisedFixture()
    var request = try fixture.base.request()
    request.options.sessionCount = 2
    let results = await fixture.manager.login(Array(repeating: request, count: 5))
    #expect(results.count { if case .success = $0 { true } else { false } } == 2)
    #expect(Set(fixture.loginRequests.map { Array($0.header[8..<14]) }).count == 2)
    #expect(fixture.kernel.sessions.count == 2)
    // Who wants one alone has more than that.
    let one = try #require(await fixture.manager.login([try fixture.base.request()]).first)
    #expect(throws: OperationError.self) { try one.get() }
    // When one goes, another may come.
    let gone = try #require(fixture.kernel.sessions.keys.min())
    try fixture.show(gone)
    _ = try #require(await fixture.manager.logOut([gone]).first).get()
    fixture.base.tree.remove("class/iscsi_session/session\(gone)")
    _ = try await fixture.manager.login(request)
    #expect(fixture.kernel.sessions.count == 2)
  }

  @Test("A session that another program made counts")
  func strangers() async throws {
    let fixture = try await SupervisedFixture()
    var request = try fixture.base.request()
    var stranger = SessionSnapshot.example(9)
    stranger.targetName = request.target.description
    stranger.connection?.persistentAddress = "127.0.0.1"
    stranger.connection?.persistentPort = fixture.base.portal.port
    try fixture.base.tree.add(stranger)
    let first = request
    let error = await #expect(throws: OperationError.self) { try await fixture.manager.login(first) }
    #expect(error?.cause == .sessionExists(stranger.id))
    request.options.sessionCount = 2
    _ = try await fixture.manager.login(request)
    #expect(fixture.kernel.sessions.count == 1)
  }

  @Test("A login that fails for now is tried again for as long as it may")
  func retried() async throws {
    let fixture = try await refusing(.serviceUnavailable, 2)
    let session = try await fixture.logIn { $0.options.timeouts.loginRetryWindow = .seconds(60) }
    #expect(session == SessionID(rawValue: 3) && fixture.kernel.sessions.count == 1)
    #expect(await fixture.happened(.loggedIn))
    #expect(fixture.kinds == [.loginDelayed, .loginDelayed, .loggedIn])
    #expect(fixture.events.map(\.attempt) == [1, 2, nil])
    #expect(fixture.events.map(\.session) == [nil, nil, session])
    #expect(fixture.base.registry.read(session)?.stage == .established)
    #expect(fixture.kernel.violations == [])
  }

  @Test("A login that cannot work is not tried again", arguments: [LoginStatus.authorizationFailure, .notFound])
  func notRetried(status: LoginStatus) async throws {
    let fixture = try await refusing(status, 1)
    var request = try fixture.base.request()
    request.options.timeouts.loginRetryWindow = .seconds(60)
    let patient = request
    let error = await #expect(throws: OperationError.self) { try await fixture.manager.login(patient) }
    #expect(error?.cause == .login(.rejected(status)))
    await fixture.base.expectNothingLeft()
  }

  @Test("A login that is cancelled between two attempts leaves nothing")
  func cancelledInWait() async throws {
    let fixture = try await refusing(.serviceUnavailable, 99)
    var request = try fixture.base.request()
    request.options.timeouts.loginRetryWindow = .seconds(600)
    let (manager, patient) = (fixture.manager, request)
    let login = Task { await manager.login([patient]) }
    #expect(await fixture.happened(.loginDelayed))
    login.cancel()
    let result = try #require(await login.value.first)
    let error = #expect(throws: OperationError.self) { try result.get() }
    #expect(error?.cause == .cancelled && error?.leftover == nil)
    await fixture.base.expectNothingLeft()
    // The target is free for the next.
    #expect(await fixture.manager.beginLogin([try fixture.base.request()]) == [nil])
  }

  @Test("What a failed login could not remove is removed as soon as it can be, and is on record until then")
  func leftover() async throws {
    let fixture = try await refusing(.notFound, 1)
    let session = try showNameless(fixture)
    for _ in 0..<3 { fixture.kernel.inject(.refuse(.resourceBusy), into: .destroySessionAsync) }
    let request = try fixture.base.request()
    let error = await #expect(throws: OperationError.self) { try await fixture.manager.login(request) }
    #expect(error?.cause == .login(.rejected(.notFound)) && error?.leftover == session)
    #expect(await fixture.happened(.removalFailed))
    #expect(fixture.base.registry.read(session)?.stage == .leaving)
    #expect(await eventually { fixture.kernel.sessions.isEmpty && fixture.manager.supervisions().isEmpty })
    #expect(fixture.base.registry.read(session) == nil)
    #expect(fixture.kernel.violations == [])
  }

  @Test("What one attempt could not remove does not stay for as long as the session of a later one")
  func leftoverOfAttempt() async throws {
    let fixture = try await refusing(.serviceUnavailable, 1)
    _ = try showNameless(fixture)
    fixture.kernel.inject(.refuse(.resourceBusy), into: .destroySessionAsync)
    let session = try await fixture.logIn { $0.options.timeouts.loginRetryWindow = .seconds(60) }
    #expect(await eventually { Array(fixture.kernel.sessions.keys) == [session] })
  }

  @Test("Who cancels once there is a session does not wait for its scan")
  func cancelledBeforeScan() async throws {
    let fixture = try await SupervisedFixture()
    var snapshot = SessionSnapshot.example(1)
    snapshot.host = .example(HostNumber(rawValue: 2))
    try fixture.base.tree.add(snapshot)
    // A scan that hangs: the opening of a FIFO waits for a reader.
    let scan = fixture.base.tree.root.appending("class/scsi_host/host2/scan").string
    fixture.base.tree.remove("class/scsi_host/host2/scan")
    // The path is only read.
    try #require(unsafe mkfifo(scan, 0o600) == 0)
    defer { close(unsafe open(scan, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) }
    var request = try fixture.base.request()
    request.options.scan = .all
    request.options.binding = .device("lo")
    fixture.kernel.inject(.stuck, into: .setHostParameter)
    let (manager, scanning) = (fixture.manager, request)
    let login = Task { await manager.login([scanning]) }
    // The last request before the scan is made when the login is known to have succeeded.
    #expect(await eventually { fixture.kernel.faultsToCome == 0 })
    login.cancel()
    fixture.kernel.releaseSends()
    let report = try #require(await login.value.first).get()
    #expect(report.scanFailure?.cause == .cancelled)
    #expect(fixture.supervision(report.session)?.phase == .up)
  }

  @Test("Logins that are begun and not waited for come to a portal no more than a few at a time")
  func begun() async throws {
    let fixture = try await SupervisedFixture(connections: 64) { _ in SilentNode() }
    let requests = try (0..<64).map { index in
      var request = try fixture.base.request()
      request.target = try TargetName("iqn.2001-04.com.example:disk\(index)")
      return request
    }
    let limit = SessionManager.recoveriesPerPortal
    #expect(await fixture.manager.beginLogin(requests).allSatisfy { $0 == nil })
    #expect(await eventually { fixture.loginRequests.count == limit })
    #expect(fixture.kernel.sessions.count == limit && fixture.base.peers[0].connectionCount <= limit)
    // Each that ends lets the next one in.
    fixture.kernel.failConnection(of: SessionID(rawValue: 1))
    #expect(await eventually { fixture.loginRequests.count == limit + 1 })
    #expect(fixture.kernel.sessions.count == limit)
  }

  @Test("A login that is begun and not waited for tells its end by events")
  func begunEnd() async throws {
    let fixture = try await SupervisedFixture()
    let request = try fixture.base.request()
    #expect(await fixture.manager.beginLogin([request, request]).map { $0?.cause } == [nil, .loginUnderWay])
    #expect(await fixture.happened(.loggedIn))
    #expect(await fixture.manager.beginLogin([request]).map { $0?.exitStatus } == [.sessionExists])
  }
}
