// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// A connection of libiscsi as async calls: the loop around its event interface, on the reactor and with deadlines.
///
/// One call at a time. Any throw but `.busy` has closed the connection, because libiscsi cannot take back a call that
/// it has begun.
final class ISCSIConnection {
  /// Why a call did not end with an answer.
  enum Failure: Error, Hashable, Sendable {
    /// libiscsi refused or gave up.
    case context(ISCSIContextError)
    /// The TCP connection could not be made.
    case connect(Errno)
    /// The deadline passed, or the task was cancelled.
    case wait(WaitError)
    /// Another call is under way.
    case busy
  }

  /// What a target said to a login.
  enum LoginOutcome: Hashable, Sendable {
    /// In full feature phase.
    case accepted
    /// Refused with this status, and perhaps with another address to go to.
    case rejected(LoginStatus, redirection: String?)
  }

  private let context: ISCSIContext
  private var isBusy = false

  /// A connection for a session with `target`, or for a discovery if it is nil.
  init(
    initiator: InitiatorName, target: TargetName?, authentication: Authentication
  ) throws(ISCSIContextError) {
    context = try ISCSIContext(initiator: initiator, isid: .random())
    try context.configure(target: target, authentication: authentication)
  }

  /// Opens the TCP connection.
  func connect(to address: SocketAddress, until deadline: ContinuousClock.Instant) async throws(Failure) {
    let outcome = try await call(until: deadline) { context throws(ISCSIContextError) in
      try context.startConnect(to: address.description)
    }
    guard outcome == .status(0) else { throw fail(outcome) }
  }

  /// Logs in on the open connection.
  func login(until deadline: ContinuousClock.Instant) async throws(Failure) -> LoginOutcome {
    let outcome = try await call(until: deadline) { context throws(ISCSIContextError) in try context.startLogin() }
    switch outcome {
    case .status(0): return .accepted
    case .redirected: return .rejected(.movedTemporarily, redirection: context.redirection)
    default:
      guard let status = Self.loginStatus(in: context.message) else { throw fail(outcome) }
      return .rejected(status, redirection: context.redirection)
    }
  }

  /// libiscsi tells the status of a login response only at the end of its text: `... Status: words(513)`.
  static func loginStatus(in message: String) -> LoginStatus? {
    guard message.hasSuffix(")"), message.contains("Status: "), let open = message.lastIndex(of: "("),
      let value = UInt16(message[message.index(after: open)...].dropLast())
    else { return nil }
    return LoginStatus(rawValue: value)
  }

  /// SendTargets on a discovery session. The texts are as they came from the target.
  func discover(
    until deadline: ContinuousClock.Instant
  ) async throws(Failure) -> [(name: String, portals: [String])] {
    let outcome = try await call(until: deadline) { context throws(ISCSIContextError) in try context.startDiscovery() }
    guard outcome == .status(0) else { throw fail(outcome) }
    return context.targets
  }

  /// Sends a command to the unit with this first level of its LUN.
  func execute(
    _ command: SCSICommand, lun: UInt16, until deadline: ContinuousClock.Instant
  ) async throws(Failure) -> SCSIAnswer {
    let outcome = try await call(until: deadline) { context throws(ISCSIContextError) in
      try context.startCommand(descriptor: command.descriptor, allocation: command.allocation, lun: lun)
    }
    guard case .status(let status) = outcome else { throw fail(outcome) }
    let limit = status == SCSIAnswer.good ? Int(command.allocation) : SCSIAnswer.senseLimit
    return SCSIAnswer(status: status, data: context.data(upTo: limit))
  }

  /// Ends the session in order and closes the connection, also if the logout fails.
  func logout(until deadline: ContinuousClock.Instant) async throws(Failure) {
    let outcome = try await call(until: deadline) { context throws(ISCSIContextError) in try context.startLogout() }
    guard outcome == .status(0) else { throw fail(outcome) }
    context.close()
  }

  /// Starts a call and serves the connection until it has ended.
  private func call(
    until deadline: ContinuousClock.Instant, _ start: (ISCSIContext) throws(ISCSIContextError) -> Void
  ) async throws(Failure) -> ISCSIContext.Outcome {
    guard !isBusy else { throw .busy }
    isBusy = true
    defer { isBusy = false }
    do { try start(context) } catch { throw fail(.context(error)) }
    while true {
      if let outcome = context.outcome { return outcome }
      try await serve(until: deadline)
    }
  }

  private func serve(until deadline: ContinuousClock.Instant) async throws(Failure) {
    let events = context.events
    var interest: Reactor.Interest = []
    if events.contains(.read) { interest.insert(.read) }
    if events.contains(.write) { interest.insert(.write) }
    let found: Reactor.Interest
    do { found = try await Reactor.shared.wait(for: context.descriptor, interest, until: deadline) } catch {
      throw fail(.wait(error))
    }
    // A connect is pending: its failure is asked for here, because libiscsi has only words for it.
    if events == .write, let refusal = context.takeSocketError() { throw fail(.connect(refusal)) }
    // Errors and hang-ups are left to the read or the write that they make ready: those tell more. A hang-up can come
    // as readable to one who waits for room to write, and must not go round in circles.
    var ready: ISCSIContext.Events = []
    if found.contains(.read) { ready.insert(.read) }
    if found.contains(.write) { ready.insert(.write) }
    let served = ready.isDisjoint(with: events) ? events : ready.intersection(events)
    do { try context.service(served) } catch { throw fail(.context(error)) }
  }

  /// Closes the connection and returns why a call had this outcome.
  private func fail(_ outcome: ISCSIContext.Outcome) -> Failure {
    fail(.context(outcome == .disconnected ? .disconnected : .failed(context.message)))
  }

  /// Closes the connection and returns the reason.
  private func fail(_ failure: Failure) -> Failure {
    context.close()
    return failure
  }
}
