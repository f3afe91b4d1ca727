// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

@Suite("Hostile target")
struct HostileTargetTests {
  private let request = loginRequest(
    .operational, to: .fullFeature, "InitiatorName=iqn.2001-04.com.example:host", "SessionType=Discovery",
    "HeaderDigest=None")

  @Test(
    "In the octets, every case of the login differs from an honest answer",
    arguments: HostileTarget.Case.cases(in: .login))
  func differs(misbehaviour: HostileTarget.Case) throws {
    var honest = try testTarget()
    var hostile = HostileTarget(misbehaviour, base: honest)
    let expected = honest.reply(to: .loginRequest(request))
    var reply = hostile.reply(to: .loginRequest(request))
    if misbehaviour == .changingTSIH || misbehaviour == .endlessContinuation || misbehaviour == .endlessRounds {
      reply = hostile.reply(to: .loginRequest(request))
      #expect(!reply.octets.isEmpty)
    }
    #expect(reply != expected)
  }

  @Test(
    "A case that is in the octets only gives no PDU, every other one does",
    arguments: HostileTarget.Case.cases(in: .login))
  func messages(misbehaviour: HostileTarget.Case) throws {
    var hostile = HostileTarget(misbehaviour, base: try testTarget())
    #expect(hostile.respond(to: .loginRequest(request)).isEmpty == misbehaviour.isStreamOnly)
  }

  @Test(
    "A stream that cannot be read is told as an error or awaited in vain",
    arguments: HostileTarget.Case.allCases.filter(\.isStreamOnly))
  func streams(misbehaviour: HostileTarget.Case) throws {
    var hostile = HostileTarget(misbehaviour, base: try testTarget())
    let reply = hostile.reply(to: .loginRequest(request))
    var assembler = PDUAssembler()
    assembler.feed(reply.octets)
    switch misbehaviour {
    case .garbageOctets, .oversizedData, .reservedStage:
      #expect(throws: PDUError.self) { while try assembler.next() != nil {} }
    case .truncatedHeader, .truncatedData:
      #expect(try assembler.next() == nil)
      #expect(reply.closes)
      #expect(!reply.octets.isEmpty)
    case .lyingDataSegmentLength:
      #expect(try assembler.next() == nil)
      #expect(!reply.closes)
    case .reservedOpcode:
      guard case .unknown? = try assembler.next() else {
        Issue.record("the opcode is known")
        return
      }
    default:
      #expect(reply.octets.isEmpty)
      #expect(reply.closes == (misbehaviour == .closesAtOnce))
    }
  }

  @Test("The cases of the security stage twist the CHAP keys", arguments: HostileTarget.Case.cases(in: .authentication))
  func authentication(misbehaviour: HostileTarget.Case) throws {
    let secret = try #require(Secret("initiatorSecret1"))
    let chap = TargetCHAP(
      initiator: CHAPCredentials(name: "host", secret: secret), target: CHAPCredentials(name: "disk", secret: secret))
    var honest = try testTarget(authentication: chap)
    var hostile = HostileTarget(misbehaviour, base: honest)
    let proof = CHAPAlgorithm.md5.digest(of: [chap.identifier] + secret.octets + chap.challenge)
      .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    let requests = [
      loginRequest(
        .security, to: .operational, "InitiatorName=iqn.2001-04.com.example:host", "SessionType=Discovery",
        "AuthMethod=CHAP"),
      loginRequest(.security, to: nil, "CHAP_A=5"),
      loginRequest(.security, to: .operational, "CHAP_N=host", "CHAP_R=0x\(proof)", "CHAP_I=1", "CHAP_C=0x0011"),
    ]
    let differs = requests.map { hostile.respond(to: .loginRequest($0)) != honest.respond(to: .loginRequest($0)) }
    #expect(differs.contains(true))
    #expect(honest.isLoggedIn == false && honest.isClosed == false)
  }
}
