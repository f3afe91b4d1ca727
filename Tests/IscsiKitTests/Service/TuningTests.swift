// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Tuning over records and sessions")
struct TuningTests {
  private static let target = "iqn.2001-04.com.example:disk"

  /// A daemon with a session, whose record and another one are in a database.
  private func withSession(
    _ body: (DaemonMachine, TemporaryDatabase, Tuning, SessionID) async throws -> Void
  ) async throws {
    let machine = try DaemonMachine()
    let database = try TemporaryDatabase()
    let records = try [
      NodeRecord(target: TargetName(Self.target), portal: Portal("\(machine.peer.portal),1")), .example("other"),
    ]
    try database.database.change { (changes) throws(DatabaseError) in records.forEach { changes.save($0) } }
    try await machine.withDaemon { initiator in
      let session = SessionID(rawValue: try await machine.logIn(initiator))
      machine.kernel.showTimeouts(in: machine.tree.root)
      let tuning = Tuning(
        initiator: initiator, database: database.database, sysfs: Sysfs(root: machine.tree.root))
      try await body(machine, database, tuning, session)
    }
  }

  private func request(
    _ settings: [Timeout: TimeoutValue], _ change: (inout TuningRequest) -> Void
  ) -> TuningRequest {
    var request = TuningRequest(TimeoutSettings(settings))
    change(&request)
    return request
  }

  private func replacements(_ database: TemporaryDatabase) throws -> [Duration?] {
    try database.database.nodes().records.map(\.record.timeouts.replacement)
  }

  private func words(_ report: TuningReport) -> [String] {
    report.entries.map { entry in
      let subject =
        switch entry.subject {
        case .record(let record): record.target.description.suffix(5)
        case .session(let id, _): "session \(id)".suffix(9)
        }
      return "\(subject) \(entry.setting) \(entry.old ?? "-") \(entry.new) \(entry.result.rawValue)"
    }
  }

  @Test("A session and its record are set together, and no other record")
  func both() async throws {
    try await withSession { machine, database, tuning, session in
      let wanted = request([.replacement: 5, .login: 9]) { $0.sessions = [session] }
      let trial = try await tuning.carryOut(wanted, isTrial: true)
      let expected = [
        "session 1 replacement-timeout 120 5 changed", ":disk replacement-timeout 120 5 changed",
        ":disk login-timeout 30 9 changed",
      ]
      #expect(words(trial).sorted() == expected.sorted())
      #expect(try replacements(database) == [.seconds(120), .seconds(120)])
      #expect(machine.kernel.sessions[session]?.parameters[19] == "120")
      let report = try await tuning.carryOut(wanted)
      #expect(words(report).sorted() == expected.sorted() && report.failures.isEmpty)
      #expect(machine.kernel.sessions[session]?.parameters[19] == "5")
      let nodes = try database.database.nodes().records.map(\.record)
      #expect(nodes.first { $0.target.description == Self.target }?.timeouts.login == .seconds(9))
      #expect(nodes.first { $0.target.description != Self.target }?.timeouts.replacement == .seconds(120))
      // What is for later logins alone says so.
      let login = try #require(report.entries.first { $0.setting == "login-timeout" })
      #expect(login.message == "takes effect at the next login by the record")
      #expect(report.entries.first { $0.place == .record && $0.setting != "login-timeout" }?.message == nil)
    }
  }

  @Test("Records alone, sessions alone, a target, and all")
  func scopes() async throws {
    try await withSession { machine, database, tuning, session in
      let target = try TargetName(Self.target)
      var report = try await tuning.carryOut(
        request([.replacement: 11]) {
          $0.targets = [target]
          $0.place = .record
        })
      #expect(words(report) == [":disk replacement-timeout 120 11 changed"])
      #expect(report.entries[0].message == "takes effect at the next login by the record")
      #expect(machine.kernel.sessions[session]?.parameters[19] == "120")
      report = try await tuning.carryOut(
        request([.replacement: 12]) {
          $0.targets = [target]
          $0.place = .live
        })
      #expect(words(report) == ["session 1 replacement-timeout 120 12 changed"])
      report = try await tuning.carryOut(request([.replacement: .off]) { $0.isForAll = true })
      #expect(report.entries.count == 3)
      #expect(try replacements(database) == [nil, nil])
      #expect(machine.kernel.sessions[session]?.parameters[19] == "-1")
      let again = try await tuning.carryOut(request([.replacement: .off]) { $0.isForAll = true }, isTrial: true)
      #expect(again.isSettled)
    }
  }

