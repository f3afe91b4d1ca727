// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("What a session is going through")
struct SessionStatusTests {
  private static let now = 1_795_000_100.0

  /// An outage that began 20 seconds ago, with a timeout.
  private static func outage(_ replacementTimeout: Int32? = 120) -> OutageFacts {
    var outage = OutageFacts(since: now - 20, cause: "the kernel reported TCP_CONN_CLOSE (1020)")
    (outage.attempts, outage.nextAttempt) = (3, now + 1)
    outage.deadline = replacementTimeout.map { IODeadline(since: outage.since, replacementTimeout: $0) }
    return outage
  }

  private static func facts(_ phase: SupervisionPhase, _ outage: OutageFacts? = nil) -> SupervisionFacts {
    var facts = SupervisionFacts(phase: phase)
    facts.outage = outage
    return facts
  }

  /// One row of a session's life in the kernel, and what it is without and with a daemon.
  struct Row: Sendable, CustomTestStringConvertible {
    let step: String
    var session: KernelSessionState? = .loggedIn
    var target: KernelTargetState? = .scanned
    var connection: KernelConnectionState? = .up
    var host = "running"
    /// The state of the only device; nil if there is none.
    var device: String?
    /// The phase that the daemon has then, and whether it knows of an outage.
    var phase = SupervisionPhase.up
    var isOut = false
    /// The words for state and I/O without a daemon, and with one if that is another.
    var alone: [String?]
    var supervised: [String?]?
    var testDescription: String { step }
  }

  private static let rows = [
    Row(
      step: "CREATE_SESSION", session: .free, target: .allocated, connection: nil, phase: .loggingIn,
      alone: ["loggingIn", nil]),
    Row(
      step: "CREATE_CONN", session: .free, target: .allocated, connection: .down, phase: .loggingIn,
      alone: ["loggingIn", nil]),
    Row(
      step: "BIND", session: .free, target: .allocated, connection: .bound, phase: .loggingIn,
      alone: ["loggingIn", nil]
    ),
    Row(
      step: "STOP for recovery of a first login that is sent elsewhere", session: .free, target: .allocated,
      connection: .failed, phase: .loggingIn, alone: ["loggingIn", nil]),
    Row(
      step: "recovery_tmo runs out, without devices, on a kernel that does not show the target", session: .free,
      target: nil, connection: .failed, phase: .recovering, isOut: true, alone: ["failingIO", nil]),
    Row(
      step: "BIND, on a kernel that does not show the target", session: .free, target: nil, connection: .bound,
      phase: .loggingIn, alone: ["loggingIn", nil]),
    Row(step: "START", target: .allocated, alone: ["operational", nil]),
    Row(step: "START, still shown as bound", target: .allocated, connection: .bound, alone: ["operational", nil]),
    Row(step: "scan", device: "running", alone: ["operational", "flows"]),
    Row(step: "scan, a device is being made", device: "created", alone: ["operational", nil]),
    Row(
      step: "connection error", session: .failed, connection: .failed, device: "blocked", phase: .recovering,
      isOut: true, alone: ["recovering", "waits"]),
    Row(
      step: "connection error that the session does not show yet", connection: .failed, device: "running",
      alone: ["recovering", "waits"]),
    Row(
      step: "connection error that only the device shows", connection: .failed, device: "blocked", phase: .recovering,
      isOut: true, alone: ["recovering", "waits"]),
    Row(
      step: "connection error that the device does not show yet", session: .failed, connection: .failed,
      device: "running", phase: .recovering, isOut: true, alone: ["recovering", "waits"]),
    Row(
      step: "connection error, made while blocked", session: .failed, connection: .failed, device: "created-blocked",
      phase: .recovering, isOut: true, alone: ["recovering", "waits"]),
    Row(
      step: "STOP for recovery by user", session: .failed, connection: .failed, device: "blocked", phase: .recovering,
      isOut: true, alone: ["recovering", "waits"]),
    Row(
      step: "recovery_tmo runs out", session: .free, connection: .failed, device: "transport-offline",
      phase: .recovering, isOut: true, alone: ["failingIO", "fails"]),
    Row(
      step: "recovery_tmo runs out, without devices", session: .free, connection: .failed, phase: .recovering,
      isOut: true, alone: ["failingIO", nil]),
    Row(
      step: "BIND for relogin", session: .failed, connection: .bound, device: "blocked", phase: .recovering,
      isOut: true, alone: ["recovering", "waits"]),
    Row(
      step: "BIND for relogin after recovery_tmo", session: .free, connection: .bound, device: "transport-offline",
      phase: .recovering, isOut: true, alone: ["failingIO", "fails"]),
    Row(
      step: "BIND for relogin after recovery_tmo of an unscanned session", session: .free, target: .allocated,
      connection: .bound, phase: .recovering, isOut: true, alone: ["loggingIn", nil], supervised: ["failingIO", nil]),
    Row(
      step: "error while bound", session: .failed, connection: .failed, device: "blocked", phase: .recovering,
      isOut: true, alone: ["recovering", "waits"]),
    Row(
      step: "error while bound, after recovery_tmo", session: .free, connection: .failed, device: "transport-offline",
      phase: .recovering, isOut: true, alone: ["failingIO", "fails"]),
    Row(
      step: "error while bound in a first login", session: .failed, target: .allocated, connection: .failed,
      phase: .loggingIn, alone: ["recovering", nil], supervised: ["loggingIn", nil]),
    Row(step: "START after relogin", device: "running", alone: ["operational", "flows"]),
    Row(
      step: "START after relogin that recovery_tmo preceded, not unblocked yet", device: "transport-offline",
      alone: ["devicesStopped", "fails"]),
    Row(step: "START after relogin, not unblocked yet", device: "blocked", alone: ["devicesStopped", "waits"]),
    Row(
      step: "given up by error handling, after relogin", device: "offline", alone: ["devicesStopped", "fails"]),
    Row(step: "quiesced", device: "quiesce", alone: ["devicesStopped", "waits"]),
    Row(step: "a device is deleted by hand", device: "deleted", alone: ["operational", "fails"]),
    Row(
      step: "command timeouts, aborts under way", host: "recovery", device: "running",
      alone: ["errorHandling", "waits"]),
    Row(
      step: "command timeouts, abort failed", session: .failed, connection: .failed, host: "recovery",
      device: "blocked", phase: .recovering, isOut: true, alone: ["errorHandling", "waits"]),
    Row(
      step: "command timeouts, recovery_tmo ran out", session: .free, connection: .failed, host: "recovery",
      device: "transport-offline", phase: .recovering, isOut: true, alone: ["failingIO", "fails"]),
    Row(
      step: "NOP timeout", session: .failed, connection: .failed, device: "blocked", phase: .recovering, isOut: true,
      alone: ["recovering", "waits"]),
    Row(
      step: "a logout has begun, and the kernel does not show it yet", device: "running", phase: .loggingOut,
      alone: ["operational", "flows"], supervised: ["loggingOut", "flows"]),
    Row(
      step: "UNBIND", target: .unbinding, device: "cancel", phase: .loggingOut, alone: ["loggingOut", "fails"]),
    Row(
      step: "UNBIND, the devices are gone from sysfs", target: .unbinding, phase: .loggingOut,
      alone: ["loggingOut", nil]),
    Row(step: "UNBIND ended", target: .unbound, phase: .loggingOut, alone: ["loggingOut", nil]),
    Row(
      step: "UNBIND of a session that is away", session: .failed, target: .unbinding, connection: .failed,
      device: "blocked", phase: .loggingOut, isOut: true, alone: ["loggingOut", "waits"]),
    Row(step: "Logout Response received", target: .unbound, phase: .loggingOut, alone: ["loggingOut", nil]),
    Row(
      step: "STOP for good", connection: .down, device: "running", phase: .loggingOut, alone: ["loggingOut", "fails"]),
    Row(
      step: "STOP for good of a session that is away", session: .failed, target: .unbound, connection: .down,
      phase: .loggingOut, isOut: true, alone: ["loggingOut", nil]),
    Row(
      step: "DESTROY_CONN", connection: nil, device: "running", phase: .loggingOut, alone: ["loggingOut", "fails"]),
    Row(step: "a state of another kernel", session: nil, device: "running", alone: ["unknown", nil]),
    Row(step: "a device state of another kernel", device: "asleep", alone: ["operational", nil]),
  ]

