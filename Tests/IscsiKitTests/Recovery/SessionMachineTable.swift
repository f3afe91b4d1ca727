// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

/// What a machine does, in words: what it tells in parentheses, what it wants, its next state if that is another, and what it only
/// remembers in brackets.
struct MachineTable {
  /// All that can be heard but the end of an operation, by its name in tables.
  static let events: [(name: String, event: @Sendable (MachineHarness) -> SessionMachine.Event)] = [
    ("begin", { _ in .begin }),
    ("adopt", { _ in .adopt(.up(isScanned: true)) }),
    ("connectionFailed", { _ in .connectionFailed(.connectionClosed) }),
    ("hostGone", { _ in .connectionFailed(.invalidHost) }),
    ("sessionDestroyed", { _ in .sessionDestroyed }),
    ("eventsLost", { _ in .eventsLost }),
    ("seenUp", { _ in .observed(.up) }),
    ("seenDown", { _ in .observed(.notUp) }),
    ("seenGone", { _ in .observed(.gone) }),
    ("logoutRequested", { _ in message(.logoutRequested) }),
    ("connectionDropped", { _ in message(.connectionDropped, 0, 3) }),
    ("otherDropped", { _ in message(.connectionDropped, 1, 3) }),
    ("sessionDropped", { _ in message(.sessionDropped, 0, 3) }),
    ("negotiationRequested", { _ in message(.negotiationRequested) }),
    (
      "unitsChanged",
      { _ in message(.scsi, data: [0, 14] + [0x72, 6, 0x3F, 0x0E] + [UInt8](repeating: 0, count: 10)) }
    ),
    ("vendorSpecific", { _ in message(.vendorSpecific) }),
    // A link comes: before the login has its turn, soon and long after it began to connect, and when it is connected.
    ("linkBefore", { _ in .networkRestored(.notBegun) }),
    ("linkSoon", { .networkRestored(.pending(since: $0.now - .milliseconds(500))) }),
    ("linkLate", { .networkRestored(.pending(since: $0.now - .seconds(2))) }),
    ("linkConnected", { _ in .networkRestored(.connected) }),
    ("linkGone", { _ in .networkFound(NetworkFinding(device: "eth0", cause: .noCarrier(nil))) }),
    ("silent", { .silenceFound(since: $0.now - .seconds(6)) }),
    ("silenceUnknown", { _ in .silenceUnknown }),
    ("timer", { _ in .timerFired }),
    ("logOut", { _ in .logOut }),
  ]

  static func message(
    _ event: AsyncEvent, _ parameter1: UInt16 = 0, _ parameter2: UInt16 = 0, data: [UInt8] = []
  ) -> SessionMachine.Event {
    var message = AsyncMessagePDU(event: event)
    (message.parameter1, message.parameter2, message.data) = (parameter1, parameter2, data)
    return .message(message)
  }

  /// What an event leads to in a state, in words.
  static func answer(of state: MachineHarness, to event: (MachineHarness) -> SessionMachine.Event) -> String {
    var harness = state
    // A timer fires when it is due.
    let event = event(harness)
    if event == .timerFired, let time = harness.machine.wakeTime { harness.now = max(harness.now, time) }
    let before = harness.machine
    harness.handle(event)
    return answer(harness.actions, from: before, to: harness.machine)
  }

  /// What was done and is remembered, in words.
  static func answer(
    _ actions: [SessionMachine.Action], from before: SessionMachine, to after: SessionMachine
  ) -> String {
    var words = actions.map(word)
    if name(after.phase) != name(before.phase) { words.append("-> \(name(after.phase))") }
    let remembered: [(String, Bool)] = [
      ("ends", after.ending != before.ending),
      ("in doubt", after.isInDoubt && !before.isInDoubt),
      ("second look", after.secondLook != nil && before.secondLook == nil),
      ("vanished", after.hasVanished && !before.hasVanished),
      ("not connected", !after.isConnected && before.isConnected && actions.isEmpty),
      ("kept", after.pendingMessage != before.pendingMessage && after.pendingMessage != nil),
      ("held", after.holdEnd != nil && after.holdEnd != before.holdEnd),
      ("news", after.hasNetworkNews && !before.hasNetworkNews),
      ("anew", after.isRenewalDue && !before.isRenewalDue),
      ("sooner", isSooner(after.outage?.nextAttempt, before.outage?.nextAttempt)),
    ]
    words += remembered.filter(\.1).map { "[\($0.0)]" }
    return words.isEmpty ? "nothing" : words.joined(separator: " ")
  }

  private static func isSooner(_ one: ContinuousClock.Instant?, _ other: ContinuousClock.Instant?) -> Bool {
    guard let one, let other else { return false }
    return one < other
  }

  private static func word(_ action: SessionMachine.Action) -> String {
    switch action {
    case .perform(let operation): name(operation.kind)
    case .cancelOperation: "cancel"
    case .notify(let notice): "(\(name(notice)))"
    default: name(action)
    }
  }

  /// The name of a case.
  private static func name(_ value: some Any) -> String { String("\(value)".prefix { $0 != "(" }) }

  /// Checks a state against its rows, `event event ... | answer`: each event has one.
  static func check(_ state: MachineHarness, _ table: String, sourceLocation: SourceLocation = #_sourceLocation) {
    var rows: [String: String] = [:]
    for line in table.split(separator: "\n") {
      let columns = line.split(separator: "|", maxSplits: 1)
      let answer = columns.last.map { $0.split(separator: " ").joined(separator: " ") } ?? ""
      for event in columns.first?.split(separator: " ") ?? [] {
        #expect(
          rows.updateValue(answer, forKey: String(event)) == nil, "\(event) twice", sourceLocation: sourceLocation)
      }
    }
    for (name, event) in events {
      let answer = answer(of: state, to: event)
      #expect(rows.removeValue(forKey: name) == answer, "\(name): \(answer)", sourceLocation: sourceLocation)
    }
    #expect(rows.isEmpty, "no such event", sourceLocation: sourceLocation)
  }
}