  @Test("What cannot be is refused before anything changes")
  func refusals() async throws {
    try await withSession { machine, database, tuning, session in
      let other = try TargetName("iqn.2026-11.org.example:other")
      let none = try TargetName("iqn.2026-11.org.example:none")
      let missing = SessionID(rawValue: 77)
      let cases: [(TuningRequest, SettingRefusal)] = [
        (request([.replacement: 1]) { $0.sessions = [session, missing] }, .noSession(missing)),
        (
          request([.replacement: 1, .login: 1]) {
            $0.sessions = [session]
            $0.place = .live
          }, .recordOnly(.login)
        ),
        (
          request([.replacement: 1, .device: 1]) {
            $0.sessions = [session]
            $0.place = .record
          }, .liveOnly("device-timeout")
        ),
        (request([.replacement: 1, .device: 1]) { $0.targets = [other] }, .noneUp("device-timeout")),
        (request([.replacement: 1]) { $0.targets = [none] }, .noRecord("replacement-timeout")),
        (
          request([.replacement: 1]) {
            $0.targets = [other]
            $0.place = .live
          }, .noneUp("replacement-timeout")
        ),
      ]
      let count = machine.kernel.requests.count
      for (request, refusal) in cases {
        await #expect(throws: refusal) { try await tuning.carryOut(request) }
      }
      #expect(try replacements(database) == [.seconds(120), .seconds(120)])
      #expect(machine.kernel.requests.count == count)
    }
  }

  @Test("A session that takes nothing is told, and the others are set")
  func partly() async throws {
    try await withSession { machine, database, tuning, session in
      var foreign = SessionSnapshot.example(9)
      foreign.transport = "iser"
      foreign.host?.driver = "iscsi_iser"
      try machine.tree.add(foreign)
      let report = try await tuning.carryOut(request([.replacement: 5]) { $0.isForAll = true })
      #expect(report.failures.map(\.exitStatus) == [.notSupported])
      #expect(report.entries.count == 3 && report.failed.isEmpty && !report.isSettled)
    }
  }

  @Test("Records that cannot be written do not hide what was set on sessions before")
  func unwritableRecords() async throws {
    try await withSession { machine, database, tuning, session in
      // Something else has the name of the lock.
      _ = try TestProcess.run(["rm", "-rf", database.locks.string])
      _ = try TestProcess.run(["mkdir", "-p", database.locks.appending("iscsi-admin.lock").string])
      let report = try await tuning.carryOut(request([.replacement: 5]) { $0.sessions = [session] })
      #expect(words(report) == ["session 1 replacement-timeout 120 5 changed"])
      #expect(report.failures.count == 1 && report.failures.first is DatabaseError && !report.isSettled)
      #expect(try replacements(database) == [.seconds(120), .seconds(120)])
    }
  }

  @Test("Without a daemon, sessions cannot be set, and records are not changed half way")
  func noDaemon() async throws {
    let machine = try DaemonMachine()
    let database = try TemporaryDatabase()
    let record = try NodeRecord.example()
    try database.database.change { (changes) throws(DatabaseError) in changes.save(record) }
    try machine.tree.add(.example(1))
    let tuning = Tuning(
      initiator: machine.initiator, database: database.database, sysfs: Sysfs(root: machine.tree.root))
    let wanted = request([.replacement: 5]) { $0.isForAll = true }
    let error = await #expect(throws: InitiatorError.self) { try await tuning.carryOut(wanted) }
    #expect(error?.exitStatus == .daemonNotConnected)
    #expect(try replacements(database) == [.seconds(120)])
    var records = wanted
    records.place = .record
    #expect(try await tuning.carryOut(records).entries.count == 1)
    #expect(try replacements(database) == [.seconds(5)])
  }
}

/// A daemon that answers as a test wants, or leaves its clients waiting.
private struct SampleDaemon: VarlinkService {
  /// The sessions that it has.
  var sessions: [UInt32] = []
  /// The sessions of which it tells nothing.
  var silent: Set<UInt32> = []

