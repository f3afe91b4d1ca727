// SPDX-License-Identifier: Apache-2.0

/// The initiator's side of the security stage: AuthMethod, then CHAP's three steps.
///
///     AuthMethod=CHAP[,None]  ->
///                             <-  AuthMethod=CHAP
///     CHAP_A=7,5              ->
///                             <-  CHAP_A=7 CHAP_I CHAP_C
///     CHAP_N CHAP_R           ->  with CHAP_I and CHAP_C for mutual CHAP
///                             <-  with CHAP_N and CHAP_R for mutual CHAP
///
/// `None` is offered where only the target checks us, as open-iscsi does: a target that wants no proof may then have
/// none. Whoever wants the target to prove itself offers `CHAP` alone and accepts nothing else.
struct SecurityNegotiation: Sendable {
  /// What the next keys of the target answer.
  private enum Step { case method, challenge, proof, done }

  /// What goes back to the target.
  struct Reply {
    var pairs: [TextPair] = []
    /// Whether the stage is over for us.
    var isReady: Bool
  }

  private let outgoing: CHAPCredentials
  private let incoming: CHAPCredentials?
  private let algorithms: [CHAPAlgorithm]
  private let challenge: CHAPChallenge
  private var step = Step.method
  private var sentChallenge: [UInt8] = []
  private var sentResponse: [UInt8] = []
  /// The algorithm that the target chose; nil before, and if it chose `None`.
  private(set) var algorithm: CHAPAlgorithm?

  /// Nil without credentials.
  init?(_ authentication: Authentication, challenge: CHAPChallenge) {
    guard let outgoing = authentication.outgoing else { return nil }
    self.outgoing = outgoing
    incoming = authentication.incoming
    algorithms = authentication.algorithms
    self.challenge = challenge
  }

  /// The offer in the first request.
  var offer: TextPair { TextPair(.authMethod, incoming == nil ? "CHAP,None" : "CHAP") }

  /// The algorithms that the target has seen, if there are others than MD5 among them.
  var unusualAlgorithms: [CHAPAlgorithm]? { step == .method || algorithms == [.md5] ? nil : algorithms }
  /// Whether the target may go on to the operational stage.
  var isDone: Bool { step == .done }
  /// Whether the proof that the target owes us is still out.
  var awaitsProof: Bool { step == .proof }

  /// Takes the security keys of one answer, which may be none.
  mutating func receive(_ values: [TextKey: String]) throws(LoginFailure) -> Reply {
    guard !values.isEmpty else { return Reply(isReady: step == .proof || step == .done) }
    switch step {
    case .method:
      try Self.check(values, for: [.authMethod])
      return try choose(method: values[.authMethod] ?? "")
    case .challenge:
      guard values[.chapAlgorithm] != TextConstant.reject.rawValue else {
        throw .noCommonAlgorithm(offered: algorithms)
      }
      try Self.check(values, for: [.chapAlgorithm, .chapIdentifier, .chapChallenge])
      return try respond(
        algorithm: values[.chapAlgorithm] ?? "", identifier: values[.chapIdentifier] ?? "",
        challenge: values[.chapChallenge] ?? "")
    case .proof:
      try Self.check(values, for: [.chapName, .chapResponse])
      try verify(name: values[.chapName] ?? "", response: values[.chapResponse] ?? "")
      step = .done
      return Reply(isReady: true)
    case .done:
      throw .violation(.keyOutOfOrder(values.keys.map(\.rawValue).min() ?? ""))
    }
  }

  /// The target sends exactly the keys of the step.
  private static func check(_ values: [TextKey: String], for keys: Set<TextKey>) throws(LoginFailure) {
    if let other = values.keys.filter({ !keys.contains($0) }).map(\.rawValue).min() {
      throw .violation(.keyOutOfOrder(other))
    }
    if let missing = keys.filter({ values[$0] == nil }).map(\.rawValue).min() { throw .violation(.keyMissing(missing)) }
  }

  private mutating func choose(method: String) throws(LoginFailure) -> Reply {
    switch method {
    case "CHAP":
      step = .challenge
      let list = algorithms.map { String($0.rawValue) }.joined(separator: ",")
      return Reply(pairs: [TextPair(.chapAlgorithm, list)], isReady: false)
    case "None":
      guard incoming == nil else { throw .targetNotAuthenticated(.declined) }
      step = .done
      return Reply(isReady: true)
    case TextConstant.reject.rawValue:
      throw .authenticationRefused
    default:
      throw .violation(.answerNotOffered(key: TextKey.authMethod.rawValue, value: method))
    }
  }

  private mutating func respond(
    algorithm chosen: String, identifier: String, challenge target: String
  ) throws(LoginFailure) -> Reply {
    // Who has no name has nothing to prove, and a response is something to guess the secret from.
    guard !outgoing.name.isEmpty else { throw .nameless }
    guard let number = TextNumber.parse(chosen).flatMap(UInt8.init(exactly:)),
      let algorithm = CHAPAlgorithm(rawValue: number), algorithms.contains(algorithm)
    else { throw .violation(.answerNotOffered(key: TextKey.chapAlgorithm.rawValue, value: chosen)) }
    guard let identifier = TextNumber.parse(identifier).flatMap(UInt8.init(exactly:)) else {
      throw .violation(.badCHAPValue(.chapIdentifier))
    }
    guard let target = TextBinary.parse(target, limit: CHAP.challengeLengths.upperBound) else {
      throw .violation(.badCHAPValue(.chapChallenge))
    }
    self.algorithm = algorithm
    sentResponse = CHAP.response(
      algorithm: algorithm, identifier: identifier, secret: outgoing.secret, challenge: target)
    var pairs = [TextPair(.chapName, outgoing.name), TextPair(.chapResponse, TextBinary.encode(sentResponse))]
    if incoming != nil {
      sentChallenge = Array(challenge.octets.prefix(algorithm.digestLength))
      // A target that knows our random octets before we sent them plays back another login of ours.
      guard sentChallenge != target else { throw .targetNotAuthenticated(.reflected) }
      pairs.append(TextPair(.chapIdentifier, String(challenge.identifier)))
      pairs.append(TextPair(.chapChallenge, TextBinary.encode(sentChallenge)))
    }
    step = incoming == nil ? .done : .proof
    return Reply(pairs: pairs, isReady: true)
  }

  private func verify(name: String, response text: String) throws(LoginFailure) {
    guard let incoming, let algorithm else { throw .targetNotAuthenticated(.noResponse) }
    guard let response = TextBinary.parse(text, limit: algorithm.digestLength),
      response.count == algorithm.digestLength
    else { throw .violation(.badCHAPValue(.chapResponse)) }
    guard !response.isEqualInConstantTime(to: sentResponse) else { throw .targetNotAuthenticated(.reflected) }
    let expected = CHAP.response(
      algorithm: algorithm, identifier: challenge.identifier, secret: incoming.secret, challenge: sentChallenge)
    guard response.isEqualInConstantTime(to: expected) else { throw .targetNotAuthenticated(.wrongResponse) }
    guard !incoming.name.isEmpty, incoming.name == name else { throw .targetNotAuthenticated(.wrongName) }
  }
}
