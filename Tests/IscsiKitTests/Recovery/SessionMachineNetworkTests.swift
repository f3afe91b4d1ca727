// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Supervision of a session: a network that comes during an attempt")
struct NetworkDuringAttemptTests {
  private static let limit = SessionMachine.connectTimeout

  private func relogin(_ harness: MachineHarness) -> SessionMachine.Operation {
    // Where attempts are counted, each waits for as long as it may.
    let limit = harness.machine.policy.recoveryLimit == nil ? Self.limit : .seconds(15)
    return .relogIn(at: MachineHarness.home, until: harness.now + .seconds(15), connectLimit: limit)
  }

  @Test("A connection that has waited for long is begun anew at once, as the same attempt with all of its time")
  func renewed() {
    var harness = MachineHarness.reloggingIn { $0.recoveryLimit = 1 }
    let began = harness.now
    harness.now += .seconds(2)
    harness.handle(.networkRestored(.pending(since: began)))
    #expect(harness.actions == [.cancelOperation])
    // Whatever else is told until it has ended changes nothing.
    harness.handle(.networkRestored(.pending(since: began)))
    #expect(harness.actions == [])
    harness.end(.notConnected(.transport(.cancelled)))
    #expect(harness.actions == [.perform(relogin(harness))])
    #expect(harness.machine.outage?.attempts == 1 && harness.machine.outage?.lastFailure == nil)
    harness.end(.done)
    #expect(harness.machine.isUp)
  }

  @Test("An attempt that had just connected when it was broken off is stopped, and goes on at once")
  func justConnected() {
    var harness = MachineHarness.reloggingIn { $0.recoveryLimit = 1 }
    harness.handle(.networkRestored(.pending(since: harness.now - .seconds(2))))
    harness.end(.failed(.cancelled))
    #expect(harness.actions == [.perform(.stop)])
    harness.end(.done)
    #expect(harness.actions == [.perform(relogin(harness))] && harness.machine.outage?.attempts == 1)
  }

  @Test("An attempt that was to be broken off and has succeeded has succeeded")
  func tooLate() {
    var harness = MachineHarness.reloggingIn()
    harness.handle(.networkRestored(.pending(since: harness.now - .seconds(2))))
    harness.end(.done)
    #expect(harness.machine.isUp)
    // Nor is that of any concern to the next outage.
    harness.now += .seconds(60)
    harness.handle(.connectionFailed(.connectionClosed))
    harness.end(.done)
    harness.end(.notConnected(.transport(.refused)))
    #expect(harness.operation == nil && harness.machine.wakeTime != nil)
  }

  @Test("A logout is before a connection anew")
  func logout() {
    var harness = MachineHarness.reloggingIn()
    harness.handle(.networkRestored(.pending(since: harness.now - .seconds(2))))
    harness.handle(.logOut)
    harness.end(.notConnected(.transport(.cancelled)))
    #expect(harness.operation == .removeDevices)
  }

  @Test("A network that changes all the time leaves each connection of an attempt twice the time of the one before")
  func restless() {
    var harness = MachineHarness.reloggingIn()
    var ages: [Int] = []
    while ages.count < 4 {
      let began = harness.now
      repeat {
        harness.now += .milliseconds(100)
        harness.handle(.networkRestored(.pending(since: began)))
      } while harness.actions == []
      ages.append(Int((harness.now - began) / .milliseconds(100)))
      harness.end(.notConnected(.transport(.cancelled)))
    }
    #expect(ages == [10, 20, 40, 80])
    // The next attempt has a beginning of its own.
    harness.end(.notConnected(.transport(.timedOut)))
    harness.wake()
    harness.handle(.networkRestored(.pending(since: harness.now - .seconds(1))))
    #expect(harness.actions == [.cancelOperation])
  }

  @Test(
    "An attempt that fails although a network came meanwhile is made again at once, and is none of those that are allowed",
    arguments: [true, false])
  func failedMeanwhile(hasSocket: Bool) throws {
    var harness = MachineHarness.reloggingIn { $0.recoveryLimit = 1 }
    harness.handle(.networkRestored(hasSocket ? .connected : .pending(since: harness.now)))
    #expect(harness.actions == [])
    harness.now += .seconds(3)
    harness.end(hasSocket ? .failed(.login(.timedOut)) : .notConnected(.transport(.timedOut)))
    let failure = try #require(harness.machine.outage?.lastFailure)
    #expect(failure.nextAttempt == harness.now)
    #expect(harness.actions == [.notify(.attemptFailed(failure))] + (hasSocket ? [.perform(.stop)] : []))
    if hasSocket { harness.end(.done) } else { harness.wake() }
    #expect(harness.operation == relogin(harness) && harness.machine.outage?.attempts == 2)
    // No network came since, and the one attempt that is allowed was made before.
    harness.end(.notConnected(.transport(.timedOut)))
    #expect(harness.operation == .destroy)
  }

  @Test("What the target says is no matter of the network")
  func refused() {
    var harness = MachineHarness.reloggingIn { $0.recoveryLimit = 1 }
    harness.handle(.networkRestored(.connected))
    harness.end(.failed(.login(.rejected(.serviceUnavailable))))
    #expect(harness.operation == .destroy)
  }

  @Test("A network that comes while a failed attempt is stopped shortens the wait behind the stop")
  func whileStopping() {
    var harness = MachineHarness.reloggingIn()
    harness.end(.failed(.login(.timedOut)))
    harness.handle(.networkRestored(.notBegun))
    harness.end(.done)
    #expect(harness.operation == relogin(harness))
  }

  @Test("A first login is connected anew too, and what it had to wait for without a network is no failure")
  func firstLogin() {
    var harness = MachineHarness()
    harness.handle(.begin)
    let began = harness.now
    harness.now += .seconds(14)
    harness.handle(.networkRestored(.pending(since: began)))
    #expect(harness.actions == [.cancelOperation])
    harness.end(.failed(.transport(.cancelled)))
    #expect(harness.actions == [.perform(.logIn(at: MachineHarness.home, until: harness.now + .seconds(15)))])
    harness.end(.done)
    #expect(harness.notices == [.loggedIn])
  }

  @Test("A first login that fails although a network came meanwhile is made again at once, within its time")
  func firstLoginFails() {
    var harness = MachineHarness { $0.loginRetryWindow = .seconds(60) }
    harness.handle(.begin)
    harness.handle(.networkRestored(.connected))
    harness.end(.failed(.login(.timedOut)))
    #expect(harness.machine.wakeTime == harness.now)
    harness.wake()
    harness.handle(.networkRestored(.connected))
    harness.end(.failed(.login(.timedOut)))
    #expect(harness.machine.wakeTime == harness.now + SessionMachine.earlyAttemptPause)
  }

  @Test("An attempt of recovery waits three seconds for its connection, each eighth for as long as it may last")
  func connectLimit() {
    var harness = MachineHarness.reloggingIn()
    var limits: [Duration] = []
    while limits.count < 17 {
      if case .relogIn(_, _, let limit)? = harness.operation { limits.append(limit) }
      harness.end(.notConnected(.transport(.timedOut)))
      harness.wake()
    }
    let short = Array(repeating: Duration.seconds(3), count: 7)
    #expect(limits == short + [.seconds(15)] + short + [.seconds(15)] + [.seconds(3)])
    let hasty = MachineHarness.reloggingIn { $0.loginTimeout = .seconds(2) }
    #expect(
      hasty.operation
        == .relogIn(at: MachineHarness.home, until: hasty.now + .seconds(2), connectLimit: .seconds(2)))
  }
}
