// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

/// A request that goes wrong in the kernel, and what becomes of the login.
struct LoginFault: CustomTestStringConvertible {
  let fault: ScriptedKernel.Fault
  let type: KernelMessageType
  /// How many requests of the type go well before.
  var skip = 0
  let error: KernelError

  var testDescription: String { "\(fault) in \(type) after \(skip)" }

  init(_ fault: ScriptedKernel.Fault, _ type: KernelMessageType, skip: Int = 0, _ error: KernelError) {
    self.fault = fault
    self.type = type
    self.skip = skip
    self.error = error
  }

  private static let types: [KernelMessageType] = [
    .createSession, .createConnection, .bindConnection, .setParameter, .sendPDU, .startConnection,
  ]

  static let all: [LoginFault] =
    types.map { LoginFault(.refuse(.noMemory), $0, .rejected($0, .noMemory, by: .interface)) }
    + types.map { LoginFault(.sendError(.noMemory), $0, .system(.send, .noMemory)) }
    // A lost reply to CREATE_SESSION leaves a session that nobody knows the number of.
    + types.dropFirst().map { LoginFault(.overrun, $0, .overrun($0)) }
    + [.bindConnection, .sendPDU, .startConnection].map {
      LoginFault(.returnCode(.socketNotConnected), $0, .rejected($0, .socketNotConnected, by: .transport))
    }
    // The last parameter before the login, the first and the last one after it.
    + [12, 13, 26].map {
      LoginFault(
        .refuse(.invalidArgument), .setParameter, skip: $0, .rejected(.setParameter, .invalidArgument, by: .interface))
    }
    // Replies come in order, so that of a later request says that one is lost.
    + [.bindConnection, .setParameter].map { LoginFault(.silence, $0, .overrun($0)) }
}

@Suite("Failures of a login through the kernel", .timeLimit(.minutes(2)))
struct SessionLoginFailureTests {
  @Test("A request that fails is told, and nothing is left", arguments: LoginFault.all)
  func faults(fault: LoginFault) async throws {
    let fixture = try await SessionFixture()
    fixture.kernel.inject(fault.fault, into: fault.type, skip: fault.skip)
    let expected: OperationError.Cause =
      switch (fault.fault, fault.type) {
      // The kernel's words for a connection that has failed meanwhile.
      case (.returnCode(.socketNotConnected), _): .login(.connectionClosed)
      case (_, .sendPDU): .pdu(.kernel(fault.error))
      default: .kernel(fault.error)
      }
    #expect(await fixture.failure(try fixture.request()) == expected)
    await fixture.expectNothingLeft()
  }

  /// Logs in with a short time, and with a longer one if the machine was too slow to come to `request` in it.
  private func timeOut(
    _ expected: OperationError.Cause, at request: KernelMessageType, _ prepare: (ScriptedKernel) -> Void,
    _ check: (SessionFixture) async -> Void
  ) async throws {
    for timeout in [Duration.milliseconds(200), .seconds(2), .seconds(20)] {
      let fixture = try await SessionFixture()
      prepare(fixture.kernel)
      let cause = await fixture.failure(try fixture.request(timeout: timeout))
      let hasCome = cause == expected && fixture.kernel.requests.contains { $0.type == request }
      if !hasCome, timeout < .seconds(20) { continue }
      #expect(cause == expected)
      return await check(fixture)
    }
  }

  @Test(
    "A request that is never answered ends with the login's time, and nothing is left",
    arguments: [KernelMessageType.createConnection, .sendPDU, .startConnection])
  func silence(type: KernelMessageType) async throws {
    let error = KernelError.timedOut(type)
    try await timeOut(type == .sendPDU ? .pdu(.kernel(error)) : .kernel(error), at: type) {
      $0.inject(.silence, into: type)
    } _: {
      await $0.expectNothingLeft()
    }
  }

  @Test("A session whose making is told too late is removed")
  func lateSession() async throws {
    try await timeOut(.kernel(.timedOut(.createSession)), at: .createSession) {
      $0.inject(.lateReply, into: .createSession)
    } _: { fixture in
      #expect(fixture.kernel.sessions.count == 1)
      fixture.kernel.releaseReplies()
      #expect(await eventually { fixture.kernel.sessions.isEmpty })
      await fixture.expectNothingLeft()
    }
  }

  @Test("A target that does not answer is given up at the login's time")
  func silentTarget() async throws {
    try await timeOut(.login(.timedOut), at: .sendPDU) {
      $0.serve { _ in SilentNode() }
    } _: {
      await $0.expectNothingLeft()
    }
  }