  var description: VarlinkInterfaceDescription {
    VarlinkInterfaceDescription(name: InitiatorInterface.name, text: InitiatorInterface.text)
  }

  func call(_ call: VarlinkCall) async -> VarlinkReply {
    guard let value = try? JSONValueEncoder().encode(answer(call)) else { return .failure(name: "a.b.C") }
    if case .integer(let session)? = call.parameters["session"], silent.contains(UInt32(session)) {
      try? await Reactor.shared.sleep(until: .now + .seconds(600))
    }
    return .success(value)
  }

  private func answer(_ call: VarlinkCall) -> any Encodable {
    switch call.method {
    case "Ping":
      return InitiatorTypes.Identity(
        version: "1", instance: "x", processID: 1, sessions: sessions.count, firstEvent: 1, lastEvent: 0)
    case "ListSessions":
      return InitiatorTypes.ListOutput(
        sessions: sessions.map { id in
          let recovery = InitiatorTypes.Recovery(phase: "up", portal: "10.0.0.1:3260", recoveries: 0)
          return InitiatorTypes.Session(SessionSnapshot(id: SessionID(rawValue: id)), recovery)
        })
    case "Statistics": return InitiatorTypes.StatisticsOutput(counters: [.init(name: "rxdata_octets", value: 1)])
    default:
      let outcome = SettingOutcome("abort-timeout", .session, old: "15", new: "7", .changed)
      return InitiatorTypes.SetOutput(results: [InitiatorTypes.SetResult(outcome)])
    }
  }

  /// Runs a test beside it.
  func serving(_ body: (FilePath) async throws -> Void) async throws {
    let directory = try SocketDirectory()
    let server = try VarlinkServer(
      listener: UnixListener(at: directory.socket), identity: VarlinkFixture.identity, services: [self],
      limits: VarlinkServer.Limits(), admits: { _ in true })
    let running = Task { await server.run() }
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(directory.socket)) } catch { outcome = .failure(error) }
    server.close()
    await running.value
    try outcome.get()
  }
}

@Suite("A daemon that leaves a call unanswered", .timeLimit(.minutes(5)))
struct SilentDaemonTests {
  @Test("What it has told before the counters that do not come is not lost")
  func survey() async throws {
    try await SampleDaemon(sessions: [1, 2, 3], silent: [2]).serving { socket in
      let survey = try await Initiator(socket: socket).survey(until: .now + .seconds(40))
      #expect(survey.daemon.version == "1" && survey.recoveries.count == 3)
      #expect(survey.counters.keys.map(\.rawValue) == [1])
      let chosen = try await Initiator(socket: socket)
        .survey(of: [SessionID(rawValue: 3)], until: .now + .seconds(40))
      #expect(chosen.counters.keys.map(\.rawValue) == [3] && chosen.recoveries.count == 3)
    }
  }

  @Test("A session that it does not set in time is told, and the others and the records are set", arguments: [1, 2])
  func tuning(silent: UInt32) async throws {
    let tree = try SysfsTree()
    for id: UInt32 in 1...3 { try tree.add(.example(id)) }
    let database = try TemporaryDatabase()
    let record = try NodeRecord.example()
    try database.database.change { (changes) throws(DatabaseError) in changes.save(record) }
    try await SampleDaemon(silent: [silent]).serving { socket in
      let tuning = Tuning(
        // Enough for what is answered at once, on a machine that is busy with all other tests.
        initiator: Initiator(socket: socket, patience: .seconds(40)), database: database.database,
        sysfs: Sysfs(root: tree.root))
      var request = TuningRequest(TimeoutSettings([.abort: 7]))
      request.isForAll = true
      let report = try await tuning.carryOut(request)
      let set = report.entries.compactMap { entry in
        if case .session(let id, _) = entry.subject { id.rawValue } else { nil }
      }
      #expect(set == [1, 2, 3].filter { $0 != silent })
      #expect(report.entries.count { $0.place == .record } == 1)
      let failure = try #require(report.failures.first as? InitiatorTypes.Failure)
      #expect(report.failures.count == 1 && failure.session == silent && failure.exitStatus == .requestTimeout)
    }
  }
}
