// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

// What a kernel of another version, or one that is changing, may show.
extension SysfsTests {
  @Test("strings that were never set are nil")
  func null() throws {
    let tree = try SysfsTree()
    try tree.add(SessionSnapshot.example(1))
    for name in ["targetname", "ifacename", "initiatorname", "username"] {
      try tree.set(name, of: id(1), to: .null)
    }
    let session = try #require(try Sysfs(root: tree.root).session(id(1)))
    #expect(session.targetName == nil)
    #expect(session.interfaceName == nil)
    #expect(session.initiatorName == nil)
    #expect(session.userName == nil)
    #expect(session.host?.hardwareAddress == nil)
    #expect(session.state == .loggedIn)
  }

  @Test(
    "what is no number, or does not fit, is nil",
    arguments: ["", " ", "x", "12x", "0x", "99999999999999999999", "1.5", "\u{0}", "off "])
  func garbage(_ text: String) throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    let names = [
      "tpgt", "creator", "target_id", "recovery_tmo", "abort_tmo", "initial_r2t", "first_burst_len", "erl",
      "device/connection1:0/iscsi_connection/connection1:0/port",
      "device/connection1:0/iscsi_connection/connection1:0/header_digest",
      "device/target1:0:0/1:0:0:1/type", "device/target1:0:0/1:0:0:1/block/sd1/size",
      "device/target1:0:0/1:0:0:1/timeout", "device/target1:0:0/1:0:0:1/eh_timeout",
      "device/target1:0:0/1:0:0:1/queue_depth", "device/../scsi_host/host1/eh_deadline",
    ]
    for name in names { try tree.set(name, of: id(1), to: .text(text)) }
    var expected = SessionSnapshot.example(1)
    expected.tag = nil
    expected.creator = nil
    expected.targetNumber = nil
    expected.replacementTimeout = nil
    expected.abortTimeout = nil
    expected.negotiated.initialR2T = nil
    expected.negotiated.firstBurstLength = nil
    expected.negotiated.errorRecoveryLevel = nil
    expected.negotiated.headerDigest = nil
    expected.connection?.port = nil
    expected.devices[0].type = nil
    expected.devices[0].size = nil
    (expected.devices[0].timeout, expected.devices[0].errorHandlingTimeout) = (nil, nil)
    expected.devices[0].queueDepth = nil
    expected.host?.errorHandlingDeadline = nil
    #expect(try Sysfs(root: tree.root).session(id(1), .complete) == expected)
  }

  @Test(
    "The scheduler is the word in brackets, or the only one",
    arguments: [
      ("[mq-deadline] kyber none", "mq-deadline"), ("mq-deadline [none]", "none"), ("none", "none"), ("a b", nil),
      ("", nil), ("[] x", nil),
    ] as [(String, String?)])
  func scheduler(text: String, scheduler: String?) throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    try tree.set("device/target1:0:0/1:0:0:1/block/sd1/queue/scheduler", of: id(1), to: .text(text))
    #expect(try Sysfs(root: tree.root).session(id(1), .complete)?.devices[0].scheduler == scheduler)
    #expect(try Sysfs(root: tree.root).session(id(1))?.devices[0].scheduler == nil)
  }

  @Test("the deadline of error handling is a number, or off", arguments: [("off", -1), ("0", 0), ("60", 60)])
  func errorHandlingDeadline(text: String, seconds: Int32) throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    try tree.set("class/scsi_host/host1/eh_deadline", to: .text(text))
    #expect(try Sysfs(root: tree.root).session(id(1))?.host?.errorHandlingDeadline == seconds)
  }

  @Test("a size beyond 64 bits is nil and does not trap")
  func hugeSize() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    try tree.set("device/target1:0:0/1:0:0:1/block/sd1/size", of: id(1), to: .text("18446744073709551615"))
    let session = try #require(try Sysfs(root: tree.root).session(id(1)))
    #expect(session.devices.map(\.size) == [nil])
    #expect(session.devices.map(\.blockDevice) == ["sd1"])
  }

  @Test("unknown words are nil, and the session is still there")
  func unknownWords() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    try tree.set("state", of: id(1), to: .text("NEW WORD"))
    try tree.set("target_state", of: id(1), to: .text("NEW WORD"))
    try tree.set("device/connection1:0/iscsi_connection/connection1:0/state", of: id(1), to: .text("new"))
    let session = try #require(try Sysfs(root: tree.root).session(id(1)))
    #expect(session.state == nil)
    #expect(session.targetState == nil)
    #expect(session.connection != nil)
    #expect(session.connection?.state == nil)
  }

  @Test("a replacement timeout that is off is -1")
  func off() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    try tree.set("recovery_tmo", of: id(1), to: .text("off"))
    #expect(try Sysfs(root: tree.root).session(id(1))?.replacementTimeout == -1)
  }

  @Test("old kernels lack the target state and the connection state")
  func oldKernel() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    try tree.set("target_state", of: id(1), to: .absent)
    try tree.set("device/connection1:0/iscsi_connection/connection1:0/state", of: id(1), to: .absent)
    var expected = SessionSnapshot.example(1)
    expected.targetState = nil
    expected.connection?.state = nil
    #expect(try Sysfs(root: tree.root).session(id(1), .complete) == expected)
  }

  @Test("an attribute longer than a page is cut, not trusted to end")
  func longAttribute() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    try tree.set("targetname", of: id(1), to: .text(String(repeating: "a", count: 10_000)))
    #expect(try Sysfs(root: tree.root).session(id(1))?.targetName?.utf8.count == 4096)
  }

  @Test("an attribute is read whole, however many octets it has", arguments: [1022, 1023, 1024, 1025, 4095])
  func wholeAttribute(count: Int) throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    let text = String(repeating: "a", count: count - 1) + "z"
    try tree.set("targetname", of: id(1), to: .text(text))
    #expect(try Sysfs(root: tree.root).session(id(1))?.targetName == text)
  }

  @Test("octets that are no UTF-8 become replacement characters")
  func invalidText() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    let name = tree.root.appending("class/iscsi_session/session1/targetname")
    let file = try FileDescriptor.open(name, .writeOnly, options: .truncate)
    try file.closeAfter { _ = try file.writeAll([0x61, 0xFF, 0x62]) }
    #expect(try Sysfs(root: tree.root).session(id(1))?.targetName == "a\u{FFFD}b")
  }

  @Test("what went away between listing and reading is left out")
  func vanishing() throws {
    let tree = try SysfsTree()
    for number: UInt32 in 1...5 { try tree.add(.example(number)) }
    // The link is there, the directory behind it is gone; then one that has lost its files.
    tree.remove("devices/platform/host1")
    tree.remove("devices/platform/host2/session2/iscsi_session/session2")
    try tree.makeDirectory("devices/platform/host2/session2/iscsi_session/session2")
    tree.remove("devices/platform/host3/session3/connection3:0/iscsi_connection")
    tree.remove("devices/platform/host4/session4/target4:0:0/4:0:0:1")
    try tree.makeDirectory("devices/platform/host4/session4/target4:0:0/4:0:0:1")
    tree.remove("devices/platform/host5/scsi_host")
    let sessions = try Sysfs(root: tree.root).sessions()
    #expect(sessions.map(\.id.rawValue) == [3, 4, 5])
    #expect(sessions.map { $0.connection == nil } == [true, false, false])
    #expect(sessions.map(\.devices.count) == [1, 0, 1])
    #expect(sessions.map { $0.host == nil } == [false, false, true])
  }

  @Test("names that are no sessions, devices or connections are passed over")
  func strangeNames() throws {
    let tree = try SysfsTree()
    try tree.add(.example(1))
    for name in ["session", "session-1", "sessionx", "session99999999999", "power", "session+1"] {
      try tree.makeDirectory("class/iscsi_session/\(name)")
    }
    for name in ["1:0:0", "1:0:0:x", "power", "1:0:0:-1", "1::0:1"] {
      try tree.makeDirectory("devices/platform/host1/session1/target1:0:0/\(name)")
    }
    for name in ["connection1:x", "connection2:0", "connection1:"] {
      try tree.makeDirectory("devices/platform/host1/session1/\(name)")
    }
    #expect(try Sysfs(root: tree.root).sessions(.complete) == [.example(1)])
  }
}
