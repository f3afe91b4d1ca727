// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Disks that are in use")
struct DeviceUsersTests {
  private static let swapHeading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

  /// The uses of sda in a machine with these files below /proc.
  private func uses(
    _ tree: borrowing SysfsTree, mounts: [String] = [], swaps: String? = swapHeading, of disk: String = "sda"
  ) throws -> [DeviceUse] {
    try tree.set("proc/self/mountinfo", to: .text(mounts.joined(separator: "\n")))
    try tree.set("proc/swaps", to: swaps.map { .text($0) } ?? .absent)
    return try DeviceUsers(proc: tree.root.appending("proc"), sysfs: tree.root).uses(of: disk)
  }

  /// sda with two partitions; dm-0 on sda1, dm-1 on dm-0; md0 on sda2 and sdb. Nothing is used.
  private func tree() throws -> SysfsTree {
    let tree = try SysfsTree()
    try tree.makeDirectory("proc/self")
    try tree.addBlockDevice("sda", number: "8:0")
    try tree.addBlockDevice("sda1", number: "8:1", partitionOf: "sda", holders: ["dm-0"])
    try tree.addBlockDevice("sda2", number: "8:2", partitionOf: "sda", holders: ["md0"])
    try tree.addBlockDevice("sdb", number: "8:16", holders: ["md0"])
    try tree.addBlockDevice("dm-0", number: "253:0", mapping: "vg-data", holders: ["dm-1"])
    try tree.addBlockDevice("dm-1", number: "253:1", mapping: "crypt")
    try tree.addBlockDevice("md0", number: "9:0")
    return tree
  }

  @Test("A disk that is only held is not used")
  func unused() throws {
    let tree = try tree()
    let mounts = [
      "22 1 8:32 / / rw - ext4 /dev/sdc rw", "23 22 0:5 / /proc rw shared:2 - proc proc rw", "nonsense", "",
    ]
    #expect(try uses(tree, mounts: mounts) == [])
    #expect(try uses(tree, swaps: nil) == [])
    #expect(try uses(tree, of: "sdz") == [])
    #expect(try uses(tree, of: "../../proc") == [])
  }

  @Test(
    "A mount counts on the disk, its partitions and what is made of them",
    arguments: [
      ("8:0", [], "sda is mounted at /srv"), ("8:1", ["sda1"], "sda is mounted at /srv through sda1"),
      ("253:0", ["sda1", "dm-0"], "sda is mounted at /srv through sda1, dm-0 (vg-data)"),
      ("253:1", ["sda1", "dm-0", "dm-1"], "sda is mounted at /srv through sda1, dm-0 (vg-data), dm-1 (crypt)"),
      ("9:0", ["sda2", "md0"], "sda is mounted at /srv through sda2, md0"),
    ])
  func mounted(number: String, steps: [String], text: String) throws {
    let tree = try tree()
    // Optional fields are none or many; the source may be a name that no longer exists.
    let uses = try uses(tree, mounts: ["22 1 \(number) / /srv rw,noatime master:1 shared:3 - ext4 /dev/root rw"])
    #expect(uses.map { $0.steps.map(\.name) } == [steps])
    #expect(uses.map(\.description) == [text])
    #expect(uses.map(\.kind) == [.mounted(at: "/srv")])
  }

  @Test(
    "The system stands on sessions with the root file system or swap space, through whatever is between",
    arguments: [
      ("22 1 253:1 / / rw - ext4 /dev/root rw", "", [1]), ("22 1 253:1 / /srv rw - ext4 /dev/root rw", "", []),
      ("", "/dev/sdb partition 1 0 -2", [2]),
      ("22 1 9:0 / / rw - xfs /dev/md0 rw", "/dev/sdb partition 1 0 -2", [1, 2]),
    ])
  func system(mount: String, swap: String, expected: [UInt32]) throws {
    let tree = try tree()
    try tree.set("proc/self/mountinfo", to: .text(mount))
    try tree.set("proc/swaps", to: .text(Self.swapHeading + swap))
    var sessions = [SessionSnapshot.example(1), .example(2), .example(3)]
    for (index, disk) in ["sda", "sdb", "sdc"].enumerated() { sessions[index].devices[0].blockDevice = disk }
    let users = try DeviceUsers(proc: tree.root.appending("proc"), sysfs: tree.root)
    #expect(try users.sessionsOfSystem(among: sessions).map(\.id.rawValue) == expected)
  }

