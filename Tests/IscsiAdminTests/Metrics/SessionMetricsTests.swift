// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKitTesting
import Testing

@testable import IscsiKit
@testable import iscsi_admin

@Suite("Metrics of sessions")
struct SessionMetricsTests {
  static let now = 1_795_000_020.0

  /// A session that is up, one that is being recovered, and one that nobody supervises, with text that breaks out of
  /// labels where it can.
  static func survey() -> SessionSurvey {
    let healthy = SessionSnapshot.example(1)
    var lost = SessionSnapshot.example(2)
    lost.state = .failed
    lost.connection?.state = .failed
    lost.connection?.address = nil
    lost.connection?.port = nil
    lost.replacementTimeout = -1
    for index in lost.devices.indices { lost.devices[index].state = "blocked" }
    var odd = SessionSnapshot(id: SessionID(rawValue: 3))
    odd.targetName = "iqn.x\"} 1\n# \u{1B}[2J\\"
    odd.state = .free
    let outage = InitiatorTypes.Outage(
      cause: "NOP timeout", kernelError: 1022, since: now - 15.5, attempts: 3, nextAttempt: now + 1.25,
      replacementTimeout: -1)
    var last = outage
    last.end = last.since + 2.5
    var statistics = KernelStatistics()
    statistics.sentDataOctets = 1 << 40
    statistics.receivedDataOctets = 4096
    statistics.scsiCommands = 17
    statistics.readyToTransfers = 3
    statistics.digestErrors = 1
    statistics.custom = [.init(name: "eh_abort_cnt", value: 2), .init(name: "txdata_octets", value: 9)]
    var daemon = DaemonSurvey(
      daemon: InitiatorTypes.Identity(
        version: "1.2.3", instance: "a1", processID: 1, sessions: 2, firstEvent: 1_795_000_000_000_001,
        lastEvent: 1_795_000_000_000_042),
      recoveries: [
        healthy.id: InitiatorTypes.Recovery(phase: "up", portal: "10.0.0.1:3260", recoveries: 0),
        lost.id: InitiatorTypes.Recovery(
          phase: "recovering", portal: "10.0.0.1:3260", recoveries: 7, outage: outage, lastOutage: last),
      ])
    daemon.counters[healthy.id] = statistics.named.map { InitiatorTypes.Counter(name: $0.name, value: $0.value) }
    return SessionSurvey(time: now, sessions: [healthy, lost, odd], daemon: daemon)
  }

  @Test("The text of all metrics", arguments: MetricFormat.allCases)
  func text(format: MetricFormat) throws {
    let text = format.text(of: SessionMetrics.families(of: Self.survey()))
    try Golden.expect(text, is: "metrics-\(format.rawValue).txt")
    #expect(!text.contains("\u{1B}"))
  }

  @Test("Without a daemon there is what the kernel shows, and nothing is guessed")
  func withoutDaemon() throws {
    var survey = Self.survey()
    survey = SessionSurvey(time: survey.time, sessions: survey.sessions)
    try Golden.expect(
      MetricFormat.openMetrics.text(of: SessionMetrics.families(of: survey)), is: "metrics-no-daemon.txt")
  }

  @Test("Names, units and labels follow the conventions, and no name is there twice")
  func conventions() {
    let isWord = { (text: String) in
      text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
    }
    for metric in SessionMetrics.all {
      let name = metric.sampleName
      #expect(isWord(name) && name.hasPrefix("iscsi_") && !name.contains("__"))
      #expect(metric.labels.allSatisfy { isWord($0) && !$0.hasPrefix("__") })
      #expect(Set(metric.labels).count == metric.labels.count)
      #expect(metric.help.hasSuffix(".") && !metric.help.contains("\n"))
      #expect(metric.kind != .info || metric.unit == nil)
      let isOfSession = metric.labels.starts(with: ["session", "target", "portal"])
      #expect(isOfSession || metric.labels.isEmpty || metric == SessionMetrics.daemonInfo)
    }
    #expect(Set(SessionMetrics.all.map(\.familyName)).count == SessionMetrics.all.count)
    #expect(Set(SessionMetrics.all.map(\.sampleName)).count == SessionMetrics.all.count)
  }

  @Test("Each sample has all of its labels, and each metric is measured somewhere")
  func completeness() {
    let families = SessionMetrics.families(of: Self.survey())
    #expect(families.map(\.definition) == SessionMetrics.all)
    for family in families {
      #expect(!family.samples.isEmpty, "\(family.definition.base)")
      #expect(family.samples.allSatisfy { $0.labels.count == family.definition.labels.count })
      #expect(Set(family.samples.map(\.labels)).count == family.samples.count)
    }
  }

  @Test("docs/metrics.md has each metric with its type and its labels, and no other")
  func documentation() throws {
    let rows = try Golden.contents(Golden.root + "/docs/metrics.md").split(separator: "\n").filter {
      $0.hasPrefix("| `iscsi_")
    }
    let documented = rows.map { row in
      row.split(separator: "|").prefix(3).map { $0.filter { $0 != "`" && $0 != " " } }.joined(separator: " ")
    }
    let known = SessionMetrics.all.map { metric in
      "\(metric.sampleName) \(metric.kind.rawValue) \(metric.labels.joined(separator: ","))"
    }
    #expect(documented.sorted() == known.sorted())
  }
}
