// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

@Suite("SendTargets discovery against hostile targets", .timeLimit(.minutes(2)))
struct SendTargetsHostileTests {
  /// The cases that end with the discovery's time; the wait for a Logout Response has a time of its own.
  private static let endsByDeadline: Set<HostileTarget.Case> = [.lyingDataSegmentLength, .noAnswer]

  /// What a discovery against a misbehaving target came to.
  private func run(
    _ misbehaviour: HostileTarget.Case
  ) async throws -> Result<SendTargetsResponse, OperationError> {
    let chap = misbehaviour.phase == .authentication ? try TestAccounts.chap() : nil
    let name = try TargetName("iqn.2001-04.com.example:disk")
    let server = try LoopbackTarget { portal in
      HostileTarget(misbehaviour, base: InMemoryTarget(name: name, portals: [portal], authentication: chap))
    }
    let discovery = try makeDiscovery(
      chap == nil ? .none : try TestAccounts.authentication(mutual: true),
      timeout: Self.endsByDeadline.contains(misbehaviour) ? .milliseconds(300) : .seconds(60))
    let result = await Result { () async throws(OperationError) in try await discovery.run(at: server.portal) }
    await expectClosed(server)
    return result
  }

  /// What each misbehaviour must be told as; the other cases are harmless.
  private static let causes: [HostileTarget.Case: OperationError.Cause] = [
    .garbageOctets: .pdu(.malformed(.dataTooLong(declared: 0x312E31, limit: 262_144))),
    .truncatedHeader: .login(.connectionClosed), .truncatedData: .login(.connectionClosed),
    .lyingDataSegmentLength: .login(.timedOut),
    .oversizedData: .pdu(.malformed(.dataTooLong(declared: 0xFFFFFF, limit: 262_144))),
    .reservedStage: .pdu(.malformed(.reservedStage)), .reservedOpcode: .unexpectedPDU(PDUOpcode(rawValue: 0x3A)),
    .closesAtOnce: .login(.connectionClosed), .noAnswer: .login(.timedOut),

    .wrongTaskTag: .login(.violation(.wrongTaskTag)), .wrongISID: .login(.violation(.wrongISID)),
    .zeroTSIH: .login(.violation(.zeroTSIH)), .otherCurrentStage: .login(.authenticationRequired(nil)),
    .nextStageGoesBack: .login(.violation(.wrongNextStage(.security))),
    .otherNextStage: .login(.violation(.wrongNextStage(.operational))),
    .transitWhileContinued: .login(.violation(.transitWithContinuation)),
    .endlessContinuation: .login(.violation(.tooManyResponses(64))),
    .endlessRounds: .login(.violation(.tooManyResponses(64))),
    .unofferedKey: .login(.violation(.answerWithoutOffer("OFMarkInt"))),
    .contradictingKeys: .login(.violation(.keyTwice("TargetPortalGroupTag"))),
    .wrongOpcode: .unexpectedPDU(.nopIn), .rejectsLogin: .unexpectedPDU(.reject),
    .unknownStatus: .login(.rejected(LoginStatus(rawValue: 0x0499))),
    .wrongVersion: .login(.violation(.wrongVersion(0x7F))),
    .redirectWithoutAddress: .login(.violation(.badRedirect)), .redirectToGarbage: .login(.violation(.badRedirect)),

    .unofferedAuthMethod: .login(.violation(.answerNotOffered(key: "AuthMethod", value: "KRB5"))),
    .authenticationDowngrade: .login(.violation(.uninvitedTransit)),
    .transitWithoutRequest: .login(.violation(.uninvitedTransit)),
    .unofferedAlgorithm: .login(.violation(.answerNotOffered(key: "CHAP_A", value: "99"))),
    .emptyChallenge: .login(.violation(.badCHAPValue(.chapChallenge))),
    .longChallenge: .login(.violation(.badCHAPValue(.chapChallenge))),
    .malformedChallenge: .login(.violation(.badCHAPValue(.chapChallenge))),
    .missingIdentifier: .login(.violation(.keyMissing("CHAP_I"))),
    .wrongIdentifier: .login(.violation(.badCHAPValue(.chapIdentifier))),
    .missingTargetResponse: .login(.targetNotAuthenticated(.noResponse)),
    .wrongTargetResponse: .login(.targetNotAuthenticated(.wrongResponse)),

    // The second Login Response is what comes next.
    .repeatedAnswer: .text(.unexpected(.loginResponse)), .textWrongOpcode: .text(.unexpected(.loginResponse)),
    .textWrongTaskTag: .text(.wrongTaskTag(expected: 1, received: 0)),
    .textFinalButContinued: .text(.finalButContinued), .textWithoutTransferTag: .text(.noTargetTransferTag),
    .textEndlessRounds: .text(.endless(count: 16_384)), .textEndlessText: .text(.tooMuchText(limit: 16 << 20)),
    .textReject: .text(.rejected(.protocolError)), .textEndlessPings: .text(.endless(count: 256)),
    .textDropped: .text(.dropped(.connectionDropped)),
  ]

  @Test("Every misbehaviour is told as what it is", arguments: causes)
  func told(misbehaviour: HostileTarget.Case, cause: OperationError.Cause) async throws {
    guard case .failure(let error) = try await run(misbehaviour) else {
      Issue.record("it went unnoticed")
      return
    }
    #expect(error.cause == cause)
  }

  @Test("Text that is none is told as such")
  func garbageText() async throws {
    guard case .failure(let error) = try await run(.garbageText), case .login(.malformedText) = error.cause else {
      Issue.record("it went unnoticed")
      return
    }
  }

  @Test("A redirect to where it came from is a loop")
  func redirectToItself() async throws {
    guard case .failure(let error) = try await run(.redirectToItself),
      case .login(.redirectLoop(let portal)) = error.cause, error.operation == .discovery(portal)
    else {
      Issue.record("it went unnoticed")
      return
    }
  }

  private static let others: Set<HostileTarget.Case> = [.garbageText, .redirectToItself]

  @Test(
    "What does no harm is let pass",
    arguments: HostileTarget.Case.allCases.filter { causes[$0] == nil && !others.contains($0) })
  func harmless(misbehaviour: HostileTarget.Case) async throws {
    let response = try await run(misbehaviour).get()
    let name = misbehaviour == .textHostileNames ? "good" : "disk"
    #expect(response.targets.map(\.name.description) == ["iqn.2001-04.com.example:\(name)"])
  }
}
