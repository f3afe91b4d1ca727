// SPDX-License-Identifier: Apache-2.0
public import IscsiKit

/// A target that breaks the protocol in one named way, for tests of what an initiator does about it.
///
/// Until the phase of its case, and in all other respects, it answers as its `InMemoryTarget` does. A value stands for
/// one connection.
public struct HostileTarget: Sendable {
  /// How it misbehaves.
  public let misbehaviour: Case
  /// What answers before it is twisted.
  public private(set) var base: InMemoryTarget

  /// How many requests of the phase came.
  private var count: UInt32 = 0

  /// A target that is `base` but for one misbehaviour. For the cases of the authentication phase, `base` has to ask for
  /// CHAP.
  public init(_ misbehaviour: Case, base: InMemoryTarget) {
    self.misbehaviour = misbehaviour
    self.base = base
  }

  /// Takes a PDU of the initiator and gives the answers. Of a case that is in the octets only, the answer is none.
  public mutating func respond(to pdu: PDU) -> [PDU] {
    let honest = base.respond(to: pdu)
    switch (misbehaviour.phase, pdu) {
    case (.login, .loginRequest(let request)), (.authentication, .loginRequest(let request)):
      count += 1
      guard !misbehaviour.isStreamOnly else { return [] }
      if misbehaviour.phase == .authentication { return honest.map { twist($0, request: request) } }
      return twist(response(in: honest) ?? template(for: request), request: request)
    case (.text, .textRequest(let request)):
      count += 1
      return twist(honest, request: request)
    case (.logout, .logoutRequest(let request)): return twist(honest, request: request)
    default: return honest
    }
  }

  private func response(in pdus: [PDU]) -> LoginResponsePDU? {
    guard case .loginResponse(let response)? = pdus.first else { return nil }
    return response
  }

  /// What stands in for an honest response once the honest target believes that the login is over.
  private func template(for request: LoginRequestPDU) -> LoginResponsePDU {
    var response = LoginResponsePDU(isid: request.isid)
    response.currentStage = request.currentStage
    response.initiatorTaskTag = request.initiatorTaskTag
    response.statSN = 0x1000 &+ count &- 1
    response.expCommandSN = request.commandSN
    response.maxCommandSN = request.commandSN &+ 31
    return response
  }
}

// MARK: Login

extension HostileTarget {
  private func twist(_ honest: LoginResponsePDU, request: LoginRequestPDU) -> [PDU] {
    var response = honest
    switch misbehaviour {
    case .wrongTaskTag: response.initiatorTaskTag ^= 1
    case .wrongISID: response.isid = ISID(octets: [0xDE, 0xAD, 0xBE, 0xEF, 0, 0])
    case .changingTSIH: response.tsih = UInt16(truncatingIfNeeded: 0x100 + count)
    case .zeroTSIH: response.tsih = 0
    case .unknownStatus: response.status = LoginStatus(rawValue: 0x0499)
    case .wrongVersion: response.versionActive = 0x7F
    case .redirectWithoutAddress, .redirectToGarbage, .redirectToItself: redirect(&response)
    case .repeatedAnswer: return [.loginResponse(response), .loginResponse(response)]
    case .wrongOpcode: return [.nopIn(NOPInPDU())]
    case .rejectsLogin: return [rejected(.loginRequest(request), statSN: response.statSN)]
    case .garbageText, .overlongValue, .unofferedKey, .contradictingKeys: spoilText(&response)
    default: spoilStages(&response, request)
    }
    return [.loginResponse(response)]
  }

  private func spoilStages(_ response: inout LoginResponsePDU, _ request: LoginRequestPDU) {
    switch misbehaviour {
    case .otherCurrentStage: response.currentStage = request.currentStage == .security ? .operational : .security
    case .nextStageGoesBack:
      response.transit = true
      response.nextStage = .security
    case .otherNextStage:
      response.transit = true
      response.nextStage = request.nextStage == .fullFeature ? .operational : .fullFeature
    case .transitWhileContinued:
      response.transit = true
      response.isContinued = true
      response.nextStage = request.nextStage
    case .endlessContinuation:
      keepGoing(&response)
      response.isContinued = true
      response.data = Array("X-org.example.more=\(count)\0".utf8)
    case .endlessRounds:
      keepGoing(&response)
      response.data = []
    default: break
    }
  }

