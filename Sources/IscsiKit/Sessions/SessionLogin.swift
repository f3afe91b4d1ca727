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
  /// The devices that the scan found.
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

/// Logs in: TCP connection, kernel session, negotiation, start and scan. Up to the start, cancellation ends the login;
/// behind it there is a session, and only the scan is broken off.
struct SessionLogin {
  let link: KernelLink
  let sysfs: Sysfs
  let request: LoginRequest
  let progress: @Sendable (LoginStep) -> Void

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

  private enum Attempt: ~Copyable {
    case up(UpKernelSession, LoginResult)
    case redirected(LoginRedirect)
  }

  /// Follows redirects to where the target is.
  func run() async throws(Failure) -> LoginReport {
    // Nothing is asked for, of the target or the kernel, that could not end well.
    do throws(LoginFailure) { try request.configuration(isid: .random()).validate() } catch {
      throw Failure(.login(error))
    }
    var route = LoginRoute(request.portal)
    let deadline = ContinuousClock.now + request.options.timeouts.login
    while true {
      switch try await attempt(at: route.current, until: deadline) {
      case .redirected(let redirect):
        do throws(LoginFailure) { try route.follow(redirect) } catch { throw Failure(.login(error)) }
      case .up(let session, let login):
        return await finish(session, login, at: route.current)
      }
    }
  }

  /// One login at one portal; a failure leaves nothing in the kernel, or names it.
  private func attempt(
    at portal: Portal, until deadline: ContinuousClock.Instant
  ) async throws(Failure) -> Attempt {
    progress(.connect)
    let socket: TCPSocket
    do throws(TransportError) {
      socket = try await TCPSocket.connect(
        to: portal, through: request.options.binding, sysfs: sysfs.root, until: deadline)
    } catch {
      throw Failure(.transport(error))
    }
    progress(.create)
    var transport = KernelPDUTransport(session: try await bind(socket, until: deadline))
    // From here on the kernel has a reference of its own.
    progress(.negotiate)
    let outcome: NegotiationOutcome
    do throws(OperationError.Cause) {
      var negotiation = try makeNegotiation(of: transport.session.id)
      outcome = try await negotiation.run(over: &transport, until: deadline)
    } catch {
      throw await Self.failure(error, removing: transport.session)
    }
    switch outcome {
    case .redirected(let redirect):
      let id = transport.session.id
      do throws(OperationError.Cause) {
        try await transport.session.remove()
      } catch {
        guard error == .noSession else { throw Failure(error, leftover: id) }
      }
      return .redirected(redirect)
    case .loggedIn(let login):
      progress(.start)
      guard !Task.isCancelled else {
        throw await Self.failure(.cancelled, removing: transport.session)
      }
      let tag = login.tag ?? portal.tag
      return .up(try await start(transport.session, login.kernelParameters(tag: tag), until: deadline), login)
    }
  }

  /// Makes a kernel session and gives it the socket and the parameters that do not depend on the negotiation.
  private func bind(
    _ socket: borrowing TCPSocket, until deadline: ContinuousClock.Instant
  ) async throws(Failure) -> BoundKernelSession {
    let created: UnboundKernelSession
    do throws(KernelError) {
      created = try await UnboundKernelSession.create(
        on: link, initialCommandSN: LoginRequest.initialCommandSN, maxCommands: request.options.maxCommands,
        queueDepth: request.options.queueDepth, until: deadline)
    } catch {
      throw Failure(.kernel(error))
    }
    switch await created.bind(socket.fileDescriptor, parameters: request.parametersBeforeLogin, until: deadline) {
    case .done(let session):
      return session
    case .failed(let broken, let error):
      throw await Self.failure(
        error.isLostConnection ? .login(.connectionClosed) : .kernel(error), removing: broken)
    }
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
      return try LoginNegotiation(request.configuration(isid: ISID(session: session)))
    } catch {
      throw .login(error)
    }
  }

  private func start(
    _ session: consuming BoundKernelSession, _ parameters: [KernelParameter], until deadline: ContinuousClock.Instant
  ) async throws(Failure) -> UpKernelSession {
    switch await session.start(parameters, until: deadline) {
    case .done(let up):
      return up
    case .failed(let broken, let error):
      throw await Self.failure(
        error.isLostConnection ? .login(.connectionClosed) : .kernel(error), removing: broken)
    }
  }

  /// Scans, and leaves the session to the kernel. A scan that fails does not undo the login.
  private func finish(_ session: consuming UpKernelSession, _ login: LoginResult, at portal: Portal) async
    -> LoginReport
  {
    for parameter in request.options.binding.hostParameters {
      // Only for sysfs to show; a kernel that refuses it has lost nothing.
      try? await session.setHostParameter(parameter)
    }
    var report = LoginReport(
      session: session.id, host: session.host, target: request.target, portal: portal, login: login)
    session.release()
    guard request.options.scan != .none else { return report }
    progress(.scan)
    do throws(OperationError.Cause) {
      report.devices = try await SessionScan(sysfs: sysfs).scan(report.session, request.options.scan)
    } catch {
      report.scanFailure = OperationError(.scan(report.session), error)
    }
    return report
  }
}

extension LoginRequest {
  /// CmdSN of the first command of every session. A constant, so that a program that takes a session over can tell
  /// the present number from the kernel's counters.
  fileprivate static let initialCommandSN: UInt32 = 1

  /// What the negotiation is made of.
  fileprivate func configuration(isid: ISID) -> LoginConfiguration {
    var configuration = LoginConfiguration(initiatorName: initiator, sessionType: .normal(target), isid: isid)
    configuration.authentication = options.authentication
    configuration.operational = options.operational
    configuration.initialCommandSN = Self.initialCommandSN
    // The kernel puts its own tag in.
    configuration.initiatorTaskTag = nil
    return configuration
  }

  /// What the kernel is told before the login, in the order of open-iscsi. The CHAP secrets are not among it: the
  /// kernel would only show them.
  var parametersBeforeLogin: [KernelParameter] {
    let timeouts = options.timeouts
    // One zero alone is "not set" to the kernel, which puts 5 in its place: only two turn the check off.
    let isChecked = timeouts.noopInterval > .zero && timeouts.noopTimeout > .zero
    var parameters: [KernelParameter] = [
      .targetName(target.description),
      .persistentAddress(portal.host.description),
      .persistentPort(portal.port),
      .recoveryTimeout(timeouts.replacement),
    ]
    if let outgoing = options.authentication.outgoing { parameters.append(.userName(outgoing.name)) }
    if let incoming = options.authentication.incoming { parameters.append(.userNameIn(incoming.name)) }
    return parameters + [
      .fastAbort(options.fastAbort),
      .abortTimeout(timeouts.abort),
      .luResetTimeout(timeouts.luReset),
      .targetResetTimeout(timeouts.targetReset),
      .noopTimeout(isChecked ? timeouts.noopTimeout : .zero),
      .noopInterval(isChecked ? timeouts.noopInterval : .zero),
      .interfaceName(options.interfaceName),
      .initiatorName(initiator.description),
      .discoverySession(false),
    ]
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
  fileprivate var hostParameters: [HostParameter] {
    switch self {
    case .device(let name): [.networkDevice(name)]
    case .hardwareAddress(let address): [.hardwareAddress(address)]
    case .automatic, .sourceAddress: []
    }
  }
}
