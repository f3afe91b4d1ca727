// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("What follows from a discovery that is repeated")
struct DiscoveredNodesTests {
  private let start = ContinuousClock.now
  private let nodes = Nodes()

  /// The value under test where expectations can change it.
  private final class Nodes {
    private var value = DiscoveredNodes(minimumAbsence: .zero)
    var found: Set<SessionKey> { value.found }
    func follow(_ answer: DiscoveredNodes.Answer, at now: ContinuousClock.Instant) -> DiscoveredNodes.FollowUp {
      value.follow(answer, at: now)
    }
  }

  private func node(
    _ target: String, at portal: String = "10.0.0.1:3260,1", over interface: InterfaceName = .standard
  ) throws -> NodeRecord {
    var record = try NodeRecord.example(target, at: portal)
    record.interface = InterfaceRecord(name: interface)
    return record
  }

  private func session(_ number: UInt32, of record: NodeRecord) -> SessionSnapshot {
    var session = SessionSnapshot(id: SessionID(rawValue: number))
    session.targetName = record.target.description
    session.interfaceName = record.interface.name.description
    var connection = ConnectionSnapshot(id: .leading)
    connection.persistentAddress = record.portal.host.description
    connection.persistentPort = record.portal.port
    session.connection = connection
    return session
  }

  /// An answer that lacks all nodes, which have sessions.
  private func absence(of records: [NodeRecord]) -> DiscoveredNodes.Answer {
    var answer = DiscoveredNodes.Answer(found: [])
    answer.recorded = records
    answer.sessions = records.enumerated().map { session(UInt32($0.offset + 1), of: $0.element) }
    return answer
  }

  @Test(
    "A node is gone when two answers lack it, the second of them some time after the first; without any node, much later",
    arguments: [(["b"], 10), ([], 60)] as [([String], Int64)])
  func patience(others: [String], seconds: Int64) throws {
    var nodes = DiscoveredNodes(minimumAbsence: .seconds(10))
    let one = try node("a")
    var answer = absence(of: [one])
    answer.found = try others.map { try node($0) }
    for second in 0..<seconds { #expect(nodes.follow(answer, at: start + .seconds(second)).departures == []) }
    #expect(nodes.follow(answer, at: start + .seconds(seconds)).departures.map(\.record) == [one])
    // One answer that has it begins it all again.
    answer.found.append(one)
    _ = nodes.follow(answer, at: start + .seconds(seconds + 1))
    answer.found.removeLast()
    #expect(nodes.follow(answer, at: start + .seconds(seconds + 2)).departures == [])
    #expect(nodes.follow(answer, at: start + .seconds(seconds + 3)).departures == [])
  }

  // MARK: - Logins

  @Test("What is found and has no session is logged in to, whatever its startup, and so often as it wants sessions")
  func logins() throws {
    var (one, two) = (try node("a"), try node("b"))
    one.startup = .onboot
    two.sessionCount = 3
    let there = try node("c")
    var answer = DiscoveredNodes.Answer(found: [one, two, there, one])
    answer.sessions = [session(1, of: there)]
    let several = NodeLogin(record: two, sessionCount: 3)
    let logins = [NodeLogin(record: one, sessionCount: 1), several, several, several]
    #expect(nodes.follow(answer, at: start) == .init(logins: logins))
  }

  @Test("A login that fails is begun again later and later")
  func retries() throws {
    let answer = DiscoveredNodes.Answer(found: [try node("a")])
    var times: [Int64] = []
    for second in Int64(0)..<3000 where !nodes.follow(answer, at: start + .seconds(second)).logins.isEmpty {
      times.append(second)
    }
    #expect(times == [0, 5, 15, 35, 75, 155, 315, 635, 1235, 1835, 2435])
  }

  @Test("Who was logged out of is not logged in to again, until it was gone")
  func loggedOut() throws {
    let one = try node("a")
    var answer = DiscoveredNodes.Answer(found: [one])
    #expect(nodes.follow(answer, at: start).logins.map(\.record) == [one])
    answer.sessions = [session(1, of: one)]
    #expect(nodes.follow(answer, at: start).logins == [])
    answer.sessions = []
    #expect(nodes.follow(answer, at: start + .seconds(10_000)).logins == [])
    _ = nodes.follow(DiscoveredNodes.Answer(found: []), at: start)
    #expect(nodes.follow(answer, at: start).logins.map(\.record) == [one])
  }

  @Test("One portal is enough of a target with a leading login")
  func leadingLogin() throws {
    var found = [
      try node("a"), try node("a", at: "10.0.1.1:3260,1"), try node("b"), try node("b", at: "10.0.1.1:3260,1"),
    ]
    for index in found.indices { found[index].leadingLogin = true }
    var answer = DiscoveredNodes.Answer(found: found)
    answer.sessions = [session(1, of: found[3])]
    #expect(nodes.follow(answer, at: start).logins.map(\.record) == [found[0]])
  }

  // MARK: - Logouts

  @Test("What two answers in a row lack is logged out of and forgotten; one alone may come from a target that starts")
  func departures() throws {
    let (one, two) = (try node("a"), try node("b"))
    let answer = absence(of: [one, two])
    #expect(nodes.follow(answer, at: start) == .init())
    var back = answer
    back.found = [two]
    #expect(
      nodes.follow(back, at: start) == .init(departures: [.init(record: one, sessions: [SessionID(rawValue: 1)])]))
    // Its turn begins anew.
    #expect(nodes.follow(answer, at: start).departures.map(\.record) == [one])
    #expect(nodes.follow(answer, at: start).departures.map(\.record) == [one, two])
  }

