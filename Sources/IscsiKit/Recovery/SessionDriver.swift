// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// Carries out what a `SessionMachine` wants, and tells it what happens: the thin half of a session's supervision.
///
/// The actor holds the typed session, so that what the machine asks for cannot become a wrong sequence of kernel calls.
/// While an operation runs, the session is out of `held`; the machine sees to it that one runs at a time. No thread
/// belongs to a session: operations wait in the reactor, for the kernel's link or for the blocking pool.
actor SessionDriver {
  /// The typed session, as far as it is known.
  enum Held: ~Copyable {
    case nothing
    case unbound(UnboundKernelSession)
    case up(UpKernelSession)
    case broken(BrokenKernelSession)
  }

  /// What a session was or will be logged in to.
  struct Identity: Sendable {
    /// All that a login needs; nil for a session of which the kernel does not show enough, which can only be removed.
    var request: LoginRequest?
    /// The target's name, if it is known.
    let target: String?
    /// The portal that is configured, if it is known.
    let portal: Portal?

    init(request: LoginRequest?, target: String?, portal: Portal?) {
      self.request = request
      self.target = target
      self.portal = portal
    }

    init(_ request: LoginRequest) {
      self.init(request: request, target: request.target.description, portal: request.portal)
    }
  }

  /// What all drivers of a manager use.
  struct Environment: Sendable {
    let link: KernelLink
    let sysfs: Sysfs
    /// What targets' administrators are shown beside our name, as it is now.
    var alias: @Sendable () -> String? = { nil }
    /// Where to see who uses disks.
    var proc: FilePath = "/proc"
    /// Keeps recoveries at one portal from overwhelming it.
    let gate: RecoveryGate
    /// The same for first logins, behind which no recovery waits.
    let loginGate: RecoveryGate
    /// How long the removal of a session's devices is waited for.
    var patience = RemovalPatience()
    /// How long a scan may take.
    var scanTimeout = Duration.seconds(60)
  }

  let environment: Environment
  private weak let owner: (any SessionDriverOwner)?
  /// What is logged in to, and how. The options may change while the session lives.
  private(set) var identity: Identity
  /// The kernel's number, as soon as there is one.
  private(set) var session: SessionID?
  /// Our half of the session's identifier, as soon as there is one.
  private(set) var isid: ISID?
  /// Our own address in the last connection that was made here.
  private(set) var lastLocalAddress: IPAddress?
  var held = Held.nothing
  var logoutTimeout: Duration = .seconds(15)
  private(set) var progress: @Sendable (LoginStep) -> Void = { _ in }
  var loginReport: LoginReport?
  var leftover: SessionID?
  /// How far the login that is under way has come; nil while it waits for its turn, or if there is none.
  var connecting: ConnectWatch?

  private(set) var machine: SessionMachine
  private var supervision: Supervision
  private var operation: Task<Void, Never>?
  private var listening: Task<Void, Never>?
  var scanning: Task<Void, Never>?
  /// What the scan that runs sets disks to.
  var scannedScheduler: IOScheduler?
  var reviving: Task<Void, Never>?
  /// Whether one more scan is wanted when the one that runs has ended.
  var isScanDue = false
  var scanRepeats = 0
  var scanTimer: Reactor.Timer?
  /// Whether NOP-Outs were switched on since the last login: the kernel starts their timer with a login only.
  var areNOPsIdle: Bool {
    didSet {
      guard areNOPsIdle != oldValue else { return }
      owner?.driver(self, hasIdleNOPs: areNOPsIdle)
      publish()
    }
  }
  /// Since when the removal of the disks is waited for, which writes what they have not written yet.
  var removingSince: ContinuousClock.Instant? { didSet { publish() } }
  /// What is to be set when the session is back.
  var due: TimeoutSettings {
    didSet {
      guard due != oldValue else { return }
      owner?.driver(self, owes: due)
      publish()
    }
  }
  /// The last change of settings, which the next one waits for.
  var lastSetting: Task<Void, Never>?
  /// Whether who logs in does not wait for the first scan.
  private(set) var isScanUnwanted = false
  private var timer: (time: ContinuousClock.Instant, timer: Reactor.Timer)?
  private(set) var loginFailure: OperationError.Cause?
  var problems: [LogoutReport.Problem]?
  private(set) var loginWaiter: CheckedContinuation<Result<LoginReport, OperationError>, Never>?
  var logoutWaiters: [LogoutWaiter] = []
  var waiters: [Waiter] = []
  var isFinished = false
  /// Why the session was not taken up.
  var abandonment: OperationError.Cause?

  /// A driver of a session that is to be made, or that was found.
  ///
  /// - Parameters:
  ///   - identity: What is logged in to, and how.
  ///   - session: The kernel's number of a session that was found.
  ///   - record: What an earlier driver has known of the session; nil derives its ISID from the kernel's number.
  ///   - environment: What all drivers use.
  ///   - owner: Who is told what happens.
  init(
    _ identity: Identity, session: SessionID? = nil, record: SessionRecord? = nil, in environment: Environment,
    owner: any SessionDriverOwner
  ) {
    self.identity = identity
    self.session = session
    isid = record?.isid ?? session.map { ISID(session: $0) }
    due = record?.due ?? TimeoutSettings()
    areNOPsIdle = record?.areNOPsIdle ?? false
    self.environment = environment
    self.owner = owner
    var generator = SystemRandomNumberGenerator()
    let portal = record?.home ?? identity.portal ?? Self.unknownPortal
    let options = identity.request?.options ?? SessionOptions()
    machine = SessionMachine(
      portal: portal, policy: .init(options), seed: generator.next(), outage: record?.outage)
    supervision = Supervision(portal: portal)
    supervision.session = session
    supervision.sessionCount = identity.request?.options.sessionCount
  }

  deinit {
    // Nobody hears what it would tell, and the subscription would last as long as the link.
    listening?.cancel()
    timer?.timer.cancel()
  }

  /// Stands for the portal of a session of which none is known, and which is never connected.
  private static let unknownPortal = Portal(host: .address(.v4(0), scope: nil))

  // MARK: - For the owner

  /// Logs in, and returns when the session is up and scanned, or has failed for good. A cancellation ends the login, or
  /// once there is a session only the wait for its scan.
  func logIn(progress: @escaping @Sendable (LoginStep) -> Void) async -> Result<LoginReport, OperationError> {
    self.progress = progress
    defer { self.progress = { _ in } }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        loginWaiter = continuation
        handle(.begin)
        // A cancellation that came before found nothing to end.
        if Task.isCancelled { cancelLogin() }
      }
    } onCancel: {
      Task { await self.cancelLogin() }
    }
  }

  /// Begins to log in; what becomes of it is told to the owner.
  func beginLogIn() { handle(.begin) }

  /// Takes up the session that is in the kernel.
  ///
  /// The look is made here and now, with its events subscribed to: what happens after it is handled after it, and
  /// nothing that happens is missed.
  func adopt(
    _ look: @Sendable () throws(OperationError.Cause) -> Found
  ) throws(OperationError.Cause) -> SessionMachine.AdoptedState {
    listen()
    do throws(OperationError.Cause) {
      let found = try look()
      let state = found.state
      switch consume found.session {
      case .up(let up): held = .up(up)
      case .broken(let broken): held = .broken(broken)
      }
      if !due.isEmpty { handle(.settingsDeferred) }
      handle(.adopt(state))
      return state
    } catch {
      abandon(error)
      throw error
    }
  }

  /// Keeps what the session is set to for its logins and scans from now on.
  func keep(_ settings: TimeoutSettings) {
    // First: whatever ends this process in between, what is asked for is done, or is as it was.
    if settings.scheduler != nil || settings.resetsScheduler {
      let isKept = due.resetsScheduler || identity.request?.options.devices.scheduler != nil
      due = TimeoutSettings(due.timeouts, resetsScheduler: settings.resetsScheduler && isKept)
    }
    identity.request?.options.take(settings)
    owner?.driver(self, keeps: settings)
  }

  /// Lets go of a session that was not taken up after all; who wants it logged out is told why.
  private func abandon(_ cause: OperationError.Cause) {
    isFinished = true
    abandonment = cause
    listening?.cancel()
    answerLogouts()
  }

  private func cancelLogin() {
    guard loginReport != nil else { return handle(.logOut) }
    // The scan may not have begun yet.
    isScanUnwanted = true
    scanning?.cancel()
  }

  // MARK: - The machine

  func handle(_ event: SessionMachine.Event) {
    let actions = machine.handle(event, at: .now)
    for action in actions {
      switch action {
      case .perform(let operation): self.operation = Task { await self.run(operation) }
      case .cancelOperation: operation?.cancel()
      case .observe: handle(.observed(observe()))
      case .scan: scan(isFirst: true)
      case .rescan: scan(isFirst: false)
      case .applySettings: Task { await self.applySettings() }
      case .notify(let notice): note(notice)
      }
    }
    setTimer()
    publish()
    if machine.isGone { finish() }
    answerWaiters()
  }

  /// Tells the owner what has changed without being worth an event, such as when the next attempt is due.
  private func publish() {
    var now = supervision
    now.update(machine)
    now.areNOPsIdle = areNOPsIdle
    now.due = due
    now.removingSince = removingSince
    guard now != supervision else { return }
    supervision = now
    owner?.driver(self, changed: now)
  }

  private func run(_ operation: SessionMachine.Operation) async {
    let result = await perform(operation)
    self.operation = nil
    handle(.ended(operation.kind, result))
  }

  /// Wakes the machine when it wants to be woken.
  private func setTimer() {
    guard timer?.time != machine.wakeTime else { return }
    timer?.timer.cancel()
    timer = machine.wakeTime.map { time in
      (time, Reactor.shared.schedule(at: time) { [weak self] in Task { await self?.timerFired(time) } })
    }
  }

  private func timerFired(_ time: ContinuousClock.Instant) {
    guard timer?.time == time else { return }
    timer = nil
    handle(.timerFired)
  }

  // MARK: - Events

  /// A login is connected to one of the addresses of its portal's host. Where a redirect leads makes no other session of it.
  func connected(
    to address: SocketAddress, from local: IPAddress?, at portal: Portal
  ) async throws(OperationError.Cause) {
    lastLocalAddress = local
    guard let request = identity.request, portal.host == request.portal.host, case .name = portal.host else { return }
    try await owner?.driver(self, connectedTo: address, for: request, isFirst: session == nil)
  }

  /// A first login has made its session.
  func created(_ session: SessionID, _ host: HostNumber) {
    let isid = isid ?? ISID(session: session)
    self.isid = isid
    self.session = session
    supervision.session = session
    listen()
    if let request = identity.request { owner?.driver(self, created: session, for: request, isid: isid) }
  }

  /// A first login lets go of its session, which it has removed again, or left.
  func unmake(isLeft: Bool = false) {
    guard let session else { return }
    listening?.cancel()
    listening = nil
    self.session = nil
    isid = nil
    supervision.session = nil
    owner?.driver(self, unmade: session, isLeft: isLeft)
  }

  /// Listens to the session's events from now on.
  func listen() {
    guard let session, listening == nil else { return }
    let events = environment.link.events(for: session)
    listening = Task { [weak self] in
      for await event in events { await self?.received(event, of: session) }
    }
  }

  private func received(_ event: KernelEvent, of session: SessionID) {
    guard session == self.session else { return }
    switch event {
    case .connectionFailed(let code): handle(.connectionFailed(code))
    case .sessionDestroyed: handle(.sessionDestroyed)
    case .overrun: handle(.eventsLost)
    case .received(let header, let data):
      // A login or a logout takes its own answers.
      guard case .asyncMessage(let message)? = try? PDU(header: header, data: data) else { return }
      handle(.message(message))
    case .devicesRemoved, .sessionCreated, .loginState: return
    }
  }

  // MARK: - Answers

  func answerLogin() {
    guard let loginReport, let waiter = loginWaiter else { return }
    loginWaiter = nil
    waiter.resume(returning: .success(loginReport))
    answerWaiters()
  }

  func note(_ notice: SessionMachine.Notice) {
    switch notice {
    case .lost: noteReplacementTimeout()
    case .loginFailed(let cause): loginFailure = cause
    case .loggedOut(let problems): self.problems = problems
    case .removalFailed(let cause):
      // It is tried again, but nobody should wait for what may take for ever.
      answerLogouts { .failure(OperationError(self.logoutOperation(of: $0), cause)) }
    default: break
    }
    supervision.note(notice, of: machine)
    owner?.driver(self, noted: notice, supervision)
  }

  /// Reads how long I/O waits from now on, as long as that is what the kernel's timer has been started with.
  private func noteReplacementTimeout() {
    guard let session, let seconds = try? environment.sysfs.replacementTimeout(of: session) else { return }
    _ = machine.handle(.replacementTimeout(seconds), at: .now)
  }

  /// The session is gone: lets go of everything, and answers those who wait when the owner has let go of it too.
  private func finish() {
    guard !isFinished else { return }
    isFinished = true
    listening?.cancel()
    endScan()
    held = .nothing
    owner?.driverEnded(self)
    if let waiter = loginWaiter, let request = identity.request {
      loginWaiter = nil
      let operation = OperationError.Operation.login(request.target, request.portal)
      waiter.resume(returning: .failure(OperationError(operation, loginFailure ?? .cancelled, leftover: leftover)))
    }
    answerLogouts()
  }
}
