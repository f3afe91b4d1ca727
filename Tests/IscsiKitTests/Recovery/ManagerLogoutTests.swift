// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Logouts by a manager", .timeLimit(.minutes(2)))
struct ManagerLogoutTests {
  /// A session that is logged in, in the kernel and in sysfs.
  private func loggedIn(_ fixture: SessionFixture) async throws -> SessionSnapshot {
    let report = try await fixture.sessions.login(try fixture.request())
    var snapshot = SessionSnapshot.example(report.session.rawValue)
    snapshot.host = .example(report.host)
    snapshot.targetName = report.target.description
    try fixture.tree.add(snapshot)
    return snapshot
  }

  /// Changes what sysfs shows of a session.
  private func show(
    _ snapshot: SessionSnapshot, in fixture: SessionFixture, _ change: (inout SessionSnapshot) -> Void
  ) throws {
    var snapshot = snapshot
    change(&snapshot)
    try fixture.tree.add(snapshot)
  }

  private func hostile(_ misbehaviour: HostileTarget.Case) throws -> HostileTarget {
    HostileTarget(misbehaviour, base: try testTarget())
  }

  /// Logs out and checks that the session is gone.
  private func problems(
    _ fixture: SessionFixture, _ snapshot: SessionSnapshot, timeout: Duration = .seconds(60)
  ) async throws -> [LogoutReport.Problem] {
    let report = try #require(await fixture.sessions.logOut([snapshot.id], timeout: timeout).first).get()
    #expect(report.session == snapshot.id && report.target == snapshot.targetName)
    await fixture.expectNothingLeft()
    return report.problems
  }

