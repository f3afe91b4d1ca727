// SPDX-License-Identifier: Apache-2.0

/// Who logs in to what, where and how.
public struct LoginRequest: Hashable, Sendable {
  /// Our name.
  public var initiator: InitiatorName
  /// The target.
  public var target: TargetName
  /// Where it is.
  public var portal: Portal
  /// How.
  public var options: SessionOptions

  /// A request from its parts.
  public init(initiator: InitiatorName, target: TargetName, portal: Portal, options: SessionOptions = SessionOptions())
  {
    self.initiator = initiator
    self.target = target
    self.portal = portal
    self.options = options
  }
}

/// A login that succeeded; the session is the kernel's.
public struct LoginReport: Hashable, Sendable {
  /// The kernel's number of the session.
  public var session: SessionID
  /// The session's SCSI host.
  public var host: HostNumber
  /// The target.
  public var target: TargetName
  /// Where the login ended, after redirects.
  public var portal: Portal
  /// What the two sides agreed on.
  public var login: LoginResult
  /// The devices that the scan found: what they are, without their timers.
  public var devices: [DeviceSnapshot] = []
  /// Why the scan did not end well; the session is up all the same.
  public var scanFailure: OperationError?
}

/// The step that a login has come to, for those who watch.
public enum LoginStep: String, Hashable, Sendable, CaseIterable {
  /// Waiting for the TCP connection.
  case connect = "connecting"
  /// Making the session in the kernel.
  case create = "creating the session"
  /// Waiting for the target's Login Responses.
  case negotiate = "negotiating"
  /// Entering the full feature phase.
  case start = "starting"
  /// Waiting for the scan for logical units.
  case scan = "scanning"
  /// The login is over, well or not. Told by logins to many targets only.
  case end = "ended"
}

/// Logs in at one portal: a first login, which makes the session, or another login of a session that has lost its
/// connection. Redirects are the caller's to follow. Up to the start, cancellation ends a login.
struct SessionLogin: Sendable {
  let link: KernelLink
  let sysfs: Sysfs
  let request: LoginRequest
  /// What the target's administrator is shown beside our name.
  var alias: String?
  /// Our half of the session's identifier; nil derives it from the kernel's number.
  var isid: ISID?
  let progress: @Sendable (LoginStep) -> Void
  /// Is told the address of the portal that a login is connected to, and our own, before anything is asked for there; what it
  /// throws ends a first login.
  var connected: @Sendable (SocketAddress, _ local: IPAddress?) async throws(OperationError.Cause) -> Void = { _, _ in }
  /// Is told the number and the host of a session that was made, before anything else is done with it.
  var created: @Sendable (SessionID, HostNumber) async -> Void = { _, _ in }

  /// Why a login failed, and what it left in the kernel.
  struct Failure: Error {
    var cause: OperationError.Cause
    /// The session that could not be removed.
    var leftover: SessionID?

    init(_ cause: OperationError.Cause, leftover: SessionID? = nil) {
      self.cause = cause
      self.leftover = leftover
    }
  }

  /// How a first login ended that did not fail.
  enum First: ~Copyable {
    case up(UpKernelSession, LoginResult)
    /// Nothing is left of the attempt.
    case redirected(LoginRedirect)
  }

  /// How a login of an existing session ended.
  enum Again: ~Copyable {
    case up(UpKernelSession, LoginResult)
    case redirected(BrokenKernelSession, LoginRedirect)
    case failed(BrokenKernelSession, OperationError.Cause)
    /// The session is as it was.
    case notConnected(UnboundKernelSession, OperationError.Cause)
  }

  /// Makes a session and logs in; a failure leaves nothing in the kernel, or names it.
  func first(at portal: Portal, until deadline: ContinuousClock.Instant) async throws(Failure) -> First {
    // Nothing is asked for, of the target or the kernel, that could not end well.
    do throws(LoginFailure) { try request.configuration(isid: .random(), alias: alias).validate() } catch {
      throw Failure(.login(error))
    }
    let socket: TCPSocket
    do throws(OperationError.Cause) { socket = try await connect(to: portal, until: deadline) } catch {
      throw Failure(error)
    }
    do throws(OperationError.Cause) { try await connected(socket.peer, socket.localAddress) } catch {
      throw Failure(error)
    }
    progress(.create)
    let session: UnboundKernelSession
    do throws(KernelError) {
      session = try await UnboundKernelSession.create(
        on: link, initialCommandSN: LoginRequest.initialCommandSN, maxCommands: request.options.maxCommands,
        queueDepth: request.options.queueDepth, until: deadline)
    } catch {
      throw Failure(.kernel(error))
    }
    await created(session.id, session.host)
    switch await logIn(session, over: socket, at: portal, until: deadline) {
    case .up(let session, let login): return .up(session, login)
    case .redirected(let broken, let redirect):
      let id = broken.id
      do throws(OperationError.Cause) { try await broken.remove() } catch {
        guard error == .noSession else { throw Failure(error, leftover: id) }
      }
      return .redirected(redirect)
    case .failed(let broken, let cause): throw await Self.failure(cause, removing: broken)
    case .notConnected(let session, let cause): throw await Self.failure(cause, removing: session)
    }
  }

