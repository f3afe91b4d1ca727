// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@Suite("The surroundings of disks")
struct DiskInventoryTests {
  /// sda and sdb are the paths of a map, on which there is a partition with a logical volume, which is mounted.
  private func tree() throws -> SysfsTree {
    let tree = try SysfsTree()
    for (disk, number) in [("sda", "8:0"), ("sdb", "8:16")] {
      try tree.addBlockDevice(disk, number: number, holders: ["dm-0"])
    }
    try tree.addBlockDevice("sdc", number: "8:32")
    try tree.addBlockDevice("dm-0", number: "253:0", mapping: "mpatha", mappingUUID: "mpath-3600", holders: ["dm-1"])
    try tree.addBlockDevice(
      "dm-1", number: "253:1", mapping: "mpatha-part1", mappingUUID: "part1-mpath-3600", holders: ["dm-2"])
    try tree.addBlockDevice("dm-2", number: "253:2", mapping: "vg-data", mappingUUID: "LVM-abc")
    try tree.makeDirectory("proc/self")
    try tree.set("proc/self/mountinfo", to: .text("22 1 253:2 / /srv rw - ext4 /dev/mapper/vg-data rw"))
    return tree
  }

  private func inventory(_ tree: borrowing SysfsTree) throws -> DiskInventory {
    try DiskInventory(proc: tree.root.appending("proc"), sysfs: tree.root, dev: tree.root.appending("dev"))
  }

  @Test("A path tells its map, all that is made of it, and what that is used for")
  func multipath() throws {
    let tree = try tree()
    let context = try inventory(tree).context(of: "sdb")
    #expect(context.multipathMap == DeviceUse.Step("dm-0", mapping: "mpatha"))
    #expect(context.holders.map(\.description) == ["dm-0 (mpatha)", "dm-1 (mpatha-part1)", "dm-2 (vg-data)"])
    #expect(context.uses.map(\.kind) == [.mounted(at: "/srv")])
  }

  @Test("A volume on a disk is no map")
  func noMap() throws {
    let tree = try tree()
    try tree.addBlockDevice("sdc", number: "8:32", holders: ["dm-2"])
    let context = try inventory(tree).context(of: "sdc")
    #expect(context.multipathMap == nil && context.holders.map(\.name) == ["dm-2"])
    #expect(context.uses.map(\.steps).map { $0.map(\.name) } == [["dm-2"]])
  }

  @Test("Lasting names are those whose links lead to the disk, and not to its partitions")
  func links() throws {
    let tree = try tree()
    for name in ["wwn-0x6001", "scsi-36001"] { try tree.link("dev/disk/by-id", name, to: "dev/sda") }
    try tree.link("dev/disk/by-id", "scsi-36001-part1", to: "dev/sda1")
    try tree.link("dev/disk/by-path", "ip-10.0.0.1:3260-iscsi-iqn.2026-11.org.example:disk1-lun-1", to: "dev/sda")
    let inventory = try inventory(tree)
    let context = try inventory.context(of: "sda")
    let folder = tree.root.appending("dev/disk").string
    #expect(context.idLinks == ["\(folder)/by-id/scsi-36001", "\(folder)/by-id/wwn-0x6001"])
    #expect(
      context.pathLinks == ["\(folder)/by-path/ip-10.0.0.1:3260-iscsi-iqn.2026-11.org.example:disk1-lun-1"])
    #expect(try inventory.context(of: "sdb").idLinks == [])
  }

  @Test("A machine without udev has no lasting names, and a disk that is gone has nothing")
  func nothing() throws {
    let tree = try tree()
    let inventory = try inventory(tree)
    for disk in ["sdz", "../../proc", ""] {
      let context = try inventory.context(of: disk)
      #expect(context.idLinks == [] && context.pathLinks == [] && context.holders == [] && context.uses == [])
    }
  }

  @Test("The disks of a session come by their names")
  func session() throws {
    let tree = try tree()
    var session = SessionSnapshot(id: SessionID(rawValue: 1))
    for (lun, name) in ["sda", nil, "sdc"].enumerated() {
      var device = DeviceSnapshot(host: HostNumber(rawValue: 1), channel: 0, target: 0, lun: UInt64(lun))
      device.blockDevice = name
      session.devices.append(device)
    }
    let contexts = try inventory(tree).contexts(of: session)
    #expect(contexts.keys.sorted() == ["sda", "sdc"] && contexts["sda"]?.disk == "sda")
    #expect(contexts["sda"]?.uses.isEmpty == false && contexts["sdc"]?.uses.isEmpty == true)
  }
}
