// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

/// What is on record of a session that is found, what sysfs shows of it, and what becomes of it.
struct AdoptionCase: CustomTestStringConvertible {
  enum Shown: CaseIterable {
    case up, failed, free, freeOfNobody, unbound, unscanned, otherTransport, nameless
  }
  enum Fate: Equatable { case healthy, recovering, removing, skipped(OperationError.Cause) }

  let stage: SessionRecord.Stage?
  let shown: Shown
  let fate: Fate
  var testDescription: String { "\(stage.map { "\($0)" } ?? "no record"), \(shown)" }

  static let all: [AdoptionCase] = ([nil, .made, .established, .leaving] as [SessionRecord.Stage?]).flatMap { stage in
    Shown.allCases.map { AdoptionCase(stage: stage, shown: $0, fate: fate(stage, $0)) }
  }

  private static func fate(_ stage: SessionRecord.Stage?, _ shown: Shown) -> Fate {
    switch (stage, shown) {
    case (_, .otherTransport): .skipped(.unsupportedTransport("iser"))
    // Somebody has begun to log out, or could not end its login.
    case (_, .unbound), (.leaving?, _): .removing
    // A login that got to its scan has only not been noted.
    case (.made?, .up), (.made?, .nameless): .healthy
    case (.made?, _): .removing
    case (_, .up), (_, .unscanned), (_, .nameless): .healthy
    case (.established?, .free), (.established?, .freeOfNobody), (_, .failed): .recovering
    // The socket over which it was made is closed.
    case (nil, .free): .removing
    // Another program may be just about to log it in.
    case (nil, .freeOfNobody): .skipped(.notEstablished)
    }
  }
}

@Suite("Sessions that are in the kernel at the start", .timeLimit(.minutes(2)))
struct ManagerAdoptionTests {
  private let name: InitiatorName? = try? InitiatorName("iqn.2001-04.com.example:host")

  /// A session that some program made, in the kernel and in sysfs.
  private func found(
    _ fixture: SupervisedFixture, connection: KernelConnectionState? = .up,
    _ change: (inout SessionSnapshot) -> Void = { _ in }
  ) throws -> SessionSnapshot {
    let id = fixture.kernel.addSession(connection: connection)
    var snapshot = SessionSnapshot.example(id.rawValue)
    snapshot.host = .example(HostNumber(rawValue: id.rawValue + 1))
    snapshot.targetName = "iqn.2001-04.com.example:disk"
    snapshot.connection?.persistentAddress = "127.0.0.1"
    snapshot.connection?.persistentPort = fixture.base.portal.port
    snapshot.devices = []
    change(&snapshot)
    try fixture.base.tree.add(snapshot)
    return snapshot
  }

  private func keep(_ snapshot: SessionSnapshot, _ stage: SessionRecord.Stage, _ fixture: SupervisedFixture) throws {
    var request = try fixture.base.request()
    request.options.timeouts = .unusual
    request.options.authentication = try TestAccounts.authentication(mutual: true)
    fixture.base.registry.write(
      SessionRecord(
        session: snapshot.id, request: request, isid: ISID(session: SessionID(rawValue: 500)), stage: stage,
        owner: SessionOwner(userID: 12, time: 1)))
  }

  private func fate(_ adoption: SessionManager.Adoption, of id: SessionID) -> AdoptionCase.Fate? {
    if adoption.healthy == [id] { return .healthy }
    if adoption.recovering == [id] { return .recovering }
    if adoption.removing == [id] { return .removing }
    return adoption.skipped[id].map { .skipped($0) }
  }

  private func found(_ test: AdoptionCase, _ fixture: SupervisedFixture) throws -> SessionSnapshot {
    let connection: KernelConnectionState =
      switch test.shown {
      case .failed: .failed
      case .free, .freeOfNobody: .down
      default: .up
      }
    return try found(fixture, connection: connection) { snapshot in
      if connection == .failed { snapshot.show(.failed, .failed) }
      if connection == .down { snapshot.show(.free, .down) }
      switch test.shown {
      case .up, .failed: break
      case .free, .unscanned: snapshot.targetState = .allocated
      case .freeOfNobody: (snapshot.targetState, snapshot.creator) = (.allocated, nil)
      case .unbound: snapshot.targetState = .unbound
      case .otherTransport: snapshot.host?.driver = "iscsi_iser"
      case .nameless: snapshot.targetName = nil
      }
    }
  }

