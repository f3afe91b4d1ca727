// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("CHAP")
struct CHAPTests {
  @Test("The response is the digest of identifier, secret and challenge", arguments: CHAPAlgorithm.allCases)
  func response(algorithm: CHAPAlgorithm) throws {
    let secret = try #require(Secret("abc"))
    let response = CHAP.response(algorithm: algorithm, identifier: 0x41, secret: secret, challenge: [1, 2])
    #expect(response == algorithm.digest(of: [0x41, 0x61, 0x62, 0x63, 1, 2]))
    #expect(response.count == algorithm.digestLength)
  }

  @Test(
    "An answer to AuthMethod that does not fit ends the login",
    arguments: [
      (["AuthMethod=Reject"], LoginFailure.authenticationRefused),
      (["AuthMethod=KRB5"], .violation(.answerNotOffered(key: "AuthMethod", value: "KRB5"))),
      (["AuthMethod=CHAP,None"], .violation(.answerNotOffered(key: "AuthMethod", value: "CHAP,None"))),
      (["AuthMethod=None"], .targetNotAuthenticated(.declined)),
      (["CHAP_A=5"], .violation(.keyOutOfOrder("CHAP_A"))),
      (["AuthMethod=CHAP", "CHAP_A=5"], .violation(.keyOutOfOrder("CHAP_A"))),
      (["AuthMethod=CHAP", "HeaderDigest=None"], .violation(.keyOutsideItsStage("HeaderDigest"))),
    ])
  func methods(text: [String], failure: LoginFailure) throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.mutual()))
    #expect(login.failure(text) == failure)
  }

  @Test(
    "A challenge that does not fit ends the login",
    arguments: [
      (["CHAP_A=Reject", "CHAP_I=1", "CHAP_C=0x01"], LoginFailure.noCommonAlgorithm(offered: [.sha256, .md5])),
      (["CHAP_A=6", "CHAP_I=1", "CHAP_C=0x01"], .violation(.answerNotOffered(key: "CHAP_A", value: "6"))),
      (["CHAP_A=9", "CHAP_I=1", "CHAP_C=0x01"], .violation(.answerNotOffered(key: "CHAP_A", value: "9"))),
      (["CHAP_A=7,5", "CHAP_I=1", "CHAP_C=0x01"], .violation(.answerNotOffered(key: "CHAP_A", value: "7,5"))),
      (["CHAP_A=5", "CHAP_I=256", "CHAP_C=0x01"], .violation(.badCHAPValue(.chapIdentifier))),
      (["CHAP_A=5", "CHAP_I=-1", "CHAP_C=0x01"], .violation(.badCHAPValue(.chapIdentifier))),
      (["CHAP_A=5", "CHAP_I=1", "CHAP_C=0x"], .violation(.badCHAPValue(.chapChallenge))),
      (["CHAP_A=5", "CHAP_I=1", "CHAP_C=01"], .violation(.badCHAPValue(.chapChallenge))),
      (
        ["CHAP_A=5", "CHAP_I=1", "CHAP_C=0x" + String(repeating: "00", count: 1025)],
        .violation(.badCHAPValue(.chapChallenge))
      ),
      (["CHAP_A=5", "CHAP_C=0x01"], .violation(.keyMissing("CHAP_I"))),
      (["CHAP_A=5", "CHAP_I=1"], .violation(.keyMissing("CHAP_C"))),
      (["CHAP_A=5", "CHAP_I=1", "CHAP_C=0x01", "CHAP_R=0x01"], .violation(.keyOutOfOrder("CHAP_R"))),
      (["AuthMethod=CHAP"], .violation(.keyTwice("AuthMethod"))),
    ])
  func challenges(text: [String], failure: LoginFailure) throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.mutual([.sha256, .md5])))
    login.answer(["AuthMethod=CHAP"])
    #expect(login.failure(text) == failure)
  }

  @Test("CHAP_A=Reject alone says what is wrong")
  func algorithmsRejected() throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.oneWay([.sha3])))
    login.answer(["AuthMethod=CHAP"])
    #expect(login.failure(["CHAP_A=Reject"]) == .noCommonAlgorithm(offered: [.sha3]))
  }

  @Test("A challenge of 1 and of 1024 octets is answered", arguments: [1, 1024])
  func challengeLengths(count: Int) throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.oneWay()))
    login.answer(["AuthMethod=CHAP"])
    login.answer(["CHAP_A=5", "CHAP_I=0", "CHAP_C=0x" + String(repeating: "5a", count: count)])
    #expect(try login.sent.count == 2)
  }

  @Test(
    "A proof that does not hold ends the login",
    arguments: [
      (
        ["CHAP_N=target", "CHAP_R=0x00112233445566778899aabbccddeeff"],
        LoginFailure.targetNotAuthenticated(.wrongResponse)
      ),
      (["CHAP_N=target", "CHAP_R=0x00"], .violation(.badCHAPValue(.chapResponse))),
      (["CHAP_N=target", "CHAP_R=0x00112233445566778899aabbccddeeff00"], .violation(.badCHAPValue(.chapResponse))),
      (["CHAP_N=target", "CHAP_R=secret"], .violation(.badCHAPValue(.chapResponse))),
      (["CHAP_N=target"], .violation(.keyMissing("CHAP_R"))),
      ([], .targetNotAuthenticated(.noResponse)),
      (["CHAP_C=0x01"], .violation(.keyTwice("CHAP_C"))),
    ])
  func proofs(text: [String], failure: LoginFailure) throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.mutual()))
    login.challenge()
    #expect(login.failure(text, transit: true) == failure)
  }

  @Test("A right response under a wrong name is not enough")
  func wrongName() throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.mutual()))
    login.challenge()
    let proof = try login.proof()
    #expect(login.failure(["CHAP_N=Target", proof], transit: true) == .targetNotAuthenticated(.wrongName))
  }

  @Test("Our own response is not a proof")
  func reflectedResponse() throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.mutual()))
    login.challenge()
    let response = try login.sentValue(.chapResponse)
    #expect(
      login.failure(["CHAP_N=target", "CHAP_R=\(response)"], transit: true) == .targetNotAuthenticated(.reflected))
  }

  @Test("Our own challenge is not answered")
  func reflectedChallenge() throws {
    let configuration = try Conversation.configuration(try Conversation.mutual())
    // Two logins of one seed have the same challenge, so that the first can tell it to the target of the second.
    func login() throws -> Conversation {
      var login = try Conversation(configuration)
      var generator = SeededGenerator(state: 1)
      login.negotiation = try LoginNegotiation(configuration, using: &generator)
      _ = login.negotiation.start()
      return login
    }
    var first = try login()
    first.challenge()
    let challenge = try first.sentValue(.chapChallenge)
    var second = try login()
    second.answer(["AuthMethod=CHAP"])
    #expect(
      second.failure(["CHAP_A=5", "CHAP_I=1", "CHAP_C=\(challenge)"]) == .targetNotAuthenticated(.reflected))
  }

  @Test("The security stage has no transit before CHAP is done")
  func earlyTransit() throws {
    let configuration = try Conversation.configuration(try Conversation.oneWay())
    for text in [[], ["AuthMethod=CHAP"], ["AuthMethod=None"]] {
      var login = try Conversation(configuration)
      #expect(
        login.failure(text, transit: true) { $0.nextStage = .operational } == .violation(.uninvitedTransit))
    }
    var login = try Conversation(configuration)
    login.answer(["AuthMethod=CHAP"])
    #expect(login.failure(transit: true) { $0.nextStage = .fullFeature } == .violation(.uninvitedTransit))
    login = try Conversation(configuration)
    login.challenge()
    #expect(login.failure(transit: true) { $0.nextStage = .fullFeature } == .violation(.wrongNextStage(.fullFeature)))
  }

  @Test("Security keys after the security stage end the login, and the stage does not come back")
  func stageOver() throws {
    for (text, stage, failure) in [
      (["CHAP_N=x"], LoginStage.operational, LoginFailure.violation(.keyOutsideItsStage("CHAP_N"))),
      ([], .security, .violation(.wrongStage(.security))),
    ] {
      var login = try Conversation(try Conversation.configuration(try Conversation.oneWay()))
      login.challenge()
      login.answer(transit: true)
      #expect(login.failure(text) { $0.currentStage = stage } == failure)
    }
  }

  @Test("A proof that nobody asked for ends the login")
  func uninvitedProof() throws {
    var login = try Conversation(try Conversation.configuration(try Conversation.oneWay()))
    login.challenge()
    #expect(login.failure(["CHAP_N=target", "CHAP_R=0x00"], transit: true) == .violation(.keyOutOfOrder("CHAP_N")))
  }
}
