// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import IscsiKit

@Suite("A process that was killed")
struct ProcessDeathTests {
  @Test(
    "is known by its main thread's state, flags and pending signals, whatever its name is",
    arguments: [
      ("4711 (iscsi-admin) S 1 4711 4711 0 -1 4194560", false), ("4711 (iscsi-admin) Z 1 4711", true),
      ("4711 (iscsi-admin) X 1", true), ("4711 (iscsi-admin) D 1", false), ("4711 (Z) Z) R 1", false),
      ("4711 (a) S) Z 1", true), ("4711 (iscsi-admin) ", false), ("4711 (iscsi-admin)", false), ("", false),
      (Self.line(flags: 4_194_560, pending: 256), true), (Self.line(flags: 4_194_564, pending: 0), true),
      (Self.line(flags: 0x580700, pending: 0), true), (Self.line(flags: 0x580140, pending: 0), false),
      (Self.line(flags: 4_194_560, pending: 0), false), (Self.line(flags: 4_194_560, pending: 16384), false),
    ])
  func state(stat: String, hasDied: Bool) {
    #expect(ProcessDeath.hasHappened(by: Array(stat.utf8).span) == hasDied)
  }

  private static func line(flags: Int, pending: Int) -> String {
    "4711 (iscsi-admin) S 1 4711 4711 0 -1 \(flags) 5 6 7 8 9 10 11 12 20 0 7 0 22 23 24 25 26 27 28 29 30 \(pending) 0 0"
  }

  @Test(
    "can follow a request that makes or removes a session, and no other",
    arguments: [
      (KernelMessageType.createSession, true), (.destroySession, true), (.destroySessionAsync, false),
      (.createConnection, false), (.getStatistics, false),
    ])
  func requests(type: KernelMessageType, can: Bool) {
    var header: [UInt8] = [0, 0, 0, 0]
    header.appendHostInteger(UInt16(type.rawValue))
    let follows = ProcessDeath.canFollow(header.span)
    let followsPart = ProcessDeath.canFollow(header.span.extracting(first: 5))
    #expect(follows == can && !followsPart)
  }

  @Test("is looked for seven times after a request, within 13 seconds")
  func looks() {
    let looks = Array(
      sequence(first: ProcessDeath.firstLook) { look in
        let next = ProcessDeath.nextLook(after: look)
        return next > 0 ? next : nil
      })
    #expect(looks == [100, 200, 400, 800, 1600, 3200, 6400])
    #expect(ProcessDeath.nextLook(after: -1) == -1)
  }
}
