// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Supervision of a session: messages of the target")
struct TargetMessageTests {
  private func message(_ event: AsyncEvent, parameter1: UInt16 = 0, parameter2: UInt16 = 0) -> AsyncMessagePDU {
    var message = AsyncMessagePDU(event: event)
    message.parameter1 = parameter1
    message.parameter2 = parameter2
    return message
  }

  /// A SCSI event with sense data of a format.
  private func senseMessage(_ code: UInt8, _ qualifier: UInt8, isDescriptor: Bool = false) -> AsyncMessagePDU {
    var sense = [UInt8](repeating: 0, count: 18)
    sense[0] = isDescriptor ? 0x72 : 0x70
    sense[isDescriptor ? 2 : 12] = code
    sense[isDescriptor ? 3 : 13] = qualifier
    var message = AsyncMessagePDU(event: .scsi)
    message.data = [0, 18] + sense
    return message
  }

  @Test("Changed units are scanned for, in both formats of sense data", arguments: [false, true])
  func changedUnits(isDescriptor: Bool) {
    var harness = MachineHarness.up()
    for (code, qualifier) in [(0x3F, 0x0E), (0x2A, 0x09)] as [(UInt8, UInt8)] {
      harness.handle(.message(senseMessage(code, qualifier, isDescriptor: isDescriptor)))
      #expect(harness.actions == [.notify(.messageReceived(.scsi)), .rescan])
    }
    harness.handle(.message(senseMessage(0x29, 0x00, isDescriptor: isDescriptor)))
    #expect(harness.actions == [.notify(.messageReceived(.scsi))])
  }

  @Test("A target that sends messages without end is told of once a second, and heard all the same")
  func flood() {
    var harness = MachineHarness.up()
    var told = 0
    for _ in 0..<1000 {
      harness.handle(.message(senseMessage(0x3F, 0x0E)))
      #expect(harness.actions.last == .rescan)
      told += harness.actions.count - 1
    }
    #expect(told == 20)
    harness.now += .seconds(1)
    for count in [2, 1] {
      harness.handle(.message(senseMessage(0x3F, 0x0E)))
      #expect(harness.actions.count == count)
    }
    // What ends the connection is told in any case.
    harness.handle(.message(message(.logoutRequested)))
    #expect(harness.actions == [.notify(.messageReceived(.logoutRequested)), .perform(.sayGoodbye)])
  }

  @Test("Nothing is scanned for where the user scans")
  func manualScan() {
    var harness = MachineHarness.up { $0.scansForUnits = false }
    harness.handle(.message(senseMessage(0x3F, 0x0E)))
    #expect(harness.actions == [.notify(.messageReceived(.scsi))])
  }

  @Test(
    "Sense data that is cut is no change",
    arguments: [
      [], [0], [0, 18], [0, 1, 0x70], [0, 13] + [0x70] + [UInt8](repeating: 0x3F, count: 12),
      [0, 4, 0x7F, 0x3F, 0x0E, 0],
    ]
      as [[UInt8]])
  func cutSense(data: [UInt8]) {
    var message = AsyncMessagePDU(event: .scsi)
    message.data = data
    #expect(!message.announcesChangedUnits)
  }

  @Test("A target that asks for a logout gets one, and the session comes back, after a pause if it wants one")
  func logoutRequested() {
    var harness = MachineHarness.up()
    harness.handle(.message(message(.logoutRequested)))
    #expect(harness.actions == [.notify(.messageReceived(.logoutRequested)), .perform(.sayGoodbye)])
    // The target closes the connection behind its answer, which is no failure.
    harness.handle(.connectionFailed(.connectionClosed))
    #expect(harness.actions == [])
    var refused = harness
    harness.end(.done)
    #expect(harness.actions == [.notify(.lost(.message(.logoutRequested))), .perform(.stop)])
    harness.end(.done)
    #expect(harness.machine.operation == .relogIn)
    refused.end(.problem(.refused(.refused(.cleanupFailed, time2Wait: 4))))
    refused.end(.done)
    #expect(refused.machine.wakeTime == refused.now + .seconds(4))
    refused.wake()
    #expect(refused.machine.operation == .relogIn)
  }

