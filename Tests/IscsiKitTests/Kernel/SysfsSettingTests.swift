// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Settings of disks in sysfs")
struct SysfsSettingTests {
  private let id = SessionID(rawValue: 1)
  private let device = SessionSnapshot.example(1).devices[0]
  private let attribute = "device/target1:0:0/1:0:0:1/block/sd1/queue/scheduler"

  @Test(
    "A trial promises the schedulers alone that the kernel lists, or has a module for",
    arguments: [
      ("[mq-deadline] kyber none", IOScheduler.none, false, "changed -"),
      ("[mq-deadline] kyber none", .kyber, false, "changed -"), ("[none] ", .mqDeadline, false, "failed noScheduler"),
      ("[none] mq-deadline", .none, false, "unchanged -"), ("[none] mq-deadline", .bfq, false, "failed noScheduler"),
      ("[none] mq-deadline", .bfq, true, "changed -"), ("none", .mqDeadline, false, "failed noScheduler"),
    ] as [(String, IOScheduler, Bool, String)])
  func trial(list: String, wanted: IOScheduler, hasModule: Bool, expected: String) throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    try tree.set(attribute, of: id, to: .text(list))
    // It has the module that the kernel asks for, or none.
    let modprobe = tree.root.appending("modprobe").string
    try TestProcess.makeScript(hasModule ? "[ \"$*\" = '-n -q bfq-iosched' ]" : "exit 1", at: modprobe)
    var writer = SysfsWriter(root: tree.root)
    writer.modprobe = [modprobe]
    let outcomes = try writer.set(DeviceSettings(scheduler: wanted), of: device, id, isTrial: true)
    #expect(outcomes.map { "\($0.result.rawValue) \($0.note?.word ?? "-")" } == [expected])
    #expect(
      try Sysfs(root: tree.root).session(id, .complete)?.devices[0].scheduler == SysfsSessionReader.chosen(in: list))
  }
}
