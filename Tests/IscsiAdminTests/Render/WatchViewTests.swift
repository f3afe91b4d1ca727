// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

@Suite("What watch shows")
struct WatchViewTests {
  private static let event = InitiatorTypes.Event(
    sequence: 9, time: 1_795_000_019, kind: "lost", session: 2, target: "iqn.2026-11.org.example:disk2",
    portal: "10.0.0.1:3260,1", message: "connection lost\u{1B}[2J")

  /// The survey of the metrics, and one two seconds later.
  private static func later() -> SessionSurvey {
    var survey = SessionMetricsTests.survey()
    survey.time += 2
    let id = SessionID(rawValue: 1)
    let counters = survey.daemon?.counters[id]
    survey.daemon?.counters[id] = counters?.map { counter in
      let growth: [String: UInt64] = ["rxdata_octets": 6 << 20, "txdata_octets": 3 << 10, "scsicmd_pdus": 25]
      return InitiatorTypes.Counter(name: counter.name, value: counter.value + (growth[counter.name] ?? 0))
    }
    return survey
  }

  @Test("A page has states, rates, recoveries and the last events")
  func page() throws {
    var view = WatchView()
    view.note(SessionMetricsTests.survey())
    view.note(Self.event)
    view.note(Self.later())
    let text = view.page(for: .plain).joined(separator: "\n") + "\n"
    try Golden.expect(text, is: "watch.txt")
    #expect(text.contains("3.0 MiB") && text.contains("1.5 KiB") && !text.contains("\u{1B}"))
  }

  @Test("A rate is not made of a moment, nor of counters that began anew")
  func rates() {
    var view = WatchView()
    view.note(Self.later())
    var soon = Self.later()
    soon.time += 0.05
    view.note(soon)
    #expect(!view.page(for: .plain).joined().contains(" B"))
    var restarted = SessionMetricsTests.survey()
    restarted.time += 4
    view.note(restarted)
    #expect(!view.page(for: .plain).joined().contains(" B"))
  }

  @Test("Without sessions that is said once")
  func empty() {
    var view = WatchView()
    view.note(SessionSurvey(time: 1_795_000_000, sessions: []))
    #expect(view.page(for: .plain) == ["2026-11-18T11:06:40.000Z  no sessions"])
  }

  @Test("Lines tell what is new, once")
  func lines() {
    var view = WatchView()
    view.note(SessionMetricsTests.survey())
    view.note(Self.event)
    #expect(
      view.takeLines() == [
        "2026-11-18T11:06:59.000Z session 2 iqn.2026-11.org.example:disk2 at 10.0.0.1:3260: connection lost\\u{1B}[2J",
        "2026-11-18T11:07:00.000Z session 1 iqn.2026-11.org.example:disk1: operational, I/O flows",
        "2026-11-18T11:07:00.000Z session 2 iqn.2026-11.org.example:disk2: recovering, I/O waits",
        "2026-11-18T11:07:00.000Z session 3 iqn.x\"} 1\\n# \\u{1B}[2J\\: logging in",
      ])
    view.note(Self.later())
    #expect(view.takeLines() == [])
    view.note(SessionSurvey(time: 1_795_000_023, sessions: [SessionMetricsTests.survey().sessions[0]]))
    #expect(
      view.takeLines() == ["2026-11-18T11:07:03.000Z session 2: gone", "2026-11-18T11:07:03.000Z session 3: gone"])
  }

  @Test("Lines tell when the daemon does not answer, once, and when it does again")
  func silence() {
    var view = WatchView()
    var survey = SessionSurvey(time: 1_795_000_000, sessions: [])
    let silence = InitiatorError.daemon(.notConnected("/run/none", .connectionRefused))
    survey.silence = silence
    view.note(survey)
    #expect(view.takeLines() == ["2026-11-18T11:06:40.000Z \(silence)"])
    view.note(survey)
    #expect(view.takeLines() == [])
    view.note(SessionSurvey(time: 1_795_000_001, sessions: []))
    #expect(view.takeLines() == ["2026-11-18T11:06:41.000Z the daemon answers again"])
  }

  @Test("Numbers of a daemon that are no times and no rates are shown, and do no harm")
  func nonsense() {
    var view = WatchView()
    var survey = SessionMetricsTests.survey()
    let id = SessionID(rawValue: 1)
    survey.daemon?.counters[id] = ["rxdata_octets", "txdata_octets", "scsicmd_pdus"].map { .init(name: $0, value: 0) }
    view.note(survey)
    let recoveries = survey.daemon?.recoveries ?? [:]
    survey.daemon?.recoveries = recoveries.mapValues { recovery in
      var recovery = recovery
      recovery.outage?.attempts = .max
      recovery.outage?.nextAttempt = 1e300
      recovery.outage?.deadline = 1e300
      recovery.silentSince = -1e300
      return recovery
    }
    let counters = survey.daemon?.counters[id] ?? []
    survey.daemon?.counters[id] = counters.map { .init(name: $0.name, value: .max) }
    survey.time += 0.25
    view.note(survey)
    var event = Self.event
    event.time = 1e300
    view.note(event)
    #expect(view.page(for: .plain).contains { $0.contains("909.4 TiB") })
    #expect(view.takeLines().first?.hasPrefix("9999-12-31T23:59:59") == true)
    var outage = OutageFacts(since: -1e300, cause: "x")
    (outage.attempts, outage.nextAttempt) = (.max, 1e300)
    #expect(RecoveryState.recovering(outage).attemptText(at: 0)?.hasPrefix("\(Int.max) in ") == true)
  }

  @Test("Events that come while nobody looks are taken together, and of too many the last ones")
  func together() {
    let events = WaitingEvents()
    for number in 1...1030 {
      var event = Self.event
      event.sequence = UInt64(number)
      events.add(event)
    }
    #expect(events.take().map(\.sequence) == Array(7...1030))
    #expect(events.take() == [])
  }

  @Test("A page is drawn over the one before, without a mode to put back")
  func screen() {
    var screen = LiveScreen()
    let size = ScreenSize(columns: 10, rows: 24)
    #expect(screen.draw(["one", "two"], on: size) == "one\u{1B}[K\ntwo\u{1B}[K\n\u{1B}[J")
    #expect(screen.draw(["three"], on: size) == "\u{1B}[2A\rthree\u{1B}[K\n\u{1B}[J")
    #expect(screen.draw(["0123456789x"], on: size) == "\u{1B}[1A\r0123456789\u{1B}[K\n\u{1B}[J")
    let red = "\u{1B}[31m"
    #expect(
      screen.draw(["\(red)0123456789x\u{1B}[0m"], on: size) == "\u{1B}[1A\r\(red)0123456789\u{1B}[0m\u{1B}[K\n\u{1B}[J")
    // Another size: what was drawn may be anywhere.
    let small = ScreenSize(columns: 30, rows: 3)
    #expect(
      screen.draw(["a", "b", "c"], on: small)
        == "\u{1B}[2J\u{1B}[Ha\u{1B}[K\n… and 2 lines more\u{1B}[K\n\u{1B}[J")
    #expect(!screen.draw(["a"], on: small).contains("?"))
  }
}