  /// Makes a response that leads nowhere.
  private func keepGoing(_ response: inout LoginResponsePDU) {
    response.transit = false
    response.nextStage = .security
    response.tsih = 0
    response.status = .success
  }

  private func spoilText(_ response: inout LoginResponsePDU) {
    switch misbehaviour {
    case .garbageText: response.data = [0xFF, 0xFE, 0x41, 0xC3]
    case .overlongValue: response.data += Array("TargetAlias=\(String(repeating: "a", count: 4000))\0".utf8)
    case .unofferedKey: response.data += Array("OFMarkInt=1~2\0MaxBurstLength=0\0".utf8)
    case .contradictingKeys:
      response.data += Array(
        "TargetPortalGroupTag=1\0TargetPortalGroupTag=2\0HeaderDigest=None\0HeaderDigest=CRC32C\0".utf8)
    default: break
    }
  }

  private func redirect(_ response: inout LoginResponsePDU) {
    response.status = .movedTemporarily
    response.transit = false
    response.data =
      switch misbehaviour {
      case .redirectToGarbage: Array("TargetAddress=../../etc/passwd:99999\0".utf8)
      case .redirectToItself: Array("TargetAddress=\(base.portals.first.map(\.address) ?? "")\0".utf8)
      default: []
      }
  }

  private func rejected(_ pdu: PDU, statSN: UInt32) -> PDU {
    var reject = RejectPDU(reason: .protocolError)
    reject.statSN = statSN
    reject.data = pdu.encoded().header
    return .reject(reject)
  }

  private func twist(_ pdu: PDU, request: LoginRequestPDU) -> PDU {
    guard case .loginResponse(var response) = pdu, response.currentStage == .security else { return pdu }
    var entries = TextEntries(octets: response.data)
    switch misbehaviour {
    case .unofferedAuthMethod: entries.replace("AuthMethod", with: "KRB5")
    case .authenticationDowngrade:
      entries.replace("AuthMethod", with: "None")
      response.transit = true
      response.nextStage = .operational
    case .transitWithoutRequest where !request.transit:
      response.transit = true
      response.nextStage = .fullFeature
    case .unofferedAlgorithm: entries.replace("CHAP_A", with: "99")
    case .emptyChallenge: entries.replace("CHAP_C", with: "0x")
    case .longChallenge: entries.replace("CHAP_C", with: "0x" + String(repeating: "a5", count: 1025))
    case .malformedChallenge: entries.replace("CHAP_C", with: "0xZZ")
    case .missingIdentifier: entries.remove("CHAP_I")
    case .wrongIdentifier: entries.replace("CHAP_I", with: "256")
    case .missingTargetResponse:
      entries.remove("CHAP_N")
      entries.remove("CHAP_R")
    case .wrongTargetResponse: entries.replace("CHAP_R", with: "0x" + String(repeating: "00", count: 16))
    default: break
    }
    response.data = entries.octets
    return .loginResponse(response)
  }
}

// MARK: Text and logout

extension HostileTarget {
  private func twist(_ honest: [PDU], request: TextRequestPDU) -> [PDU] {
    guard case .textResponse(var response)? = honest.last else { return endlessText(request) }
    switch misbehaviour {
    case .textWrongTaskTag: response.initiatorTaskTag ^= 1
    case .textFinalButContinued: response.isContinued = true
    case .textWithoutTransferTag:
      response.isFinal = false
      response.targetTransferTag = PDU.reservedTag
    case .textReject: return [rejected(.textRequest(request), statSN: response.statSN)]
    case .textWrongOpcode: return [.loginResponse(LoginResponsePDU(isid: ISID(octets: [0, 0, 0, 0, 0, 0])))]
    case .textDropped: return [.asyncMessage(AsyncMessagePDU(event: .connectionDropped))]
    case .textHostileNames: response.data = Self.hostileNames
    default: return endlessText(request)
    }
    return [.textResponse(response)]
  }