  @Test("A target that asks for a logout and does not answer is logged in to again all the same")
  func logoutUnanswered() {
    var harness = MachineHarness.up()
    harness.handle(.message(message(.logoutRequested)))
    harness.end(.problem(.notLoggedOut(.transport(.timedOut))))
    harness.end(.done)
    #expect(harness.machine.operation == .relogIn)
  }

  @Test(
    "A connection that the target drops is left, for the pause that it wants",
    arguments: [
      AsyncEvent.connectionDropped, .sessionDropped,
    ])
  func dropped(event: AsyncEvent) {
    var harness = MachineHarness.up()
    harness.handle(.message(message(event, parameter2: 3)))
    #expect(harness.actions == [.notify(.messageReceived(event)), .notify(.lost(.message(event))), .perform(.stop)])
    harness.end(.done)
    #expect(harness.machine.wakeTime == harness.now + .seconds(3))
  }

  @Test("A pause is never longer than the hour that the standard allows")
  func longPause() {
    var harness = MachineHarness.up()
    harness.handle(.message(message(.sessionDropped, parameter2: .max)))
    harness.end(.done)
    #expect(harness.machine.wakeTime == harness.now + .seconds(3600))
  }

  @Test("Another connection than ours may be dropped")
  func otherConnection() {
    var harness = MachineHarness.up()
    harness.handle(.message(message(.connectionDropped, parameter1: 3)))
    #expect(harness.operation == nil && harness.machine.isUp)
  }

  @Test("A negotiation is a new login")
  func renegotiation() {
    var harness = MachineHarness.up()
    harness.handle(.message(message(.negotiationRequested)))
    harness.end(.done)
    #expect(harness.machine.operation == .relogIn)
  }

  @Test(
    "Messages of no consequence are told",
    arguments: [AsyncEvent.tasksTerminated, .vendorSpecific, .init(rawValue: 77)])
  func others(event: AsyncEvent) {
    var harness = MachineHarness.up()
    harness.handle(.message(message(event)))
    #expect(harness.actions == [.notify(.messageReceived(event))])
  }
}

@Suite("Supervision of a session: the way out")
struct SessionEndTests {
  @Test("A session that is up loses its devices, tells the target, and goes")
  func logout() {
    var harness = MachineHarness.up()
    harness.handle(.logOut)
    #expect(harness.actions == [.notify(.leaving), .perform(.removeDevices)])
    harness.end(.done)
    #expect(harness.actions == [.perform(.sayGoodbye)])
    harness.end(.done)
    #expect(harness.actions == [.perform(.destroy)])
    harness.end(.done)
    #expect(harness.actions == [.notify(.loggedOut([]))] && harness.machine.isGone)
  }