  @Test("Both disks of a mirror are used, and the mirror is told once of a disk that has two parts of it")
  func mirror() throws {
    let tree = try tree()
    try tree.addBlockDevice("sda3", number: "8:3", partitionOf: "sda", holders: ["md0"])
    let mount = "22 1 9:0 / /a\\040b rw - xfs /dev/md0 rw"
    for (disk, text) in [
      ("sda", "sda is mounted at /a b through sda2, md0"), ("sdb", "sdb is mounted at /a b through md0"),
    ] {
      #expect(try uses(tree, mounts: [mount], of: disk).map(\.description) == [text])
    }
  }

  @Test("What the first process has mounted counts too, and once")
  func firstProcess() throws {
    let tree = try tree()
    let mount = "8:1 / /srv rw - ext4 /dev/sda1 rw"
    try tree.makeDirectory("proc/1")
    try tree.set("proc/1/mountinfo", to: .text("30 1 \(mount)\n31 1 8:1 / /hidden rw - ext4 /dev/sda1 rw"))
    let uses = try uses(tree, mounts: ["22 1 \(mount)"])
    #expect(uses.map(\.kind) == [.mounted(at: "/hidden"), .mounted(at: "/srv")])
  }

  @Test("Swap counts by the name of the device or of its mapping")
  func swap() throws {
    let tree = try tree()
    let swaps =
      Self.swapHeading + "/dev/mapper/crypt                       partition\t1048572\t\t0\t\t-2\n"
      + "/dev/sda2 partition 1 0 -3\n/srv/swap\\040file file 1 0 -4\n"
    #expect(
      try uses(tree, swaps: swaps).map(\.description) == [
        "sda is swap space through sda1, dm-0 (vg-data), dm-1 (crypt)", "sda is swap space through sda2",
      ])
  }

  @Test("A file system with a number of its own is found by the devices that it has")
  func btrfs() throws {
    let tree = try tree()
    try tree.makeDirectory("fs/btrfs/features")
    try tree.makeDirectory("fs/btrfs/5f0d/devices/dm-1")
    try tree.makeDirectory("fs/btrfs/5f0d/devices/sdb")
    let mount = "22 1 0:45 /sub /srv rw - btrfs /dev/mapper/crypt rw"
    #expect(try uses(tree, mounts: [mount]).map { $0.steps.map(\.name) } == [["sda1", "dm-0", "dm-1"]])
    #expect(try uses(tree, mounts: [mount], of: "sdb").map(\.description) == ["sdb is mounted at /srv"])
  }

  @Test("Devices that hold each other end the search")
  func cycle() throws {
    let tree = try tree()
    try tree.addBlockDevice("dm-1", number: "253:1", mapping: "crypt", holders: ["dm-0", "sda"])
    #expect(try uses(tree, mounts: ["22 1 253:1 / /srv rw - ext4 x rw"]).count == 1)
  }

  @Test("All disks of a session are looked at")
  func session() throws {
    let tree = try tree()
    var session = SessionSnapshot(id: SessionID(rawValue: 1))
    for (lun, name) in ["sda", nil, "sdb"].enumerated() {
      var device = DeviceSnapshot(host: HostNumber(rawValue: 1), channel: 0, target: 0, lun: UInt64(lun))
      device.blockDevice = name
      session.devices.append(device)
    }
    try tree.set("proc/self/mountinfo", to: .text("22 1 9:0 / /srv rw - ext4 /dev/md0 rw"))
    let users = try DeviceUsers(proc: tree.root.appending("proc"), sysfs: tree.root)
    #expect(try users.uses(of: session).map(\.disk) == ["sda", "sdb"])
  }

  private func claims(_ tree: borrowing SysfsTree, of disk: String = "sda") throws -> [String] {
    try tree.set("proc/self/mountinfo", to: .text(""))
    var device = DeviceSnapshot(host: HostNumber(rawValue: 1), channel: 0, target: 0, lun: 0)
    device.blockDevice = disk
    let users = try DeviceUsers(proc: tree.root.appending("proc"), sysfs: tree.root)
    #expect(try users.uses(of: [device]) == [])
    return try users.claims(of: [device])
  }

  @Test("Who may take no disk from anybody is told of all that is made of it, used or not")
  func holders() throws {
    let tree = try tree()
    #expect(try claims(tree) == ["sda1 is held by dm-0 (vg-data)", "sda2 is held by md0"])
    #expect(try claims(tree, of: "sdb") == ["sdb is held by md0"])
    #expect(try claims(tree, of: "dm-1") == [] && claims(tree, of: "sdz") == [] && claims(tree, of: "..") == [])
  }

  @Test(
    "A file system is there whoever has mounted it", arguments: ["ext4/sdc1", "xfs/sdc1", "btrfs/5f0d/devices/sdc1"])
  func foreignMount(path: String) throws {
    let tree = try tree()
    try tree.addBlockDevice("sdc", number: "8:32")
    try tree.addBlockDevice("sdc1", number: "8:33", partitionOf: "sdc")
    #expect(try claims(tree, of: "sdc") == [])
    try tree.makeDirectory("fs/\(path)")
    let kind = path.split(separator: "/")[0]
    #expect(try claims(tree, of: "sdc") == ["sdc1 has a file system (\(kind)) that is mounted somewhere"])
    #expect(try claims(tree, of: "sdb") == ["sdb is held by md0"])
  }

  @Test("What is done with a disk shows in its counters")
  func activity() throws {
    let tree = try tree()
    var device = DeviceSnapshot(host: HostNumber(rawValue: 1), channel: 0, target: 0, lun: 0)
    device.blockDevice = "sda"
    try tree.set("class/block/sda/stat", to: .text("1 0 8 0"))
    let before = DiskActivity.text(of: [device], sysfs: tree.root)
    #expect(before == DiskActivity.text(of: [device], sysfs: tree.root))
    try tree.set("class/block/sda/stat", to: .text("2 0 16 0"))
    #expect(before != DiskActivity.text(of: [device], sysfs: tree.root))
  }

  @Test("The mounts of one process are enough, of the first or of this one", arguments: ["1", "self"])
  func oneProcess(process: String) throws {
    let tree = try tree()
    try tree.makeDirectory("proc/\(process)")
    try tree.set("proc/\(process)/mountinfo", to: .text("30 1 8:1 / /srv rw - ext4 /dev/sda1 rw"))
    let uses = try DeviceUsers(proc: tree.root.appending("proc"), sysfs: tree.root).uses(of: "sda")
    #expect(uses.map(\.kind) == [.mounted(at: "/srv")])
  }

  @Test("Mounts that cannot be read are an error, not a machine without mounts")
  func unreadable() throws {
    let tree = try tree()
    let path = tree.root.appending("proc/self/mountinfo")
    #expect(throws: SysfsError.unreadable(path: path.string, .noSuchFileOrDirectory)) {
      try DeviceUsers(proc: tree.root.appending("proc"), sysfs: tree.root)
    }
  }

  @Test("This machine's own files can be read")
  func live() throws {
    let users = try DeviceUsers()
    #expect(try users.uses(of: "nosuchdisk") == [])
  }
}