  /// Logs a stopped session in again; the connection may take no longer than the limit at each address of the portal.
  func again(
    _ session: consuming UnboundKernelSession, at portal: Portal, until deadline: ContinuousClock.Instant,
    connectLimit: Duration
  ) async -> Again {
    let socket: TCPSocket
    do throws(OperationError.Cause) {
      socket = try await connect(to: portal, until: deadline, limit: connectLimit)
    } catch {
      return .notConnected(session, error)
    }
    try? await connected(socket.peer, socket.localAddress)
    return await logIn(session, over: socket, at: portal, until: deadline)
  }

  private func connect(
    to portal: Portal, until deadline: ContinuousClock.Instant, limit: Duration? = nil
  ) async throws(OperationError.Cause) -> TCPSocket {
    progress(.connect)
    do throws(TransportError) {
      return try await TCPSocket.connect(
        to: portal, through: request.options.binding, sysfs: sysfs.root, until: deadline, addressLimit: limit)
    } catch {
      throw .transport(error)
    }
  }

  /// From a connected socket to the full feature phase.
  private func logIn(
    _ session: consuming UnboundKernelSession, over socket: borrowing TCPSocket, at portal: Portal,
    until deadline: ContinuousClock.Instant
  ) async -> Again {
    // Before there is a socket, so that its failure cannot be missed.
    let events = link.events(for: session.id)
    let bound: BoundKernelSession
    switch await session.bind(socket.fileDescriptor, parameters: request.parametersBeforeLogin, until: deadline) {
    case .done(let session): bound = session
    case .failed(let broken, let error): return .failed(broken, Self.cause(of: error))
    }
    // From here on the kernel has a reference of its own.
    progress(.negotiate)
    var transport = KernelPDUTransport(session: bound, events: events)
    let outcome: NegotiationOutcome
    do throws(OperationError.Cause) {
      var negotiation = try makeNegotiation(of: transport.session.id)
      outcome = try await negotiation.run(over: &transport, until: deadline)
    } catch {
      return .failed(transport.session.asBroken(), error)
    }
    switch outcome {
    case .redirected(let redirect): return .redirected(transport.session.asBroken(), redirect)
    case .loggedIn(let login):
      progress(.start)
      guard !Task.isCancelled else { return .failed(transport.session.asBroken(), .cancelled) }
      let parameters = login.kernelParameters(tag: login.tag ?? portal.tag)
      switch await transport.session.start(parameters, until: deadline) {
      case .done(let up): return .up(up, login)
      case .failed(let broken, let error): return .failed(broken, Self.cause(of: error))
      }
    }
  }

  /// A connection that is lost between two requests is the target's doing.
  private static func cause(of error: KernelError) -> OperationError.Cause {
    error.isLostConnection ? .login(.connectionClosed) : .kernel(error)
  }

  /// Removes the session of a login that failed. The cause stays what it is; that the session may still be there is
  /// told beside it.
  private static func failure<Phase>(
    _ cause: OperationError.Cause, removing session: consuming KernelSession<Phase>
  ) async -> Failure {
    let id = session.id
    do throws(OperationError.Cause) {
      try await session.remove()
    } catch {
      guard error == .noSession else { return Failure(cause, leftover: id) }
    }
    return Failure(cause)
  }

  private func makeNegotiation(of session: SessionID) throws(OperationError.Cause) -> LoginNegotiation {
    do throws(LoginFailure) {
      return try LoginNegotiation(request.configuration(isid: isid ?? ISID(session: session), alias: alias))
    } catch {
      throw .login(error)
    }
  }
}

extension LoginRequest {
  /// CmdSN of the first command of every session. A constant, so that a program that takes a session over can tell
  /// the present number from the kernel's counters.
  fileprivate static let initialCommandSN: UInt32 = 1

  /// What the negotiation is made of.
  fileprivate func configuration(isid: ISID, alias: String?) -> LoginConfiguration {
    var configuration = LoginConfiguration(initiatorName: initiator, sessionType: .normal(target), isid: isid)
    configuration.initiatorAlias = alias
    configuration.authentication = options.authentication
    configuration.operational = options.operational
    configuration.initialCommandSN = Self.initialCommandSN
    // The kernel puts its own tag in.
    configuration.initiatorTaskTag = nil
    return configuration
  }