  @Test("Each is left, recovered, removed or passed over by what is known of it", arguments: AdoptionCase.all)
  func table(test: AdoptionCase) async throws {
    let target = try testTarget(authentication: test.stage == nil ? nil : try TestAccounts.chap())
    let fixture = try await SupervisedFixture { _ in target }
    let snapshot = try found(test, fixture)
    if let stage = test.stage { try keep(snapshot, stage, fixture) }
    let count = fixture.kernel.requests.count
    let adoption = try await fixture.manager.adoptSessions { name }
    #expect(fate(adoption, of: snapshot.id) == test.fate)
    switch test.fate {
    case .healthy:
      #expect(fixture.supervision(snapshot.id)?.phase == .up)
      #expect(fixture.kernel.requests.count == count)
      // What is known of it is kept; of a session without a name there is nothing to keep.
      let record = fixture.base.registry.read(snapshot.id)
      #expect((record != nil) == (test.stage != nil || test.shown != .nameless))
      #expect(record == nil || record?.stage == .established)
    case .recovering:
      #expect(await fixture.recoveries(snapshot.id))
      // The ISID is that of the record, or follows from the number.
      let isid = ISID(session: test.stage == nil ? snapshot.id : SessionID(rawValue: 500))
      let octets = try #require(fixture.loginRequests.last).header[8..<14]
      #expect(isid.octets.indices.allSatisfy { isid.octets[$0] == octets[8 + $0] })
    case .removing:
      #expect(await eventually { fixture.kernel.sessions.isEmpty && fixture.manager.supervisions().isEmpty })
      #expect(fixture.base.registry.read(snapshot.id) == nil)
    case .skipped:
      #expect(fixture.supervision(snapshot.id) == nil && fixture.kernel.requests.count == count)
    }
    #expect(fixture.kernel.violations == [])
  }

  @Test("What an earlier manager has kept until a session is back is set", arguments: [false, true])
  func due(isUp: Bool) async throws {
    let target = try testTarget()
    let fixture = try await SupervisedFixture { _ in target }
    let snapshot = try found(fixture, connection: isUp ? .up : .failed) {
      $0.abortTimeout = 15
      if !isUp { $0.show(.failed, .failed) }
    }
    var record = SessionRecord(
      session: snapshot.id, request: try fixture.base.request(), isid: ISID(session: snapshot.id), stage: .established)
    record.due = TimeoutSettings([.abort: 7])
    fixture.base.registry.write(record)
    _ = try await fixture.manager.adoptSessions { name }
    #expect(await eventually { fixture.kernel.sessions[snapshot.id]?.parameters[27] == "7" })
    #expect(await eventually { fixture.base.registry.read(snapshot.id)?.due == TimeoutSettings() })
  }

