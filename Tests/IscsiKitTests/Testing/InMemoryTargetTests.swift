// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

@Suite("In-memory target")
struct InMemoryTargetTests {
  private let names = ["InitiatorName=iqn.2001-04.com.example:host", "TargetName=iqn.2001-04.com.example:disk"]

  private func first(_ stage: LoginStage, to next: LoginStage?, _ more: String...) -> LoginRequestPDU {
    changed(loginRequest(stage, to: next)) { $0.data = (names + more).flatMap { Array($0.utf8) + [0] } }
  }

  @Test("A login without authentication goes through both stages")
  func login() throws {
    var target = try testTarget()
    target.login.alias = "disk"
    let security = try target.login(first(.security, to: .operational, "SessionType=Normal", "AuthMethod=CHAP,None"))
    #expect(security.status == .success && security.transit && security.nextStage == .operational)
    let text = TextEntries(octets: security.data)
    #expect(text["AuthMethod"] == "None")
    #expect(text["TargetPortalGroupTag"] == "1")
    #expect(text["TargetAlias"] == "disk")
    let operational = try target.login(
      loginRequest(
        .operational, to: .fullFeature, "HeaderDigest=CRC32C,None", "InitialR2T=No", "MaxBurstLength=16776192",
        "DefaultTime2Wait=1", "X-unknown=1"))
    #expect(operational.transit && operational.nextStage == .fullFeature && operational.tsih == 1)
    #expect(operational.statSN == security.statSN + 1)
    let answers = TextEntries(octets: operational.data)
    #expect(answers["HeaderDigest"] == "None")
    #expect(answers["InitialR2T"] == "Yes")
    #expect(answers["MaxBurstLength"] == "262144")
    #expect(answers["DefaultTime2Wait"] == "2")
    #expect(answers["X-unknown"] == "NotUnderstood")
    #expect(answers["MaxRecvDataSegmentLength"] == "262144")
    #expect(target.isLoggedIn && target.received.count == 2)
  }

  @Test("One-way and mutual CHAP succeed with every algorithm", arguments: CHAPAlgorithm.allCases, [false, true])
  func chap(algorithm: CHAPAlgorithm, isMutual: Bool) throws {
    let secret = try #require(Secret("initiatorSecret1"))
    let targetSecret = try #require(Secret("targetSecret1234"))
    let chap = TargetCHAP(
      initiator: CHAPCredentials(name: "host", secret: secret),
      target: CHAPCredentials(name: "disk", secret: targetSecret), algorithms: [algorithm])
    var target = try testTarget(authentication: chap)
    let method = try target.login(first(.security, to: .operational, "AuthMethod=CHAP,None"))
    #expect(!method.transit && TextEntries(octets: method.data)["AuthMethod"] == "CHAP")
    let offer = try target.login(loginRequest(.security, to: nil, "CHAP_A=8,7,6,5"))
    let text = TextEntries(octets: offer.data)
    #expect(text["CHAP_A"] == String(algorithm.rawValue))
    #expect(text["CHAP_C"] == "0x0102030405060708090a0b0c0d0e0f10")
    let response = algorithm.digest(of: [chap.identifier] + secret.octets + chap.challenge)
    var keys = ["CHAP_N=host", "CHAP_R=0x" + response.map(hexadecimal).joined()]
    if isMutual { keys += ["CHAP_I=9", "CHAP_C=0bAAEC"] }
    let proof = try target.login(
      changed(loginRequest(.security, to: .operational)) { $0.data = keys.flatMap { Array($0.utf8) + [0] } })
    #expect(proof.status == .success && proof.transit)
    let expected = algorithm.digest(of: [9] + targetSecret.octets + [0, 1, 2]).map(hexadecimal).joined()
    #expect(TextEntries(octets: proof.data)["CHAP_R"] == (isMutual ? "0x" + expected : nil))
  }

  @Test(
    "Who cannot prove himself is refused with 0201",
    arguments: [
      ["CHAP_N=host", "CHAP_R=0x00000000000000000000000000000000"], ["CHAP_N=other", "CHAP_R=0x00"], ["CHAP_N=host"],
    ])
  func wrongSecret(keys: [String]) throws {
    let secret = try #require(Secret("initiatorSecret1"))
    var target = try testTarget(authentication: TargetCHAP(initiator: CHAPCredentials(name: "host", secret: secret)))
    _ = try target.login(first(.security, to: .operational, "AuthMethod=CHAP"))
    _ = try target.login(loginRequest(.security, to: nil, "CHAP_A=5"))
    let refusal = try target.login(
      changed(loginRequest(.security, to: .operational)) { $0.data = keys.flatMap { Array($0.utf8) + [0] } })
    #expect(refusal.status == .authenticationFailure)
    #expect(target.isClosed && target.respond(to: .nopOut(NOPOutPDU())).isEmpty)
  }

  @Test("The security stage cannot be skipped where authentication is asked for")
  func skipped() throws {
    let secret = try #require(Secret("initiatorSecret1"))
    var target = try testTarget(authentication: TargetCHAP(initiator: CHAPCredentials(name: "host", secret: secret)))
    #expect(try target.login(first(.operational, to: .fullFeature)).status == .authenticationFailure)
  }

