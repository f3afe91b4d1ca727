// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

/// A machine, the time that passes for it, and what it wanted last.
struct MachineHarness {
  static let home = Portal(host: .address(.v4(0x0A00_0001), scope: nil))
  static let other = Portal(host: .address(.v4(0x0A00_0002), scope: nil))

  var machine: SessionMachine
  var now = ContinuousClock.now
  var actions: [SessionMachine.Action] = []
  /// Everything that it wanted done so far.
  var operations: [SessionMachine.OperationKind] = []

  init(_ change: (inout SessionMachine.Policy) -> Void = { _ in }) {
    var policy = SessionMachine.Policy()
    change(&policy)
    machine = SessionMachine(portal: Self.home, policy: policy, seed: 7)
  }

  mutating func handle(_ event: SessionMachine.Event) {
    actions = machine.handle(event, at: now)
    for case .perform(let operation) in actions { operations.append(operation.kind) }
  }

  mutating func end(_ result: SessionMachine.OperationResult) {
    guard let kind = machine.operation else { return }
    handle(.ended(kind, result))
  }

  /// Lets the time pass until the machine wants to be woken, and wakes it.
  mutating func wake() {
    guard let time = machine.wakeTime else { return }
    now = max(now, time)
    handle(.timerFired)
  }

  /// The session is up.
  static func up(_ change: (inout SessionMachine.Policy) -> Void = { _ in }) -> MachineHarness {
    var harness = MachineHarness(change)
    harness.handle(.begin)
    harness.end(.done)
    return harness
  }

  /// The connection is lost and stopped, and the first attempt is under way.
  static func reloggingIn(_ change: (inout SessionMachine.Policy) -> Void = { _ in }) -> MachineHarness {
    var harness = up(change)
    harness.handle(.connectionFailed(.connectionClosed))
    harness.end(.done)
    return harness
  }

  /// The first attempt had no connection, and the next is due.
  static func waiting(_ change: (inout SessionMachine.Policy) -> Void = { _ in }) -> MachineHarness {
    var harness = reloggingIn(change)
    harness.end(.notConnected(.transport(.refused)))
    return harness
  }

  /// The notices among the last actions.
  var notices: [SessionMachine.Notice] {
    actions.compactMap { if case .notify(let notice) = $0 { notice } else { nil } }
  }
  /// The operation among the last actions.
  var operation: SessionMachine.Operation? {
    actions.lazy.compactMap { if case .perform(let operation) = $0 { operation } else { nil } }.first
  }
}

@Suite("Supervision of a session: the first login")
struct FirstLoginTests {
  @Test("A login that succeeds is told and scanned for")
  func success() {
    var harness = MachineHarness()
    harness.handle(.begin)
    #expect(harness.actions == [.perform(.logIn(at: MachineHarness.home, until: harness.now + .seconds(15)))])
    harness.end(.done)
    #expect(harness.actions == [.notify(.loggedIn), .scan])
    #expect(harness.machine.isUp && harness.machine.wakeTime == nil)
  }

  @Test(
    "What no retry mends ends a login at once",
    arguments: [
      .login(.rejected(.authenticationFailure)), .login(.rejected(.notFound)), .login(.violation(.zeroTSIH)),
      .kernel(.rejected(.createSession, .noMemory, by: .interface)), .transport(.missingScope),
      .transport(.sourceOfOtherFamily(.v4(0x0A00_0001))),
    ] as [OperationError.Cause])
  func fatal(cause: OperationError.Cause) {
    var harness = MachineHarness { $0.loginRetryWindow = .seconds(120) }
    harness.handle(.begin)
    harness.end(.failed(cause))
    #expect(harness.actions == [.notify(.loginFailed(cause))])
    #expect(harness.machine.isGone)
  }

