// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@Suite("SysfsWriter")
struct SysfsWriterTests {
  private let id = SessionID(rawValue: 1)
  private let device = SessionSnapshot.example(1).devices[0]
  private let devicePath = "bus/scsi/devices/1:0:0:1"

  private func makeTree() throws -> SysfsTree {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    return tree
  }

  @Test(
    "a scan names the session's target and the wanted LUNs",
    arguments: [
      (ScanMode.all, "0 3 -"), (.none, ""), (.only([LUN(rawValue: 5 << 48)]), "0 3 5"),
      (.only([LUN(rawValue: 0x4100 << 48)]), "0 3 16640"),
    ])
  func scan(mode: ScanMode, written: String) throws {
    let tree = try makeTree()
    try tree.set("target_id", of: id, to: .text("3"))
    try tree.set("class/scsi_host/host1/scan", to: .text(""))
    try SysfsWriter(root: tree.root).scan(id, mode)
    #expect(try tree.contents("class/scsi_host/host1/scan") == written)
  }

  @Test("an unbound target is not scanned")
  func scanUnbound() throws {
    let tree = try makeTree()
    try tree.set("target_id", of: id, to: .text("-1"))
    #expect(throws: SysfsError.unbound(id)) { try SysfsWriter(root: tree.root).scan(id) }
    #expect(try tree.contents("class/scsi_host/host1/scan") == "")
  }

  @Test("a session that is gone is named, and nothing is written for it")
  func noSession() throws {
    let tree = try makeTree()
    let writer = SysfsWriter(root: tree.root)
    let other = SessionID(rawValue: 2)
    #expect(throws: SysfsError.noSession(other)) { try writer.scan(other) }
    #expect(throws: SysfsError.noSession(other)) { try writer.rescan(device, of: other) }
    #expect(throws: SysfsError.noSession(other)) { try writer.delete(device, of: other) }
    let empty = try SysfsTree()
    #expect(throws: SysfsError.noSession(id)) { try SysfsWriter(root: empty.root).scan(id) }
  }

  @Test("an attribute that is missing is an error and is not made")
  func missingAttribute() throws {
    let tree = try makeTree()
    try tree.set("class/scsi_host/host1/scan", to: .absent)
    let path = tree.root.appending("class/scsi_host/host1/scan").string
    #expect(throws: SysfsError.unwritable(path: path, value: "0 0 -", .noSuchFileOrDirectory)) {
      try SysfsWriter(root: tree.root).scan(id)
    }
    #expect(try tree.contents("class/scsi_host/host1/scan") == nil)
  }

  @Test("a rescan and a removal write 1")
  func rescanAndDelete() throws {
    let tree = try makeTree()
    let writer = SysfsWriter(root: tree.root)
    try writer.rescan(device, of: id)
    #expect(try tree.contents("\(devicePath)/rescan")?.first == "1")
    try writer.delete(device, of: id)
    #expect(try tree.contents("\(devicePath)/delete")?.first == "1")
  }

  @Test("a device that is gone is named")
  func noDevice() throws {
    let tree = try makeTree()
    var other = device
    other.lun = 9
    let writer = SysfsWriter(root: tree.root)
    #expect(throws: SysfsError.noDevice(address: "1:0:0:9", id)) { try writer.rescan(other, of: id) }
    #expect(throws: SysfsError.noDevice(address: "1:0:0:9", id)) { try writer.revive(other, of: id) }
  }

  @Test(
    "only devices that error handling gave up are set to running",
    arguments: [
      ("offline", true), ("transport-offline", true), ("blocked", false), ("running", false), ("quiesce", false),
    ])
  func revive(state: String, revived: Bool) throws {
    let tree = try makeTree()
    try tree.set("\(devicePath)/state", to: .text(state))
    #expect(try SysfsWriter(root: tree.root).revive(device, of: id) == revived)
    // The made-up file keeps the old text's tail, unlike the kernel, which takes no word without the end of its line.
    let text = try #require(try tree.contents("\(devicePath)/state"))
    #expect(revived ? text == "running" || text.hasPrefix("running\n") : text == state)
  }

  @Test("errors tell what was written where, and scripts get their code")
  func diagnostics() {
    let error = SysfsError.unwritable(path: "/sys/class/scsi_host/host1/scan", value: "0 0 -", .permissionDenied)
    #expect(error.description == #"writing "0 0 -" to /sys/class/scsi_host/host1/scan failed: Permission denied"#)
    #expect(error.exitStatus == .access)
    #expect(error.advice == "run as root")
    #expect(SysfsError.noSession(id).exitStatus == .sessionNotFound)
    #expect(SysfsError.unreadable(path: "/sys", .tooManyOpenFiles).exitStatus == .failure)
  }
}
