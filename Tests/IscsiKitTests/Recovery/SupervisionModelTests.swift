// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

/// What the kernel has of one session, and a driver that does what the machine wants: both refuse what must not be.
private struct SupervisionModel {
  /// What the driver's typed session would be.
  enum Kernel { case nothing, unbound, up, broken }

  var machine: SessionMachine
  var now = ContinuousClock.now
  var kernel: Kernel
  var underWay: SessionMachine.OperationKind?
  var isCancelled = false
  var devicesRemovals = 0
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
    seed: UInt64, policy: SessionMachine.Policy, adopting state: SessionMachine.AdoptedState?, outage: Outage? = nil
  ) {
    machine = SessionMachine(portal: MachineHarness.home, policy: policy, seed: seed, outage: outage)
    timerTimeout = outage?.replacementTimeout
    switch state {
    case nil: kernel = .nothing
    case .up?, .leaving(isConnected: true, _)?: kernel = .up
    default: kernel = .broken
    }
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
      case .scan, .rescan: if !machine.isUp { violation = "a scan of a session that is not up" }
      case .applySettings: if !machine.isUp { violation = "settings for a session that is not up" }
      case .notify(let notice): note(notice)
      }
    }
    check()
  }

  /// What is told is told once, and a driver that hears of a loss tells how long the kernel lets I/O wait from then on.
  private mutating func note(_ notice: SessionMachine.Notice) {
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
    handle(.observed(kernel == .nothing ? .gone : kernel == .up ? .up : .notUp))
  }

  private mutating func begin(_ operation: SessionMachine.Operation) {
    if let underWay { violation = "\(operation.kind) while \(underWay) is under way" }
    isCancelled = false
    underWay = operation.kind
    switch operation {
    case .logIn where kernel != .nothing: violation = "a first login of a session that exists"
    case .relogIn where kernel != .unbound && kernel != .nothing:
      violation = "a socket for a connection that was not stopped"
    case .sayGoodbye where kernel != .up && kernel != .nothing: violation = "a goodbye without a connection"
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
        ? .done : isCancelled || !exists ? .failed(.cancelled) : failures.randomElement(using: &generator) ?? redirect
      if exists { kernel = result == .done ? .up : result == .notConnected(.transport(.refused)) ? .unbound : .broken }
    case .removeDevices: result = succeeds ? .done : .problem(.removeDevices(.timedOut(.unbindSession)))
    case .sayGoodbye:
      if exists { kernel = .broken }
      result =
        succeeds ? .goodbye(time2Wait: .seconds(Int.random(in: 0...5, using: &generator))) : .problem(.notConnected)
    case .destroy:
      if succeeds { kernel = .nothing }
      result = succeeds ? .done : exists ? .failed(failure) : .failed(.noSession)
    }
    handle(.ended(kind, result))
  }

  /// One thing happens.
  mutating func step(_ generator: inout SeededGenerator) {
    now += .milliseconds(Int.random(in: 0...800, using: &generator))
    switch Int.random(in: 0..<115, using: &generator) {
    case 0..<45: end(&generator, luck: 6)
    case 45..<65: handle(.timerFired)
    case 65..<75:
      // The kernel stops a connection that fails; the driver's value does not know it yet.
      handle(
        .connectionFailed(
          [.connectionClosed, .noopTimedOut, .sessionReset].randomElement(using: &generator) ?? .connectionClosed))
    case 75..<85:
      var message = AsyncMessagePDU(event: AsyncEvent(rawValue: UInt8.random(in: 0...6, using: &generator)))
      message.parameter1 = UInt16.random(in: 0...1, using: &generator)
      message.parameter2 = UInt16.random(in: 0...4, using: &generator)
      handle(.message(message))
    case 85..<90: handle(.eventsLost)
    case 90..<96: handle(.networkRestored)
    case 96: handle(.connectionFailed(.invalidHost))
    case 97 where underWay != .logIn && machine.phase != .new:
      if kernel != .nothing {
        kernel = .nothing
        handle(.sessionDestroyed)
      }
    case 98: handle(.logOut)
    case 100..<104:
      let causes: [LinkCause?] = [nil, nil, .noCarrier(nil), .administrativelyDown]
      let cause = causes.randomElement(using: &generator) ?? nil
      let wasTold = toldNetwork != nil
      handle(.networkFound(cause.map { NetworkFinding(device: "eth0", cause: $0) }))
      if cause == nil, wasTold, toldNetwork != nil { violation = "that the device is well is not told" }
    case 104..<109: handle(.silenceFound(since: Bool.random(using: &generator) ? nil : now - .seconds(6)))
    case 109..<111: replacementTimeout = Int32.random(in: -1...300, using: &generator)
    case 111..<115: unitsChange()
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
      if model.machine.isUp || model.machine.isGone { return true }
      if let time = model.machine.wakeTime { model.now = max(model.now, time) }
      model.underWay == nil ? model.handle(.timerFired) : model.end(&generator, luck: 10)
    }
    return false
  }
}

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
  func randomEvents(seed: UInt64) async {
    var generator = SeededGenerator(state: seed)
    var steps = 0
    while steps < 150_000 {
      var policy = SessionMachine.Policy()
      policy.loginRetryWindow = [.zero, .seconds(20)].randomElement(using: &generator) ?? .zero
      policy.recoveryLimit = [nil, nil, 4].randomElement(using: &generator) ?? nil
      policy.scansForUnits = Bool.random(using: &generator)
      let origin = Self.origins.randomElement(using: &generator) ?? nil
      let isResumed = origin != nil && Bool.random(using: &generator)
      var model = SupervisionModel(
        seed: generator.next(), policy: policy, adopting: origin, outage: isResumed ? Self.leftOutage : nil)
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

@Suite("The directory of sessions")
struct SessionDirectoryTests {
  private typealias Directory = SessionDirectory<Int>

  private func key(_ number: Int) throws -> SessionKey {
    SessionKey(
      LoginRequest(
        initiator: try InitiatorName("iqn.2001-04.com.example:host"),
        target: try TargetName("iqn.2001-04.com.example:disk\(number)"), portal: MachineHarness.home))
  }

  private func up() -> Supervision {
    var supervision = Supervision(portal: MachineHarness.home)
    supervision.phase = .up
    return supervision
  }

  @Test("Whatever is claimed, found and released, no identity has more sessions than are wanted")
  func randomClaims() throws {
    var generator = SeededGenerator(state: 5)
    let keys = try (0..<5).map(key)
    var directory = Directory()
    var owners: [Directory.Ticket: SessionKey] = [:]
    var lastSession: UInt32 = 0
    for step in 0..<100_000 {
      let index = Int.random(in: 0..<keys.count, using: &generator)
      let wanted = index == 4 ? 3 : 1
      switch Int.random(in: 0..<10, using: &generator) {
      case 0..<5:
        if case .claimed(let ticket) = directory.claim(keys[index], wanted: wanted) { owners[ticket] = keys[index] }
      case 5..<7:
        guard let ticket = owners.keys.randomElement(using: &generator), directory[ticket]?.session == nil else {
          continue
        }
        lastSession += 1
        directory.set(SessionID(rawValue: lastSession), for: ticket)
        directory.set(up(), for: ticket)
      default:
        guard let ticket = owners.keys.randomElement(using: &generator) else { continue }
        directory.release(ticket)
        owners[ticket] = nil
      }
      let count = owners.values.count { $0 == keys[index] }
      #expect(count <= wanted, "step \(step)")
      #expect(directory.all.count == owners.count)
    }
  }

  @Test("A session that is being made keeps others off, and one that is there is named")
  func claims() throws {
    var directory = Directory()
    guard case .claimed(let ticket) = directory.claim(try key(1)) else {
      Issue.record("a free key is not given")
      return
    }
    #expect(directory.claim(try key(1)) == .underWay)
    // The number comes long before the session is of use.
    directory.set(SessionID(rawValue: 4), for: ticket)
    #expect(directory.claim(try key(1)) == .underWay)
    directory.set(up(), for: ticket)
    #expect(directory.claim(try key(1)) == .exists(SessionID(rawValue: 4)))
    directory.release(ticket)
    #expect(directory.claim(try key(1), unsupervised: [SessionID(rawValue: 9)]) == .exists(SessionID(rawValue: 9)))
  }

  @Test("A session is found once")
  func adoption() throws {
    var directory = Directory()
    let session = SessionID(rawValue: 3)
    let ticket = try #require(directory.adopt(session, try key(1), owner: nil))
    #expect(directory.adopt(session, try key(1), owner: nil) == nil)
    directory.release(ticket)
    #expect(directory[session] == nil)
    #expect(try directory.adopt(session, key(1), owner: nil) != nil)
  }

  @Test("A session that is found while it is made stays its maker's")
  func foundTooEarly() throws {
    var directory = Directory()
    let session = SessionID(rawValue: 3)
    guard case .claimed(let maker) = directory.claim(try key(1)) else {
      Issue.record("a free key is not given")
      return
    }
    let finder = try #require(directory.adopt(session, try key(2), owner: nil))
    directory.set(session, for: maker)
    directory.set(7, for: maker)
    directory.release(finder)
    #expect(directory[session]?.driver == 7)
  }
}