  @Test("An outage is kept while it lasts, and goes on under the next manager, with the deadline of its I/O")
  func outage() async throws {
    let target = try testTarget()
    // The first recovery is refused for as long as the first manager lives.
    let fixture = try await SupervisedFixture { session in
      var target = target
      if session.bindCount == 2 { target.login.refusal = .serviceUnavailable }
      return target
    }
    let session = try await fixture.logIn { $0.options.timeouts.replacement = .seconds(120) }
    try fixture.show(session) { $0.replacementTimeout = 120 }
    #expect(fixture.base.registry.read(session)?.outage == nil)
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.happened(.attemptFailed))
    let kept = try #require(fixture.base.registry.read(session)?.outage)
    #expect(kept.cause == .kernel(.connectionClosed) && kept.replacementTimeout == 120 && kept.attempts == 1)
    #expect(await fixture.recoveries(session))
    #expect(await eventually { fixture.base.registry.read(session)?.outage == nil })
  }

  @Test(
    "An outage on record is that of a session that is found without a connection, and over for one that is up",
    arguments: [false, true])
  func outageOnRecord(isUp: Bool) async throws {
    let target = try testTarget()
    let fixture = try await SupervisedFixture { _ in target }
    let snapshot = try found(fixture, connection: isUp ? .up : .failed) {
      // What is set now is for the next outage.
      $0.replacementTimeout = 5
      if !isUp { $0.show(.failed, .failed) }
    }
    var record = SessionRecord(
      session: snapshot.id, request: try fixture.base.request(), isid: ISID(session: snapshot.id), stage: .established)
    var outage = Outage(cause: .kernel(.noopTimedOut), since: .now - .seconds(30))
    (outage.attempts, outage.replacementTimeout) = (4, 120)
    record.outage = outage
    fixture.base.registry.write(record)
    _ = try await fixture.manager.adoptSessions { name }
    #expect(await fixture.recoveries(snapshot.id))
    let ended = try #require(fixture.supervision(snapshot.id)?.lastOutage)
    #expect(ended.cause == outage.cause && ended.since == outage.since && ended.replacementTimeout == 120)
    #expect(ended.attempts == (isUp ? 4 : 5))
    #expect(await eventually { fixture.base.registry.read(snapshot.id)?.outage == nil })
    #expect(await fixture.happened(.recovered))
    // There is nothing to scan.
    let kinds = fixture.kinds.filter { $0 != .scanFailed }
    #expect(kinds == (isUp ? [.adopted, .recovered] : [.adopted, .lost, .recovered]))
  }

  @Test("A session that is lost later is recovered with what the record knows, but the kernel's timeouts win")
  func kernelsTimeouts() async throws {
    let target = try testTarget(authentication: try TestAccounts.chap())
    let fixture = try await SupervisedFixture { _ in target }
    let snapshot = try found(fixture) {
      ($0.replacementTimeout, $0.abortTimeout, $0.fastAbort) = (5, 6, false)
      $0.connection?.noopInterval = 3
      $0.connection?.noopTimeout = 4
    }
    try keep(snapshot, .established, fixture)
    _ = try await fixture.manager.adoptSessions()
    fixture.kernel.failConnection(of: snapshot.id)
    #expect(await fixture.recoveries(snapshot.id))
    let parameters = try #require(fixture.kernel.sessions[snapshot.id]).parameters
    #expect(parameters[19] == "5" && parameters[27] == "6" && parameters[26] == "0")
    #expect(parameters[30] == "4" && parameters[31] == "3")
    #expect(fixture.manager.supervisions()[snapshot.id]?.1?.userID == 12)
  }

  @Test("The secrets of a session of open-iscsi are those that the kernel has")
  func secrets() async throws {
    let target = try testTarget(authentication: try TestAccounts.chap())
    let fixture = try await SupervisedFixture { _ in target }
    let snapshot = try found(fixture, connection: .failed) {
      $0.show(.failed, .failed)
      ($0.userName, $0.userNameIn) = ("host", "disk")
    }
    for (file, secret) in zip(["password", "password_in"], TestAccounts.secrets) {
      try fixture.base.tree.set(file, of: snapshot.id, to: .text(secret))
    }
    let adoption = try await fixture.manager.adoptSessions()
    #expect(adoption.recovering == [snapshot.id])
    #expect(await fixture.recoveries(snapshot.id))
    // Later managers know them by the record.
    let kept = try #require(fixture.base.registry.read(snapshot.id)).request
    let (ours, theirs) = (try TestAccounts.ours(), try TestAccounts.theirs())
    #expect(kept.options.authentication.outgoing == ours && kept.options.authentication.incoming == theirs)
    #expect(kept.initiator.description == snapshot.initiatorName)
  }

  @Test("A record of a session that had the number before does not count")
  func otherSession() async throws {
    let fixture = try await SupervisedFixture()
    let snapshot = try found(fixture) { $0.targetName = "iqn.2001-04.com.example:other" }
    try keep(snapshot, .leaving, fixture)
    let adoption = try await fixture.manager.adoptSessions { name }
    #expect(adoption.healthy == [snapshot.id])
    let record = try #require(fixture.base.registry.read(snapshot.id))
    #expect(record.stage == .established && record.request.target.description == snapshot.targetName)
    #expect(record.owner == nil && record.isid == ISID(session: snapshot.id))
  }

  @Test("Records of sessions that are gone are removed, but none of a session that somebody logs in to meanwhile")
  func records() async throws {
    let fixture = try await SupervisedFixture()
    try keep(SessionSnapshot.example(40), .established, fixture)
    // Not in sysfs, as a session that was made since the listing.
    let session = try await fixture.manager.login(try fixture.base.request()).session
    let adoption = try await fixture.manager.adoptSessions { name }
    #expect(adoption == SessionManager.Adoption())
    #expect(fixture.base.registry.read(SessionID(rawValue: 40)) == nil)
    #expect(fixture.base.registry.read(session)?.stage == .established)
  }

  @Test("A session is taken up once")
  func once() async throws {
    let fixture = try await SupervisedFixture()
    let snapshot = try found(fixture)
    #expect(try await fixture.manager.adoptSessions(initiator: { name }).healthy == [snapshot.id])
    #expect(try await fixture.manager.adoptSessions(initiator: { name }) == SessionManager.Adoption())
    // Another value of this process drives it.
    let other = SessionManager(link: fixture.base.link, sysfs: Sysfs(root: fixture.base.tree.root))
    #expect(try await other.adoptSessions(initiator: { name }) == SessionManager.Adoption())
    #expect(other.supervisions().isEmpty)
  }

  @Test("A target that moved for good is found where the record says")
  func home() async throws {
    let target = try testTarget(authentication: try TestAccounts.chap())
    let fixture = try await SupervisedFixture(peers: 2) { _ in target }
    let snapshot = try found(fixture, connection: .failed) { $0.show(.failed, .failed) }
    try keep(snapshot, .established, fixture)
    let moved = fixture.base.peers[1].portal
    fixture.base.registry.update(snapshot.id) { $0.home = moved }
    _ = try await fixture.manager.adoptSessions { name }
    #expect(await fixture.recoveries(snapshot.id))
    #expect(fixture.kernel.sessions[snapshot.id]?.peerPort == moved.port)
    // What is configured stays.
    #expect(fixture.kernel.sessions[snapshot.id]?.parameters[18] == String(fixture.base.portal.port))
  }
}

extension SessionSnapshot {
  /// Changes what is shown of session and connection.
  fileprivate mutating func show(_ session: KernelSessionState, _ connection: KernelConnectionState) {
    state = session
    self.connection?.state = connection
  }
}
