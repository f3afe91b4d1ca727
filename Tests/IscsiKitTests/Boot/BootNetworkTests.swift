// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The network as boot firmware has it")
struct BootNetworkTests {
  private func entry(_ change: (inout FirmwareEntry) throws -> Void = { _ in }) throws -> FirmwareEntry {
    let tree = try SysfsTree()
    try tree.addFirmware()
    let boot = try #require(try FirmwareReader(sysfs: Sysfs(root: tree.root)).boots().first)
    var entry = try #require(boot.entries().found.first)
    try change(&entry)
    return entry
  }

  @Test("A target on the network is reached directly, another one over the gateway")
  func routes() throws {
    let near = try BootNetworkPlan(try entry())
    #expect(near.device == "san0" && near.vlanNames == [] && near.vlan == nil && near.gateway == nil)
    #expect(near.address == IPAddress("10.0.0.2") && near.prefixLength == 24 && near.target == IPAddress("10.0.0.1"))
    let far = try entry { $0.target.address = try #require(FirmwareAddress("10.0.1.1")) }
    #expect(try BootNetworkPlan(far).gateway == IPAddress("10.0.0.1"))
    let lone = try entry {
      $0.target.address = try #require(FirmwareAddress("10.0.1.1"))
      $0.ethernet.gateway = FirmwareAddress("0.0.0.0")
    }
    #expect(try BootNetworkPlan(lone).gateway == nil)
  }

  @Test(
    "A VLAN has a device of its own, whose name is short enough for the kernel",
    arguments: [
      ("san0", 5, ["san0.5", "vlan5"]), ("enp129s0f1np", 22, ["enp129s0f1np.22", "vlan22"]),
      ("enp129s0f1np1", 22, ["vlan22"]), ("enp129s0f1np1s2", 4095, ["vlan4095"]),
    ] as [(String, UInt16, [String])])
  func vlan(device: String, number: UInt16, names: [String]) throws {
    let plan = try BootNetworkPlan(
      try entry {
        $0.ethernet.vlan = number
        $0.ethernet.device = device
      })
    #expect(plan.vlan == number && plan.vlanNames == names)
  }

  /// What the kernel tells of a device on another one.
  private func link(
    _ kind: String = "vlan", number: UInt16 = 5, on link: UInt32 = 7, protocol name: [UInt8] = [0x81, 0],
    isElsewhere: Bool = false
  ) throws -> LinkQuery.VLAN? {
    var (tag, data, information) = ([UInt8](), [UInt8](), [UInt8]())
    tag.appendHostInteger(number)
    data.appendAttribute(1, tag)
    data.appendAttribute(5, name)
    information.appendAttribute(1, Array(kind.utf8) + [0])
    information.appendAttribute(2, data)
    var payload = [UInt8](repeating: 0, count: 16)
    payload.appendAttribute(5, number: link)
    payload.appendAttribute(18, information)
    if isElsewhere { payload.appendAttribute(37, number: 0) }
    let octets = NetlinkMessage.request(type: 16, payload)
    return LinkQuery.vlan(in: try #require(NetlinkMessage.messages(in: octets).first))
  }

  @Test("A device is known as a VLAN's by what it is, not by its name")
  func existing() throws {
    #expect(try link() == LinkQuery.VLAN(number: 5, link: 7))
    #expect(try link("macvlan") == nil && link(protocol: [0x88, 0xA8]) == nil && link(isElsewhere: true) == nil)
  }

  @Test("Only devices on the card are asked")
  func above() throws {
    let tree = try SysfsTree()
    for (name, index, below) in [("san0", 7, 7), ("storage", 9, 7), ("san0.5", 8, 7), ("lo", 1, 1), ("eth1.5", 10, 6)] {
      try tree.addNetworkDevice(name, "52:54:00:12:34:56")
      try tree.set("class/net/\(name)/ifindex", to: .text("\(index)"))
      try tree.set("class/net/\(name)/iflink", to: .text("\(below)"))
    }
    #expect(NetworkDevices(sysfs: tree.root).namesAbove(7) == ["san0.5", "storage"])
  }

  @Test("Without a prefix the netmask counts, and one of them has to be there")
  func prefix() throws {
    #expect(try BootNetworkPlan(try entry { $0.ethernet.prefixLength = nil }).prefixLength == 24)
    let without = try entry { ($0.ethernet.prefixLength, $0.ethernet.subnetMask) = (nil, nil) }
    #expect(throws: BootNetworkError.missing(field: "ibft/ethernet0/prefix-len", "netmask")) {
      try BootNetworkPlan(without)
    }
    let tooLong = try entry { $0.ethernet.prefixLength = 64 }
    #expect(throws: BootNetworkError.self) { try BootNetworkPlan(tooLong) }
    let nameless = try entry { $0.ethernet.address = nil }
    #expect(throws: BootNetworkError.missing(field: "ibft/ethernet0/ip-addr", "address")) {
      try BootNetworkPlan(nameless)
    }
  }