  @Test("Every status can be had", arguments: [0x0200, 0x0201, 0x0202, 0x0203, 0x0207, 0x0300, 0x0301, 0x0302])
  func refusal(status: Int) throws {
    var target = try testTarget()
    target.login.refusal = LoginStatus(rawValue: UInt16(status))
    let response = try target.login(first(.security, to: .operational))
    #expect(response.status.rawValue == UInt16(status) && !response.transit)
    #expect(target.isClosed)
  }

  @Test("A redirection names the new address", arguments: [true, false])
  func redirect(isPermanent: Bool) throws {
    var target = try testTarget()
    target.login.redirect = try Portal("[2001:db8::7]:3261,2")
    target.login.redirectsPermanently = isPermanent
    let response = try target.login(first(.security, to: .operational))
    #expect(response.status == (isPermanent ? .movedPermanently : .movedTemporarily))
    #expect(TextEntries(octets: response.data)["TargetAddress"] == "[2001:db8::7]:3261,2")
  }

  @Test("A login to another name, without names, or back to an earlier stage is refused")
  func wrongLogins() throws {
    var other = try testTarget()
    let request = loginRequest(.security, to: nil, names[0], "TargetName=iqn.2001-04.com.example:other")
    #expect(try other.login(request).status == .notFound)
    var nameless = try testTarget()
    #expect(try nameless.login(loginRequest(.security, to: nil)).status == .missingParameter)
    var back = try testTarget()
    _ = try back.login(first(.operational, to: nil))
    #expect(try back.login(loginRequest(.security, to: nil)).status == .invalidDuringLogin)
  }

  @Test("Text that is longer than the limit comes in pieces with C, and T comes with the last one")
  func continuedResponse() throws {
    var target = try testTarget()
    target.login.maxTextLength = 10
    var response = try target.login(first(.operational, to: .fullFeature, "InitialR2T=Yes", "ImmediateData=Yes"))
    var text = response.data
    while response.isContinued {
      #expect(!response.transit && response.data.count == 10)
      response = try target.login(loginRequest(.operational, to: .fullFeature))
      text += response.data
    }
    #expect(response.transit && response.nextStage == .fullFeature && response.tsih == 1)
    #expect(TextEntries(octets: text)["ImmediateData"] == "Yes")
  }

  @Test("Text of the initiator that goes on is answered when it is complete")
  func continuedRequest() throws {
    var target = try testTarget()
    let request = first(.operational, to: .fullFeature, "InitialR2T=Yes")
    let part = changed(request) {
      $0.transit = false
      $0.nextStage = .security
      $0.isContinued = true
      $0.data = Array($0.data.prefix(50))
    }
    let empty = try target.login(part)
    #expect(empty.data.isEmpty && !empty.transit && empty.status == .success)
    let response = try target.login(changed(request) { $0.data = Array($0.data.dropFirst(50)) })
    #expect(response.transit && TextEntries(octets: response.data)["InitialR2T"] == "Yes")
  }

  @Test("Extra rounds, overrides and additions of the operational stage are kept to")
  func extras() throws {
    var target = try testTarget()
    target.login.extraRounds = 1
    target.parameters.overrides = ["InitialR2T": "Maybe", "ImmediateData": ""]
    target.parameters.additions = [(key: "X-vendor", value: "1")]
    let response = try target.login(first(.operational, to: .fullFeature, "InitialR2T=No", "ImmediateData=Yes"))
    let text = TextEntries(octets: response.data)
    #expect(!response.transit)
    #expect(text["InitialR2T"] == "Maybe" && text["ImmediateData"] == nil && text["X-vendor"] == "1")
    #expect(try target.login(loginRequest(.operational, to: .fullFeature)).transit)
  }

  @Test("In full feature phase, pings are answered, commands rejected and a logout closes")
  func fullFeature() throws {
    var target = try loggedInTarget()
    let ping = changed(NOPOutPDU()) {
      $0.initiatorTaskTag = 3
      $0.data = [1, 2, 3]
    }
    guard case .nopIn(let pong)? = target.respond(to: .nopOut(ping)).first else {
      Issue.record("no pong")
      return
    }
    #expect(pong.initiatorTaskTag == 3 && pong.data == [1, 2, 3])
    #expect(target.respond(to: .nopOut(NOPOutPDU())).isEmpty)
    guard case .reject(let reject)? = target.respond(to: .scsiCommand(SCSICommandPDU())).first else {
      Issue.record("no reject")
      return
    }
    #expect(reject.reason == .commandNotSupported)
    let logout = LogoutRequestPDU(reason: .closeSession, initiatorTaskTag: 4)
    #expect(target.respond(to: .logoutRequest(logout)).count == 1)
    #expect(target.isClosed)
  }

  @Test("Before the login is done, nothing else is answered")
  func tooEarly() throws {
    var target = try testTarget()
    guard case .reject? = target.respond(to: .nopOut(NOPOutPDU())).first else {
      Issue.record("no reject")
      return
    }
    #expect(target.isClosed)
  }
}

private func hexadecimal(_ octet: UInt8) -> String { (octet < 16 ? "0" : "") + String(octet, radix: 16) }
