// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Boot firmware in sysfs")
struct FirmwareReaderTests {
  private func boots(_ tree: borrowing SysfsTree) throws -> [FirmwareBoot] {
    try FirmwareReader(sysfs: Sysfs(root: tree.root)).boots()
  }

  @Test("Every field of a table is read")
  func fields() throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    for (path, value) in [
      ("ethernet0/secondary-dns", "10.0.0.54"), ("ethernet0/dhcp", "10.0.0.254"), ("ethernet0/vlan", "5"),
      ("initiator/isns-server", "10.0.0.60"), ("initiator/slp-server", "10.0.0.61"), ("initiator/isid", "00023d000001"),
      ("initiator/pri-radius-server", "10.0.0.62"), ("initiator/sec-radius-server", "10.0.0.63"),
      ("target1/rev-chap-name", "queen"), ("target1/rev-chap-name-secret", "offwithherhead"),
    ] {
      try tree.set("firmware/ibft/\(path)", to: .text(value))
    }
    let boot = try #require(try boots(tree).first)
    #expect(boot.problems == [] && boot.source == .ibft && boot.transport == "tcp")
    #expect(boot.header == .init(signature: "iBFT", oemID: "ISCADM", oemTableID: "TESTBOOT"))
    let initiator = try #require(boot.initiator)
    #expect(initiator.index == 0 && initiator.flags == [.valid, .bootSelected])
    #expect(initiator.name?.description == "iqn.2026-11.org.example:boot" && initiator.isid == "00023d000001")
    let servers = [
      initiator.isnsServer, initiator.slpServer, initiator.primaryRadiusServer, initiator.secondaryRadiusServer,
    ]
    #expect(servers.map { $0?.description } == (60...63).map { "10.0.0.\($0)" })
    let ethernet = try #require(boot.ethernets.first)
    #expect(boot.ethernets.count == 1 && ethernet.index == 0 && ethernet.flags == [.valid, .bootSelected])
    #expect(ethernet.origin == 1 && ethernet.usesDHCP && ethernet.vlan == 5 && ethernet.prefixLength == 24)
    #expect(ethernet.address?.value == IPAddress("10.0.0.2") && ethernet.subnetMask?.description == "255.255.255.0")
    #expect(ethernet.gateway?.description == "10.0.0.1" && ethernet.primaryDNS?.description == "10.0.0.53")
    #expect(ethernet.secondaryDNS?.description == "10.0.0.54" && ethernet.dhcpServer?.description == "10.0.0.254")
    #expect(ethernet.hardwareAddress == HardwareAddress("52:54:00:12:34:56"))
    #expect(ethernet.hostName == "booted" && ethernet.device == "san0")
    #expect(boot.targets.map(\.index) == [0, 1] && boot.targets.map(\.flags) == [[.valid, .bootSelected], .valid])
    let target = boot.targets[1]
    #expect(target.name.description == "iqn.2026-11.org.example:disk-chap" && target.port == 3260)
    #expect(target.address.description == "10.0.0.1" && target.lun?.lun == LUN(number: 1))
    #expect(target.chapType == 1 && target.ethernetIndex == 0 && target.chapName == "alice")
    #expect(target.chapSecret == Secret("wonderland12") && target.reverseCHAPName == "queen")
    #expect(target.reverseCHAPSecret == Secret("offwithherhead"))
    #expect(!"\(boot)".contains("wonderland12"))
  }

  @Test("Without firmware there is nothing, and no folder is no support")
  func nothing() throws {
    let tree = try SysfsTree()
    let reader = FirmwareReader(sysfs: Sysfs(root: tree.root))
    #expect(try reader.boots() == [] && !reader.isSupported)
    try tree.makeDirectory("firmware/acpi")
    #expect(try reader.boots() == [] && reader.isSupported)
  }

  @Test("The table comes first, and then cards by their number, over their driver")
  func sources() throws {
    let tree = try SysfsTree()
    try tree.addFirmware("iscsi_boot10")
    try tree.addFirmware("iscsi_boot2")
    try tree.addFirmware()
    try tree.makeDirectory("firmware/iscsi_bootx")
    try tree.makeDirectory("class/scsi_host/host2")
    try tree.set("class/scsi_host/host2/proc_name", to: .text("qla4xxx"))
    // A card that speaks iSCSI itself need not have a network device.
    try tree.set("firmware/iscsi_boot2/ethernet0/mac", to: .text("00:11:22:33:44:55"))
    let boots = try boots(tree)
    #expect(boots.map { "\($0.source)" } == ["ibft", "iscsi_boot2", "iscsi_boot10"])
    #expect(boots.map(\.transport) == ["tcp", "qla4xxx", "tcp"])
    #expect(boots.map { $0.entries().found.count } == [2, 2, 2])
  }

  @Test("An entry without flags is not in use, and one whose firmware sets another bit is")
  func flags() throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    try tree.set("firmware/ibft/target0/flags", to: .text("0"))
    try tree.set("firmware/ibft/target1/flags", to: .text("2"))
    let boot = try #require(try boots(tree).first)
    #expect(boot.targets.map(\.index) == [1] && boot.problems == [])
    #expect(boot.entries().found.map(\.isBootSelected) == [true])
  }

  @Test(
    "A broken field is told by its path, and the other targets are used",
    arguments: [
      ("target0/ip-addr", "10.0.0", "target0/ip-addr"), ("target0/ip-addr", "", "target0/ip-addr"),
      ("target0/ip-addr", "0.0.0.0", "target0/ip-addr"), ("target0/port", "0", "target0/port"),
      ("target0/port", "65536", "target0/port"), ("target0/lun", "0100000", "target0/lun"),
      ("target0/lun", "0100000x", "target0/lun"), ("target0/target-name", "../../evil", "target0/target-name"),
      ("target0/target-name", "", "target0/target-name"), ("target0/flags", "256", "target0/flags"),
      ("target0/chap-secret", String(repeating: "x", count: 256), "target0/chap-secret"),
      ("target0/nic-assoc", "1", "target0/nic-assoc"), ("target0/nic-assoc", "-1", "target0/nic-assoc"),
    ])
  func brokenTarget(path: String, value: String, field: String) throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    try tree.set("firmware/ibft/\(path)", to: .text(value))
    let boot = try #require(try boots(tree).first)
    let entries = boot.entries()
    let problems = boot.problems + entries.problems
    #expect(problems.map(\.field) == ["ibft/\(field)"])
    #expect(entries.found.map(\.target.index) == [1])
    #expect(problems.allSatisfy { !$0.description.contains("xxxx") && $0.exitStatus == .noObjectsFound })
  }

  @Test(
    "Without a card that is here no target can be used",
    arguments: [
      ("mac", "52:54:00:12:34:5", "ethernet0/mac"), ("mac", "52:54:00:12:34:57", "ethernet0/mac"),
      ("prefix-len", "129", "ethernet0/prefix-len"), ("vlan", "4096", "ethernet0/vlan"),
      ("gateway", "x", "ethernet0/gateway"), ("origin", "a", "ethernet0/origin"),
    ])
  func brokenCard(name: String, value: String, field: String) throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    try tree.set("firmware/ibft/ethernet0/\(name)", to: .text(value))
    let boot = try #require(try boots(tree).first)
    let entries = boot.entries()
    #expect(entries.found == [])
    #expect((boot.problems + entries.problems).first?.field == "ibft/\(field)")
  }

  @Test(
    "A broken field of the initiator is told, and hides none of its others",
    arguments: ["isns-server", "slp-server", "pri-radius-server", "sec-radius-server", "index", "flags"])
  func brokenInitiator(field: String) throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    try tree.set("firmware/ibft/initiator/\(field)", to: .text("x"))
    let boot = try #require(try boots(tree).first)
    #expect(boot.problems.map(\.field) == ["ibft/initiator/\(field)"])
    #expect(
      boot.entries().found.map { $0.initiator?.name?.description } == [
        "iqn.2026-11.org.example:boot", "iqn.2026-11.org.example:boot",
      ])
  }

  @Test("An initiator whose name is none is one without a name")
  func brokenName() throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    try tree.set("firmware/ibft/initiator/initiator-name", to: .text("../evil"))
    let boot = try #require(try boots(tree).first)
    #expect(boot.problems.map(\.field) == ["ibft/initiator/initiator-name"])
    #expect(boot.initiator?.flags == [.valid, .bootSelected] && boot.initiator?.name == nil)
  }

  @Test("A card's own device goes before one with its address")
  func device() throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    try tree.makeDirectory("firmware/ibft/ethernet0/device/net/eth7")
    #expect(try boots(tree).first?.ethernets.first?.device == "eth7")
  }

  @Test("IPv6 is printed as the kernel has it")
  func ipv6() throws {
    let text = "fec0:0000:0000:0000:0000:0000:0000:0001"
    let address = try #require(FirmwareAddress(text))
    #expect(address.description == text && address.value == IPAddress("fec0::1"))
    #expect(FirmwareAddress("0000:0000:0000:0000:0000:0000:0000:0000")?.isUnspecified == true)
  }

  @Test(
    "A LUN is told where its octets can be read in one way",
    arguments: [
      ("00000000", 0 as UInt64?), ("01000000", 1), ("0a000000", 10), ("010000000", 16), ("0ff000000", 255),
      ("40ff000000", nil), ("4010000000", nil), ("ffffffffffffffff", 0xFFFF_FFFF_FFFF_FFFF), ("011000000", 17),
    ])
  func lun(text: String, number: UInt64?) throws {
    let lun = try #require(FirmwareLUN(text))
    #expect(lun.description == text)
    switch number {
    case nil: break
    case .max?: #expect(lun.lun == LUN(rawValue: .max))
    case let number?: #expect(lun.lun == LUN(number: number))
    }
  }

  @Test(
    "What cannot be eight octets is no LUN", arguments: ["", "0100000", "0100000g", "00000000000000000", "000000000"])
  func noLUN(text: String) { #expect(FirmwareLUN(text) == nil) }

  @Test("A record of firmware's node has its name and its secrets, and is configured otherwise")
  func record() throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    let entries = try #require(try boots(tree).first).entries().found
    let configuration = InitiatorConfiguration(RecordText(Array("node.session.queue_depth = 7\n".utf8)))
    var record = configuration.node(try #require(entries.last))
    #expect(record.discoveryKind == .firmware && record.queueDepth == 7 && record.startup == .manual)
    #expect(record.interface.name == .standard && record.interface.transport == "tcp")
    #expect(record.interface.initiatorName == "iqn.2026-11.org.example:boot")
    #expect(record.portal.description == "10.0.0.1:3260,1")
    #expect(record.authentication.name == "alice" && record.authentication.secret == Secret("wonderland12"))
    record.applyBootDefaults()
    #expect(record.initialLoginRetryLimit == 30 && record.timeouts.noopInterval == .zero)
    #expect(record.timeouts.noopTimeout == .zero && record.scan == .auto)
  }
}
