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
    #expect(near.device == "san0" && near.addressedDevice == "san0" && near.vlan == nil && near.gateway == nil)
    #expect(near.address == IPAddress("10.0.0.2") && near.prefixLength == 24 && near.target == IPAddress("10.0.0.1"))
    let far = try entry { $0.target.address = try #require(FirmwareAddress("10.0.1.1")) }
    #expect(try BootNetworkPlan(far).gateway == IPAddress("10.0.0.1"))
    let lone = try entry {
      $0.target.address = try #require(FirmwareAddress("10.0.1.1"))
      $0.ethernet.gateway = FirmwareAddress("0.0.0.0")
    }
    #expect(try BootNetworkPlan(lone).gateway == nil)
  }

  @Test("A VLAN has a device of its own")
  func vlan() throws {
    let plan = try BootNetworkPlan(try entry { $0.ethernet.vlan = 5 })
    #expect(plan.vlan == 5 && plan.addressedDevice == "san0.5")
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
