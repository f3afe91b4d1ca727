// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Supervision, whatever happens")
struct SupervisionModelTests {
  private static let origins: [SessionMachine.AdoptedState?] = [
    nil, nil, nil, .up(isScanned: true), .up(isScanned: false), .failed, .leaving(isConnected: true, isUnbound: false),
    .leaving(isConnected: false, isUnbound: true),
  ]

  /// What an earlier supervisor knew.
  private static var leftOutage: Outage {
    var outage = Outage(cause: .kernel(.noopTimedOut), since: .now - .seconds(9))
    (outage.attempts, outage.replacementTimeout) = (5, 77)
    return outage
  }

  @Test("No sequence of events leads to a wrong request, a stuck session or one that is left behind", arguments: 0..<8)
  func randomEvents(seed: UInt64) async throws {
    var record = SessionRecord(
      session: SessionID(rawValue: 1),
      request: LoginRequest(
        initiator: try InitiatorName("iqn.2001-04.com.example:host"),
        target: try TargetName("iqn.2001-04.com.example:disk"), portal: MachineHarness.home),
      isid: ISID(session: SessionID(rawValue: 1)))
    var generator = SeededGenerator(state: seed)
    var steps = 0
    while steps < 150_000 {
      var policy = SessionMachine.Policy()
      policy.loginRetryWindow = [.zero, .seconds(20)].randomElement(using: &generator) ?? .zero
      policy.recoveryLimit = [nil, nil, 4].randomElement(using: &generator) ?? nil
      policy.scansForUnits = Bool.random(using: &generator)
      let origin = Self.origins.randomElement(using: &generator) ?? nil
      record.outage = origin != nil && Bool.random(using: &generator) ? Self.leftOutage : nil
      var model = SupervisionModel(seed: generator.next(), policy: policy, adopting: origin, record)
      for _ in 0..<300 where !model.machine.isGone {
        let before = model.machine.phase
        model.step(&generator)
        steps += 1
        if let violation = model.violation {
          Issue.record("seed \(seed), step \(steps): \(violation), after \(before)")
          return
        }
      }
      // Other tests have deadlines.
      await Task.yield()
      #expect(model.comesToRest(), "seed \(seed), step \(steps): \(model.machine.phase) goes on for ever")
    }
  }
}