  private static func session(_ row: Row) -> SessionSnapshot {
    var session = SessionSnapshot.example(1)
    (session.state, session.targetState) = (row.session, row.target)
    session.host?.state = row.host
    if let state = row.connection { session.connection?.state = state } else { session.connection = nil }
    if let state = row.device { session.devices[0].state = state } else { session.devices = [] }
    return session
  }

  @Test("Each step of a session's life is told for what it is, without a daemon and with one", arguments: rows)
  func step(_ row: Row) {
    let session = Self.session(row)
    let alone = SessionStatus(session, at: Self.now)
    #expect([alone.state.name, alone.io?.name] == row.alone)
    #expect(!alone.isSupervised && alone.state.outage == nil)
    if case .waits(let deadline)? = alone.io { #expect(deadline == nil) }

    let facts = Self.facts(row.phase, row.isOut ? Self.outage() : nil)
    let supervised = SessionStatus(session, facts, at: Self.now)
    #expect([supervised.state.name, supervised.io?.name] == row.supervised ?? row.alone)
    #expect(supervised.isSupervised)
    if row.session == .failed || row.connection == .failed, row.isOut, supervised.io?.name == "waits" {
      #expect(supervised.io == .waits(.at(Self.now + 100)))
    }
    #expect(RecoveryState.names.contains(alone.state.name))
  }

  @Test("A session that is not there is gone")
  func gone() {
    #expect(SessionStatus(nil, at: Self.now).state == .gone)
    #expect(SessionStatus(nil, Self.facts(.gone), at: Self.now).io == nil)
  }

  @Test("The outage of the daemon comes with the state")
  func outage() {
    var session = SessionSnapshot.example(1)
    (session.state, session.devices[0].state) = (.failed, "blocked")
    let outage = Self.outage()
    let recovering = SessionStatus(session, Self.facts(.recovering, outage), at: Self.now)
    #expect(recovering.state == .recovering(outage))
    #expect(recovering.state.outage?.deadline?.remaining(at: Self.now) == 100)
    session.host?.state = "recovery"
    let handling = SessionStatus(session, Self.facts(.recovering, outage), at: Self.now)
    #expect(handling.state == .errorHandling(session.devices, outage))
    #expect(handling.devices.map(\.io) == [.waits(.at(Self.now + 100))])
  }

  @Test(
    "I/O fails since the deadline, if that is known and has passed",
    arguments: [(nil, nil), (5, now - 15), (0, now - 20), (120, nil), (-1, nil)] as [(Int32?, Double?)])
  func failing(timeout: Int32?, since: Double?) {
    var session = SessionSnapshot.example(1)
    (session.state, session.devices[0].state) = (.free, "transport-offline")
    session.connection?.state = .failed
    let outage = Self.outage(timeout)
    let status = SessionStatus(session, Self.facts(.recovering, outage), at: Self.now)
    #expect(status.state == .failingIO(since: since, outage))
    #expect(status.io == .fails)
  }

  @Test("A session whose network device is away, or whose target does not answer, is suspect as long as it is up")
  func suspect() {
    var session = SessionSnapshot.example(1)
    var facts = Self.facts(.up)
    facts.network = "eth0 is without carrier"
    #expect(SessionStatus(session, facts, at: Self.now).state == .suspect(.network("eth0 is without carrier")))
    #expect(SessionStatus(session, facts, at: Self.now).io == .waits(nil))
    facts.networkSince = Self.now - 9
    let since = SessionStatus(session, facts, at: Self.now).state
    #expect(since == .suspect(.network("eth0 is without carrier", since: Self.now - 9)))
    facts.network = nil
    facts.silentSince = Self.now - 7
    #expect(SessionStatus(session, facts, at: Self.now).state == .suspect(.silence(since: Self.now - 7)))
    #expect(SessionStatus(session, facts, at: Self.now).io == .waits(nil))
    session.state = .failed
    #expect(SessionStatus(session, facts, at: Self.now).state == .recovering(nil))
  }

  @Test("A session that the daemon recovers is not operational, whatever the kernel still shows of it")
  func seenFirst() {
    let outage = Self.outage(120)
    let status = SessionStatus(.example(1), Self.facts(.recovering, outage), at: Self.now)
    #expect(status.state == .recovering(outage))
    #expect(status.io == .waits(outage.deadline))
  }

  @Test("The worst device tells what becomes of I/O, and each tells its own")
  func mixed() {
    var session = SessionSnapshot.example(1)
    let states = ["running", "quiesce", "offline", "created"]
    session.devices = states.enumerated().map { lun, state in
      var device = DeviceSnapshot.example(host: HostNumber(rawValue: 1), lun: UInt64(lun), block: "sd\(lun)")
      device.state = state
      return device
    }
    let status = SessionStatus(session, at: Self.now)
    #expect(status.state == .devicesStopped(Array(session.devices[1...2])))
    #expect(status.io == .fails)
    #expect(status.devices.map(\.io) == [.flows, .waits(nil), .fails, nil])
  }

  /// What real kernels showed (6.1, tgt, a controller and a disk), as far as the state goes.
  @Test(
    "The states of real sessions are told from sysfs alone",
    arguments: [
      ("LOGGED_IN", "up", "running", "running", "operational", IOState.flows),
      ("FAILED", "failed", "running", "blocked", "recovering", .waits(nil)),
      ("FAILED", "failed", "recovery", "blocked", "errorHandling", .waits(nil)),
      ("FREE", "failed", "running", "transport-offline", "failingIO", .fails),
    ])
  func real(session: String, connection: String, host: String, device: String, state: String, io: IOState) throws {
    var snapshot = SessionSnapshot.example(2)
    let number = HostNumber(rawValue: 0)
    snapshot.state = KernelSessionState(rawValue: session)
    snapshot.connection?.state = KernelConnectionState(rawValue: connection)
    snapshot.host = .example(number)
    snapshot.host?.state = host
    var controller = DeviceSnapshot.example(host: number, lun: 0, block: "")
    (controller.type, controller.blockDevice, controller.size, controller.scheduler) = (0x0C, nil, nil, nil)
    var disk = DeviceSnapshot.example(host: number, lun: 1, block: "sda")
    disk.timeout = 4
    snapshot.devices = [controller, disk]
    for index in snapshot.devices.indices { snapshot.devices[index].state = device }
    let tree = try SysfsTree()
    try tree.add(snapshot)
    for detail in [Sysfs.Detail.summary, .full] {
      let found = try #require(try Sysfs(root: tree.root).session(snapshot.id, detail))
      let status = SessionStatus(found, at: Self.now)
      #expect(status.state.name == state)
      #expect(status.io == io)
      guard detail == .full, case .errorHandling(let devices, nil) = status.state else { continue }
      #expect(devices.map(\.timeout) == [30, 4] && devices.map(\.errorHandlingTimeout) == [10, 10])
    }
  }
}
