// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

/// What the kernel has of one session, and a driver that does what the machine wants: both refuse what must not be.
struct SupervisionModel {
  /// What the kernel has of the session.
  enum Kernel {
    case nothing, unbound, up
    /// The connection was up and is lost, as sysfs shows; it is to be stopped.
    case dead
    /// A Logout Request was sent: sysfs shows it as up, nothing is reported of it any more, and it is of no use.
    case loggedOut
    case broken

    /// What sysfs shows of it.
    var shown: SessionMachine.Observation {
      switch self {
      case .nothing: .gone
      case .up, .loggedOut: .up
      case .unbound, .dead, .broken: .notUp
      }
    }
  }

  /// How often the manager looks at sessions that are up, and how long a loss may go unnoticed: two steps more.
  static let lookPace = Duration.seconds(30)
  static let longestIgnorance = lookPace + .seconds(2)

  var machine: SessionMachine
  /// What the next supervisor would know.
  var record: SessionRecord
  var supervision = Supervision(portal: MachineHarness.home)
  var now = ContinuousClock.now
  var kernel: Kernel
  var underWay: SessionMachine.OperationKind?
  var isCancelled = false
  var devicesRemovals = 0
  /// Whether nothing is left of the devices, as far as that could be achieved.
  var areDevicesRemoved = false
  var nextLook = ContinuousClock.now + Self.lookPace
  /// Since when the machine has believed a session to be up that is not.
  var ignorantSince: ContinuousClock.Instant?
  /// The replacement timeout that is set now.
  var replacementTimeout: Int32 = 120
  /// The one that the kernel's timer was started with, if that is known.
  var timerTimeout: Int32?
  /// Whether the target's silence, and what fault of the network, was told last.
  var isToldSilent = false
  var toldNetwork: NetworkFinding?
  /// What the machine wanted last.
  var actions: [SessionMachine.Action] = []
  var violation: String?

  init(
    seed: UInt64, policy: SessionMachine.Policy, adopting state: SessionMachine.AdoptedState?, _ record: SessionRecord
  ) {
    machine = SessionMachine(portal: MachineHarness.home, policy: policy, seed: seed, outage: record.outage)
    self.record = record
    timerTimeout = record.outage?.replacementTimeout
    switch state {
    case nil: kernel = .nothing
    case .up?, .leaving(isConnected: true, _)?: kernel = .up
    default: kernel = .broken
    }
    if state != nil { self.record.stage = .established }
    if case .leaving(_, isUnbound: true)? = state { areDevicesRemoved = true }
    handle(state.map { .adopt($0) } ?? .begin)
  }

  mutating func handle(_ event: SessionMachine.Event) {
    let wasGone = machine.isGone
    let actions = machine.handle(event, at: now)
    self.actions = actions
    for action in actions {
      if wasGone { violation = "an action after the end" }
      switch action {
      case .perform(let operation): begin(operation)
      case .cancelOperation:
        if underWay == nil { violation = "nothing to cancel" }
        isCancelled = true
      case .observe: observe()
      // Who logs in waits for a scan, also when the target has asked for a logout by then.
      case .scan where actions.contains(.notify(.loggedIn)): break
      case .scan, .rescan: if !machine.isUp { violation = "a scan of a session that is not up" }
      case .applySettings: if !machine.isUp { violation = "settings for a session that is not up" }
      case .notify(let notice): note(notice)
      }
    }
    // The kernel's timer does not run before the stop.
    if machine.phase == .leaving { timerTimeout = nil }
    check()
  }

  /// What is told is told once, and a driver that hears of a loss tells how long the kernel lets I/O wait from then on.
  private mutating func note(_ notice: SessionMachine.Notice) {
    defer {
      supervision.note(notice, of: machine)
      record.note(notice, supervision)
    }
    switch notice {
    case .lost(let cause):
      isToldSilent = false
      switch cause {
      case .kernel, .message: timerTimeout = replacementTimeout
      case .foundFailed, .unseen: timerTimeout = nil
      }
      if machine.handle(.replacementTimeout(replacementTimeout), at: now) != [] { violation = "a timeout is acted on" }
    case .silent, .answered:
      if isToldSilent == (notice == .silent) { violation = "\(notice) is told twice" }
      isToldSilent = notice == .silent
      if !machine.isUp { violation = "\(notice) is told of a session that is not up" }
    case .diagnosed(let finding):
      if finding == toldNetwork { violation = "\(finding) is told twice" }
      toldNetwork = finding
    case .networkWell(let device):
      if device != toldNetwork?.device { violation = "\(device) is told to be well, which was not at fault" }
      toldNetwork = nil
    case .recovered(let outage):
      if outage.end != now || outage.since > now { violation = "an outage from \(outage.since) to \(now)" }
      if outage.replacementTimeout != timerTimeout { violation = "the timer's timeout changed in the outage" }
      toldNetwork = nil
    default: break
    }
  }

