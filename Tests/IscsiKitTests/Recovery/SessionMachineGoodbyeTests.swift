// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Supervision of a session: a goodbye that the target asked for")
struct RequestedGoodbyeTests {
  /// A machine that takes up a session of which an earlier one knew this outage.
  private func successor(_ outage: Outage?) -> MachineHarness {
    var harness = MachineHarness()
    harness.machine = SessionMachine(portal: MachineHarness.home, policy: .init(), seed: 7, outage: outage)
    return harness
  }

  @Test("It is an outage from the moment on that the Logout Request is asked for")
  func outage() {
    var harness = MachineHarness.up()
    harness.handle(MachineTable.message(.logoutRequested))
    #expect(harness.actions == [.notify(.messageReceived(.logoutRequested)), .perform(.sayGoodbye)])
    let outage = harness.machine.outage
    #expect(
      outage == Outage(cause: .message(.logoutRequested), since: harness.now) && outage?.replacementTimeout == nil)
    // The kernel lets I/O wait from the stop on, by which its timer goes.
    harness.now += .seconds(3)
    harness.end(.done)
    #expect(harness.actions == [.notify(.lost(.message(.logoutRequested))), .perform(.stop)])
    #expect(harness.machine.outage?.since == harness.now)
  }

  @Test(
    "A supervisor that ended between request and stop leaves a session that only looks as if it were up: it is lost")
  func unfinished() {
    var first = MachineHarness.up()
    first.handle(MachineTable.message(.logoutRequested))
    var second = successor(first.machine.outage)
    second.handle(.adopt(.up(isScanned: true)))
    #expect(
      second.actions == [.notify(.adopted), .notify(.lost(.message(.logoutRequested))), .perform(.stop)])
    second.end(.done)
    #expect(second.machine.operation == .relogIn)
    second.end(.done)
    #expect(second.machine.isUp && second.actions.last == .rescan)
  }

  @Test("A logout of such a session stops the connection before the devices go")
  func logout() {
    var first = MachineHarness.up()
    first.handle(MachineTable.message(.logoutRequested))
    // A logout was faster than the look at the session, or had begun under the supervisor before.
    for state in [SessionMachine.AdoptedState.up(isScanned: true), .leaving(isConnected: true, isUnbound: false)] {
      var second = successor(first.machine.outage)
      if case .up = state { second.handle(.logOut) }
      second.handle(.adopt(state))
      #expect(second.actions == [.notify(.adopted), .perform(.stop)])
      second.end(.done)
      #expect(second.operation == .removeDevices)
      second.end(.done)
      #expect(second.operation == .destroy)
    }
  }

  @Test(
    "The pause that the target asked for when it refused to log out outlasts the supervisor, within limits",
    arguments: [5, 9000])
  func pause(seconds: Int) {
    var first = MachineHarness.up()
    first.handle(MachineTable.message(.logoutRequested))
    first.end(.problem(.refused(.refused(.cleanupFailed, time2Wait: 5))))
    var outage = first.machine.outage
    #expect(outage?.holdEnd == first.now + .seconds(5))
    outage?.holdEnd = first.now + .seconds(seconds)
    var second = successor(outage)
    second.now = first.now
    second.handle(.adopt(.up(isScanned: true)))
    second.end(.done)
    #expect(second.machine.wakeTime == first.now + .seconds(min(seconds, 3600)))
  }

  @Test("A session that was logged in again behind such an outage, or is up after another one, is back")
  func back() {
    var again = Outage(cause: .message(.logoutRequested), since: .now)
    again.attempts = 1
    for outage in [again, Outage(cause: .message(.sessionDropped), since: .now)] {
      var harness = successor(outage)
      harness.handle(.adopt(.up(isScanned: true)))
      #expect(harness.machine.isUp && harness.machine.outage == nil)
    }
  }
}

@Suite("Supervision of a session: what the target wants before the login has ended")
struct PendingMessageTests {
  /// What is told of a login that succeeds, and what is wanted.
  private func success(_ harness: inout MachineHarness) -> String {
    let before = harness.machine
    harness.end(.done)
    return MachineTable.answer(harness.actions, from: before, to: harness.machine)
  }

  private func first() -> MachineHarness {
    var harness = MachineHarness()
    harness.handle(.begin)
    return harness
  }

  /// The first attempt of a session that was up for long is under way.
  private func again() -> MachineHarness {
    var harness = MachineHarness.up()
    harness.now += .seconds(60)
    harness.handle(.connectionFailed(.connectionClosed))
    harness.end(.done)
    return harness
  }

  @Test("A logout that is asked for right after the start is made when the login has ended")
  func logoutRequested() {
    var harness = first()
    harness.handle(MachineTable.message(.logoutRequested))
    #expect(success(&harness) == "(loggedIn) scan sayGoodbye -> leaving")
    var again = again()
    again.handle(MachineTable.message(.logoutRequested))
    #expect(success(&again) == "(recovered) sayGoodbye -> leaving")
    #expect(again.machine.outage?.cause == .message(.logoutRequested) && again.machine.outage?.attempts == 0)
    again.end(.done)
    again.end(.done)
    #expect(success(&again) == "(recovered) rescan -> up")
  }

  @Test(
    "A connection that is dropped right after the start is left when the login has ended, for the pause that is wanted")
  func dropped() {
    for event in [AsyncEvent.connectionDropped, .sessionDropped] {
      var harness = first()
      harness.handle(MachineTable.message(event, 0, 3))
      #expect(success(&harness) == "(loggedIn) scan (lost) stop -> stopping [held]")
      harness.end(.done)
      #expect(harness.machine.wakeTime == harness.now + .seconds(3))
    }
    var again = again()
    again.handle(MachineTable.message(.negotiationRequested))
    #expect(success(&again) == "(recovered) (lost) stop -> stopping")
  }

  @Test("What is kept until the session is back waits for a session that stays")
  func settings() {
    var harness = again()
    harness.handle(.settingsDeferred)
    harness.handle(MachineTable.message(.negotiationRequested))
    harness.end(.done)
    harness.end(.done)
    #expect(success(&harness) == "(recovered) applySettings rescan -> up")
  }

  @Test("What was told in a login that failed is nothing to the next")
  func failed() {
    var harness = MachineHarness.reloggingIn()
    harness.handle(MachineTable.message(.logoutRequested))
    harness.end(.failed(.login(.timedOut)))
    harness.end(.done)
    harness.wake()
    #expect(success(&harness) == "(recovered) rescan -> up")
  }

  @Test("A logout is before what the target wants")
  func logout() {
    var harness = first()
    harness.handle(MachineTable.message(.logoutRequested))
    harness.handle(.logOut)
    #expect(success(&harness) == "(loggedIn) (leaving) removeDevices -> removingDevices")
  }

  @Test("A pause that is wanted while the target is told goodbye, or the connection stopped, is kept")
  func pauseInBetween() {
    var leaving = MachineHarness.up()
    leaving.handle(MachineTable.message(.logoutRequested))
    leaving.handle(MachineTable.message(.sessionDropped, 0, 9))
    leaving.end(.problem(.refused(.refused(.recoveryNotSupported, time2Wait: 2))))
    leaving.end(.done)
    #expect(leaving.machine.wakeTime == leaving.now + .seconds(9))
    var stopping = MachineHarness.up()
    stopping.handle(.connectionFailed(.connectionClosed))
    stopping.handle(MachineTable.message(.sessionDropped, 0, 9))
    #expect(stopping.machine.outage?.holdEnd == stopping.now + .seconds(9))
    stopping.end(.done)
    #expect(stopping.machine.wakeTime == stopping.now + .seconds(9))
  }
}
