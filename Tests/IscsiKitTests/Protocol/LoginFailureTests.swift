// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("Login failures")
struct LoginFailureTests {
  @Test(
    "Each status has its exit code and its text",
    arguments: [
      (LoginStatus.initiatorError, IscsiKit.ExitStatus.fatalLogin, false),
      (.authenticationFailure, .authentication, false), (.authorizationFailure, .authentication, false),
      (.notFound, .fatalLogin, false), (.targetRemoved, .fatalLogin, false), (.unsupportedVersion, .fatalLogin, false),
      (.tooManyConnections, .fatalLogin, false), (.missingParameter, .fatalLogin, false),
      (.cannotIncludeInSession, .fatalLogin, false), (.sessionTypeNotSupported, .fatalLogin, false),
      (.sessionDoesNotExist, .fatalLogin, false), (.invalidDuringLogin, .fatalLogin, false),
      (.targetError, .login, true), (.serviceUnavailable, .login, true), (.outOfResources, .login, true),
      (LoginStatus(rawValue: 0x0103), .login, true), (LoginStatus(rawValue: 0x02FF), .fatalLogin, false),
      (LoginStatus(rawValue: 0x03FF), .login, true), (LoginStatus(rawValue: 0xFFFF), .fatalLogin, false),
      (LoginStatus(rawValue: 0x0001), .fatalLogin, false),
    ])
  func statuses(status: LoginStatus, code: IscsiKit.ExitStatus, transient: Bool) throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.oneWay()))
    // A refusal counts even if the rest of it is zero.
    let failure = login.failure {
      let tag = $0.initiatorTaskTag
      $0 = LoginResponsePDU(isid: ISID(octets: [0, 0, 0, 0, 0, 0]))
      $0.initiatorTaskTag = tag
      $0.status = status
    }
    #expect(failure == .rejected(status))
    #expect(failure?.exitStatus == code)
    #expect(failure?.isTransient == transient)
    #expect(failure?.description.hasSuffix("(\(status))") == true)
  }

  @Test("The common refusals read well and come with advice")
  func texts() {
    #expect("\(LoginFailure.rejected(.authenticationFailure))" == "CHAP secret or name rejected (0201)")
    #expect("\(LoginFailure.rejected(.outOfResources))" == "target has no room for another session (0302)")
    #expect(
      "\(LoginFailure.authenticationRequired(.authenticationFailure))" == "the target requires authentication (0201)")
    #expect(LoginFailure.rejected(.authenticationFailure).advice?.isEmpty == false)
    #expect(LoginFailure.equalSecrets.advice?.isEmpty == false)
  }

  @Test(
    "What is not a status has its exit code too",
    arguments: [
      (LoginFailure.timedOut, IscsiKit.ExitStatus.pduTimeout, true), (.connectionClosed, .transport, true),
      (.equalSecrets, .authentication, false), (.authenticationRequired(nil), .authentication, false),
      (.targetNotAuthenticated(.wrongResponse), .fatalLogin, false),
      (.noCommonAlgorithm(offered: [.md5]), .authentication, false), (.incompleteCredentials, .invalidArgument, false),
      (.violation(.zeroTSIH), .fatalLogin, false), (.malformedText(.duplicate(key: "A")), .fatalLogin, false),
      (.tooManyRedirects(8), .fatalLogin, false), (.redirectToNowhere(Portal(host: .name("a"))), .fatalLogin, false),
      (.algorithmsRejected([.sha1]), .fatalLogin, false),
    ])
  func exitCodes(failure: LoginFailure, code: IscsiKit.ExitStatus, transient: Bool) {
    #expect(failure.exitStatus == code)
    #expect(failure.isTransient == transient)
  }

  @Test("A target that wants authentication is told from one that rejects it")
  func authenticationRequired() throws {
    let configuration = try Conversation.configuration()
    var login = try Conversation(configuration)
    #expect(login.failure { $0.status = .authenticationFailure } == .authenticationRequired(.authenticationFailure))
    login = try Conversation(configuration)
    #expect(login.failure { $0.currentStage = .security } == .authenticationRequired(nil))
    login = try Conversation(configuration)
    #expect(login.failure(["AuthMethod=CHAP"]) == .authenticationRequired(nil))
  }

  @Test("A configuration that must not go out is refused before anything is sent")
  func configurations() throws {
    func failure(_ change: (inout LoginConfiguration) throws -> Void) throws -> LoginFailure? {
      var configuration = try Conversation.configuration()
      try change(&configuration)
      do throws(LoginFailure) {
        _ = try LoginNegotiation(configuration)
        return nil
      } catch { return error }
    }
    let user = try Conversation.credentials()
    #expect(
      try failure { $0.authentication = Authentication(outgoing: user, incoming: try Conversation.credentials("t")) }
        == .equalSecrets)
    #expect(try failure { $0.authentication = Authentication(incoming: user) } == .incompleteCredentials)
    #expect(try failure { $0.authentication = Authentication(outgoing: user, algorithms: []) } == .noAlgorithms)
    for name in ["a\0b", String(repeating: "n", count: 256)] {
      #expect(
        try failure { $0.authentication = Authentication(outgoing: try Conversation.credentials(name)) }
          == .badCHAPName)
    }
    #expect(
      try failure { $0.operational.maxBurstLength = 511 } == .invalidParameter(.maxBurstLength, value: "511"))
    #expect(
      try failure { $0.operational.maxRecvDataSegmentLength = 16_777_216 }
        == .invalidParameter(.maxRecvDataSegmentLength, value: "16777216"))
    #expect(
      try failure { $0.operational.maxOutstandingR2T = 0 } == .invalidParameter(.maxOutstandingR2T, value: "0"))
    #expect(
      try failure { $0.operational.defaultTime2Wait = 3601 } == .invalidParameter(.defaultTime2Wait, value: "3601"))
    #expect(try failure { $0.operational.headerDigest = [] } == .invalidParameter(.headerDigest, value: ""))
    #expect(try failure { $0.initiatorAlias = "a\0B=1" } == .invalidParameter(.initiatorAlias, value: "a\0B=1"))
    #expect(try failure { _ in } == nil)
  }

  @Test("A short secret is a warning, not a failure")
  func shortSecrets() throws {
    let short = Authentication(
      outgoing: try Conversation.credentials("u", "elevenOctet"), incoming: try Conversation.credentials("t", "x"))
    #expect(short.warnings == [.shortOutgoingSecret(octets: 11), .shortIncomingSecret(octets: 1)])
    #expect(try Conversation.mutual().warnings.isEmpty)
    var configuration = try Conversation.configuration()
    configuration.authentication = short
    _ = try LoginNegotiation(configuration)
  }

  @Test("No failure, request or state shows a secret")
  func secrets() throws {
    var configuration = try Conversation.configuration(try Conversation.mutual())
    configuration.authentication.incoming = try Conversation.credentials("target", "secretOfUser12")
    var text = ""
    do { _ = try LoginNegotiation(configuration) } catch { text += "\(error) \(String(reflecting: error))" }
    var login = try Conversation(try Conversation.configuration(try Conversation.mutual()))
    login.challenge()
    login.answer(["CHAP_N=target", try login.proof(secret: "anotherSecret")], transit: true)
    dump(login, to: &text)
    #expect(!text.isEmpty && !text.contains("secretOf"))
  }

  /// A response to the first request of a login without credentials, and the failure it makes.
  struct Fault: Sendable, CustomTestStringConvertible {
    var text: [String]
    var transit: Bool
    var change: @Sendable (inout LoginResponsePDU) -> Void
    var failure: LoginFailure
    var testDescription: String { failure.description }

    init(
      _ failure: LoginFailure, _ text: [String] = [], transit: Bool = false,
      change: @escaping @Sendable (inout LoginResponsePDU) -> Void = { _ in }
    ) {
      self.text = text
      self.transit = transit
      self.change = change
      self.failure = failure
    }
  }

  static let headerFaults: [Fault] = [
    Fault(.violation(.wrongTaskTag)) { $0.initiatorTaskTag = 9 },
    Fault(.violation(.wrongISID)) { $0.isid = ISID(octets: [0, 2, 0x3D, 7, 0, 1]) },
    Fault(.violation(.wrongVersion(1))) { $0.versionActive = 1 },
    Fault(.violation(.wrongStage(.fullFeature))) { $0.currentStage = .fullFeature },
    Fault(.violation(.wrongNextStage(.operational)), transit: true) { $0.nextStage = .operational },
    Fault(.violation(.wrongNextStage(.security)), transit: true) { $0.nextStage = .security },
    Fault(.violation(.transitWithContinuation), transit: true) { $0.isContinued = true },
    Fault(.violation(.zeroTSIH), transit: true) { $0.tsih = 0 },
    Fault(.violation(.badRedirect)) { $0.status = .movedTemporarily },
    Fault(.violation(.badRedirect), ["TargetAddress=10.0.0.1:0"]) { $0.status = .movedTemporarily },
    Fault(.violation(.badRedirect), ["TargetAddress=a\nb"]) { $0.status = .movedPermanently },
    Fault(.violation(.badRedirect), ["junk"]) { $0.status = .movedPermanently },
    Fault(.malformedText(.tooLong(octets: 65_537, limit: 65_536))) { $0.data = [UInt8](repeating: 0, count: 65_537) },
  ]

  static let textFaults: [Fault] = [
    Fault(.malformedText(.noSeparator("junk")), ["junk"]),
    Fault(.malformedText(.badKey("A B")), ["A B=1"]),
    Fault(.malformedText(.badValue(key: "InitialR2T", value: "Maybe")), ["InitialR2T=Maybe"]),
    Fault(.malformedText(.badValue(key: "MaxBurstLength", value: "?")), ["MaxBurstLength=?"]),
    Fault(.malformedText(.outOfRange(key: "MaxBurstLength", value: "0")), ["MaxBurstLength=0"]),
    Fault(
      .malformedText(.outOfRange(key: "MaxRecvDataSegmentLength", value: "511")), ["MaxRecvDataSegmentLength=511"]),
    Fault(
      .malformedText(.outOfRange(key: "TargetPortalGroupTag", value: "65536")), ["TargetPortalGroupTag=65536"]),
    Fault(.violation(.keyTwice("MaxBurstLength")), ["MaxBurstLength=512", "MaxBurstLength=512"]),
    Fault(.violation(.keyTwice("TargetPortalGroupTag")), ["TargetPortalGroupTag=1", "TargetPortalGroupTag=2"]),
    Fault(.violation(.answerNotOffered(key: "HeaderDigest", value: "CRC32C")), ["HeaderDigest=CRC32C"]),
    Fault(.violation(.answerNotOffered(key: "HeaderDigest", value: "None,None")), ["HeaderDigest=None,None"]),
    Fault(.violation(.answerWithoutOffer("TaskReporting")), ["TaskReporting=RFC3720"], transit: true),
    Fault(.violation(.answerWithoutOffer("iSCSIProtocolLevel")), ["iSCSIProtocolLevel=NotUnderstood"]),
    Fault(.violation(.keyOfInitiator("InitiatorName")), ["InitiatorName=iqn.2001-04.com.example:a"]),
    Fault(.violation(.keyOfInitiator("SendTargets")), ["SendTargets=All"]),
    Fault(.violation(.keyOfInitiator("SessionType")), ["SessionType=Normal"]),
    Fault(.violation(.tooManyKeys(256)), (0..<257).map { "X-\($0)=1" }),
  ]

  @Test("A response that breaks the rules ends the login", arguments: headerFaults + textFaults)
  func faults(fault: Fault) throws {
    var login = try Conversation(try Conversation.configuration())
    #expect(login.failure(fault.text, transit: fault.transit, change: fault.change) == fault.failure)
    // It ends for good.
    #expect(login.failure() == .violation(.unexpectedResponse))
  }

  @Test("StatSN must count on, over the wrap too")
  func statSN() throws {
    var login = try Conversation(try Conversation.configuration())
    login.answer()
    login.answer()
    #expect(login.request.expStatSN == 0)
    let reason = LoginViolation.wrongStatSN(expected: 0, received: 5)
    #expect(login.failure { $0.statSN = 5 } == .violation(reason))
  }

  @Test("TSIH of a reinstated session must stay")
  func wrongTSIH() throws {
    var configuration = try Conversation.configuration()
    configuration.tsih = 3
    var login = try Conversation(configuration)
    #expect(login.failure(transit: true) { $0.tsih = 4 } == .violation(.wrongTSIH(4)))
  }

  @Test("A target that never ends is left after 64 responses")
  func endless() throws {
    for isContinued in [false, true] {
      var login = try Conversation(try Conversation.configuration())
      for _ in 0..<64 { login.answer { $0.isContinued = isContinued } }
      guard case .send = login.action else { throw Conversation.Unexpected(action: login.action) }
      #expect(login.failure { $0.isContinued = isContinued } == .violation(.tooManyResponses(64)))
    }
  }

  @Test("The text of all responses together is limited")
  func tooMuchText() throws {
    var login = try Conversation(try Conversation.configuration())
    for _ in 0..<8 {
      login.answer {
        $0.data = [UInt8](repeating: 0x41, count: 8192)
        $0.isContinued = true
      }
    }
    #expect(login.failure { $0.data = [0x41] } == .malformedText(.tooLong(octets: 65_537, limit: 65_536)))

    // It makes no difference that each text is complete.
    login = try Conversation(try Conversation.configuration())
    for number in 0..<16 { login.answer(["X-\(number % 10)\(number / 10)=" + String(repeating: "x", count: 4090)]) }
    guard case .send = login.action else { throw Conversation.Unexpected(action: login.action) }
    #expect(login.failure(["A=1"]) == .malformedText(.tooLong(octets: 65_540, limit: 65_536)))
  }

  @Test("A digest that we insist on and the target does not do ends the login")
  func digestRefused() throws {
    for text in [["HeaderDigest=Reject"], ["HeaderDigest=None"], []] {
      var configuration = try Conversation.configuration()
      configuration.operational.headerDigest = [.crc32c]
      var login = try Conversation(configuration)
      #expect(login.failure(text, transit: true) == .digestRefused(.headerDigest))
    }
  }

  @Test("A target may say nothing before our text is complete")
  func interruption() throws {
    var configuration = try Conversation.configuration()
    configuration.maxDataSegmentLength = 100
    for (text, isContinued) in [(["A=1"], false), ([], true)] {
      var login = try Conversation(configuration)
      #expect(login.failure(text) { $0.isContinued = isContinued } == .violation(.interruptedText))
    }
    var login = try Conversation(configuration)
    #expect(login.failure(transit: true) { $0.nextStage = .fullFeature } == .violation(.uninvitedTransit))
  }

  @Test("Nothing is received before the start, and nothing starts twice")
  func order() throws {
    let configuration = try Conversation.configuration()
    var negotiation = try LoginNegotiation(configuration)
    let response = LoginResponsePDU(isid: configuration.isid)
    #expect(negotiation.receive(response) == .failed(.violation(.unexpectedResponse)))
    guard case .send = negotiation.start() else {
      Issue.record("no first request")
      return
    }
    #expect(negotiation.start() == .failed(.violation(.unexpectedResponse)))
  }
}