  /// What the kernel is told before the login, in the order of open-iscsi.
  var parametersBeforeLogin: [KernelParameter] {
    let timeouts = options.timeouts
    var parameters: [KernelParameter] = [
      .targetName(target.description),
      .persistentAddress(portal.host.description),
      .persistentPort(portal.port),
      .recoveryTimeout(timeouts.replacement),
    ]
    let authentication = options.authentication
    // The secrets too, which only root can read there: whoever takes the session up with nothing else to go by, after an
    // early boot or in our place, could not log it in again without them.
    if let name = authentication.outgoing?.name, !name.isEmpty { parameters.append(.userName(name)) }
    if let name = authentication.incoming?.name, !name.isEmpty { parameters.append(.userNameIn(name)) }
    if let secret = authentication.outgoing?.secret { parameters.append(.password(secret)) }
    if let secret = authentication.incoming?.secret { parameters.append(.passwordIn(secret)) }
    return parameters + [
      .fastAbort(options.fastAbort),
      .abortTimeout(timeouts.abort),
      .luResetTimeout(timeouts.luReset),
      .targetResetTimeout(timeouts.targetReset),
    ] + timeouts.noopParameters + [
      .interfaceName(options.interfaceName),
      .initiatorName(initiator.description),
      .discoverySession(false),
    ]
  }
}

extension SessionTimeouts {
  /// What the kernel is told to change timeouts of a session that is up.
  ///
  /// - Parameter settings: Which change; these timeouts have the change already.
  /// - Returns: The parameters.
  func kernelParameters(changing settings: TimeoutSettings) -> [KernelParameter] {
    var parameters: [KernelParameter] = []
    if settings[.replacement] != nil { parameters.append(.recoveryTimeout(replacement)) }
    if settings[.abort] != nil { parameters.append(.abortTimeout(abort)) }
    if settings[.luReset] != nil { parameters.append(.luResetTimeout(luReset)) }
    if settings[.targetReset] != nil { parameters.append(.targetResetTimeout(targetReset)) }
    if settings[.noopInterval] != nil || settings[.noopTimeout] != nil { parameters += noopParameters }
    return parameters
  }

  /// Whether the target is asked for a sign of life when it is silent.
  var asksForLife: Bool { noopInterval > .zero && noopTimeout > .zero }

  /// The check by NOP-Outs. One zero alone is "not set" to the kernel, which puts 5 in its place: only two turn it off.
  fileprivate var noopParameters: [KernelParameter] {
    [.noopTimeout(asksForLife ? noopTimeout : .zero), .noopInterval(asksForLife ? noopInterval : .zero)]
  }
}

extension LoginResult {
  /// What the kernel is told after the login, in the order of open-iscsi.
  func kernelParameters(tag: PortalGroupTag?) -> [KernelParameter] {
    var parameters: [KernelParameter] = [
      .maxRecvDataSegmentLength(negotiated.maxRecvDataSegmentLength),
      .maxXmitDataSegmentLength(negotiated.maxXmitDataSegmentLength),
      .headerDigest(negotiated.headerDigest),
      .dataDigest(negotiated.dataDigest),
      .initialR2T(negotiated.initialR2T),
      .maxOutstandingR2T(negotiated.maxOutstandingR2T.roundedDownToPowerOfTwo),
      .immediateData(negotiated.immediateData),
      .firstBurstLength(negotiated.firstBurstLength),
      .maxBurstLength(negotiated.maxBurstLength),
      .dataPDUInOrder(negotiated.dataPDUInOrder),
      .dataSequenceInOrder(negotiated.dataSequenceInOrder),
      .errorRecoveryLevel(0),
      .expStatSN(statSN &+ 1),
    ]
    if let tag { parameters.append(.targetPortalGroupTag(tag)) }
    return parameters
  }
}

extension UInt16 {
  /// The kernel takes powers of two only, and fewer outstanding R2Ts than agreed are always allowed.
  fileprivate var roundedDownToPowerOfTwo: UInt16 { self == 0 ? 1 : 1 << (15 - leadingZeroBitCount) }
}

extension InterfaceBinding {
  /// What sysfs shows of the host for this binding.
  var hostParameters: [HostParameter] {
    switch self {
    case .device(let name): [.networkDevice(name)]
    case .hardwareAddress(let address): [.hardwareAddress(address)]
    case .automatic, .sourceAddress: []
    }
  }
}
