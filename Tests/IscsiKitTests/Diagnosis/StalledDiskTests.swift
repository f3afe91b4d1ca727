// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Disks on which nothing moves")
struct StalledDiskTests {
  private static let before = "100 0 800 9 50 0 400 9 2 9 9 0 0 0 0 3 0"

  @Test(
    "The counters of a disk are those of each kernel",
    arguments: [
      (before, 153, 2), ("100 0 800 9 50 0 400 9 2 9 9", 150, 2), ("1 2 3", nil, nil),
      ("a b c d e f g h i j k", nil, nil),
      ("", nil, nil),
    ] as [(String, UInt64?, UInt64?)])
  func counters(line: String, ended: UInt64?, inFlight: UInt64?) {
    let counters = BlockStatistics("   " + line)
    #expect(counters?.ended == ended && counters?.inFlight == inFlight)
  }

  @Test(
    "A stall is requests of which none ends in a time, on a session that nobody asks for a sign of life",
    arguments: [
      (0, before, 2), (0, "100 0 800 9 50 0 400 9 3 9 9 0 0 0 0 3 0", 3),
      (0, "101 0 800 9 50 0 400 9 2 9 9 0 0 0 0 3 0", nil), (0, "100 0 800 9 50 0 400 9 1 9 9 0 0 0 0 3 0", nil),
      (5, before, nil),
    ] as [(UInt32, String, UInt64?)])
  func stall(interval: UInt32, after: String, requests: UInt64?) async throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.connection?.noopInterval = interval
    try tree.add(session)
    try tree.addBlockDevice("sd1", number: "8:0")
    try tree.set("class/block/sd1/stat", to: .text(Self.before))
    let directory = try SocketDirectory()
    let collector = EvidenceCollector(
      sysfs: Sysfs(root: tree.root), initiator: Initiator(socket: directory.socket), inventory: nil)
    var evidence = [Evidence(session, now: 0)]
    let busy = collector.busyDisks(of: evidence)
    #expect(busy.isEmpty == (interval > 0))
    try tree.set("class/block/sd1/stat", to: .text(after))
    await collector.findStalls(in: &evidence, since: busy, from: .now - EvidenceCollector.stallTime)
    let stall = evidence[0].devices[0].stall
    #expect(stall?.requests == requests && stall.map { $0.seconds >= 2 } != false)
  }
}