  private func endlessText(_ request: TextRequestPDU) -> [PDU] {
    if misbehaviour == .textEndlessPings {
      // Enough of them for any limit; a stream would go on.
      return Array(repeating: .nopIn(NOPInPDU()), count: 4096)
    }
    let text = misbehaviour == .textEndlessText ? Array(repeating: UInt8(ascii: "a"), count: 8192) : []
    var response = TextResponsePDU(initiatorTaskTag: request.initiatorTaskTag, data: text)
    response.isFinal = false
    response.isContinued = true
    response.targetTransferTag = count
    response.statSN = 0x1000 &+ count
    return [.textResponse(response)]
  }

  /// One good target among names and addresses that must not get through.
  private static let hostileNames: [UInt8] = {
    var entries = TextEntries()
    entries.append("TargetAddress", "192.0.2.1:3260,1")
    for name in [
      "iqn.2001-04.com.example:../../../etc/cron.d/x", "iqn.2001-04.com.example:a\nnode.startup = automatic",
      "iqn.2001-04.com.example:\u{1B}[2J", "..", "", "iqn.2001-04.com.example:" + String(repeating: "a", count: 4000),
    ] {
      entries.append("TargetName", name)
      entries.append("TargetAddress", "192.0.2.2:3260,1")
    }
    entries.append("TargetName", "iqn.2001-04.com.example:good")
    for address in [
      "192.0.2.3:3260,1", "0.0.0.0:3260,1", "192.0.2.3:0,1", "../x:3260,1", "[::1", "192.0.2.3:3260,99999",
    ] {
      entries.append("TargetAddress", address)
    }
    return entries.octets + [0xFF, 0xFE, 0]
  }()

  private func twist(_ honest: [PDU], request: LogoutRequestPDU) -> [PDU] {
    guard case .logoutResponse(var response)? = honest.last else { return [] }
    switch misbehaviour {
    case .logoutRefused: response.response = .cleanupFailed
    case .logoutWrongTaskTag: response.initiatorTaskTag ^= 1
    case .logoutReject: return [rejected(.logoutRequest(request), statSN: response.statSN)]
    default: return []
    }
    return [.logoutResponse(response)]
  }
}

// MARK: Octets

extension HostileTarget: StreamNode {
  /// The answers as octets, wrong ones where the case says so.
  public mutating func reply(to pdu: PDU) -> StreamReply {
    guard misbehaviour.isStreamOnly, case .loginRequest(let request) = pdu else {
      let answers = respond(to: pdu)
      return StreamReply(answers, closes: base.isClosed && misbehaviour != .logoutNoAnswer)
    }
    var response = response(in: base.respond(to: pdu)) ?? template(for: request)
    response.data += Array("TargetAlias=hostile\0".utf8)
    let encoded = PDU.loginResponse(response).encoded()
    var header = encoded.header
    switch misbehaviour {
    case .garbageOctets: return StreamReply(octets: Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8) + header + header)
    case .truncatedHeader: return StreamReply(octets: Array(header.prefix(20)), closes: true)
    case .truncatedData: return StreamReply(octets: header + encoded.data.prefix(3), closes: true)
    case .lyingDataSegmentLength:
      header[7] &+= 16
      return StreamReply(octets: header + encoded.data)
    case .oversizedData:
      header.replaceSubrange(5..<8, with: [0xFF, 0xFF, 0xFF])
      return StreamReply(octets: header + Array(repeating: 0, count: 65_536))
    case .reservedStage:
      header[1] = 0x08
      return StreamReply(octets: header + encoded.streamOctets.dropFirst(48))
    case .reservedOpcode:
      header[0] = 0x3A
      return StreamReply(octets: header + encoded.streamOctets.dropFirst(48))
    case .closesAtOnce: return StreamReply(octets: [], closes: true)
    default: return StreamReply(octets: [])
    }
  }
}