  @Test(
    "What may pass is tried again within the window, and then told",
    arguments: [
      .transport(.refused), .transport(.timedOut), .login(.rejected(.serviceUnavailable)), .login(.timedOut),
      .login(.rejected(.outOfResources)), .pdu(.connection(.transmitFailed)), .transport(.noSuchDevice("bond1")),
      .transport(.sourceNotLocal(.v4(0x0A00_0001))), .kernel(.timedOut(.bindConnection)),
      .kernel(.notSent(.createSession)), .kernel(.overrun(.startConnection)),
    ] as [OperationError.Cause])
  func transient(cause: OperationError.Cause) {
    var harness = MachineHarness { $0.loginRetryWindow = .seconds(10) }
    let start = harness.now
    harness.handle(.begin)
    var attempts = 1
    while !harness.machine.isGone {
      harness.end(.failed(cause))
      guard harness.machine.wakeTime != nil else { break }
      #expect(harness.delayed?.cause == cause)
      harness.wake()
      attempts += 1
    }
    // The last attempt was made when the time was over.
    #expect(harness.now - start == .seconds(10))
    #expect(harness.actions == [.notify(.loginFailed(cause))])
    #expect((4...12).contains(attempts))
  }

  @Test("Without a window there is one attempt")
  func oneAttempt() {
    var harness = MachineHarness()
    harness.handle(.begin)
    harness.end(.failed(.transport(.refused)))
    #expect(harness.actions == [.notify(.loginFailed(.transport(.refused)))])
  }

  @Test("A redirect is followed at once, within the time of the attempt", arguments: [false, true])
  func redirect(permanent: Bool) {
    var harness = MachineHarness()
    harness.handle(.begin)
    let end = harness.now + .seconds(15)
    harness.now += .seconds(5)
    harness.end(.redirected(LoginRedirect(portal: MachineHarness.other, isPermanent: permanent)))
    let next = SessionMachine.Operation.logIn(at: MachineHarness.other, until: end)
    #expect(harness.actions == [.notify(.redirected(MachineHarness.other)), .perform(next)])
    harness.end(.done)
    #expect(harness.notices == (permanent ? [.loggedIn, .moved(MachineHarness.other)] : [.loggedIn]))
    #expect(harness.machine.isUp && harness.machine.portal == MachineHarness.other)
  }

  @Test("A redirect in a circle ends the login")
  func circle() {
    var harness = MachineHarness { $0.loginRetryWindow = .seconds(60) }
    harness.handle(.begin)
    harness.end(.redirected(LoginRedirect(portal: MachineHarness.home, isPermanent: false)))
    #expect(harness.actions == [.notify(.loginFailed(.login(.redirectLoop(MachineHarness.home))))])
  }

  @Test("After a redirect that did not hold, the next attempt is at home again")
  func failBack() {
    var harness = MachineHarness { $0.loginRetryWindow = .seconds(60) }
    harness.handle(.begin)
    harness.end(.redirected(LoginRedirect(portal: MachineHarness.other, isPermanent: false)))
    harness.end(.failed(.transport(.refused)))
    harness.wake()
    #expect(harness.operation == .logIn(at: MachineHarness.home, until: harness.now + .seconds(15)))
  }

  @Test("A failure of the connection between the start and its end is looked into")
  func doubt() {
    var harness = MachineHarness()
    harness.handle(.begin)
    harness.handle(.connectionFailed(.connectionClosed))
    #expect(harness.actions == [])
    harness.end(.done)
    #expect(harness.actions == [.notify(.loggedIn), .scan, .observe])
    harness.handle(.observed(.notUp))
    #expect(harness.actions == [.notify(.lost(.unseen)), .perform(.stop)])
  }

  @Test("A logout breaks a login off, and nothing is left of it")
  func logout() {
    var harness = MachineHarness()
    harness.handle(.begin)
    harness.handle(.logOut)
    #expect(harness.actions == [.cancelOperation])
    harness.end(.failed(.cancelled))
    #expect(harness.actions == [.notify(.loggedOut([]))])
  }

  @Test("A logout that comes too late to break a login off logs it out")
  func lateLogout() {
    var harness = MachineHarness()
    harness.handle(.begin)
    harness.handle(.logOut)
    harness.end(.done)
    #expect(harness.actions == [.notify(.loggedIn), .notify(.leaving), .perform(.removeDevices)])
  }
}

extension MachineHarness {
  /// The failed attempt that was told of.
  fileprivate var delayed: FailedAttempt? {
    notices.lazy.compactMap { if case .loginDelayed(let failure) = $0 { failure } else { nil } }.first
  }
}
