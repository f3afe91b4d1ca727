// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Sessions of others are taken up by the records of their nodes", .timeLimit(.minutes(2)))
struct RecordAdoptionTests {
  /// A session of open-iscsi's with CHAP that has lost its connection.
  private func lost(
    _ fixture: SessionFixture, _ change: (inout SessionSnapshot) -> Void = { _ in }
  ) throws -> SessionSnapshot {
    let id = fixture.kernel.addSession(connection: .failed)
    var snapshot = SessionSnapshot.example(id.rawValue)
    snapshot.host = .example(HostNumber(rawValue: id.rawValue + 1))
    snapshot.targetName = "iqn.2001-04.com.example:disk"
    snapshot.connection?.persistentAddress = "127.0.0.1"
    snapshot.connection?.persistentPort = fixture.portal.port
    snapshot.state = .failed
    snapshot.connection?.state = .failed
    (snapshot.userName, snapshot.userNameIn) = ("host", "disk")
    snapshot.devices = []
    change(&snapshot)
    try fixture.tree.add(snapshot)
    for (file, secret) in zip(["password", "password_in"], TestAccounts.secrets) {
      try fixture.tree.set(file, of: id, to: .text(secret))
    }
    return snapshot
  }

  private func record(_ fixture: SessionFixture, _ settings: [(String, String)]) throws -> NodeRecord {
    var record = NodeRecord(target: try TargetName("iqn.2001-04.com.example:disk"), portal: fixture.portal)
    for (key, value) in settings { try record.set(key, to: value) }
    return record
  }

  private func manager(
    _ fixture: SessionFixture, _ findNodes: @escaping SessionManager.NodeLookup
  ) -> SessionManager {
    SessionManager(
      link: fixture.link, sysfs: Sysfs(root: fixture.tree.root), registry: fixture.registry, findNodes: findNodes)
  }

  private func isUp(_ session: SessionID, of manager: SessionManager) -> Bool {
    manager.supervisions()[session]?.0.phase == .up
  }

  @Test("A session whose target takes SHA256 alone is recovered, with all that only its record says")
  func recovered() async throws {
    let target = try testTarget(authentication: try TestAccounts.chap([.sha256]))
    let fixture = try await SessionFixture(target)
    let session = try lost(fixture).id
    let record = try record(
      fixture,
      [
        ("node.session.auth.chap_algs", "SHA256"), ("node.session.reopen_max", "7"),
        ("node.conn[0].timeo.login_timeout", "33"), ("node.conn[0].iscsi.HeaderDigest", "CRC32C,None"),
      ])
    let manager = manager(fixture) { Dictionary(uniqueKeysWithValues: $0.map { ($0.id, record) }) }
    #expect(try await manager.adoptSessions().recovering == [session])
    #expect(await eventually { isUp(session, of: manager) })
    let options = try #require(fixture.registry.read(session)).request.options
    #expect(options.authentication.algorithms == [.sha256])
    #expect(options.scan == .all && options.recoveryLimit == 7)
    #expect(options.timeouts.login == .seconds(33) && options.operational.headerDigest == [.crc32c, .none])
    #expect(fixture.kernel.violations == [])
  }

  @Test("What the kernel shows wins over a record that says something else")
  func kernelWins() async throws {
    let fixture = try await SessionFixture(try testTarget(authentication: try TestAccounts.chap()))
    let session = try lost(fixture) {
      ($0.replacementTimeout, $0.initiatorName) = (5, "iqn.2001-04.com.example:shown")
      $0.negotiated.firstBurstLength = 4096
    }.id
    var record = try record(
      fixture,
      [
        ("node.session.timeo.replacement_timeout", "99"), ("node.session.auth.username", "other"),
        ("node.session.auth.password", "otherSecret99"), ("node.session.iscsi.FirstBurstLength", "8192"),
        ("node.session.scan", "manual"),
      ])
    record.interface.initiatorName = "iqn.2001-04.com.example:record"
    let node = record
    let manager = manager(fixture) { Dictionary(uniqueKeysWithValues: $0.map { ($0.id, node) }) }
    _ = try await manager.adoptSessions()
    #expect(await eventually { isUp(session, of: manager) })
    let request = try #require(fixture.registry.read(session)).request
    #expect(request.initiator.description == "iqn.2001-04.com.example:shown")
    #expect(request.options.authentication.outgoing == (try TestAccounts.ours()))
    #expect(request.options.timeouts.replacement == .seconds(5))
    #expect(request.options.operational.firstBurstLength == 4096 && request.options.scan == .none)
  }

