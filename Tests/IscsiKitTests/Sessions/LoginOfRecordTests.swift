// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("The login that a record stands for")
struct LoginOfRecordTests {
  private func record(_ settings: [(String, String)] = []) throws -> NodeRecord {
    var record = try NodeRecord.example()
    for (key, value) in settings { try record.set(key, to: value) }
    return record
  }

  private func request(_ record: NodeRecord) throws -> LoginRequest {
    let description = try LoginDescription(record)
    return try description.request { () throws(LoginDescriptionError) in
      guard let name = try? InitiatorName("iqn.2026-11.org.example:machine") else {
        throw LoginDescriptionError(field: "initiator", reason: "missing")
      }
      return name
    }
  }

  @Test("A record with the defaults is a login with the defaults, but for how long a first one is tried")
  func defaults() throws {
    let request = try request(record())
    var expected = SessionOptions()
    expected.timeouts.login = .seconds(30)
    expected.timeouts.loginRetryWindow = .seconds(120)
    #expect(request.options == expected)
    #expect(request.portal.description == "10.0.0.1:3260,1")
  }

  @Test("A timeout that is none is as near to it as can be, and never becomes a short one")
  func impossibleTimeouts() throws {
    let timeouts = try request(
      record([
        ("node.session.timeo.replacement_timeout", "3000000"), ("node.session.err_timeo.abort_timeout", "0"),
        ("node.session.err_timeo.lu_reset_timeout", "2147483647"), ("node.conn[0].timeo.noop_out_interval", "2147484"),
      ])
    ).options.timeouts
    let longest = Duration.seconds(Int64(Timeout.longest))
    #expect(timeouts.replacement == longest && timeouts.luReset == longest && timeouts.noopInterval == longest)
    #expect(timeouts.abort == .seconds(1))
  }

  @Test("Each setting that a session goes by is in the login")
  func settings() throws {
    var record = try record([
      ("node.session.auth.username", "me"), ("node.session.auth.password", "secretsecret"),
      ("node.session.auth.username_in", "it"), ("node.session.auth.password_in", "othersecret1"),
      ("node.session.auth.chap_algs", "SHA256,MD5"), ("node.session.timeo.replacement_timeout", "-1"),
      ("node.session.scan", "manual"), ("node.session.cmds_max", "64"), ("node.session.queue_depth", "16"),
      ("node.session.nr_sessions", "2"), ("node.session.reopen_max", "7"), ("node.session.iscsi.FastAbort", "No"),
      ("node.conn[0].timeo.noop_out_interval", "0"), ("node.conn[0].iscsi.HeaderDigest", "CRC32C,None"),
      ("node.session.iscsi.InitialR2T", "Yes"),
    ])
    record.interface.name = try #require(InterfaceName("bound"))
    record.interface.networkDevice = "eth1"
    record.interface.initiatorName = "iqn.2026-11.org.example:other"
    let request = try request(record)
    let options = request.options
    #expect(request.initiator.description == "iqn.2026-11.org.example:other")
    #expect(options.authentication.outgoing?.name == "me" && options.authentication.incoming?.name == "it")
    #expect(options.authentication.algorithms == [.sha256, .md5])
    #expect(options.timeouts.replacement == nil && options.timeouts.noopInterval == .zero)
    #expect(options.scan == .none && options.maxCommands == 64 && options.queueDepth == 16 && !options.fastAbort)
    #expect(options.sessionCount == 2 && options.recoveryLimit == 7)
    #expect(options.operational.headerDigest == [.crc32c, .none] && options.operational.initialR2T)
    #expect(options.interfaceName == "bound" && options.binding == .device("eth1"))
  }

  @Test(
    "Lengths that iSCSI does not allow are as where nothing is configured",
    arguments: [("511", 262_144), ("4099", 4096), ("16777216", 262_144)] as [(String, UInt32)])
  func lengths(_ value: String, _ used: UInt32) throws {
    let record = try record([("node.session.iscsi.FirstBurstLength", value)])
    #expect(try request(record).options.operational.firstBurstLength == used)
  }

  @Test("A binding to nothing can be written in three ways", arguments: [nil, "", "default"] as [String?])
  func unbound(_ value: String?) throws {
    var record = try record()
    record.interface.networkDevice = value
    record.interface.hardwareAddress = value
    #expect(try request(record).options.binding == .automatic)
    record.interface.hardwareAddress = "02:00:00:00:00:01"
    #expect(try request(record).options.binding != .automatic)
  }

