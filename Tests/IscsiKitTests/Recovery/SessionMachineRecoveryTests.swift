// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Supervision of a session: recovery")
struct RecoveryTests {
  @Test(
    "A lost connection is stopped and logged in again at once",
    arguments: [
      KernelErrorCode.connectionClosed, .transmitFailed, .noopTimedOut, .sessionReset, .connectionFailed,
    ])
  func loss(code: KernelErrorCode) {
    var harness = MachineHarness.up()
    harness.handle(.connectionFailed(code))
    #expect(harness.actions == [.notify(.lost(.kernel(code))), .perform(.stop)])
    harness.end(.done)
    #expect(
      harness.actions == [
        .perform(.relogIn(at: MachineHarness.home, until: harness.now + .seconds(15), connectLimit: .seconds(3)))
      ])
    #expect(harness.machine.outage?.attempts == 1)
    harness.now += .seconds(1)
    harness.end(.done)
    #expect(harness.actions.last == .rescan && harness.machine.isUp && harness.machine.outage == nil)
    guard case .recovered(let outage)? = harness.notices.first else {
      Issue.record("no recovery was told")
      return
    }
    #expect(outage.attempts == 1 && outage.cause == .kernel(code))
    #expect(outage.end == outage.since + .seconds(1))
  }

  @Test(
    "Every failure in recovery is tried again, whatever the target says",
    arguments: [
      .login(.rejected(.authenticationFailure)), .login(.rejected(.serviceUnavailable)),
      .login(.rejected(.outOfResources)), .login(.rejected(.notFound)), .login(.violation(.zeroTSIH)),
      .kernel(.timedOut(.startConnection)),
    ] as [OperationError.Cause])
  func refused(cause: OperationError.Cause) throws {
    var harness = MachineHarness.reloggingIn()
    harness.end(.failed(cause))
    // The socket is bound: it has to go at once, and the wait follows.
    let failure = try #require(harness.machine.outage?.lastFailure)
    #expect(harness.actions == [.notify(.attemptFailed(failure)), .perform(.stop)])
    #expect(failure.number == 1 && failure.cause == cause && failure.nextAttempt != nil)
    harness.end(.done)
    #expect(harness.actions == [] && harness.machine.wakeTime == failure.nextAttempt)
    harness.wake()
    #expect(harness.machine.operation == .relogIn && harness.machine.outage?.attempts == 2)
  }

  @Test("An attempt without a connection needs no stop")
  func notConnected() {
    let harness = MachineHarness.waiting()
    #expect(harness.operation == nil && harness.machine.wakeTime != nil)
    #expect(harness.operations == [.logIn, .stop, .relogIn])
  }

  @Test(
    "A loss whose time is known tells how long the kernel lets I/O wait, and one that was found later does not",
    arguments: [(LossCause.kernel(.noopTimedOut), 30), (.unseen, nil)] as [(LossCause, Int32?)])
  func replacementTimeout(cause: LossCause, known: Int32?) throws {
    var harness = MachineHarness.up()
    harness.handle(.replacementTimeout(7))
    #expect(harness.machine.outage == nil)
    switch cause {
    case .kernel(let code): harness.handle(.connectionFailed(code))
    default: harness.handle(.observed(.notUp))
    }
    harness.handle(.replacementTimeout(30))
    let outage = try #require(harness.machine.outage)
    #expect(outage.cause == cause && outage.replacementTimeout == known)
    let facts = OutageFacts(outage)
    #expect(facts.deadline == known.map { IODeadline(since: facts.since, replacementTimeout: $0) })
  }

  @Test("Waits grow to three seconds, and two sessions do not wait the same")
  func waits() {
    func waits(seed: UInt64) -> [Duration] {
      var backoff = Backoff(seed: seed)
      return (0..<40).map { _ in backoff.next() }
    }
    let first = waits(seed: 1)
    #expect(first[0] <= .milliseconds(250) && first[0] >= .milliseconds(125))
    #expect(first.allSatisfy { $0 <= .seconds(3) && $0 > .zero })
    #expect(first.dropFirst(5).allSatisfy { $0 >= .milliseconds(1500) })
    #expect(first != waits(seed: 2))
  }

  @Test("A network that comes back ends a wait, but not one that the target asked for")
  func network() {
    var harness = MachineHarness.waiting()
    harness.handle(.networkRestored(.notBegun))
    #expect(
      harness.operation
        == .relogIn(at: MachineHarness.home, until: harness.now + .seconds(15), connectLimit: .seconds(3)))
    var held = MachineHarness.up()
    var message = AsyncMessagePDU(event: .connectionDropped)
    message.parameter2 = 5
    held.handle(.message(message))
    held.end(.done)
    #expect(held.machine.wakeTime == held.now + .seconds(5))
    held.handle(.networkRestored(.notBegun))
    #expect(held.operation == nil && held.machine.wakeTime == held.now + .seconds(5))
    held.wake()
    #expect(held.machine.operation == .relogIn)
  }

  @Test("A network that changes all the time makes few attempts, and none that counts")
  func restlessNetwork() {
    var harness = MachineHarness.reloggingIn { $0.recoveryLimit = 2 }
    harness.end(.notConnected(.transport(.refused)))
    harness.handle(.networkRestored(.notBegun))
    for _ in 0..<10 {
      #expect(harness.machine.operation == .relogIn)
      harness.end(.notConnected(.transport(.refused)))
      harness.handle(.networkRestored(.notBegun))
      #expect(harness.operation == nil && harness.machine.wakeTime == harness.now + SessionMachine.earlyAttemptPause)
      harness.wake()
    }
    harness.end(.notConnected(.transport(.refused)))
    #expect(!harness.machine.isGone)
    harness.wake()
    harness.end(.notConnected(.transport(.refused)))
    #expect(harness.operation == .destroy)
  }

  @Test("A limit of attempts ends the session", arguments: [1, 3])
  func limit(limit: Int) {
    var harness = MachineHarness.reloggingIn { $0.recoveryLimit = limit }
    for _ in 1..<limit {
      harness.end(.notConnected(.transport(.refused)))
      harness.wake()
    }
    harness.end(.notConnected(.transport(.refused)))
    #expect(harness.operation == .destroy)
    harness.end(.done)
    #expect(harness.machine.isGone)
    guard case .gaveUp(let outage)? = harness.notices.first else {
      Issue.record("the end was not told")
      return
    }
    #expect(outage?.attempts == limit)
  }

  @Test("A redirect in recovery stops the bound connection, and is the same attempt", arguments: [false, true])
  func redirect(permanent: Bool) {
    var harness = MachineHarness.reloggingIn()
    let end = harness.now + .seconds(15)
    harness.end(.redirected(LoginRedirect(portal: MachineHarness.other, isPermanent: permanent)))
    #expect(harness.operation == .stop)
    harness.now += .seconds(2)
    harness.end(.done)
    #expect(harness.operation == .relogIn(at: MachineHarness.other, until: end, connectLimit: .seconds(3)))
    #expect(harness.machine.outage?.attempts == 1)
    // Whatever the target said: a portal where nobody answers is not where it has moved to.
    harness.end(.notConnected(.transport(.refused)))
    harness.wake()
    #expect(
      harness.operation
        == .relogIn(at: MachineHarness.home, until: harness.now + .seconds(15), connectLimit: .seconds(3)))
    #expect(harness.machine.outage?.attempts == 2)
  }

  @Test("A target that has moved for good is come back to where it is")
  func moved() {
    var harness = MachineHarness.reloggingIn()
    harness.end(.redirected(LoginRedirect(portal: MachineHarness.other, isPermanent: true)))
    harness.end(.done)
    harness.end(.done)
    #expect(harness.notices.first == .moved(MachineHarness.other))
    harness.now += .seconds(60)
    harness.handle(.connectionFailed(.connectionClosed))
    harness.end(.done)
    harness.end(.notConnected(.transport(.refused)))
    harness.wake()
    #expect(
      harness.operation
        == .relogIn(at: MachineHarness.other, until: harness.now + .seconds(15), connectLimit: .seconds(3)))
  }

  @Test("A stop that fails is looked into, and made again")
  func stopFails() {
    var harness = MachineHarness.up()
    harness.handle(.connectionFailed(.connectionClosed))
    harness.end(.failed(.kernel(.timedOut(.stopConnection))))
    #expect(harness.actions == [.observe] && harness.machine.wakeTime != nil)
    harness.handle(.observed(.notUp))
    harness.wake()
    #expect(harness.operation == .stop)
    var gone = MachineHarness.up()
    gone.handle(.connectionFailed(.connectionClosed))
    gone.end(.failed(.kernel(.rejected(.stopConnection, .invalidArgument, by: .interface))))
    gone.handle(.observed(.gone))
    #expect(gone.actions == [.notify(.vanished)] && gone.machine.isGone)
  }

  @Test(
    "Reports of a connection that is lost already change nothing",
    arguments: [
      MachineHarness.waiting(), .reloggingIn(),
    ])
  func secondReport(harness: MachineHarness) {
    var harness = harness
    let phase = harness.machine.phase
    harness.handle(.connectionFailed(.connectionClosed))
    #expect(harness.actions == [] && harness.machine.phase == phase)
  }

  @Test("A report that came during a login that succeeded is looked into")
  func doubt() {
    var harness = MachineHarness.reloggingIn()
    harness.handle(.connectionFailed(.connectionClosed))
    harness.end(.done)
    #expect(harness.actions.last == .observe)
    harness.handle(.observed(.up))
    #expect(harness.actions == [] && harness.machine.isUp)
  }

  @Test("Lost events are looked into, in every state that has a session")
  func eventsLost() {
    var up = MachineHarness.up()
    up.handle(.eventsLost)
    #expect(up.actions == [.observe])
    up.handle(.observed(.notUp))
    #expect(up.operation == .stop)
    var waiting = MachineHarness.waiting()
    waiting.handle(.eventsLost)
    #expect(waiting.actions == [.observe])
    waiting.handle(.observed(.gone))
    #expect(waiting.machine.isGone)
  }

  @Test("A connection that the kernel still shows as up after lost events is looked at once more")
  func secondLook() {
    var harness = MachineHarness.up()
    harness.handle(.eventsLost)
    harness.handle(.observed(.up))
    #expect(harness.actions == [] && harness.machine.wakeTime == harness.now + SessionMachine.secondLookDelay)
    harness.wake()
    #expect(harness.actions == [.observe] && harness.machine.wakeTime == nil)
    harness.handle(.observed(.notUp))
    #expect(harness.actions.first == .notify(.lost(.unseen)))
  }

  @Test("A session that is lost soon after each login waits longer each time, until it was steady once")
  func hastyLosses() {
    var harness = MachineHarness.up()
    /// Loses the session after a time and stops it; how long it waits for the next attempt.
    func loses(after time: Duration) -> Duration {
      harness.now += time
      harness.handle(.connectionFailed(.connectionClosed))
      harness.end(.done)
      let wait = harness.machine.wakeTime.map { $0 - harness.now } ?? .zero
      harness.wake()
      #expect(harness.machine.operation == .relogIn)
      harness.end(.done)
      return wait
    }
    #expect(loses(after: .seconds(1)) == .zero)
    #expect((.milliseconds(125)...(.milliseconds(250))).contains(loses(after: .seconds(1))))
    #expect((.milliseconds(250)...(.milliseconds(500))).contains(loses(after: .zero)))
    for _ in 0..<8 { _ = loses(after: .seconds(9)) }
    #expect((.milliseconds(1500)...(.seconds(3))).contains(loses(after: .seconds(9))))
    #expect(loses(after: .seconds(10)) == .zero)
    #expect(loses(after: .seconds(1)) == .zero)
  }

  @Test("An outage that is known makes the second look needless")
  func noSecondLook() {
    var harness = MachineHarness.up()
    harness.handle(.eventsLost)
    harness.handle(.connectionFailed(.connectionClosed))
    harness.end(.done)
    harness.end(.done)
    #expect(harness.machine.isUp && harness.machine.wakeTime == nil)
  }

  @Test("A session that vanishes during an operation ends when the operation has ended")
  func vanished() {
    var harness = MachineHarness.reloggingIn()
    harness.handle(.sessionDestroyed)
    #expect(harness.actions == [.cancelOperation])
    harness.end(.failed(.kernel(.rejected(.bindConnection, .invalidArgument, by: .interface))))
    #expect(harness.actions == [.notify(.vanished)])
    var up = MachineHarness.up()
    up.handle(.sessionDestroyed)
    #expect(up.actions == [.notify(.vanished)] && up.machine.isGone)
  }

  @Test("A host that goes away takes its session with it")
  func invalidHost() {
    var up = MachineHarness.up()
    up.handle(.connectionFailed(.invalidHost))
    #expect(up.operation == .destroy)
    up.end(.done)
    #expect(up.actions == [.notify(.vanished)])
    var busy = MachineHarness.reloggingIn()
    busy.handle(.connectionFailed(.invalidHost))
    #expect(busy.actions == [.cancelOperation])
    busy.end(.notConnected(.transport(.cancelled)))
    #expect(busy.operation == .destroy)
  }
}
