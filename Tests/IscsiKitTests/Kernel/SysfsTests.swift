// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@Suite("Sysfs")
struct SysfsTests {
  func id(_ number: UInt32) -> SessionID { SessionID(rawValue: number) }

  @Test("without the transport class there are no transports, sessions and hosts")
  func emptyTree() throws {
    let tree = try SysfsTree()
    let sysfs = Sysfs(root: tree.root)
    #expect(try sysfs.transports().isEmpty)
    #expect(try sysfs.sessions().isEmpty)
    #expect(try sysfs.session(id(1)) == nil)
    #expect(try sysfs.hosts().isEmpty)
  }

  @Test("a session is read back as it was laid out")
  func roundTrip() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    #expect(try Sysfs(root: tree.root).sessions(.complete) == [.example(1)])
    #expect(try Sysfs(root: tree.root).session(id(1), .complete) == .example(1))
    #expect(try Sysfs(root: tree.root).session(id(2)) == nil)
  }

  @Test("a summary has what a listing needs and nothing else")
  func summary() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    var expected = SessionSnapshot(id: id(1))
    expected.transport = "tcp"
    expected.targetName = "iqn.2026-11.org.example:disk1"
    expected.tag = 1
    (expected.interfaceName, expected.creator) = ("default", 172)
    expected.state = .loggedIn
    expected.targetState = .scanned
    var connection = ConnectionSnapshot(id: .leading)
    connection.state = .up
    (connection.address, connection.port) = ("10.0.0.1", 3260)
    (connection.persistentAddress, connection.persistentPort) = ("10.0.0.1", 3260)
    expected.connection = connection
    var host = HostSnapshot(number: HostNumber(rawValue: 1))
    (host.driver, host.state) = ("iscsi_tcp", "running")
    expected.host = host
    var device = DeviceSnapshot(host: HostNumber(rawValue: 1), channel: 0, target: 0, lun: 1)
    (device.state, device.blockDevice) = ("running", "sd1")
    expected.devices = [device]
    #expect(try Sysfs(root: tree.root).sessions(.summary) == [expected])
  }

  @Test("what tells sessions apart is read without their devices and the states of others")
  func identity() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    var expected = try #require(try Sysfs(root: tree.root).sessions(.summary).first)
    expected.targetState = nil
    expected.connection?.state = nil
    expected.host?.state = nil
    expected.devices = []
    #expect(try Sysfs(root: tree.root).sessions(.identity) == [expected])
  }

  @Test("the detail of devices has what they are, and none of their timers")
  func devicesAlone() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    var expected = SessionSnapshot.example(1).devices
    for index in expected.indices {
      (expected[index].timeout, expected[index].errorHandlingTimeout) = (nil, nil)
      (expected[index].queueDepth, expected[index].scheduler) = (nil, nil)
    }
    let sysfs = Sysfs(root: tree.root)
    #expect(try sysfs.sessions(.devices).map(\.devices) == [expected])
    #expect(try sysfs.sessions(.devices).map(\.targetNumber) == [nil])
  }

  @Test("the detail of parameters leaves out the protocol's numbers and what the devices are")
  func parameters() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    var expected = SessionSnapshot.example(1)
    (expected.targetNumber, expected.fastAbort) = (nil, nil)
    expected.negotiated.errorRecoveryLevel = nil
    (expected.negotiated.dataPDUInOrder, expected.negotiated.dataSequenceInOrder) = (nil, nil)
    expected.connection?.localPort = nil
    expected.connection?.expStatSN = nil
    expected.connection?.noopInterval = nil
    expected.connection?.noopTimeout = nil
    for index in expected.devices.indices {
      (expected.devices[index].type, expected.devices[index].size) = (nil, nil)
      (expected.devices[index].vendor, expected.devices[index].model) = (nil, nil)
      expected.devices[index].revision = nil
      (expected.devices[index].timeout, expected.devices[index].errorHandlingTimeout) = (nil, nil)
      (expected.devices[index].queueDepth, expected.devices[index].scheduler) = (nil, nil)
    }
    expected.host?.errorHandlingDeadline = nil
    #expect(try Sysfs(root: tree.root).sessions(.parameters) == [expected])
  }

  @Test("sessions come ordered by number, not by name")
  func order() throws {
    let tree = try SysfsTree()
    for number: UInt32 in [10, 9, 100, 1] { try tree.add(.example(number)) }
    #expect(try Sysfs(root: tree.root).sessions(.summary).map(\.id.rawValue) == [1, 9, 10, 100])
  }

  /// One row of what a session goes through: the words of sysfs and what they are read as.
  struct Step: Sendable, CustomTestStringConvertible {
    let name: String
    let session: KernelSessionState
    let target: KernelTargetState
    let connection: KernelConnectionState?
    let host: String
    let device: String?
    var testDescription: String { name }
  }

  @Test(
    "every step of a session's life is told apart",
    arguments: [
      Step(
        name: "created", session: .free, target: .allocated, connection: nil, host: "running", device: nil),
      Step(
        name: "connection created", session: .free, target: .allocated, connection: .down, host: "running", device: nil),
      Step(name: "bound", session: .free, target: .allocated, connection: .bound, host: "running", device: nil),
      Step(name: "started", session: .loggedIn, target: .allocated, connection: .up, host: "running", device: nil),
      Step(
        name: "scanned", session: .loggedIn, target: .scanned, connection: .up, host: "running", device: "running"),
      Step(
        name: "connection error", session: .failed, target: .scanned, connection: .failed, host: "running",
        device: "blocked"),
      Step(
        name: "replacement timeout", session: .free, target: .scanned, connection: .failed, host: "running",
        device: "transport-offline"),
      Step(
        name: "bound for relogin", session: .failed, target: .scanned, connection: .bound, host: "running",
        device: "blocked"),
      Step(
        name: "error handling", session: .failed, target: .scanned, connection: .failed, host: "recovery",
        device: "blocked"),
      Step(
        name: "unbinding", session: .loggedIn, target: .unbinding, connection: .up, host: "running",
        device: "running"),
      Step(name: "unbound", session: .loggedIn, target: .unbound, connection: .up, host: "running", device: nil),
      Step(
        name: "stopped for good", session: .loggedIn, target: .unbound, connection: .down, host: "running", device: nil),
    ])
  func states(_ step: Step) throws {
    var session = SessionSnapshot.example(1)
    session.state = step.session
    session.targetState = step.target
    session.targetNumber = step.target == .unbound ? nil : 0
    session.connection?.state = step.connection
    if step.connection == nil {
      session.connection = nil
      session.negotiated.headerDigest = nil
      session.negotiated.dataDigest = nil
      session.negotiated.maxRecvDataSegmentLength = nil
      session.negotiated.maxXmitDataSegmentLength = nil
    }
    if step.connection != .up {
      // Without a socket the kernel gives no addresses.
      session.connection?.address = nil
      session.connection?.port = nil
      session.connection?.localPort = nil
      session.host?.ipAddress = nil
    }
    session.host?.state = step.host
    if let state = step.device { session.devices[0].state = state } else { session.devices = [] }
    let tree = try SysfsTree()
    try tree.add(session)
    #expect(try Sysfs(root: tree.root).sessions(.complete) == [session])
  }

  @Test("devices are ordered by LUN, and one without a disk has no size")
  func devices() throws {
    var session = SessionSnapshot.example(1)
    session.devices = [10, 0, 2].map { .example(host: HostNumber(rawValue: 1), lun: $0, block: "sd\($0)") }
    session.devices[1].blockDevice = nil
    session.devices[1].size = nil
    session.devices[1].type = 12
    let tree = try SysfsTree()
    try tree.add(session)
    let devices = try #require(try Sysfs(root: tree.root).session(id(1))).devices
    #expect(devices.map(\.address) == ["1:0:0:0", "1:0:0:2", "1:0:0:10"])
    #expect(devices.map(\.blockDevice) == [nil, "sd2", "sd10"])
    #expect(devices.map(\.type) == [12, 0, 0])
    #expect(devices.first?.size == nil)
  }

  @Test(
    "the transport is known by the host's driver",
    arguments: [("iscsi_tcp", "tcp"), ("iscsi_iser", "iser"), ("qla4xxx", "qla4xxx"), ("bnx2i", "bnx2i")])
  func transport(driver: String, name: String) throws {
    var session = SessionSnapshot.example(1)
    session.host?.driver = driver
    let tree = try SysfsTree()
    try tree.add(session)
    #expect(try Sysfs(root: tree.root).session(id(1), .summary)?.transport == name)
  }

  @Test("transports are listed with their capabilities")
  func transports() throws {
    let tree = try SysfsTree()
    var tcp = TransportSnapshot(name: "tcp")
    tcp.capabilities = 0x39
    try tree.add(tcp)
    try tree.add(TransportSnapshot(name: "iser"))
    #expect(try Sysfs(root: tree.root).transports() == [TransportSnapshot(name: "iser"), tcp])
  }

  @Test("hosts are listed by number, without an address when there is no socket")
  func hosts() throws {
    let tree = try SysfsTree()
    var second = SessionSnapshot.example(2)
    second.host?.ipAddress = nil
    second.host?.networkDevice = "eth0"
    try tree.add(.example(10))
    try tree.add(second)
    let expected = [second.host, .example(HostNumber(rawValue: 10))]
    #expect(try Sysfs(root: tree.root).hosts() == expected.compactMap(\.self))
  }

  @Test("the portals of a connection are those of the socket and of the configuration")
  func portals() throws {
    var session = SessionSnapshot.example(1)
    session.connection?.address = "fe80:0000:0000:0000:0000:0000:0000:0001"
    session.connection?.persistentAddress = "storage.example.org"
    let tree = try SysfsTree()
    try tree.add(session)
    let connection = try #require(try Sysfs(root: tree.root).session(id(1))?.connection)
    #expect(connection.portal?.description == "[fe80::1]:3260")
    #expect(connection.persistentPortal?.description == "storage.example.org:3260")
  }

  @Test("a class that may not be listed is an error, not an empty answer")
  func notADirectory() throws {
    let tree = try SysfsTree()
    try tree.makeDirectory("class")
    try tree.set("class/iscsi_session", to: .text(""))
    let path = tree.root.appending("class/iscsi_session").string
    #expect(throws: SysfsError.unreadable(path: path, .notDirectory)) { try Sysfs(root: tree.root).sessions() }
  }

  @Test("a thousand sessions of one card are read in one pass")
  func thousand() throws {
    let tree = try SysfsTree()
    for number: UInt32 in 1...1000 {
      var session = SessionSnapshot(id: id(number))
      session.state = .loggedIn
      session.host = .example(HostNumber(rawValue: 7))
      try tree.add(session)
    }
    let sessions = try Sysfs(root: tree.root).sessions()
    #expect(sessions.map(\.id.rawValue) == Array(1...1000))
    #expect(sessions.allSatisfy { $0.state == .loggedIn && $0.host == .example(HostNumber(rawValue: 7)) })
  }

  @Test("a lack of descriptors is an error, so that no session seems to be gone", arguments: [1, 2, 3, 20])
  func shortage(_ spare: Int) async {
    // The limit is the whole process's, hence a process of its own.
    await #expect(processExitsWith: .success) { [spare] in
      let tree = try SysfsTree()
      try tree.add(.example(1))
      let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
      var limit = rlimit()
      // The struct is lent for the calls.
      try #require(unsafe getrlimit(resource, &limit) == 0)
      let usual = limit.rlim_cur
      // The numbers that the next descriptors would have tell which limit leaves just so many.
      let next = try (0..<spare).map { _ in try FileDescriptor.standardInput.duplicate() }
      for descriptor in next { try descriptor.close() }
      limit.rlim_cur = rlim_t(try #require(next.last).rawValue) + 1
      try #require(unsafe setrlimit(resource, &limit) == 0)
      let result = Result { () throws(SysfsError) in try Sysfs(root: tree.root).sessions(.complete) }
      limit.rlim_cur = usual
      try #require(unsafe setrlimit(resource, &limit) == 0)
      // Reading takes six at once; what else the process opens and closes meanwhile may be two.
      let path = tree.root.appending("class/iscsi_session").string
      #expect(result == (spare < 20 ? .failure(.unreadable(path: path, .tooManyOpenFiles)) : .success([.example(1)])))
    }
  }

  @Test(
    "one answer opens each file at most once, and never one with a secret",
    arguments: [Sysfs.Detail.complete, .full, .devices, .parameters, .summary, .identity])
  func opens(_ detail: Sysfs.Detail) throws {
    let tree = try SysfsTree()
    var first = SessionSnapshot.example(1)
    var second = SessionSnapshot.example(2)
    // An offload card: one host for both sessions.
    first.host = .example(HostNumber(rawValue: 7))
    second.host = first.host
    try tree.add(first)
    try tree.add(second)
    let watch = try OpenWatch(tree.root)
    #expect(try Sysfs(root: tree.root).sessions(detail).count == 2)
    let opened = try watch.openedFiles()
    #expect(opened.values.allSatisfy { $0 == 1 }, "\(opened.filter { $0.value > 1 })")
    #expect(opened.keys.contains { $0.hasSuffix("session1/state") })
    #expect(!opened.keys.contains { $0.contains("password") || $0.hasSuffix("handle") })
  }
}
