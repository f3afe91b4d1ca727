// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

@Suite("explain")
struct ExplainCommandTests {
  private static let forms = [(arguments: [String](), form: "txt"), (arguments: ["--json"], form: "json")]
  private static let now = 1_795_000_000.0

  /// A session whose link is down, one with a wrong secret, a healthy one, and a portal without a session.
  private static func evidence() throws -> [Evidence] {
    var cut = SessionSnapshot.example(1)
    cut.state = .failed
    cut.connection?.state = .failed
    cut.devices[0].state = "blocked"
    let outage = InitiatorTypes.Outage(
      cause: "the kernel reported NOP_TIMEDOUT (1022)", kernelError: 1022, since: now - 12, attempts: 4,
      lastFailure: InitiatorTypes.Attempt(
        number: 4, portal: "10.0.0.1:3260", cause: "authentication failed (0201)", time: now - 1, exitCode: 24,
        loginStatus: 0x201), nextAttempt: now + 2, replacementTimeout: 120, deadline: now + 108)
    let recovery = InitiatorTypes.Recovery(
      phase: "recovering", portal: "10.0.0.1:3260", recoveries: 2, outage: outage)
    var linkDown = Evidence(cut, now: now)
    var withoutFailure = recovery
    withoutFailure.outage?.lastFailure = nil
    linkDown.daemon = .supervises(withoutFailure)
    linkDown.way = .through(device: "eth0", .noCarrier(LinkFault(state: "no cable")), mtu: 1500)
    linkDown.probe = .failed(.timedOut)
    var wrongSecret = Evidence(cut, now: now)
    wrongSecret.session?.userName = "ali\u{1B}[2Jce"
    wrongSecret.daemon = .supervises(recovery)
    wrongSecret.way = .through(device: "eth0", .up, mtu: 1500)
    wrongSecret.probe = .accepted
    var healthy = Evidence(.example(3), now: now)
    healthy.session?.abortTimeout = 5
    healthy.session?.luResetTimeout = 5
    healthy.session?.targetResetTimeout = 5
    healthy.daemon = .supervises(InitiatorTypes.Recovery(phase: "up", portal: "10.0.0.1:3260", recoveries: 0))
    var missing = Evidence(
      target: "iqn.2026-11.org.example:disk4", portal: try Portal("10.0.0.9:3260"), now: now)
    missing.way = Evidence.Way.none
    missing.probe = .failed(.unreachable(.networkUnreachable))
    return [linkDown, wrongSecret, healthy, missing]
  }

