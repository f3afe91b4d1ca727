// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What `watch` shows: the last survey, how it differs from the one before, and the last events. Without I/O and clock.
struct WatchView: Sendable {
  /// How many events are shown.
  private static let eventLimit = 5
  /// The shortest time, in seconds, over which a rate says something.
  private static let shortestSpan = 0.2

  private var survey = SessionSurvey(time: 0, sessions: [])
  /// The rates, and the survey that they are counted from.
  private var rates: [SessionID: Rates] = [:]
  private var base: SessionSurvey?
  private var recent: [InitiatorTypes.Event] = []
  /// What lines have not told yet, and what they have.
  private var untold: [InitiatorTypes.Event] = []
  private var told: [SessionID: String] = [:]
  private var toldSilence: String?

  /// What goes through a session in a second.
  struct Rates: Hashable, Sendable {
    /// Octets that were read.
    var received: Double
    /// Octets that were written.
    var sent: Double
    /// SCSI commands.
    var commands: Double
  }

  /// Takes the state of a moment.
  mutating func note(_ survey: SessionSurvey) {
    self.survey = survey
    guard let base, survey.time - base.time < 30 else {
      base = survey
      rates = [:]
      return
    }
    let span = survey.time - base.time
    // An event draws the table anew, and what was counted a moment ago says little: the rates stay.
    guard span >= Self.shortestSpan else { return }
    rates = survey.sessions.reduce(into: [:]) { rates, session in
      rates[session.id] = Self.rates(of: session.id, from: base, to: survey, span)
    }
    self.base = survey
  }

  /// Takes an event.
  mutating func note(_ event: InitiatorTypes.Event) {
    recent = recent.suffix(Self.eventLimit - 1) + [event]
    // Where there is a page, nobody takes lines.
    untold = untold.suffix(1023) + [event]
  }

  private static func rates(of id: SessionID, from old: SessionSurvey, to new: SessionSurvey, _ span: Double) -> Rates?
  {
    func rate(_ name: String) -> Double? {
      guard let before = old.counter(name, of: id), let after = new.counter(name, of: id), after >= before else {
        return nil
      }
      return Double(after - before) / span
    }
    guard let received = rate("rxdata_octets"), let sent = rate("txdata_octets"), let commands = rate("scsicmd_pdus")
    else { return nil }
    return Rates(received: received, sent: sent, commands: commands)
  }

  // MARK: - A page

  /// The page for a terminal, a line each.
  func page(for terminal: Terminal) -> [String] {
    var lines = [headline]
    if !survey.sessions.isEmpty { lines += [""] + table.lines(for: terminal) }
    if !recent.isEmpty { lines += [""] + recent.map(eventText) }
    return lines
  }

  private var headline: String {
    let odd = survey.sessions.count { !survey.status(of: $0).state.isOperational }
    let count = survey.sessions.count
    let sessions =
      "\(count) session\(count == 1 ? "" : "s"), " + (odd == 0 ? "all operational" : "\(odd) not operational")
    let daemon = survey.silence.map { "; \($0)".printable } ?? ""
    return "\(clockText(survey.time))  \(count == 0 ? "no sessions" : sessions)\(daemon)"
  }

  private var table: Table {
    var table = Table([
      Table.Column(header: "SID", alignment: .right), Table.Column(header: "STATE"), Table.Column(header: "I/O"),
      Table.Column(header: "READ/s", alignment: .right), Table.Column(header: "WRITE/s", alignment: .right),
      Table.Column(header: "CMD/s", alignment: .right), Table.Column(header: "RECOVERIES", alignment: .right),
      Table.Column(header: "DISKS", minimumWidth: 5), Table.Column(header: "TARGET", minimumWidth: 12),
      Table.Column(header: "RECOVERY", minimumWidth: 12, isOptional: true),
    ])
    for session in survey.sessions {
      let status = survey.status(of: session)
      let rates = rates[session.id]
      table.add([
        Table.Cell(session.id.description), Table.Cell(status.state.cell.text, status.mood),
        Table.Cell(status.io?.name, status.mood), Table.Cell(rates.map { binarySize(wholeNumber($0.received)) }),
        Table.Cell(rates.map { binarySize(wholeNumber($0.sent)) }),
        Table.Cell(rates.map { String(wholeNumber($0.commands.rounded())) }),
        Table.Cell(survey.recovery(of: session.id).map { String($0.recoveries) }),
        Table.Cell(session.devices.compactMap(\.blockDevice).joined(separator: ",")), Table.Cell(session.targetName),
        Table.Cell(status.recoveryText(at: survey.time)),
      ])
    }
    return table
  }

  // MARK: - Lines

  /// The lines for what is no terminal: events, and sessions whose state is another than was told, since the last time.
  mutating func takeLines() -> [String] {
    var lines = untold.map(eventText)
    untold = []
    let silence = survey.silence?.description.printable
    if silence != toldSilence {
      lines.append("\(clockText(survey.time)) \(silence ?? "the daemon answers again")")
      toldSilence = silence
    }
    for session in survey.sessions {
      let status = survey.status(of: session)
      let text = status.state.cell.text + (status.io.map { ", I/O \($0.name)" } ?? "")
      guard told[session.id] != text else { continue }
      told[session.id] = text
      lines.append("\(clockText(survey.time)) session \(session.id) \((session.targetName ?? "-").printable): \(text)")
    }
    for id in told.keys.sorted() where !survey.sessions.contains(where: { $0.id == id }) {
      told[id] = nil
      lines.append("\(clockText(survey.time)) session \(id): gone")
    }
    return lines
  }
}

extension SessionSurvey {
  /// A counter of a session's connection, by the kernel's name.
  fileprivate func counter(_ name: String, of id: SessionID) -> UInt64? {
    daemon?.counters[id]?.first { $0.name == name }?.value
  }
}

extension SessionStatus {
  /// How good the news is.
  fileprivate var mood: Mood {
    if state.isOperational { return .good }
    return io == .fails ? .bad : .warning
  }

  /// How the recovery gets on; nil if there is none.
  fileprivate func recoveryText(at now: Double) -> String? {
    guard let outage = state.outage else { return nil }
    var parts = ["\(outage.attempts) attempt\(outage.attempts == 1 ? "" : "s")"]
    if let next = outage.nextAttempt { parts.append("next in \(wholeNumber((next - now).rounded(.up))) s") }
    switch outage.deadline {
    case .at(let time) where time > now: parts.append("I/O fails in \(wholeNumber((time - now).rounded(.up))) s")
    case .never: parts.append("I/O waits for ever")
    case .at, nil: break
    }
    return parts.joined(separator: ", ")
  }
}