  @Test(
    "What the kernel reports instead of an answer ends the login",
    arguments: [
      (KernelErrorCode.connectionClosed, OperationError.Cause.login(.connectionClosed)),
      (.connectionFailed, .pdu(.connection(.connectionFailed))), (.invalidHost, .pdu(.connection(.invalidHost))),
    ])
  func connectionError(code: KernelErrorCode, cause: OperationError.Cause) async throws {
    let fixture = try await SessionFixture()
    let kernel = fixture.kernel
    kernel.answerPDUs { [weak kernel] session, _ in
      kernel?.failConnection(of: session, code)
      return []
    }
    #expect(await fixture.failure(try fixture.request()) == cause)
    await fixture.expectNothingLeft()
  }

  @Test("Events that are lost during the negotiation end it, and nothing is left")
  func overrun() async throws {
    let fixture = try await SessionFixture()
    let kernel = fixture.kernel
    kernel.answerPDUs { [weak kernel] _, _ in
      kernel?.overflow()
      return []
    }
    #expect(await fixture.failure(try fixture.request()) == .pdu(.kernel(.overrun(.receivedPDU))))
    await fixture.expectNothingLeft()
  }

  @Test("A PDU that cannot be read ends the login, and nothing is left")
  func malformed() async throws {
    let fixture = try await SessionFixture()
    // A Login Response in the reserved stage 2.
    fixture.kernel.answerPDUs { _, _ in
      [ScriptedPDU(header: [0x23, 0x08] + Array(repeating: 0, count: 46))]
    }
    guard case .pdu(.malformed)? = await fixture.failure(try fixture.request()) else {
      Issue.record("it was read")
      return
    }
    await fixture.expectNothingLeft()
  }

  @Test("Where nobody listens, the kernel is not asked for anything")
  func refused() async throws {
    let fixture = try await SessionFixture()
    let request = try fixture.request()
    fixture.peers[0].close()
    #expect(await fixture.failure(request) == .transport(.refused))
    #expect(fixture.requestTypes.isEmpty)
    await fixture.expectNothingLeft()
  }

  @Test("Options that cannot be offered are refused before anybody is asked")
  func badOptions() async throws {
    let fixture = try await SessionFixture()
    let same = try TestAccounts.ours()
    let cases: [(LoginFailure, (inout SessionOptions) -> Void)] = [
      (.equalSecrets, { $0.authentication = Authentication(outgoing: same, incoming: same) }),
      (.invalidParameter(.headerDigest, value: ""), { $0.operational.headerDigest = [] }),
      (.invalidParameter(.maxBurstLength, value: "511"), { $0.operational.maxBurstLength = 511 }),
    ]
    for (failure, change) in cases {
      var request = try fixture.request()
      change(&request.options)
      #expect(await fixture.failure(request) == .login(failure))
    }
    #expect(fixture.requestTypes.isEmpty && fixture.peers[0].connectionCount == 0)
  }

  @Test("A session that a failed login cannot remove is named", arguments: [LoginStatus.notFound, .movedTemporarily])
  func leftover(status: LoginStatus) async throws {
    var target = try testTarget()
    let refused = KernelError.rejected(.destroySessionAsync, .resourceBusy, by: .interface)
    if status == .movedTemporarily {
      target.login.redirect = try Portal("127.0.0.2")
    } else {
      target.login.refusal = status
    }
    let fixture = try await SessionFixture(target)
    fixture.kernel.inject(.refuse(.resourceBusy), into: .destroySessionAsync)
    let request = try fixture.request()
    let error = try #require(await #expect(throws: OperationError.self) { try await fixture.sessions.login(request) })
    let cause: OperationError.Cause = status == .movedTemporarily ? .kernel(refused) : .login(.rejected(status))
    #expect(error.cause == cause && error.exitStatus == cause.exitStatus)
    #expect(error.leftover == SessionID(rawValue: 1) && fixture.kernel.sessions.count == 1)
    #expect(error.description.hasSuffix("failed: \(cause); session 1 could not be removed and is still in the kernel"))
    #expect(error.advice?.hasPrefix("remove the session with iscsi-admin logout 1") == true)
  }

  private static let statuses: [LoginStatus] = [
    .initiatorError, .authorizationFailure, .notFound, .targetRemoved, .unsupportedVersion, .tooManyConnections,
    .missingParameter, .cannotIncludeInSession, .sessionTypeNotSupported, .sessionDoesNotExist, .invalidDuringLogin,
    .targetError, .serviceUnavailable, .outOfResources, LoginStatus(rawValue: 0x02FF), LoginStatus(rawValue: 0x0477),
  ]