  @Test("Problems on the way are told at the end")
  func problems() {
    var harness = MachineHarness.up()
    harness.handle(.logOut)
    harness.end(.problem(.removeDevices(.timedOut(.unbindSession))))
    harness.end(.problem(.refused(.noAnswer)))
    harness.end(.done)
    #expect(
      harness.actions == [.notify(.loggedOut([.removeDevices(.timedOut(.unbindSession)), .refused(.noAnswer)]))])
  }

  @Test("A connection that fails while the devices go is not told goodbye")
  func lostOnTheWay() {
    var harness = MachineHarness.up()
    harness.handle(.logOut)
    harness.handle(.connectionFailed(.noopTimedOut))
    harness.end(.done)
    #expect(harness.operation == .destroy)
    harness.end(.done)
    #expect(harness.actions == [.notify(.loggedOut([.notConnected]))])
  }

  @Test("A session that waits for its next attempt goes at once")
  func fromWaiting() {
    var harness = MachineHarness.waiting()
    harness.handle(.logOut)
    #expect(harness.operation == .removeDevices)
    harness.end(.done)
    #expect(harness.operation == .destroy)
  }

  @Test("An attempt that is under way is broken off for a logout", arguments: [true, false])
  func fromReloggingIn(succeeds: Bool) {
    var harness = MachineHarness.reloggingIn()
    harness.handle(.logOut)
    #expect(harness.actions == [.cancelOperation])
    harness.end(succeeds ? .done : .failed(.cancelled))
    #expect(harness.operation == .removeDevices)
    harness.end(.done)
    #expect(harness.operation == (succeeds ? .sayGoodbye : .destroy))
  }

  @Test("A logout waits for a stop and for a goodbye that are under way")
  func fromStopping() {
    var stopping = MachineHarness.up()
    stopping.handle(.connectionFailed(.connectionClosed))
    stopping.handle(.logOut)
    #expect(stopping.actions == [])
    stopping.end(.done)
    #expect(stopping.operation == .removeDevices)
    var leaving = MachineHarness.up()
    leaving.handle(.message(AsyncMessagePDU(event: .logoutRequested)))
    leaving.handle(.logOut)
    leaving.end(.done)
    // Before the stop the kernel would hold the flushes of the devices back.
    #expect(leaving.operation == .stop)
    leaving.end(.done)
    #expect(leaving.operation == .removeDevices)
    leaving.end(.done)
    #expect(leaving.operation == .destroy)
  }

  @Test("A login that waits to be tried again is given up for a logout")
  func fromWaitingToLogIn() {
    var harness = MachineHarness { $0.loginRetryWindow = .seconds(60) }
    harness.handle(.begin)
    harness.end(.failed(.transport(.refused)))
    harness.handle(.logOut)
    #expect(harness.actions == [.notify(.loggedOut([]))] && harness.machine.isGone)
  }

  @Test("A second logout changes nothing")
  func twice() {
    var harness = MachineHarness.up()
    harness.handle(.logOut)
    harness.handle(.logOut)
    #expect(harness.actions == [])
  }

  @Test("A removal that fails is told and made again until it succeeds")
  func removalFails() {
    var harness = MachineHarness.waiting()
    harness.handle(.logOut)
    harness.end(.done)
    let busy = OperationError.Cause.kernel(.rejected(.destroySessionAsync, .resourceBusy, by: .interface))
    harness.end(.failed(busy))
    #expect(harness.actions == [.notify(.removalFailed(busy))] && harness.machine.wakeTime != nil)
    harness.wake()
    #expect(harness.operation == .destroy)
    harness.end(.done)
    #expect(harness.machine.isGone)
  }

  @Test("A session that somebody else removed first is told as gone")
  func fasterRemoval() {
    var harness = MachineHarness.waiting()
    harness.handle(.logOut)
    harness.end(.done)
    harness.end(.failed(.noSession))
    #expect(harness.actions == [.notify(.vanished)])
  }

  @Test("A removal that ends after its time is the logout that was asked for")
  func lateRemoval() {
    var harness = MachineHarness.waiting()
    harness.handle(.logOut)
    harness.end(.done)
    harness.end(.failed(.kernel(.timedOut(.destroySessionAsync))))
    harness.handle(.sessionDestroyed)
    #expect(harness.actions == [.notify(.loggedOut([.notConnected]))] && harness.machine.isGone)
  }
}

@Suite("Supervision of a session: sessions that are found")
struct AdoptionTests {
  @Test("A healthy session is left as it is")
  func healthy() {
    var harness = MachineHarness()
    harness.handle(.adopt(.up(isScanned: true)))
    #expect(harness.actions == [.notify(.adopted)] && harness.machine.isUp)
    harness.handle(.connectionFailed(.connectionClosed))
    #expect(harness.operation == .stop)
  }

  @Test("A session that nobody has scanned yet is scanned")
  func unscanned() {
    var harness = MachineHarness()
    harness.handle(.adopt(.up(isScanned: false)))
    #expect(harness.actions == [.notify(.adopted), .scan])
  }

  @Test("A failed session is recovered")
  func failed() {
    var harness = MachineHarness()
    harness.handle(.adopt(.failed))
    #expect(harness.actions == [.notify(.adopted), .notify(.lost(.foundFailed)), .perform(.stop)])
  }

  /// An outage that an earlier supervisor has left.
  private func leftOutage(_ harness: MachineHarness) -> Outage {
    var outage = Outage(
      cause: .kernel(.noopTimedOut), network: NetworkFinding(device: "eth0", cause: .noCarrier(nil)),
      since: harness.now - .seconds(40))
    (outage.attempts, outage.replacementTimeout) = (9, 120)
    return outage
  }