  @Test("Devices, target, connection and session are let go in this order")
  func order() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    let before = fixture.requestTypes.count
    #expect(try await problems(fixture, snapshot) == [])
    #expect(Array(fixture.requestTypes.dropFirst(before)) == [27, 19, 18, 18, 14, 43])
    let pdu = try #require(fixture.kernel.requests.last { $0.type == .sendPDU }?.pdu)
    // An immediate Logout Request that closes the session.
    #expect(pdu.header.prefix(2) == [0x46, 0x80])
    #expect(fixture.kernel.requests.last { $0.type == .stopConnection }?.stopFlag == 1)
  }

  @Test("Without a connection, the target is not told")
  func notConnected() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.failConnection(of: snapshot.id)
    // The listing is older than the failure: what counts is what sysfs shows now.
    try show(snapshot, in: fixture) { $0.connection?.state = .failed }
    let before = fixture.requestTypes.count
    #expect(try await problems(fixture, snapshot) == [.notConnected])
    #expect(Array(fixture.requestTypes.dropFirst(before)) == [27, 18, 18, 14, 43])
  }

  @Test("A connection that fails behind the snapshot's back does not keep the session")
  func failedMeanwhile() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.failConnection(of: snapshot.id)
    #expect(
      try await problems(fixture, snapshot)
        == [.notLoggedOut(.kernel(.rejected(.sendPDU, .socketNotConnected, by: .transport)))])
  }

  @Test("A target that does not answer is given up after the time that it was given")
  func silentTarget() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.serve { _ in SilentNode() }
    #expect(
      try await problems(fixture, snapshot, timeout: .milliseconds(150)) == [.notLoggedOut(.transport(.timedOut))])
  }

  @Test(
    "What a target does instead of a logout is told, and the session goes all the same",
    arguments: [
      (HostileTarget.Case.logoutRefused, [LogoutReport.Problem.refused(.refused(.cleanupFailed, time2Wait: 2))]),
      (.logoutReject, [.refused(.rejected(.protocolError))]),
      // The kernel compares the tag.
      (.logoutWrongTaskTag, []),
      (.logoutNoAnswer, [.notLoggedOut(.connection(.connectionClosed))]),
    ])
  func hostile(misbehaviour: HostileTarget.Case, expected: [LogoutReport.Problem]) async throws {
    let fixture = try await SessionFixture(try hostile(misbehaviour))
    #expect(try await problems(fixture, try await loggedIn(fixture)) == expected)
  }

  @Test("A removal of devices that is refused is told, and the session goes all the same")
  func removalFails() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.inject(.refuse(.invalidArgument), into: .unbindSession)
    let error = KernelError.rejected(.unbindSession, .invalidArgument, by: .interface)
    #expect(try await problems(fixture, snapshot).first == .removeDevices(error))
  }

  @Test("A removal of devices that hangs is given up after its time")
  func removalHangs() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.inject(.withoutEvent, into: .unbindSession)
    let sessions = SessionManager(
      link: fixture.link, sysfs: Sysfs(root: fixture.tree.root),
      patience: RemovalPatience(connected: .milliseconds(150), unconnected: .milliseconds(150)))
    let report = try #require(await sessions.logOut([snapshot.id]).first).get()
    #expect(report.problems == [.removeDevices(.timedOut(.unbindSession))])
    await fixture.expectNothingLeft()
  }

  /// A manager whose logouts wait a minute for a target that is connected, and a moment for one that is not.
  private func patient(_ fixture: SessionFixture) -> SessionManager {
    var patience = RemovalPatience(connected: .seconds(60), unconnected: .milliseconds(10))
    (patience.silence, patience.repetition) = (.milliseconds(50), .milliseconds(20))
    return SessionManager(
      link: fixture.link, sysfs: Sysfs(root: fixture.tree.root), registry: fixture.registry, patience: patience)
  }

  /// Waits until a manager has told twice what a logout waits for.
  private func delays(_ sessions: SessionManager) async -> [SessionEvent] {
    var told: [SessionEvent] = []
    for await event in sessions.events.events(after: 0) where event.kind == .removalDelayed {
      told.append(event)
      if told.count == 2 { break }
    }
    return told
  }

  @Test("A slow target is waited for as long as it is connected, and the wait is told")
  func slowTarget() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.inject(.withoutEvent, into: .unbindSession)
    let sessions = patient(fixture)
    async let result = sessions.logOut([snapshot.id])
    let told = await delays(sessions)
    // Longer than a session without connection would have been waited for, and no one was told goodbye yet.
    #expect(fixture.kernel.requests.last?.type == .unbindSession)
    #expect(told.last?.message.hasSuffix("until the target has all data of sd1") == true)
    let supervision = try #require(sessions.supervisions()[snapshot.id]?.0)
    let recovery = InitiatorTypes.Recovery(supervision, owner: nil)
    let status = SessionReport(snapshot.id, snapshot, recovery).status
    #expect(recovery.removingSince != nil && status.state == .loggingOut(removingSince: recovery.removingSince))
    fixture.kernel.multicast(.sessionUnbound, words: [snapshot.id.rawValue, snapshot.host?.number.rawValue ?? 0])
    #expect(try #require(await result.first).get().problems == [])
    await fixture.expectNothingLeft()
  }

  @Test(
    "A target whose connection is lost while its disks are removed is waited for a moment only",
    arguments: [true, false])
  func lostWhileRemoving(isTold: Bool) async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.inject(.withoutEvent, into: .unbindSession)
    let sessions = patient(fixture)
    async let result = sessions.logOut([snapshot.id])
    _ = await delays(sessions)
    // By the kernel's event, or by sysfs alone.
    if isTold { fixture.kernel.failConnection(of: snapshot.id) }
    try show(snapshot, in: fixture) { $0.connection?.state = .failed }
    let problems = try #require(await result.first).get().problems
    #expect(problems.first == .removeDevices(.timedOut(.unbindSession)))
    await fixture.expectNothingLeft()
  }

  /// The cause of a logout that must fail.
  private func failure(_ fixture: SessionFixture, _ snapshot: SessionSnapshot) async -> OperationError.Cause? {
    guard case .failure(let error)? = await fixture.sessions.logOut([snapshot.id]).first else { return nil }
    return error.cause
  }

  @Test("A session that stays is an error")
  func stays() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.inject(.refuse(.resourceBusy), into: .destroySessionAsync)
    let busy = KernelError.rejected(.destroySessionAsync, .resourceBusy, by: .interface)
    #expect(await failure(fixture, snapshot) == .kernel(busy))
  }

  @Test("Devices that an earlier logout has removed are not waited for again")
  func secondLogout() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.failConnection(of: snapshot.id)
    // As a logout leaves it that was interrupted there.
    try show(snapshot, in: fixture) {
      $0.connection?.state = .failed
      $0.targetState = .unbound
    }
    let before = fixture.requestTypes.count
    #expect(try await problems(fixture, snapshot) == [.notConnected])
    #expect(Array(fixture.requestTypes.dropFirst(before)) == [18, 18, 14, 43])
  }

  @Test("A session that somebody else logged out of is not there")
  func gone() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    #expect(try await problems(fixture, snapshot) == [])
    #expect(await failure(fixture, snapshot) == .noSession)
    #expect(OperationError.Cause.noSession.exitStatus == .sessionNotFound)
  }

  @Test("Logouts that come while one is under way join it, whatever sysfs still shows", arguments: [true, false])
  func joined(isUnbinding: Bool) async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    let sessions = fixture.sessions
    fixture.kernel.inject(.stuck, into: isUnbinding ? .unbindSession : .stopConnection)
    async let first = sessions.logOut([snapshot.id])
    #expect(await eventually { fixture.registry.read(snapshot.id)?.stage == .leaving })
    // The kernel takes the session out of sysfs before it tells that it is gone.
    fixture.tree.remove("class/iscsi_session/session\(snapshot.id)")
    async let others = sessions.logOut([snapshot.id, snapshot.id, snapshot.id], sparing: .used)
    fixture.kernel.releaseSends()
    for result in await first + others { #expect(try result.get().problems == []) }
    await fixture.expectNothingLeft()
  }

  @Test("Many logouts at once of a session that nobody has taken up yet end all well, or find it gone")
  func atOnce() async throws {
    let fixture = try await SessionFixture(LogoutNode())
    for _ in 0..<20 {
      let snapshot = try strange(fixture)
      let sessions = fixture.sessions
      let results = await sessions.logOut(Array(repeating: snapshot.id, count: 16))
      var ends: Set<OperationError.Cause?> = []
      for result in results {
        if case .failure(let error) = result { ends.insert(error.cause) } else { ends.insert(nil) }
      }
      #expect(ends.contains(nil) && ends.isSubset(of: [nil, .noSession]))
      fixture.tree.remove("class/iscsi_session/session\(snapshot.id)")
    }
    await fixture.expectNothingLeft()
  }

  @Test("A session of which nobody can tell whether it is used stays, unless one insists")
  func useUnknown() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    let sessions = SessionManager(
      link: fixture.link, sysfs: Sysfs(root: fixture.tree.root), patience: RemovalPatience(),
      proc: fixture.tree.root.appending("no-proc"))
    let before = fixture.requestTypes.count
    guard case .failure(let error)? = await sessions.logOut([snapshot.id], sparing: .used).first,
      case .useUnknown = error.cause
    else {
      Issue.record("it was logged out")
      return
    }
    #expect(error.exitStatus == .busy && error.advice?.contains("--force") == true)
    #expect(error.description.contains("cannot be told whether its disks are in use"))
    #expect(fixture.requestTypes.count == before)
    #expect(try #require(await sessions.logOut([snapshot.id]).first).get().problems == [])
  }

  @Test("Who asks may log out of a session whose disk is only held; nobody else may")
  func claimed() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    let disk = try #require(snapshot.devices.first?.blockDevice)
    try fixture.tree.addBlockDevice(disk, number: "8:0", holders: ["dm-0"])
    try fixture.tree.addBlockDevice("dm-0", number: "253:0", mapping: "mpatha")
    let results = await fixture.sessions.logOut([snapshot.id], timeout: .seconds(60), sparing: .claimed)
    guard case .failure(let error)? = results.first else {
      Issue.record("it was logged out")
      return
    }
    #expect(error.cause == .held("\(disk) is held by dm-0 (mpatha)") && error.exitStatus == .busy)
    #expect(try #require(await fixture.sessions.logOut([snapshot.id], sparing: .used).first).get().problems == [])
  }

  @Test("A session that is gone since the listing is not there, and the kernel is not asked")
  func goneSinceListing() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.tree.remove("class/iscsi_session/session\(snapshot.id)")
    let before = fixture.requestTypes.count
    #expect(await failure(fixture, snapshot) == .noSession)
    #expect(fixture.requestTypes.count == before)
  }

  @Test(
    "A session of another transport is left alone",
    arguments: [("iscsi_iser", "iser"), ("qla4xxx", "qla4xxx"), (nil, nil)] as [(String?, String?)])
  func otherTransport(driver: String?, transport: String?) async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    let host = try #require(snapshot.host?.number)
    try fixture.tree.set("class/scsi_host/host\(host)/proc_name", to: driver.map { .text($0) } ?? .absent)
    let before = fixture.requestTypes.count
    #expect(await failure(fixture, snapshot) == .unsupportedTransport(transport))
    #expect(fixture.requestTypes.count == before)
    #expect(fixture.kernel.sessions[snapshot.id]?.connection == .up)
  }

  @Test("A kernel before 5.7 is asked for a removal that it knows")
  func oldKernel() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.inject(.refuse(.noFunction), into: .destroySessionAsync)
    #expect(try await problems(fixture, snapshot) == [])
    #expect(fixture.requestTypes.last == 12)
  }

  @Test("A logout that has begun goes to its end, even if nobody waits for it any more")
  func cancelled() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    fixture.kernel.inject(.stuck, into: .unbindSession)
    let sessions = fixture.sessions
    let logout = Task { await sessions.logOut([snapshot.id]) }
    #expect(await eventually { fixture.registry.read(snapshot.id)?.stage == .leaving })
    logout.cancel()
    let result = try #require(await logout.value.first)
    #expect(throws: OperationError(.logout(snapshot.id, target: snapshot.targetName), .cancelled)) { try result.get() }
    fixture.kernel.releaseSends()
    #expect(await eventually { fixture.kernel.sessions.isEmpty && sessions.supervisions().isEmpty })
    await fixture.expectNothingLeft()
  }

  @Test("A logout that is cancelled before it began changes nothing")
  func cancelledBefore() async throws {
    let fixture = try await SessionFixture()
    let snapshot = try await loggedIn(fixture)
    let (sessions, before) = (fixture.sessions, fixture.requestTypes.count)
    let logout = Task {
      unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
      return await sessions.logOut([snapshot.id])
    }
    guard case .failure(let error)? = await logout.value.first else {
      Issue.record("the logout succeeded")
      return
    }
    #expect(error.cause == .cancelled)
    #expect(fixture.requestTypes.count == before)
  }

  /// A session that somebody else has logged in.
  private func strange(_ fixture: SessionFixture) throws -> SessionSnapshot {
    let id = fixture.kernel.addSession(connection: .up)
    var snapshot = SessionSnapshot.example(id.rawValue)
    snapshot.host = .example(HostNumber(rawValue: id.rawValue + 1))
    try fixture.tree.add(snapshot)
    return snapshot
  }

  @Test("64 logouts at a time end 64 sessions, and the results stand in order")
  func parallel() async throws {
    let fixture = try await SessionFixture(LogoutNode())
    let snapshots = try (0..<64).map { _ in try strange(fixture) }
    let reports = try await fixture.sessions.logOut(snapshots.map(\.id), timeout: .seconds(60)).map { try $0.get() }
    #expect(reports.map(\.session) == snapshots.map(\.id))
    #expect(reports.flatMap(\.problems) == [])
    await fixture.expectNothingLeft()
  }
}

/// A target that somebody else has logged in to, and that knows logouts only.
private struct LogoutNode: PDUNode {
  var isClosed = false

  mutating func respond(to pdu: PDU) -> [PDU] {
    guard case .logoutRequest(let request) = pdu else { return [] }
    isClosed = true
    return [.logoutResponse(LogoutResponsePDU(initiatorTaskTag: request.initiatorTaskTag))]
  }
}