  /// Sysfs tells the truth.
  private mutating func observe() {
    handle(.observed(kernel.shown))
  }

  private mutating func begin(_ operation: SessionMachine.Operation) {
    if let underWay { violation = "\(operation.kind) while \(underWay) is under way" }
    isCancelled = false
    underWay = operation.kind
    switch operation {
    case .logIn where kernel != .nothing: violation = "a first login of a session that exists"
    case .relogIn where kernel != .unbound && kernel != .nothing:
      violation = "a socket for a connection that was not stopped"
    case .sayGoodbye where kernel == .unbound || kernel == .broken: violation = "a goodbye without a connection"
    case .sayGoodbye where kernel == .up: kernel = .loggedOut
    case .stop where machine.ending == .logout && machine.outage?.cause != .message(.logoutRequested):
      violation = "a logout stops the connection"
    case .removeDevices where kernel == .loggedOut: violation = "flushes over a connection that holds them back"
    case .destroy where machine.ending == .logout && !areDevicesRemoved: violation = "a session goes before its devices"
    case .removeDevices:
      devicesRemovals += 1
      if devicesRemovals > 1 { violation = "the devices are removed twice" }
    default: break
    }
  }

  private mutating func check() {
    if machine.operation != underWay { violation = "\(machine.phase) does not know what is under way" }
    let needsNothing = machine.isUp || machine.isGone || machine.phase == .new
    if underWay == nil, machine.wakeTime == nil, !needsNothing { violation = "\(machine.phase) is stuck" }
    if underWay != nil, machine.wakeTime != nil { violation = "\(machine.phase) waits and works" }
    if machine.isGone, kernel != .nothing, violation == nil { violation = "a session is left behind" }
    if machine.isUp, kernel == .loggedOut { violation = "a session that was told goodbye is taken for up" }
    ignorantSince = machine.isUp && kernel != .up ? ignorantSince ?? now : nil
    if let ignorantSince, now - ignorantSince > Self.longestIgnorance { violation = "a loss that nobody notices" }
    checkFacts()
  }

  /// What is told of the session is what it is going through.
  private mutating func checkFacts() {
    if machine.silentSince != nil, !machine.isUp { violation = "a session that is not up is called silent" }
    if (machine.network == nil) != (machine.networkSince == nil) { violation = "a finding without a time" }
    switch machine.phase {
    case .up where machine.outage != nil: violation = "an outage of a session that is up"
    case .stopping, .waitingToStop, .waiting, .reloggingIn:
      guard let outage = machine.outage else { return violation = "\(machine.phase) without an outage" }
      if outage.end != nil || outage.since > now { violation = "an outage that has ended, or not begun" }
      if outage.replacementTimeout != timerTimeout { violation = "the deadline of I/O has moved" }
      if case .waiting(let time) = machine.phase, outage.nextAttempt != time { violation = "a wait that is not told" }
      if machine.phase == .reloggingIn, outage.nextAttempt != nil { violation = "an attempt that is told as due" }
    default: break
    }
  }