  @Test(
    "An outage that began under an earlier supervisor goes on: cause, beginning, attempts and deadline are those of it")
  func resumed() throws {
    var harness = MachineHarness()
    let outage = leftOutage(harness)
    harness.machine = SessionMachine(portal: MachineHarness.home, policy: .init(), seed: 7, outage: outage)
    harness.handle(.adopt(.failed))
    #expect(harness.actions == [.notify(.adopted), .notify(.stillLost(outage.cause)), .perform(.stop)])
    #expect(harness.machine.outage == outage)
    harness.end(.done)
    harness.end(.notConnected(.transport(.refused)))
    harness.wake()
    harness.end(.done)
    guard case .recovered(let ended)? = harness.notices.first else {
      Issue.record("no recovery was told")
      return
    }
    #expect(ended.since == outage.since && ended.attempts == 11 && ended.end == harness.now)
    // The next one is another.
    harness.handle(.connectionFailed(.connectionClosed))
    #expect(harness.machine.outage == Outage(cause: .kernel(.connectionClosed), since: harness.now))
  }

  @Test(
    "A pause that the target asked for outlasts the supervisor, but is no longer than a target may ask for",
    arguments: [(20, 20), (1 << 40, 3600)] as [(Int64, Int64)])
  func resumedPause(kept: Int64, granted: Int64) {
    var harness = MachineHarness()
    var outage = leftOutage(harness)
    (outage.attempts, outage.holdEnd) = (0, harness.now + .seconds(kept))
    harness.machine = SessionMachine(portal: MachineHarness.home, policy: .init(), seed: 7, outage: outage)
    harness.handle(.adopt(.failed))
    harness.end(.done)
    let end = harness.now + .seconds(granted)
    #expect(harness.machine.operation == nil && harness.machine.wakeTime == end)
    // Nor does a link that comes back end it.
    harness.handle(.networkRestored(.notBegun))
    #expect(harness.machine.operation == nil && harness.machine.wakeTime == end)
    harness.wake()
    #expect(harness.machine.operation == .relogIn)
  }

  @Test("What an earlier supervisor has tried does not count against the limit", arguments: [1, 3])
  func resumedLimit(limit: Int) {
    var policy = SessionMachine.Policy()
    policy.recoveryLimit = limit
    var harness = MachineHarness()
    let outage = leftOutage(harness)
    harness.machine = SessionMachine(portal: MachineHarness.home, policy: policy, seed: 7, outage: outage)
    harness.handle(.adopt(.failed))
    harness.end(.done)
    for _ in 1..<limit {
      harness.end(.notConnected(.transport(.refused)))
      harness.wake()
    }
    #expect(harness.machine.operation == .relogIn)
    harness.end(.notConnected(.transport(.refused)))
    #expect(harness.operation == .destroy)
  }

  @Test(
    "A session that came back without anybody noting it is up: that is told, and its devices are looked at",
    arguments: [true, false])
  func backAgain(isScanned: Bool) {
    var harness = MachineHarness()
    var outage = leftOutage(harness)
    harness.machine = SessionMachine(portal: MachineHarness.home, policy: .init(), seed: 7, outage: outage)
    harness.handle(.adopt(.up(isScanned: isScanned)))
    outage.end = harness.now
    #expect(harness.actions == [.notify(.adopted), .notify(.recovered(outage)), isScanned ? .rescan : .scan])
    #expect(harness.machine.isUp && harness.machine.outage == nil)
  }

  @Test("An outage that has not begun yet, which no clock of this machine can have told, begins now")
  func resumedFromTheFuture() {
    var harness = MachineHarness()
    var outage = leftOutage(harness)
    outage.since = harness.now + .seconds(1)
    harness.machine = SessionMachine(portal: MachineHarness.home, policy: .init(), seed: 7, outage: outage)
    harness.handle(.adopt(.failed))
    #expect(harness.machine.outage?.since == harness.now)
  }

  @Test("A logout that was begun goes on where it was", arguments: [true, false], [true, false])
  func leaving(isConnected: Bool, isUnbound: Bool) {
    var harness = MachineHarness()
    harness.handle(.adopt(.leaving(isConnected: isConnected, isUnbound: isUnbound)))
    if !isUnbound {
      #expect(harness.operation == .removeDevices)
      harness.end(.done)
    }
    #expect(harness.operation == (isConnected ? .sayGoodbye : .destroy))
  }
}
