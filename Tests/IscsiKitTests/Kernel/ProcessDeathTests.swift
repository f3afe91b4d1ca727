// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import IscsiKit

@Suite("A process that was killed")
struct ProcessDeathTests {
  @Test(
    "is known by the state of its main thread, whatever its name is",
    arguments: [
      ("4711 (iscsi-admin) S 1 4711 4711 0 -1 4194560", false), ("4711 (iscsi-admin) Z 1 4711", true),
      ("4711 (iscsi-admin) X 1", true), ("4711 (iscsi-admin) D 1", false), ("4711 (Z) Z) R 1", false),
      ("4711 (a) S) Z 1", true), ("4711 (iscsi-admin) ", false), ("4711 (iscsi-admin)", false), ("", false),
    ])
  func state(stat: String, hasDied: Bool) {
    #expect(ProcessDeath.hasHappened(by: Array(stat.utf8).span) == hasDied)
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
