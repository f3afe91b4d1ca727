// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Open Firmware's boot path")
struct OpenFirmwareTests {
  private static let card = "/pci@800000020000015/pci@2/ethernet@1,1"
  private static let parameters =
    "iscsi,ciaddr=10.0.0.2,subnet-mask=255.255.255.0,giaddr=10.0.0.254,siaddr=10.0.0.1,iport=3261,ilun=0001000000000000,"
    + "iname=iqn.2026-11.org.example:disk,itname=iqn.2026-11.org.example:boot,isid=400001370000,ichapid=alice,"
    + "ichappw=wonder@land:12,chapid=queen,chappw=offwithherhead"

  private func boot(_ text: String) throws -> FirmwareBoot {
    let path = try #require(OpenFirmwareBootPath((text + "\0").utf8))
    return FirmwareBoot(path, hardwareAddress: HardwareAddress("52:54:00:12:34:56"), device: "eth0")
  }

  @Test("All parameters become the fields that a table would have")
  func fields() throws {
    let boot = try boot("\(Self.card):\(Self.parameters)")
    #expect(boot.problems == [] && boot.source.description == "devicetree")
    #expect(
      boot.initiator?.name?.description == "iqn.2026-11.org.example:boot" && boot.initiator?.isid == "400001370000")
    let entry = try #require(boot.entries().found.first)
    #expect(entry.isBootSelected && entry.portal.description == "10.0.0.1:3261,1")
    #expect(entry.target.name.description == "iqn.2026-11.org.example:disk" && entry.target.lun?.lun == LUN(number: 1))
    #expect(entry.target.chapName == "alice" && entry.target.chapSecret == Secret("wonder@land:12"))
    #expect(entry.target.reverseCHAPName == "queen" && entry.target.reverseCHAPSecret == Secret("offwithherhead"))
    let link = try BootLink(entry)
    let own = try #require(IPAddress("10.0.0.2"))
    #expect(link.device == .named("eth0") && link.addressing == .fixed(own, prefixLength: 24, peer: nil))
    #expect(link.gateway == IPAddress("10.0.0.254") && link.source == "devicetree/ethernet0")
  }

  @Test(
    "The place on the disk that was loaded from is no part of a value",
    arguments: [
      "iscsi,siaddr=10.0.0.1,ilun=0,iname=iqn.2026-11.org.example:disk@0,0:1,\\ppc\\loader",
      "iscsi,iname=iqn.2026-11.org.example:disk,siaddr=10.0.0.1,ilun=0:1,\\ppc\\loader",
      "iscsi,iname=iqn.2026-11.org.example:disk,ilun=0,siaddr=10.0.0.1:3",
      "iscsi,bootp,iname=iqn.2026-11.org.example:disk,siaddr=10.0.0.1@1,0:2",
    ])
  func disk(text: String) throws {
    let boot = try boot("\(Self.card):\(text)")
    #expect(boot.problems == [])
    #expect(boot.targets.map(\.name.description) == ["iqn.2026-11.org.example:disk"])
    #expect(boot.targets.map(\.address.value) == [IPAddress("10.0.0.1")])
    #expect(boot.ethernets[0].usesDHCP == text.contains("bootp"))
  }

  @Test("IPv6 addresses keep their colons")
  func ipv6() throws {
    let boot = try boot("/ethernet@0:iscsi,ipv6,ciaddr=fd00::2,siaddr=fd00::1,iname=iqn.2026-11.org.example:disk")
    #expect(boot.targets.map(\.address.value) == [IPAddress("fd00::1")])
    #expect(boot.ethernets.map(\.address?.value) == [IPAddress("fd00::2")])
  }

  @Test(
    "What is broken is told by its field, without secrets",
    arguments: [
      ("iscsi,siaddr=10.0.0.1", "iname"), ("iscsi,iname=iqn.2026-11.org.example:disk", "siaddr"),
      ("iscsi,siaddr=0.0.0.0,iname=iqn.2026-11.org.example:disk", "siaddr"),
      ("iscsi,siaddr=10.0.0.1,iname=-disk", "iname"),
      ("iscsi,ciaddr=10.0.0.300,siaddr=10.0.0.1,iname=iqn.2026-11.org.example:disk", "ciaddr"),
      ("iscsi,siaddr=10.0.0.1,iport=0,iname=iqn.2026-11.org.example:disk", "iport"),
      ("iscsi,siaddr=10.0.0.1,ilun=xyz,iname=iqn.2026-11.org.example:disk", "ilun"),
      (
        "iscsi,siaddr=10.0.0.1,ichappw=\(String(repeating: "s", count: 256)),iname=iqn.2026-11.org.example:disk",
        "ichappw"
      ),
    ])
  func broken(text: String, field: String) throws {
    let boot = try boot("/ethernet@0:\(text)")
    #expect(boot.targets == [] && boot.problems.map(\.field) == ["devicetree/bootpath/\(field)"])
    #expect(!boot.problems.description.contains("sss"))
  }

  @Test(
    "A machine that was booted otherwise has nothing",
    arguments: ["", "/pci@1/scsi@3/sd@0,0:1", "/pci@1/ethernet@1:bootp,siaddr=10.0.0.1", "iscsi", "/ethernet@0:"])
  func others(text: String) {
    #expect(OpenFirmwareBootPath(text.utf8) == nil)
  }

  @Test("No dump has a secret")
  func secrets() throws {
    let path = try #require(OpenFirmwareBootPath("\(Self.card):\(Self.parameters)".utf8))
    var text = ""
    dump(path, to: &text)
    #expect(!text.contains("wonder"))
  }

  @Test("The card is the one whose node has its MAC address, and a path that leads elsewhere has none")
  func reader() throws {
    let tree = try SysfsTree()
    try tree.addFirmware()
    let base = "firmware/devicetree/base"
    try tree.makeDirectory("\(base)/chosen")
    try tree.makeDirectory("\(base)\(Self.card)")
    try tree.set("\(base)/chosen/bootpath", to: .text("\(Self.card):\(Self.parameters)"))
    try AtomicFile.write(
      [0x52, 0x54, 0, 0x12, 0x34, 0x56], to: tree.root.appending("\(base)\(Self.card)/local-mac-address"))
    let boots = try FirmwareReader(sysfs: Sysfs(root: tree.root)).boots()
    #expect(boots.map(\.source) == [.openFirmware, .ibft])
    #expect(boots[0].ethernets[0].device == "san0")
    try tree.set("\(base)/chosen/bootpath", to: .text("/../../../class/net/san0:\(Self.parameters)"))
    let elsewhere = try FirmwareReader(sysfs: Sysfs(root: tree.root)).boots()
    #expect(elsewhere[0].ethernets[0].hardwareAddress == nil)
    try tree.set("\(base)/chosen/bootpath", to: .text("/pci@1/scsi@3"))
    #expect(try FirmwareReader(sysfs: Sysfs(root: tree.root)).boots().map(\.source) == [.ibft])
  }

  @Test("LUNs are small numbers or eight octets")
  func luns() {
    #expect(
      FirmwareLUN(openFirmware: "0")?.lun == LUN(number: 0) && FirmwareLUN(openFirmware: "5")?.lun == LUN(number: 5))
    #expect(FirmwareLUN(openFirmware: "0002000000000000")?.lun == LUN(number: 2))
    #expect(FirmwareLUN(openFirmware: "") == nil && FirmwareLUN(openFirmware: "12345678901234567") == nil)
  }
}