  /// Ends the operation, well or not.
  mutating func end(_ generator: inout SeededGenerator, luck: Int) {
    guard let kind = underWay else { return }
    let succeeds = !isCancelled && Int.random(in: 0..<10, using: &generator) < luck
    underWay = nil
    let exists = kernel != .nothing
    let failure = OperationError.Cause.kernel(.timedOut(.stopConnection))
    let redirect = SessionMachine.OperationResult.redirected(
      LoginRedirect(
        portal: Bool.random(using: &generator) ? MachineHarness.other : MachineHarness.home,
        isPermanent: Bool.random(using: &generator)))
    let result: SessionMachine.OperationResult
    switch kind {
    case .logIn:
      if succeeds { kernel = .up }
      if succeeds { loseAtOnce(&generator) }
      let failures: [SessionMachine.OperationResult] = [
        .failed(.transport(.refused)), .failed(.login(.timedOut)), redirect,
      ]
      result =
        succeeds ? .done : isCancelled ? .failed(.cancelled) : failures.randomElement(using: &generator) ?? redirect
    case .stop:
      if exists { kernel = succeeds ? .unbound : .broken }
      result = succeeds && exists ? .done : .failed(failure)
    case .relogIn:
      let failures: [SessionMachine.OperationResult] = [
        .notConnected(.transport(.refused)), .failed(.login(.timedOut)), redirect,
      ]
      result =
        succeeds && exists
        ? .done
        : !exists
          ? .failed(.cancelled)
          : (isCancelled ? [.failed(.cancelled), .notConnected(.transport(.cancelled))] : failures)
            .randomElement(using: &generator) ?? redirect
      if exists { kernel = result == .done ? .up : isWithoutSocket(result) ? .unbound : .broken }
      if result == .done { loseAtOnce(&generator) }
    case .removeDevices:
      areDevicesRemoved = true
      result = succeeds ? .done : .problem(.removeDevices(.timedOut(.unbindSession)))
    case .sayGoodbye:
      result =
        succeeds && kernel == .loggedOut
        ? [.done, .problem(.refused(.refused(.cleanupFailed, time2Wait: 5)))].randomElement(using: &generator) ?? .done
        : .problem(.notConnected)
    case .destroy:
      if succeeds { kernel = .nothing }
      result = succeeds ? .done : exists ? .failed(failure) : .failed(.noSession)
    }
    handle(.ended(kind, result))
  }

  private func isWithoutSocket(_ result: SessionMachine.OperationResult) -> Bool {
    if case .notConnected = result { true } else { false }
  }

  /// One thing happens.
  mutating func step(_ generator: inout SeededGenerator) {
    now += .milliseconds(Int.random(in: 0...800, using: &generator))
    if now >= nextLook { look() }
    switch Int.random(in: 0..<118, using: &generator) {
    case 0..<45: end(&generator, luck: 6)
    case 45..<65: handle(.timerFired)
    case 65..<75: lose(&generator)
    case 75..<85:
      var message = AsyncMessagePDU(event: AsyncEvent(rawValue: UInt8.random(in: 0...6, using: &generator)))
      message.parameter1 = UInt16.random(in: 0...1, using: &generator)
      message.parameter2 = UInt16.random(in: 0...4, using: &generator)
      handle(.message(message))
    case 85..<90: handle(.eventsLost)
    case 90..<96: handle(.networkRestored(connecting(&generator)))
    case 96: handle(.connectionFailed(.invalidHost))
    case 97 where underWay != .logIn && machine.phase != .new:
      guard kernel != .nothing else { break }
      kernel = .nothing
      if isReported(&generator) { handle(.sessionDestroyed) }
    case 98: handle(.logOut)
    case 100..<104:
      let causes: [LinkCause?] = [nil, nil, .noCarrier(nil), .administrativelyDown]
      let cause = causes.randomElement(using: &generator) ?? nil
      let wasTold = toldNetwork != nil
      handle(.networkFound(cause.map { NetworkFinding(device: "eth0", cause: $0) }))
      if cause == nil, wasTold, toldNetwork != nil { violation = "that the device is well is not told" }
    case 104..<109: handle(.silenceFound(since: Bool.random(using: &generator) ? nil : now - .seconds(6)))
    case 99:
      isToldSilent = false
      handle(.silenceUnknown)
    case 109..<111: replacementTimeout = Int32.random(in: -1...300, using: &generator)
    case 111..<115: unitsChange()
    case 115..<117: restart(seed: generator.next())
    default: handle(Bool.random(using: &generator) ? .timerFired : .settingsDeferred)
    }
  }

  /// The target tells that its units have changed: they are looked for once, if they are to be, and nothing else is done.
  private mutating func unitsChange() {
    var message = AsyncMessagePDU(event: .scsi)
    message.data = [0, 18, 0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x3F, 0x0E, 0, 0, 0, 0]
    let isScanned = machine.isUp && machine.policy.scansForUnits
    handle(.message(message))
    let others = actions.filter { $0 != .notify(.messageReceived(.scsi)) }
    if others != (isScanned ? [.rescan] : []) { violation = "\(others) because units changed" }
  }

  /// From wherever it is, a machine whose luck turns comes to rest.
  func comesToRest() -> Bool {
    var model = self
    var generator = SeededGenerator(state: 1)
    for _ in 0..<64 {
      if model.machine.isUp && model.kernel == .up || model.machine.isGone { return true }
      if model.machine.isUp { model.look() }
      if let time = model.machine.wakeTime { model.now = max(model.now, time) }
      model.underWay == nil ? model.handle(.timerFired) : model.end(&generator, luck: 10)
    }
    return false
  }
}