  @Test("Without a record, or with one that cannot be used, a session is taken up by the kernel alone")
  func without() async throws {
    let fixture = try await SessionFixture(try testTarget(authentication: try TestAccounts.chap()))
    let session = try lost(fixture).id
    // Another transport is no login of ours.
    var broken = try record(fixture, [("node.session.scan", "auto")])
    broken.interface.transport = "iser"
    let manager = manager(fixture) { [broken] _ in [session: broken] }
    _ = try await manager.adoptSessions()
    #expect(await eventually { isUp(session, of: manager) })
    let options = try #require(fixture.registry.read(session)).request.options
    #expect(options.scan == .none && options.authentication.algorithms == [.md5])
  }

  @Test("What is on record waits for no look at the database, and all others are looked for at once")
  func order() async throws {
    let fixture = try await SessionFixture(try testTarget(authentication: try TestAccounts.chap()))
    let (known, others) = (try lost(fixture), [try lost(fixture), try lost(fixture)])
    let authentication = try TestAccounts.authentication(mutual: true)
    fixture.registry.write(
      SessionRecord(
        session: known.id, request: try fixture.request(authentication), isid: ISID(session: known.id),
        stage: .established))
    let (looks, isOver) = (Notes<[SessionID]>(), OneShot<Void>())
    let manager = manager(fixture) { sessions in
      looks.add(sessions.map(\.id).sorted())
      await isOver.value
      return [:]
    }
    let adoption = Task { try await manager.adoptSessions() }
    #expect(await eventually { isUp(known.id, of: manager) })
    #expect(await eventually { looks.all == [others.map(\.id)] })
    #expect(manager.supervisions()[others[0].id] == nil)
    isOver.resolve(())
    #expect(try await adoption.value.recovering.sorted() == [known.id] + others.map(\.id))
    // There is nothing left to look for.
    _ = try await manager.adoptSessions()
    #expect(looks.all.count == 1)
  }

  @Test("Records are found by target, portal and interface, and by the tag between several; what is broken is none")
  func find() throws {
    let files = try TemporaryDatabase()
    var (one, two) = (try NodeRecord.example(at: "10.0.0.1:3260,1"), try NodeRecord.example(at: "10.0.0.1:3260,2"))
    (one.reopenLimit, two.reopenLimit) = (1, 2)
    let records = [one, two]
    try files.database.change { (changes) throws(DatabaseError) in records.forEach { changes.save($0) } }
    try files.write("node.session.reopen_max = \n[", to: "nodes/\(one.target)/10.0.0.3,3260,1/default")
    try files.write("", to: "iscsid.conf")
    let source = RecordSource(
      configurationFile: files.root.appending("iscsid.conf"), databaseOverride: files.root.string)
    func limit(_ change: (inout SessionSnapshot) -> Void = { _ in }) -> UInt32? {
      var session = SessionSnapshot.example(1)
      session.targetName = one.target.description
      session.connection?.persistentAddress = "10.0.0.1"
      session.connection?.persistentPort = 3260
      change(&session)
      return source.nodes(of: [session])[session.id]?.reopenLimit
    }
    #expect(limit() == 1)
    #expect(limit { $0.tag = 2 } == 2)
    #expect(limit { $0.tag = 9 } == 1)
    #expect(limit { $0.interfaceName = "eth1" } == nil)
    #expect(limit { $0.connection?.persistentPort = 3261 } == nil)
    #expect(limit { $0.connection?.persistentAddress = "10.0.0.3" } == nil)
    #expect(limit { $0.targetName = "../../etc" } == nil)
    let nowhere = RecordSource(configurationFile: "/nonexistent", databaseOverride: "/nonexistent")
    #expect(nowhere.nodes(of: [.example(1)]) == [:])
  }
}
