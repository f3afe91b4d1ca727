// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

@testable import iscsi_admin

@Suite("The logins of iscsiadm")
struct NodeLoginTests {
  private func record(_ portal: String, sessions: UInt32) throws -> NodeRecord {
    var record = NodeRecord(target: try TargetName("iqn.2026-11.org.example:a"), portal: try Portal(portal))
    try record.set("node.session.nr_sessions", to: String(sessions))
    return record
  }

  /// Two records of one portal with other tags, how many sessions each wants, and how many there may be with each login.
  @Test(
    "Records of one portal with other tags get each its sessions, but not where there may be one",
    arguments: [
      (wanted: 1, there: 0, limits: [1, 1]),
      (wanted: 2, there: 0, limits: [4, 4, 4, 4]),
      (wanted: 2, there: 1, limits: [3, 3]),
      (wanted: 3, there: 2, limits: [4, 4]),
    ])
  func tags(wanted: UInt32, there: Int, limits: [Int]) throws {
    let records = try ["10.0.0.1:3260,1", "10.0.0.1:3260,2"].map { try record($0, sessions: wanted) }
    let plans = NodeLoginPlan.plans(for: records, beside: [SessionKey(records[0]): there])
    let logins = plans.flatMap(\.logins)
    #expect(logins.map(\.sessionCount) == limits)
    #expect(Set(logins.map { $0.record.portal.tag }).count == 2)
  }

  @Test(
    "The name of a host stands for the sessions with its addresses",
    arguments: [("127.0.0.1", 1), ("localhost", 1), ("127.0.0.2", 0), ("localhost:3261", 0), ("name.invalid", 0)])
  func hostNames(portal: String, count: Int) throws {
    var session = SessionSnapshot.example(1)
    session.targetName = "iqn.2026-11.org.example:a"
    session.interfaceName = "default"
    session.connection?.persistentAddress = "127.0.0.1"
    session.connection?.persistentPort = 3260
    let record = try record(portal, sessions: 1)
    #expect(PresentSessions([session]).count(of: record) == count)
    #expect(PresentSessions([session]).counts(of: [record]) == [SessionKey(record): count])
    // A name without an address may have had the session's, and what is deleted is gone.
    #expect(PresentSessions([session]).mayUse(record) == (count > 0 || portal == "name.invalid"))
  }

  @Test("Another portal has its own sessions")
  func portals() throws {
    let records = try ["10.0.0.1:3260,1", "10.0.0.2:3260,1"].map { try record($0, sessions: 2) }
    let logins = NodeLoginPlan.plans(for: records).flatMap(\.logins)
    #expect(logins.map(\.sessionCount) == [2, 2, 2, 2])
  }
}