  @Test("What is found, the worst first, with evidence and what mends it", arguments: forms)
  func text(arguments: [String], form: String) throws {
    let output = try ExplainCommand.parse(["1"] + arguments).output(of: Self.evidence(), for: .plain)
    try Golden.expect(output.text, is: "explain.\(form)")
    #expect(output.status == .success && output.diagnostics == "")
    if arguments.isEmpty { #expect(!output.text.contains("\u{1B}")) }
  }

  /// A machine with two sessions: one whose disk has a partition, is a path of a map and mounted by it, and another one.
  private func machine() throws -> SysfsTree {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    var other = SessionSnapshot.example(2)
    other.targetName = "iqn.2026-11.org.example:disk1"
    try tree.add(other)
    try tree.addBlockDevice("sd1", number: "8:0", holders: ["dm-0"])
    try tree.addBlockDevice("sd1p1", number: "8:1", partitionOf: "sd1")
    try tree.addBlockDevice("dm-0", number: "253:0", mapping: "mpatha", mappingUUID: "mpath-1")
    for name in ["proc", "proc/self", "dev", "dev/disk", "dev/disk/by-path"] { try tree.makeDirectory(name) }
    try tree.set("proc/self/mountinfo", to: .text("36 35 253:0 / /srv rw - ext4 /dev/mapper/mpatha rw"))
    return tree
  }

  @Test(
    "A session is found by its number, target, disk, partition, map and mount point",
    arguments: [
      ("1", [1]), ("2", [2]), ("7", []), ("iqn.2026-11.org.example:disk1", [1, 2]), ("sd1", [1]), ("/dev/sd1", [1]),
      ("/dev/sd1p1", [1]), ("sd1p1", [1]), ("dm-0", [1]), ("/dev/mapper/mpatha", [1]), ("/srv", [1]), ("/srv/", [1]),
      ("sd2", [2]), ("1:0:0:1", [1]), ("/", []), ("sda", []), ("/dev/nothing", []), ("../sd1", []),
    ] as [(String, [UInt32])])
  func subjects(text: String, ids: [UInt32]) throws {
    let tree = try machine()
    let sysfs = Sysfs(root: tree.root)
    let inventory = try DiskInventory(
      proc: tree.root.appending("proc"), sysfs: tree.root, dev: tree.root.appending("dev"))
    let found = try SessionSubject(text).sessions(among: sysfs.sessions(), inventory, sysfs: tree.root)
    #expect(found.map(\.id.rawValue) == ids)
  }

  /// Three records of one target: over the default interface, over one with a MAC address, and at another portal.
  private static func records() throws -> [NodeRecord] {
    let target = try TargetName("iqn.2026-11.org.example:disk1")
    var records = try ["10.0.0.1:3260,1", "10.0.0.1:3260,1", "10.0.0.2:3260,1"].map {
      NodeRecord(target: target, portal: try Portal($0))
    }
    records[1].interface.name = try #require(InterfaceName("storage"))
    records[1].interface.hardwareAddress = "02:00:00:00:00:01"
    records[1].sessionCount = 3
    records[2].startup = .automatic
    return records
  }

  @Test("Of a target's records those without a session are places, unless another portal will do")
  func missing() throws {
    var records = try Self.records()
    let session = SessionSnapshot.example(1)
    let places = SessionSubject.missing(records, among: [session])
    #expect(places.map(\.portal.address) == ["10.0.0.1:3260", "10.0.0.2:3260"])
    #expect(places.map(\.isAutomatic) == [false, true])
    #expect(
      places.map(\.binding) == [.hardwareAddress(try #require(HardwareAddress("02:00:00:00:00:01"))), .automatic])
    for index in records.indices { records[index].leadingLogin = true }
    #expect(SessionSubject.missing(records, among: [session]) == [])
    #expect(SessionSubject.missing(records, among: [.example(2)]).count == 3)
  }

  @Test("A session is looked after by the binding and the number of its record")
  func recorded() throws {
    var bound = SessionSnapshot.example(7)
    bound.targetName = "iqn.2026-11.org.example:disk1"
    bound.interfaceName = "storage"
    let found = SessionSubject.recorded([.example(1), .example(2), bound], by: try Self.records())
    #expect(found.count == 2 && found[SessionID(rawValue: 1)] == .init(binding: .automatic, sessionCount: 1))
    let address = try #require(HardwareAddress("02:00:00:00:00:01"))
    #expect(found[bound.id] == .init(binding: .hardwareAddress(address), sessionCount: 3))
    // Without a record the kernel tells, and the name that we give an interface of an address.
    #expect(bound.shownBinding == .automatic)
    bound.interfaceName = "10.0.0.100"
    #expect(bound.shownBinding == .sourceAddress(try #require(IPAddress("10.0.0.100"))))
    bound.host?.hardwareAddress = "02:00:00:00:00:01"
    #expect(bound.shownBinding == .hardwareAddress(try #require(HardwareAddress("02:00:00:00:00:01"))))
    bound.host?.networkDevice = "eth1"
    #expect(bound.shownBinding == .device("eth1"))
  }

  @Test(
    "What is no session's is told so",
    arguments: [("9", IscsiKit.ExitStatus.sessionNotFound), ("/nowhere", .noObjectsFound)])
  func nothing(text: String, status: IscsiKit.ExitStatus) async throws {
    let tree = try SysfsTree()
    let arguments = [text, "--json", "--sysfs-root", tree.root.string, "--socket", "/nonexistent/socket"]
    let output = try await onOwnThread { try ExplainCommand.parse(arguments).output(for: .plain) }
    #expect(output.status == status)
    #expect(output.text.contains("\"subjects\" : [\n\n  ]"))
  }

  @Test("A word that names no disk may name a target, whose records are looked at")
  func oddTarget() throws {
    let target = try TargetName("mytarget")
    var session = SessionSnapshot.example(1)
    session.targetName = "iqn.2026-11.org.example:a"
    let word = try SessionSubject("mytarget")
    #expect(word.targets(of: []) == [target] && word.isTarget([]))
    #expect(word.targets(of: [session]).map(\.description) == ["iqn.2026-11.org.example:a"])
    #expect(!word.isTarget([session]))
    #expect(try SessionSubject("/dev/sda").targets(of: []) == [])
    #expect(try SessionSubject("5").targets(of: []) == [] && !SessionSubject("5").isTarget([]))
  }

  @Test("Without a daemon the kernel's word is told, and that nobody could be asked")
  func withoutDaemon() async throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    // Nobody is connected to.
    session.connection?.address = nil
    session.connection?.persistentAddress = nil
    session.host?.state = "recovery"
    try tree.add(session)
    let arguments = ["1", "--sysfs-root", tree.root.string, "--socket", "/nonexistent/socket"]
    let output = try await onOwnThread { try ExplainCommand.parse(arguments).output(for: .plain) }
    #expect(output.status == .success)
    #expect(output.text.contains("PROBLEM  commands ran out of time"))
    #expect(output.text.contains("the daemon cannot be asked"))
  }
}
