// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("Login negotiation")
struct LoginNegotiationTests {
  /// What LIO answers to the offers of one request.
  static let lio = [
    "TargetAlias=LIO Target", "TargetPortalGroupTag=1", "HeaderDigest=None", "DataDigest=None", "DefaultTime2Wait=2",
    "DefaultTime2Retain=0", "ErrorRecoveryLevel=0", "InitialR2T=Yes", "ImmediateData=Yes", "MaxBurstLength=262144",
    "FirstBurstLength=65536", "MaxOutstandingR2T=1", "MaxConnections=1", "DataPDUInOrder=Yes",
    "DataSequenceInOrder=Yes", "MaxRecvDataSegmentLength=262144",
  ]
  /// What tgt 1.0.85 answers; it declares no MaxRecvDataSegmentLength.
  static let tgt = [
    "TargetPortalGroupTag=1", "HeaderDigest=None", "DataDigest=None", "DefaultTime2Wait=2", "DefaultTime2Retain=0",
    "ErrorRecoveryLevel=0", "InitialR2T=Yes", "ImmediateData=Yes", "MaxBurstLength=262144", "FirstBurstLength=65536",
    "MaxOutstandingR2T=1", "MaxConnections=1", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes",
  ]

  @Test("Without credentials one exchange does, with everything in one request")
  func oneExchange() throws {
    var configuration = try Conversation.configuration()
    configuration.initiatorAlias = "host"
    configuration.connectionID = 3
    configuration.expStatSN = 77
    var login = try Conversation(configuration)
    let request = login.request
    #expect(request.transit && !request.isContinued)
    #expect(request.currentStage == .operational && request.nextStage == .fullFeature)
    #expect(request.isid == configuration.isid && request.tsih == 0 && request.connectionID == 3)
    #expect(request.commandSN == 1 && request.expStatSN == 77)
    #expect(
      try login.sent == [
        "InitiatorName=iqn.2004-10.com.example:host", "InitiatorAlias=host",
        "TargetName=iqn.2001-04.com.example:disk", "SessionType=Normal", "HeaderDigest=None", "DataDigest=None",
        "DefaultTime2Wait=2", "DefaultTime2Retain=0", "ErrorRecoveryLevel=0", "InitialR2T=No", "ImmediateData=Yes",
        "MaxBurstLength=16776192", "FirstBurstLength=262144", "MaxOutstandingR2T=1", "MaxConnections=1",
        "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes", "MaxRecvDataSegmentLength=262144",
      ])
    let result = try login.finish(Self.lio)
    #expect(result.tsih == 1 && result.statSN == 0xFFFF_FFFE)
    #expect(result.expCommandSN == 1 && result.maxCommandSN == 32)
    #expect(result.tag == 1 && result.targetAlias == "LIO Target" && result.algorithm == nil)
    let agreed = result.negotiated
    #expect(agreed.initialR2T && agreed.immediateData)
    #expect(agreed.maxBurstLength == 262_144 && agreed.firstBurstLength == 65_536)
    #expect(agreed.maxRecvDataSegmentLength == 262_144 && agreed.maxXmitDataSegmentLength == 262_144)
    #expect(agreed.defaultTime2Wait == 2 && agreed.defaultTime2Retain == 0)
  }

  @Test("A target that answers with empty text first is asked again")
  func emptyAnswer() throws {
    var login = try Conversation(try Conversation.configuration())
    login.answer(["TargetPortalGroupTag=5"])
    #expect(login.request.transit && login.request.data.isEmpty && login.request.expStatSN == 0xFFFF_FFFF)
    let result = try login.finish(Array(Self.tgt.dropFirst()))
    #expect(result.tag == 5 && result.negotiated.initialR2T && result.statSN == 0xFFFF_FFFF)
    #expect(result.negotiated.maxXmitDataSegmentLength == 8192)
  }

  @Test("A discovery session offers only what applies to it")
  func discovery() throws {
    var login = try Conversation(try Conversation.configuration(discovery: true))
    #expect(
      try login.sent == [
        "InitiatorName=iqn.2004-10.com.example:host", "SessionType=Discovery", "HeaderDigest=None", "DataDigest=None",
        "DefaultTime2Wait=2", "DefaultTime2Retain=0", "ErrorRecoveryLevel=0", "MaxRecvDataSegmentLength=262144",
      ])
    login.answer(["MaxBurstLength=262144", "InitialR2T=Yes"])
    #expect(try login.sent == ["MaxBurstLength=Irrelevant", "InitialR2T=Irrelevant"])
    let result = try login.finish(["MaxConnections=1", "HeaderDigest=None"])
    #expect(result.negotiated.maxBurstLength == 262_144 && result.negotiated.initialR2T)
  }

  @Test("CHAP in one direction goes through its three steps", arguments: CHAPAlgorithm.allCases)
  func oneWay(algorithm: CHAPAlgorithm) throws {
    var login = try Conversation(
      try Conversation.configuration(try Conversation.oneWay([.sha3, .sha256, .sha1, .md5])))
    #expect(login.request.currentStage == .security && !login.request.transit)
    #expect(try login.sent.suffix(1) == ["AuthMethod=CHAP,None"])
    login.answer(["AuthMethod=CHAP", "TargetPortalGroupTag=1", "TargetAlias=x"])
    #expect(try login.sent == ["CHAP_A=8,7,6,5"])
    #expect(!login.request.transit)
    login.answer(["CHAP_A=\(algorithm.rawValue)", "CHAP_I=0xfe", "CHAP_C=0bAQID"])
    let expected = CHAP.response(
      algorithm: algorithm, identifier: 0xFE, secret: try #require(Secret("secretOfUser12")), challenge: [1, 2, 3])
    #expect(try login.sent == ["CHAP_N=user", "CHAP_R=" + TextBinary.encode(expected)])
    #expect(login.request.transit && login.request.nextStage == .operational)
    login.answer(transit: true)
    #expect(login.request.currentStage == .operational && login.request.nextStage == .fullFeature)
    #expect(try login.sent.first == "HeaderDigest=None")
    let result = try login.finish(Array(Self.lio.dropFirst(2)))
    #expect(result.algorithm == algorithm && result.tag == 1)
  }

  @Test("Mutual CHAP checks the target's proof", arguments: CHAPAlgorithm.allCases)
  func mutual(algorithm: CHAPAlgorithm) throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.mutual([algorithm])))
    #expect(try login.sent.suffix(1) == ["AuthMethod=CHAP"])
    login.challenge(algorithm)
    let challenge = try #require(TextBinary.parse(try login.sentValue(.chapChallenge), limit: 1024))
    #expect(challenge.count == algorithm.digestLength)
    login.answer(["CHAP_N=target", try login.proof(algorithm)], transit: true)
    #expect(try login.finish(Array(Self.tgt.dropFirst())).algorithm == algorithm)
  }

  @Test("A target may send its proof without T and leave the stage with the next response")
  func proofBeforeTransit() throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.mutual()))
    login.challenge()
    login.answer(["CHAP_N=target", try login.proof()])
    #expect(login.request.transit && login.request.data.isEmpty && login.request.currentStage == .security)
    login.answer(transit: true)
    #expect(login.request.currentStage == .operational)
    _ = try login.finish()
  }

  @Test("An empty incoming name is that of no target")
  func noName() throws {
    var authentication = try Conversation.mutual()
    authentication.incoming = try Conversation.credentials("", "secretOfTarget")
    var login = try Conversation(try Conversation.configuration(authentication))
    login.challenge()
    let proof = try login.proof()
    #expect(login.failure(["CHAP_N=", proof], transit: true) == .targetNotAuthenticated(.wrongName))
  }

  @Test("A secret without a name is not proven, and does no harm where the target does not want it")
  func nameless() throws {
    let authentication = Authentication(outgoing: try Conversation.credentials(""))
    var login = try Conversation(try Conversation.configuration(authentication))
    #expect(try login.sent.last == "AuthMethod=CHAP,None")
    login.answer(["AuthMethod=CHAP"])
    #expect(login.failure(["CHAP_A=5", "CHAP_I=9", "CHAP_C=0x010203"]) == .nameless)
    var unwanted = try Conversation(try Conversation.configuration(authentication))
    unwanted.answer(["AuthMethod=None"])
    unwanted.answer(transit: true)
    #expect(unwanted.request.currentStage == .operational)
  }

  @Test("Each login has a challenge of its own")
  func freshChallenge() throws {
    let challenges = try (0..<4).map { _ in
      var login = try Conversation(try Conversation.configuration(try Conversation.mutual()))
      login.challenge()
      return try login.sentValue(.chapChallenge)
    }
    #expect(Set(challenges).count == 4)
  }

  @Test("A target without authentication may choose None if only it would have checked us")
  func none() throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.oneWay()))
    login.answer(["AuthMethod=None"])
    #expect(login.request.transit && login.request.data.isEmpty && login.request.nextStage == .operational)
    login.answer(transit: true)
    #expect(try login.finish(Self.lio).algorithm == nil)
  }

  @Test("Our text is cut into requests with C, and T comes with the last", arguments: [10, 100, 250, 8192])
  func longRequest(length: Int) throws {
    var configuration = try Conversation.configuration()
    let whole = try Conversation(configuration).request.data
    configuration.maxDataSegmentLength = length
    var login = try Conversation(configuration)
    var collected = login.request.data
    while login.request.isContinued, collected.count < whole.count {
      #expect(!login.request.transit && login.request.data.count == length)
      login.answer()
      collected += login.request.data
    }
    #expect(login.request.transit && collected == whole)
    _ = try login.finish(Self.lio)
  }

  @Test("A target's text over several responses is fetched with empty requests", arguments: [1, 10, 100])
  func longResponse(count: Int) throws {
    var login = try Conversation(try Conversation.configuration())
    let lines = Self.lio + ["X-com.example.pad=" + String(repeating: "x", count: 500)]
    let text: [UInt8] = lines.flatMap { Array($0.utf8) + [0] }
    let length = text.count / min(count, 50) + 1
    var rest = text[...]
    while rest.count > length {
      login.answer {
        $0.data = Array(rest.prefix(length))
        $0.isContinued = true
      }
      rest = rest.dropFirst(length)
      #expect(login.request.data.isEmpty && !login.request.transit && !login.request.isContinued)
    }
    login.answer { $0.data = Array(rest) }
    #expect(try login.sent == ["X-com.example.pad=NotUnderstood"])
    #expect(login.request.transit)
    #expect(try login.finish().targetAlias == "LIO Target")
  }

  @Test("A target may set T with the end of a long text, because our text had T")
  func transitAfterContinuation() throws {
    var login = try Conversation(try Conversation.configuration())
    login.answer(["TargetAlias=x"]) { $0.isContinued = true }
    login.answer(["TargetPortalGroupTag=2"], transit: true) {
      $0.nextStage = .fullFeature
      $0.tsih = 4
    }
    guard case .succeeded(let result) = login.action else { throw Conversation.Unexpected(action: login.action) }
    #expect(result.tag == 2 && result.targetAlias == "x" && result.tsih == 4)
  }

  @Test(
    "What a target offers is answered by the key's rule",
    arguments: [
      ("X-com.example.key=1", "X-com.example.key=NotUnderstood"), ("X#y=", "X#y=NotUnderstood"),
      ("Unheard=Yes", "Unheard=NotUnderstood"), ("TaskReporting=FastAbort,RFC3720", "TaskReporting=RFC3720"),
      ("TaskReporting=FastAbort", "TaskReporting=Reject"), ("iSCSIProtocolLevel=2", "iSCSIProtocolLevel=1"),
      ("IFMarker=No", "IFMarker=Reject"), ("OFMarkInt=2048~8192", "OFMarkInt=Reject"),
      ("Unheard=NotUnderstood", nil), ("X#NodeArchitecture=a,b", nil), ("TargetAddress=10.0.0.1:3260,1", nil),
    ] as [(String, String?)])
  func targetOffers(offer: String, answer: String?) throws {
    for authentication in [Authentication.none, try Conversation.oneWay()] {
      var login = try Conversation(try Conversation.configuration(authentication))
      if authentication.outgoing != nil {
        login.challenge()
        login.answer(transit: true)
      }
      login.answer([offer])
      #expect(try login.sent == (answer.map { [$0] } ?? []))
      #expect(login.request.transit)
      _ = try login.finish(Array(Self.tgt.dropFirst()))
    }
  }

  @Test("An unknown key fails a login neither in the security stage, nor twice, nor with the last response")
  func unknownKeys() throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.oneWay()))
    login.answer(["AuthMethod=CHAP", "X-a=1", "X-a=1"])
    #expect(try login.sent == ["CHAP_A=5", "X-a=NotUnderstood"])
    login.answer(["CHAP_A=5", "CHAP_I=1", "CHAP_C=0x01", "X-a=2"])
    login.answer(["X-b=1"], transit: true)
    _ = try login.finish(["X-c=1", "X-b=3"])
  }

  @Test("A declaration may be repeated word for word, and an alias that is not fit to be shown is left out")
  func repeatedDeclaration() throws {
    var login = try Conversation(try Conversation.configuration())
    login.answer(["TargetAlias=a\u{1B}[2J", "TargetPortalGroupTag=3"])
    let result = try login.finish(["TargetPortalGroupTag=3"])
    #expect(result.tag == 3 && result.targetAlias == nil)
  }

  @Test("Reinstating by TSIH keeps it")
  func sameTSIH() throws {
    var configuration = try Conversation.configuration()
    configuration.tsih = 1
    var login = try Conversation(configuration)
    #expect(login.request.tsih == 1)
    #expect(try login.finish().tsih == 1)
  }

  @Test("Where the kernel gives the tag, the tag of a response is not compared")
  func kernelTag() throws {
    var configuration = try Conversation.configuration()
    configuration.initiatorTaskTag = nil
    var login = try Conversation(configuration)
    guard case .succeeded = login.answer(transit: true, change: { $0.initiatorTaskTag = 0x1000_0051 }) else {
      throw Conversation.Unexpected(action: login.action)
    }
  }

  @Test("A redirect tells where to go", arguments: [(LoginStatus.movedTemporarily, false), (.movedPermanently, true)])
  func redirect(status: LoginStatus, permanent: Bool) throws {
    var login = try Conversation(try Conversation.configuration())
    login.answer(["TargetAddress=[2001:db8::1]:3261,2"]) { $0.status = status }
    #expect(
      login.action == .redirect(LoginRedirect(portal: try Portal("[2001:db8::1]:3261,2"), isPermanent: permanent)))
  }
}
