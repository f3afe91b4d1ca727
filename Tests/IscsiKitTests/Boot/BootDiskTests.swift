// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("The disk of a boot")
struct BootDiskTests {
  /// The disks of a plan, where the firmware names these targets with these units.
  private func disks(
    _ commandLine: String, firmware: [(lun: Int, flags: Int)] = [], rootPaths: [String] = []
  ) throws -> [String] {
    let tree = try SysfsTree()
    if !firmware.isEmpty { try tree.addFirmware() }
    for (index, target) in firmware.enumerated() {
      let folder = "firmware/ibft/target\(index)"
      try tree.makeDirectory(folder)
      for (name, value) in [
        ("index", "\(index)"), ("flags", "\(target.flags)"), ("ip-addr", "10.0.0.1"), ("port", "3260"),
        ("nic-assoc", "0"), ("target-name", "iqn.2026-11.org.example:firmware\(index)"),
        ("lun", "0\(target.lun)000000"),
      ] { try tree.set("\(folder)/\(name)", to: .text(value)) }
    }
    var input = BootPlan.Input(
      parameters: BootParameters(KernelCommandLine(commandLine)),
      firmware: firmware.isEmpty ? [] : try FirmwareReader(sysfs: Sysfs(root: tree.root)).boots(),
      machineName: try InitiatorName("iqn.2026-11.org.example:machine"))
    input.rootPaths = rootPaths
    return BootPlan(input).disks.map { $0.pathSuffix.replacing("iscsi-iqn.2026-11.org.example:", with: "") }
  }

  private static let a = "netroot=iscsi:10.0.0.1:::2:iqn.2026-11.org.example:a"
  private static let b = "netroot=iscsi:10.0.0.1:::3:iqn.2026-11.org.example:b"

  @Test(
    "It is the unit of the first target that parameters name, or 0",
    arguments: [
      (a, ["a-lun-2"]), ("\(a) \(b)", ["a-lun-2"]), ("\(a) \(b) rd.iscsi.mp=1", ["a-lun-2", "b-lun-3"]),
      ("netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:a", ["a-lun-0"]),
      (
        "netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:a netroot=iscsi:10.0.1.1:::4:iqn.2026-11.org.example:a",
        ["a-lun-4"]
      ),
      ("iscsi_target_name=iqn.2026-11.org.example:a iscsi_target_ip=10.0.0.1", ["a-lun-0"]),
      ("root=dhcp", []), ("quiet", []),
      // dracut's rule: root= goes before netroot=, wherever it stands.
      ("\(a) root=iscsi:10.0.0.1:::3:iqn.2026-11.org.example:b", ["b-lun-3"]),
      ("root=iscsi:10.0.0.1:::3:iqn.2026-11.org.example:b \(a)", ["b-lun-3"]),
      (
        "root=iscsi:10.0.0.1:::3:iqn.2026-11.org.example:b root=iscsi:10.0.0.1:::4:iqn.2026-11.org.example:c",
        ["c-lun-4"]
      ),
      ("\(a) root=iscsi:10.0.0.1:::5:iqn.2026-11.org.example:a", ["a-lun-5"]),
    ])
  func parameters(_ commandLine: String, _ expected: [String]) throws {
    #expect(try disks(commandLine) == expected)
  }

  @Test("Of the firmware's targets it is the one that it has booted with")
  func firmware() throws {
    #expect(try disks("quiet", firmware: [(lun: 2, flags: 3)]) == ["firmware0-lun-2"])
    #expect(try disks("quiet", firmware: [(lun: 1, flags: 1), (lun: 2, flags: 3)]) == ["firmware1-lun-2"])
    #expect(try disks("quiet", firmware: [(lun: 1, flags: 1), (lun: 2, flags: 1)]) == ["firmware0-lun-1"])
    #expect(try disks(Self.a + " rd.iscsi.firmware=1", firmware: [(lun: 7, flags: 3)]) == ["a-lun-2"])
  }

  @Test("What a DHCP server names is known when it has answered")
  func rootPath() throws {
    let told = try disks("root=dhcp", rootPaths: ["iscsi:10.0.0.1:::5:iqn.2026-11.org.example:told"])
    #expect(told == ["told-lun-5"])
  }

  @Test("What is typed at the boot goes before what the image carries, as a whole")
  func typed() throws {
    let (carried, typed) = ("netroot=iscsi:10.0.0.1:::1:iqn.2026-11.org.example:a ip=10.0.0.2:::24::eth0:none", "quiet")
    func plan(_ typed: String) throws -> BootPlan {
      BootPlan(
        BootPlan.Input(
          parameters: BootSources.parameters(typed: [("", typed)], carried: [("", carried)]),
          machineName: try InitiatorName("iqn.2026-11.org.example:machine")))
    }
    #expect(try plan(typed).disks.map(\.pathSuffix) == ["iscsi-iqn.2026-11.org.example:a-lun-1"])
    for name in ["root", "netroot"] {
      let other = try plan("\(name)=iscsi:10.0.0.9:::2:iqn.2026-11.org.example:b")
      #expect(other.disks.map(\.pathSuffix) == ["iscsi-iqn.2026-11.org.example:b-lun-2"] && other.logins.count == 1)
      #expect(other.links.count == 1)
    }
    // Firmware's targets are wanted besides.
    #expect(try plan("rd.iscsi.firmware=1").logins.count == 1)
    #expect(try plan("ip=eth1:dhcp").links.map(\.device) == [.named("eth1")])
  }

  @Test(
    "A unit that is written as a decimal number is found, if there is none by the number that it is as a hexadecimal one"
  )
  func decimal() throws {
    func disk(_ lun: String) throws -> (disk: BootDisk, problems: [BootProblem]) {
      let plan = BootPlan(
        BootPlan.Input(
          parameters: BootParameters(KernelCommandLine("root=iscsi:10.0.0.1:::\(lun):iqn.2026-11.org.example:disk")),
          machineName: try InitiatorName("iqn.2026-11.org.example:machine")))
      return (try #require(plan.disks.first), plan.problems)
    }
    let both = try disk("10")
    #expect(both.disk.lun.linuxNumber == 16 && both.disk.otherLUN?.linuxNumber == 10)
    #expect(both.problems.count == 1 && both.problems[0].reason.contains("hexadecimal"))
    let ends = ["16", "10"].map { "iscsi-iqn.2026-11.org.example:disk-lun-\($0)" }
    #expect(both.disk.pathSuffixes(amongUnits: []) == ends)
    #expect(both.disk.pathSuffixes(amongUnits: [10, 16]) == [ends[0]])
    #expect(both.disk.pathSuffixes(amongUnits: [1, 10]) == [ends[1]])
    for plain in ["9", "a", "0010", "2-0"] {
      let one = try disk(plain)
      #expect(one.disk.otherLUN == nil && one.problems == [] && one.disk.pathSuffixes(amongUnits: [10]).count == 1)
    }
  }

  @Test(
    "The name has the unit as udev writes it",
    arguments: [
      (0, "0"), (255, "255"), (256, "0x0100000000000000"), (16640, "0x4100000000000000"),
      (0x0002_4001, "0x4001000200000000"),
    ])
  func numbers(_ number: UInt64, _ written: String) throws {
    let target = try TargetName("iqn.2026-11.org.example:disk")
    let disk = BootDisk(target: target, lun: LUN(linuxNumber: number))
    #expect(disk.pathSuffix == "iscsi-iqn.2026-11.org.example:disk-lun-\(written)")
  }
}