  @Test("Every status that refuses a login is told, and nothing is left", arguments: statuses)
  func status(status: LoginStatus) async throws {
    var target = try testTarget()
    target.login.refusal = status
    let fixture = try await SessionFixture(target)
    #expect(await fixture.failure(try fixture.request()) == .login(.rejected(status)))
    await fixture.expectNothingLeft()
  }

  @Test("A target that wants CHAP from who has no secret says so, and one that gets a wrong one too")
  func authentication() async throws {
    let fixture = try await SessionFixture(try testTarget(authentication: try TestAccounts.chap()))
    #expect(await fixture.failure(try fixture.request()) == .login(.authenticationRequired(.authenticationFailure)))
    let wrong = CHAPCredentials(name: "host", secret: try #require(Secret("wrongSecret1234")))
    let request = try fixture.request(Authentication(outgoing: wrong))
    #expect(await fixture.failure(request) == .login(.rejected(.authenticationFailure)))
    await fixture.expectNothingLeft()
  }

  /// What an initiator may let pass: a second copy of the last answer, TSIH before the last response, an alias that is
  /// too long. The task tag is the kernel's to compare.
  private static let harmless: Set<HostileTarget.Case> = [
    .repeatedAnswer, .changingTSIH, .overlongValue, .wrongTaskTag,
  ]

  @Test(
    "No misbehaviour of a target gets through, and none leaves anything",
    arguments: (HostileTarget.Case.cases(in: .login) + HostileTarget.Case.cases(in: .authentication))
      .filter { !$0.isStreamOnly })
  func hostile(misbehaviour: HostileTarget.Case) async throws {
    let target = try TargetName("iqn.2001-04.com.example:disk")
    let chap = misbehaviour.phase == .authentication ? try TestAccounts.chap() : nil
    let fixture = try await SessionFixture { session in
      // Where the initiator came from, for the redirect to itself.
      let portal = Portal(host: .address(.v4(0x7F00_0001), scope: nil), port: session.peerPort ?? 0, tag: 1)
      return HostileTarget(
        misbehaviour, base: InMemoryTarget(name: target, portals: [portal], authentication: chap))
    }
    let request = try fixture.request(chap == nil ? .none : try TestAccounts.authentication(mutual: true))
    if Self.harmless.contains(misbehaviour) {
      let report = try await fixture.sessions.login(request)
      #expect(fixture.kernel.sessions[report.session]?.connection == .up)
      return
    }
    let cause = await fixture.failure(request)
    switch misbehaviour {
    case .wrongOpcode: #expect(cause == .unexpectedPDU(.nopIn))
    case .rejectsLogin: #expect(cause == .unexpectedPDU(.reject))
    case .redirectToItself: #expect(cause == .login(.redirectLoop(fixture.portal)))
    default:
      guard case .login? = cause else {
        Issue.record("\(String(describing: cause))")
        return
      }
    }
    await fixture.expectNothingLeft()
  }

  @Test(
    "A login that is cancelled leaves nothing, whichever step it is in",
    arguments: [LoginStep.connect, .create, .negotiate, .start])
  func cancelledAt(step: LoginStep) async throws {
    let fixture = try await SessionFixture()
    let (sessions, request) = (fixture.sessions, try fixture.request())
    let login = Task {
      await Result { () async throws(OperationError) in
        try await sessions.login(request) { reached in
          // The steps are told by the task that logs in.
          if reached == step { unsafe withUnsafeCurrentTask { unsafe $0?.cancel() } }
        }
      }
    }
    guard case .failure(let error) = await login.value else {
      Issue.record("the login succeeded")
      return
    }
    #expect(error.cause == .cancelled)
    #expect(error.exitStatus == .failure)
    await fixture.expectNothingLeft()
  }

  @Test("A login that is cancelled while the target is silent leaves nothing")
  func cancelledInWait() async throws {
    let fixture = try await SessionFixture(SilentNode())
    let (sessions, request) = (fixture.sessions, try fixture.request())
    let login = Task { await sessions.login([request]) }
    #expect(await eventually { fixture.requestTypes.last == 19 })
    login.cancel()
    guard case .failure(let error)? = await login.value.first else {
      Issue.record("the login succeeded")
      return
    }
    #expect(error.cause == .cancelled)
    await fixture.expectNothingLeft()
  }
}

extension Result where Failure: Error {
  /// The result of async work.
  init(_ body: () async throws(Failure) -> Success) async {
    do throws(Failure) { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