  @Test("IPv6 goes by its prefix")
  func ipv6() throws {
    let plan = try BootNetworkPlan(
      try entry {
        $0.ethernet.address = FirmwareAddress("fd00:0000:0000:0000:0000:0000:0000:0002")
        $0.ethernet.subnetMask = FirmwareAddress("255.255.255.255")
        $0.ethernet.prefixLength = 64
        $0.ethernet.gateway = FirmwareAddress("fd00:0000:0000:0000:0000:0000:0000:0001")
        $0.target.address = try #require(FirmwareAddress("fd00:0000:0000:0001:0000:0000:0000:0001"))
      })
    #expect(plan.prefixLength == 64 && plan.gateway == IPAddress("fd00::1"))
  }

  @Test("Requests are as the kernel reads them")
  func requests() throws {
    func message(_ octets: [UInt8]) throws -> NetlinkMessage {
      try #require(NetlinkMessage.messages(in: octets).first)
    }
    let up = try message(NetworkChangeRequest.up(7))
    #expect(up.type == 16 && up.fixed(at: 4, as: UInt32.self) == 7)
    #expect(up.fixed(at: 8, as: UInt32.self) == 1 && up.fixed(at: 12, as: UInt32.self) == 1)

    let own = try #require(IPAddress("10.0.0.2"))
    let address = try message(NetworkChangeRequest.address(own, prefixLength: 24, on: 7))
    #expect(address.type == 20 && Array(address.payload.prefix(4)) == [2, 24, 0, 0])
    let attributes = try #require(address.attributes(after: 8))
    #expect(attributes[2].map { Array($0) } == [10, 0, 0, 2] && attributes[4].map { Array($0) } == [10, 0, 0, 255])

    let target = try #require(IPAddress("10.0.1.1")), gateway = try #require(IPAddress("10.0.0.1"))
    let far = try message(NetworkChangeRequest.route(to: target, over: gateway, on: 7))
    #expect(far.type == 24 && Array(far.payload.prefix(8)) == [2, 32, 0, 0, 254, 3, 0, 1])
    let way = try #require(far.attributes(after: 12))
    #expect(way[1].map { Array($0) } == [10, 0, 1, 1] && way[5].map { Array($0) } == [10, 0, 0, 1])
    #expect(way.number(4, as: UInt32.self) == 7)
    let near = try message(NetworkChangeRequest.route(to: target, over: nil, on: 7))
    #expect(near.fixed(at: 6, as: UInt8.self) == 253 && near.attributes(after: 12)?[5] == nil)

    let vlan = try message(NetworkChangeRequest.vlan(5, named: "san0.5", on: 7))
    let device = try #require(vlan.attributes(after: 16))
    #expect(device.text(3) == "san0.5" && device.number(5, as: UInt32.self) == 7)
    let kind = NetlinkAttributes(try #require(device[18]))
    #expect(kind.text(1) == "vlan")
    #expect(NetlinkAttributes(try #require(kind[2])).number(1, as: UInt16.self) == 5)
  }
}
