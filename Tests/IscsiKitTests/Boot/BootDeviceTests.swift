// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The device that a boot means")
struct BootDeviceTests {
  /// Devices with their MAC addresses; `hardware` are cards, `members` parts of another device.
  private func machine(
    _ addresses: KeyValuePairs<String, String>, hardware: [String] = [], members: [String] = []
  ) throws -> SysfsTree {
    let tree = try SysfsTree()
    for (index, (name, address)) in addresses.enumerated() {
      try tree.addNetworkDevice(name, address)
      try tree.set("class/net/\(name)/ifindex", to: .text("\(index + 2)"))
    }
    for name in hardware { try tree.makeDirectory("class/net/\(name)/device") }
    for name in members { try tree.makeDirectory("class/net/\(name)/master") }
    return tree
  }

  private static let first = "52:54:00:12:34:56"
  private static let second = "52:54:00:12:34:57"

  @Test("By its MAC address it is the card and not a VLAN on it, but a bond and not a card in it")
  func byAddress() throws {
    let address = try #require(HardwareAddress(Self.first))
    let vlan = try machine(["data5": Self.first, "eth0": Self.first], hardware: ["eth0"])
    #expect(NetworkDevices(sysfs: vlan.root).name(of: address) == "eth0")
    let bond = try machine(["bond0": Self.first, "ath0": Self.first], hardware: ["ath0"], members: ["ath0"])
    #expect(NetworkDevices(sysfs: bond.root).name(of: address) == "bond0")
    let virtual = try machine(["b": Self.first, "a": Self.first])
    #expect(NetworkDevices(sysfs: virtual.root).name(of: address) == "a")
  }

  @Test("A card of firmware is the one with the address in the table, whatever it and others are called by now")
  func renamed() throws {
    let tree = try machine(["eth0": Self.second, "enp1s0": Self.first], hardware: ["eth0", "enp1s0"])
    let devices = NetworkDevices(sysfs: tree.root)
    let firmware = try SysfsTree()
    try firmware.addFirmware()
    let boot = try #require(try FirmwareReader(sysfs: Sysfs(root: firmware.root)).boots().first)
    let link = try BootLink(boot.ethernets[0], of: boot.source)
    #expect(link.device == .named("san0") && link.identity == HardwareAddress(Self.first))
    #expect(link.device.name(among: devices, link.identity) == "enp1s0")
    #expect(BootDevice.named("eth0").name(among: devices, link.identity) == "enp1s0")
    // A card that has its address from elsewhere is known by its name.
    let odd = HardwareAddress("02:00:00:00:00:09")
    #expect(BootDevice.named("eth0").name(among: devices, odd) == "eth0")
    #expect(BootDevice.named("san0").name(among: devices, odd) == nil)
  }

  @Test("A device that images are configured with, and that nobody has asked for, is not waited for as one in ip=")
  func usual() async throws {
    let tree = try machine(["enp1s0": Self.first], hardware: ["enp1s0"])
    var network = BootNetwork(NetworkDevices(sysfs: tree.root))
    network.patience.name = .zero
    #expect(await network.comes(.named("enp1s0"), by: nil))
    #expect(await !network.comes(.named("eth0"), by: nil))
    func link(_ line: String) throws -> BootLink {
      var parameters = BootParameters(
        KernelCommandLine("netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk \(line)"))
      parameters.initiator = try InitiatorName("iqn.2026-11.org.example:machine")
      parameters.takeConfiguration([("/conf/initramfs.conf", "DEVICE=eth0")])
      return try #require(BootPlan(BootPlan.Input(parameters: parameters)).links.first)
    }
    #expect(try link("").isUsualDevice && link("").device == .named("eth0"))
    #expect(try !link("ip=eth0:dhcp").isUsualDevice)
  }

  @Test("A card that is on is switched off for another MAC address, which most drivers take only then")
  func hardwareAddress() throws {
    let tree = try machine(["eth0": Self.first], hardware: ["eth0"])
    let devices = NetworkDevices(sysfs: tree.root)
    let wanted = try #require(HardwareAddress(Self.second))
    let change = NetworkChangeRequest.hardwareAddress(wanted, of: 2)
    try tree.set("class/net/eth0/flags", to: .text("0x1002"))
    #expect(BootNetwork.changes(to: wanted, of: "eth0", 2, devices) == [change])
    try tree.set("class/net/eth0/flags", to: .text("0x1003"))
    #expect(BootNetwork.changes(to: wanted, of: "eth0", 2, devices) == [NetworkChangeRequest.down(2), change])
    let present = try #require(HardwareAddress(Self.first))
    #expect(BootNetwork.changes(to: present, of: "eth0", 2, devices) == [])
    let down = try #require(NetlinkMessage.messages(in: NetworkChangeRequest.down(2)).first)
    #expect(down.fixed(at: 8, as: UInt32.self) == 0 && down.fixed(at: 12, as: UInt32.self) == 1)
  }
}
