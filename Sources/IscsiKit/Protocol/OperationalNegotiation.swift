// SPDX-License-Identifier: Apache-2.0

/// The initiator's side of the operational stage: what was offered, what came back, and what holds in the end.
struct OperationalNegotiation: Sendable {
  private let parameters: OperationalParameters
  private let isDiscovery: Bool
  private let offers: [(key: TextKey, value: TextValue)]
  private var results: [TextKey: TextValue] = [:]
  /// The target's MaxRecvDataSegmentLength; the default holds until it declares another.
  private var targetSegmentLength: UInt64 = 8192

  init(_ parameters: OperationalParameters, isDiscovery: Bool) {
    self.parameters = parameters
    self.isDiscovery = isDiscovery
    offers = parameters.offers(inDiscovery: isDiscovery).map { (key: $0.0, value: $0.1) }
  }

  /// All offers and our declaration, for the first request of the stage.
  var opening: [TextPair] {
    let declaration = parameters.declaration
    return offers.map { TextPair($0.key, $0.value.description) } + [
      TextPair(declaration.0, declaration.1.description)
    ]
  }

  /// The target's MaxRecvDataSegmentLength.
  mutating func declareSegmentLength(_ length: UInt64) { targetSegmentLength = length }

  /// Takes a negotiated key of the target, which answers our offer or is an offer itself.
  ///
  /// `isFinal` tells that the target set T with it, so that it wants no answer. Gives our answer if it was an offer.
  mutating func receive(_ key: TextKey, _ pair: TextPair, isFinal: Bool) throws(LoginFailure) -> TextPair? {
    if let offer = offers.first(where: { $0.key == key })?.value {
      // Reject, Irrelevant and NotUnderstood leave the key without a result: see `outcome(of:)`.
      guard pair.constant == nil else { return nil }
      let answer = try Self.value(of: key, pair)
      guard let result = key.result(offer: offer, answer: answer) else {
        // Targets answer None to say no, though they should choose from the list or reject it.
        if [.headerDigest, .dataDigest].contains(key), pair.value == Digest.none.rawValue { throw .digestRefused(key) }
        throw .violation(.answerNotOffered(key: pair.key, value: pair.value))
      }
      results[key] = result
      return nil
    }
    if isDiscovery, key.rule.isIrrelevantInDiscovery {
      return isFinal || pair.constant != nil ? nil : TextPair(key, TextConstant.irrelevant.rawValue)
    }
    guard !isFinal, pair.constant == nil else { throw .violation(.answerWithoutOffer(pair.key)) }
    guard key.rule.result != .obsolete else { return TextPair(key, TextConstant.reject.rawValue) }
    let offer = try Self.value(of: key, pair)
    guard let own = key.rule.defaultValue, let answer = key.answer(toOffer: offer, own: own) else {
      return TextPair(key, TextConstant.reject.rawValue)
    }
    return TextPair(key, answer.description)
  }

  private static func value(of key: TextKey, _ pair: TextPair) throws(LoginFailure) -> TextValue {
    do { return try key.value(of: pair.value) } catch { throw .malformedText(error) }
  }

  /// What holds for a key that was offered.
  ///
  /// Without a result, the function of our offer and the default holds. RFC 7143, section 6.2.2, lets the answer to a
  /// boolean be left out that cannot change any more; targets leave out others too. This value is safe: it exceeds
  /// neither what we can do nor what a target that knows nothing of the key expects.
  private func outcome(of key: TextKey) throws(LoginFailure) -> TextValue? {
    guard let offer = offers.first(where: { $0.key == key })?.value else { return key.rule.defaultValue }
    if let result = results[key] { return result }
    guard let standard = key.rule.defaultValue else { return offer }
    guard let result = key.result(offer: offer, answer: standard) else { throw .digestRefused(key) }
    return result
  }

  /// What the two sides agreed on, once the stage is over.
  func finish() throws(LoginFailure) -> NegotiatedParameters {
    var agreed = NegotiatedParameters()
    agreed.headerDigest = try digest(.headerDigest)
    agreed.dataDigest = try digest(.dataDigest)
    agreed.defaultTime2Wait = UInt16(clamping: try number(.defaultTime2Wait))
    agreed.defaultTime2Retain = UInt16(clamping: try number(.defaultTime2Retain))
    agreed.errorRecoveryLevel = UInt8(clamping: try number(.errorRecoveryLevel))
    agreed.initialR2T = try boolean(.initialR2T)
    agreed.immediateData = try boolean(.immediateData)
    agreed.maxBurstLength = UInt32(clamping: try number(.maxBurstLength))
    // A target that breaks the rule FirstBurstLength <= MaxBurstLength does no harm if we keep it.
    agreed.firstBurstLength = min(UInt32(clamping: try number(.firstBurstLength)), agreed.maxBurstLength)
    agreed.maxOutstandingR2T = UInt16(clamping: try number(.maxOutstandingR2T))
    agreed.maxConnections = UInt16(clamping: try number(.maxConnections))
    agreed.dataPDUInOrder = try boolean(.dataPDUInOrder)
    agreed.dataSequenceInOrder = try boolean(.dataSequenceInOrder)
    agreed.maxRecvDataSegmentLength = parameters.maxRecvDataSegmentLength
    let limit = parameters.maxXmitDataSegmentLength
    let declared = UInt32(clamping: targetSegmentLength)
    agreed.maxXmitDataSegmentLength = limit == 0 ? declared : min(limit, declared)
    return agreed
  }

  private func number(_ key: TextKey) throws(LoginFailure) -> UInt64 {
    if case .number(let value) = try outcome(of: key) { value } else { 0 }
  }

  private func boolean(_ key: TextKey) throws(LoginFailure) -> Bool {
    if case .boolean(let value) = try outcome(of: key) { value } else { true }
  }

  private func digest(_ key: TextKey) throws(LoginFailure) -> Digest {
    guard case .list(let words) = try outcome(of: key), let word = words.first, let digest = Digest(rawValue: word)
    else { throw .digestRefused(key) }
    return digest
  }
}