  @Test("A node without a session is forgotten alike")
  func withoutSession() throws {
    var answer = absence(of: [try node("a")])
    answer.sessions = []
    _ = nodes.follow(answer, at: start)
    #expect(nodes.follow(answer, at: start).departures == [.init(record: try node("a"), sessions: [])])
  }

  @Test("Only the sessions of exactly the node's target, portal and interface are logged out of")
  func otherSessions() throws {
    let one = try node("a")
    var answer = absence(of: [one])
    let others = [
      try node("a", at: "10.0.0.2:3260,1"), try node("a", over: #require(InterfaceName("eth0"))), try node("b"),
      try node("a", at: "san.example:3260,1"),
    ]
    answer.sessions += others.enumerated().map { session(UInt32($0.offset + 10), of: $0.element) }
    var unknown = SessionSnapshot(id: SessionID(rawValue: 99))
    unknown.targetName = one.target.description
    answer.sessions.append(unknown)
    _ = nodes.follow(answer, at: start)
    #expect(nodes.follow(answer, at: start).departures.map(\.sessions) == [[SessionID(rawValue: 1)]])
  }

  @Test(
    "Nobody is logged out of by an answer that is not whole, over an interface that was not asked, or what others find",
    arguments: 0..<4)
  func careful(_ reason: Int) throws {
    let one = try node("a")
    var answer = absence(of: [one])
    switch reason {
    case 0: answer.wholeOver = []
    case 1: answer.wholeOver = [try #require(InterfaceName("eth0"))]
    case 2: answer.foundElsewhere = [SessionKey(one)]
    // The same portal by another tag.
    default: answer.found = [try node("a", at: "10.0.0.1:3260,7")]
    }
    for _ in 0..<5 {
      let followUp = nodes.follow(answer, at: start)
      #expect(followUp.departures == [] && followUp.spared == [])
    }
  }

  @Test("What was found over an interface that cannot be asked now still is for others")
  func partly() throws {
    let eth0 = try #require(InterfaceName("eth0"))
    let (one, two) = (try node("a"), try node("a", over: eth0))
    var answer = DiscoveredNodes.Answer(found: [one, two])
    answer.wholeOver = [.standard, eth0]
    _ = nodes.follow(answer, at: start)
    answer.found = []
    answer.wholeOver = [.standard]
    _ = nodes.follow(answer, at: start)
    #expect(nodes.found == [SessionKey(two)])
  }

  @Test("While another discovery has not answered, whatever is missing here may be found there")
  func elsewhere() throws {
    let one = try node("a")
    var answer = absence(of: [one])
    answer.isElsewhereKnown = false
    _ = nodes.follow(answer, at: start)
    let followUp = nodes.follow(answer, at: start)
    #expect(followUp.departures == [] && followUp.undecided == [one])
    answer.isElsewhereKnown = true
    #expect(nodes.follow(answer, at: start).departures.map(\.record) == [one])
  }

  @Test("A node stays for as long as its disks are read or written, and some time more")
  func activity() throws {
    var nodes = DiscoveredNodes(minimumAbsence: .seconds(10))
    let (one, two) = (try node("a"), try node("b"))
    var answer = absence(of: [one, two])
    answer.found = [try node("c")]
    for second in 0..<30 {
      answer.activity = [SessionID(rawValue: 1): "\(second / 5)", SessionID(rawValue: 2): "7"]
      let followUp = nodes.follow(answer, at: start + .seconds(second))
      #expect(followUp.departures.map(\.record) == (second < 10 ? [] : [two]), "\(second)")
      #expect(followUp.busy == (second < 10 ? [] : [one]), "\(second)")
    }
    // The last change was seen at 25.
    #expect(nodes.follow(answer, at: start + .seconds(34)).busy == [one])
    #expect(nodes.follow(answer, at: start + .seconds(35)).departures.map(\.record) == [one, two])
  }

  @Test("Excluded targets stay, and all do while it is not known which those are")
  func exclusions() throws {
    let (one, two) = (try node("a"), try node("b"))
    var answer = absence(of: [one, two])
    answer.exclusions = try Exclusions("iqn.2026-11.org.example:a\n", path: "x")
    _ = nodes.follow(answer, at: start)
    let followUp = nodes.follow(answer, at: start)
    #expect(followUp.spared == [one] && followUp.departures.map(\.record) == [two])
    answer.exclusions = nil
    #expect(nodes.follow(answer, at: start).spared == [one, two])
  }
}

@Suite("Whether an answer to SendTargets is whole")
struct WholeAnswerTests {
  @Test(
    "An answer of which something was refused is not whole",
    arguments: [
      ("", true), ("TargetName=iqn.2026-11.org.example:a\0TargetAddress=10.0.0.1:3260,1\0", true),
      ("TargetName=iqn.2026-11.org.example:a\0", true), ("TargetName=bad name\0", false),
      ("SendTargets=Reject\0", false),
      ("TargetName=iqn.2026-11.org.example:a\0TargetAddress=nonsense:x,1\0", false),
      ("TargetName=iqn.2026-11.org.example:a\0TargetAddress=0.0.0.0:3260,1\0TargetAddress=10.0.0.1:3260,1\0", true),
      ("TargetName=iqn.2026-11.org.example:a\0TargetAddress=0.0.0.0:3260,1\0", false), ("nonsense\0", false),
    ])
  func wholeness(_ text: String, _ isWhole: Bool) throws {
    // Asked by a name, so that an unspecified address cannot stand for the one that was asked.
    let response = SendTargetsResponse(text: Array(text.utf8), discoveryPortal: try Portal("10.0.0.1"))
    #expect(response.isWhole == isWhole, "\(response.refused.map(\.reason.description))")
  }
}
