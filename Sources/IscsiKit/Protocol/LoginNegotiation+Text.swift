// SPDX-License-Identifier: Apache-2.0

/// What a target tells of itself, in either stage.
struct TargetDeclarations: Sendable {
  var tag: PortalGroupTag?
  var alias: String?
}

extension LoginNegotiation {
  /// Takes a complete text of the target and goes on.
  mutating func advance(with pairs: [TextPair], _ response: LoginResponsePDU) throws(LoginFailure) -> Action {
    var answers: [TextPair] = []
    var securityValues: [TextKey: String] = [:]
    for pair in pairs where try isNew(pair) {
      guard let key = pair.standardKey else {
        if pair.constant == nil { answers.append(TextPair(key: pair.key, value: TextConstant.notUnderstood.rawValue)) }
        continue
      }
      switch key {
      case .authMethod, .chapAlgorithm, .chapIdentifier, .chapChallenge, .chapName, .chapResponse:
        guard security != nil else { throw .authenticationRequired(nil) }
        guard stage == .security else { throw .violation(.keyOutsideItsStage(pair.key)) }
        securityValues[key] = pair.value
      case _ where key.rule.result == .declarative:
        try declare(key, pair)
      default:
        guard stage == .operational else { throw .violation(.keyOutsideItsStage(pair.key)) }
        if let answer = try operational.receive(key, pair, isFinal: response.transit) { answers.append(answer) }
      }
    }
    return stage == .security
      ? try advanceSecurity(securityValues, answers, response)
      : try advanceOperational(answers, response)
  }

  /// Whether the pair is to be taken. A standard key may come once in a login (RFC 7143, section 6.3), but that a
  /// target repeats a declaration about itself word for word, in its second stage for example, is harmless. Unknown
  /// keys never fail a login, so they are answered once and then passed over.
  private mutating func isNew(_ pair: TextPair) throws(LoginFailure) -> Bool {
    guard let before = received.updateValue(pair.value, forKey: pair.key) else {
      guard received.count <= Self.keyLimit else { throw .violation(.tooManyKeys(Self.keyLimit)) }
      return true
    }
    switch pair.standardKey {
    case nil: return false
    case .targetAlias, .targetAddress, .targetPortalGroupTag, .maxRecvDataSegmentLength, .nodeArchitecture:
      guard before == pair.value else { throw .violation(.keyTwice(pair.key)) }
      return false
    default: throw .violation(.keyTwice(pair.key))
    }
  }

  private mutating func declare(_ key: TextKey, _ pair: TextPair) throws(LoginFailure) {
    guard key.rule.senders != .initiator else { throw .violation(.keyOfInitiator(pair.key)) }
    let value: TextValue
    do throws(TextError) { value = try key.value(of: pair.value) } catch { throw .malformedText(error) }
    switch (key, value) {
    case (.targetPortalGroupTag, .number(let number)):
      declarations.tag = PortalGroupTag(exactly: number)
    case (.maxRecvDataSegmentLength, .number(let number)):
      operational.declareSegmentLength(number)
    case (.targetAlias, .text(let text)):
      let isFit =
        (1...255).contains(text.utf8.count)
        && !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
      declarations.alias = isFit ? text : nil
    default:
      // TargetAddress without a redirect and X#NodeArchitecture change nothing.
      break
    }
  }

  private mutating func advanceSecurity(
    _ values: [TextKey: String], _ answers: [TextPair], _ response: LoginResponsePDU
  ) throws(LoginFailure) -> Action {
    guard var negotiation = security else { throw .violation(.wrongStage(.security)) }
    let reply = try negotiation.receive(values)
    security = negotiation
    guard response.transit else { return send(reply.pairs + answers, transit: reply.isReady) }
    guard !negotiation.awaitsProof else { throw .targetNotAuthenticated(.noResponse) }
    // T answers our T, which goes with the end of CHAP or follows None.
    guard negotiation.isDone, reply.pairs.isEmpty else { throw .violation(.uninvitedTransit) }
    stage = .operational
    return send(operational.opening, transit: true)
  }

  private mutating func advanceOperational(
    _ answers: [TextPair], _ response: LoginResponsePDU
  ) throws(LoginFailure) -> Action {
    guard response.transit else { return send(answers, transit: true) }
    if configuration.tsih == 0 {
      guard response.tsih != 0 else { throw .violation(.zeroTSIH) }
    } else if response.tsih != configuration.tsih {
      throw .violation(.wrongTSIH(response.tsih))
    }
    return .succeeded(
      LoginResult(
        negotiated: try operational.finish(), tsih: response.tsih, statSN: response.statSN,
        expCommandSN: response.expCommandSN, maxCommandSN: response.maxCommandSN, tag: declarations.tag,
        targetAlias: declarations.alias, algorithm: security?.algorithm))
  }
}