  /// A device, a MAC address and the address of a card, and what a session is bound to with them; nil is nothing that it could be.
  private static let bindings: [(device: String?, hardware: String?, address: String?, binding: InterfaceBinding?)] = [
    ("eth1", nil, "10.0.0.2", .device("eth1")),
    (nil, "02:00:00:00:00:01", "10.0.0.2", HardwareAddress("02:00:00:00:00:01").map(InterfaceBinding.hardwareAddress)),
    ("eth1", "02:00:00:00:00:01", nil, HardwareAddress("02:00:00:00:00:01").map(InterfaceBinding.hardwareAddress)),
    ("default", "", "default", .automatic), (nil, nil, "", .automatic),
    (nil, nil, "10.0.0.2", nil), ("default", "default", "fd00::2", nil), (nil, nil, "nonsense", nil),
    (nil, "nonsense", nil, nil), ("no/name", nil, nil, nil),
  ]

  @Test("A MAC address goes before a device, and the address of a card alone binds nothing", arguments: bindings)
  func bound(device: String?, hardware: String?, address: String?, binding: InterfaceBinding?) throws {
    var record = try record()
    (record.interface.networkDevice, record.interface.hardwareAddress) = (device, hardware)
    record.interface.address = address
    #expect((try? record.interface.binding()) == binding)
    if let binding {
      #expect(try request(record).options.binding == binding)
    } else {
      #expect(throws: LoginDescriptionError.self) { try LoginDescription(record) }
    }
  }

  @Test("Of a card and the VLAN on it, which have one address, the one that is named is meant")
  func namedOfSeveral() throws {
    let tree = try SysfsTree()
    for name in ["eth0", "eth0.100", "eth1"] {
      try tree.makeDirectory("class/net/\(name)")
      let address = name == "eth1" ? "02:00:00:00:00:02" : "02:00:00:00:00:01"
      try tree.set("class/net/\(name)/address", to: .text(address))
    }
    try tree.makeDirectory("class/net/eth0/device")
    let devices = NetworkDevices(sysfs: tree.root)
    let address = try #require(HardwareAddress("02:00:00:00:00:01"))
    var record = InterfaceRecord.standard
    record.hardwareAddress = address.description
    let bound: [String: InterfaceBinding] = [
      "eth0": .hardwareAddress(address), "eth0.100": .device("eth0.100"), "eth1": .hardwareAddress(address),
      "eth9": .hardwareAddress(address), "no/name": .hardwareAddress(address),
    ]
    for (name, binding) in bound {
      record.networkDevice = name
      #expect(try record.binding(among: devices) == binding)
    }
  }

  @Test("A session that is taken up keeps what its record says, also if nothing can be bound to the record's interface")
  func adopted() throws {
    var session = SessionSnapshot.example(1)
    session.host = nil
    var record = try record()
    record.scan = .auto
    for (device, binding) in [(nil, InterfaceBinding.automatic), ("eth1", .device("eth1"))] {
      (record.interface.address, record.interface.networkDevice) = ("10.0.0.2", device)
      let name = try InitiatorName("iqn.2026-11.org.example:here")
      let taken = LoginRequest(deriving: session, initiator: name, secrets: (nil, nil), record: record)
      #expect(try #require(taken).options.scan == .all && taken?.options.binding == binding)
    }
  }

  @Test("Why an interface binds nothing is told with its key and with what to do")
  func unboundReason() throws {
    var record = InterfaceRecord.standard
    record.address = "10.0.0.2"
    let error = try #require(#expect(throws: InterfaceBindingError.cardAddress("10.0.0.2")) { try record.binding() })
    #expect(error.description.hasPrefix("iface.ipaddress: \"10.0.0.2\" is for network cards"))
    #expect(error.exitStatus == .invalidArgument && error.advice?.contains("iface.net_ifacename") == true)
  }

  @Test("Passwords without a name are offered, for targets that do not want them")
  func namelessPasswords() throws {
    var record = try record([
      ("node.session.auth.password", "secretsecret"), ("node.session.auth.password_in", "othersecrets"),
    ])
    let authentication = try request(record).options.authentication
    #expect(authentication.outgoing == CHAPCredentials(name: "", secret: try #require(Secret("secretsecret"))))
    #expect(authentication.incoming == CHAPCredentials(name: "", secret: try #require(Secret("othersecrets"))))
    try authentication.validate()
    #expect(record.authentication.warnings == [.nameless, .namelessTarget])
    // A target's secret alone, and names without secrets, ask for nothing.
    record.authentication.secret = nil
    record.authentication.name = "me"
    #expect(try request(record).options.authentication == .none)
  }

  @Test("Another transport than tcp is no login")
  func impossible() throws {
    var iser = try record()
    iser.interface = .iser
    #expect(throws: LoginDescriptionError(field: "iface.transport_name", reason: "only tcp is supported")) {
      try LoginDescription(iser)
    }
  }
}
