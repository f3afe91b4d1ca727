// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("Login against any target")
struct LoginPropertyTests {
  private static let seeds: [UInt64] = [1, 2, 3, 4]

  private func configuration(using generator: inout SeededGenerator) throws -> LoginConfiguration {
    let authentications: [Authentication] = [
      .none, try Conversation.oneWay([.sha256, .md5]), try Conversation.mutual([.sha3, .sha1]),
    ]
    let authentication = authentications[Int.random(in: 0..<authentications.count, using: &generator)]
    var configuration = try Conversation.configuration(authentication, discovery: Bool.random(using: &generator))
    configuration.maxDataSegmentLength = [64, 200, 8192][Int.random(in: 0..<3, using: &generator)]
    if Bool.random(using: &generator) { configuration.operational.headerDigest = [.crc32c, .none] }
    return configuration
  }

  /// Runs a login to its end; false if it takes more responses than it may.
  private func runs(
    _ login: Conversation, respond: (Conversation) -> LoginResponsePDU
  ) -> (ended: Bool, action: LoginNegotiation.Action) {
    var login = login
    for _ in 0...LoginNegotiation.responseLimit {
      let response = respond(login)
      login.answer { $0 = response }
      guard case .send = login.action else { return (true, login.action) }
    }
    return (false, login.action)
  }

  @Test("Random octets in place of text and random header fields end a login in bounded steps", arguments: seeds)
  func garbage(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    for _ in 0..<500 {
      let login = try Conversation(try configuration(using: &generator))
      let (ended, action) = runs(login) { login in
        var response = login.response(transit: Bool.random(using: &generator))
        if Int.random(in: 0..<4, using: &generator) == 0 { response.isContinued = true }
        if Int.random(in: 0..<8, using: &generator) == 0 {
          response.status = LoginStatus(rawValue: UInt16.random(in: 0...0x0400, using: &generator))
        }
        if Int.random(in: 0..<8, using: &generator) == 0 {
          response.statSN = UInt32(truncatingIfNeeded: generator.next())
        }
        // Long enough to be no empty text, which a target may well send.
        let count = Int.random(in: 8...200, using: &generator)
        response.data = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return response
      }
      #expect(ended)
      if case .succeeded = action { Issue.record("garbage logged in") }
    }
  }

  @Test("Standard keys with random values end a login in bounded steps", arguments: seeds)
  func randomKeys(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    let values = [
      "Yes", "No", "None", "CHAP", "Reject", "Irrelevant", "NotUnderstood", "?", "", "0", "1", "5", "512", "8192",
      "0xffffff", "16777215", "99999999999999999999", "0x", "0b", "0x0102", "0bAQID", "CRC32C", "CRC32C,None",
      "RFC3720",
      "10.0.0.1:3260,1",
    ]
    for _ in 0..<500 {
      let login = try Conversation(try configuration(using: &generator))
      let (ended, _) = runs(login) { login in
        let pairs = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
          TextPair(
            TextKey.allCases[Int.random(in: 0..<TextKey.allCases.count, using: &generator)],
            values[Int.random(in: 0..<values.count, using: &generator)])
        }
        return login.response(
          pairs.map(\.description), transit: login.request.transit && Bool.random(using: &generator))
      }
      #expect(ended)
    }
  }

  @Test("Whatever a correct target chooses, the login succeeds within what we offered", arguments: seeds)
  func correctTarget(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    for _ in 0..<300 {
      var setup = try configuration(using: &generator)
      setup.maxDataSegmentLength = [64, 8192][Int.random(in: 0..<2, using: &generator)]
      var target = CorrectTarget(generator: generator)
      let (ended, action) = runs(try Conversation(setup)) { target.respond(to: $0) }
      generator = target.generator
      #expect(ended)
      guard case .succeeded(let result) = action else {
        Issue.record("\(action)")
        return
      }
      let agreed = result.negotiated
      #expect(setup.operational.headerDigest.contains(agreed.headerDigest))
      #expect(agreed.firstBurstLength <= agreed.maxBurstLength)
      #expect(agreed.maxConnections == 1 && agreed.errorRecoveryLevel == 0)
      #expect(agreed.maxOutstandingR2T <= max(setup.operational.maxOutstandingR2T, 1))
      #expect((512...16_777_215).contains(agreed.maxXmitDataSegmentLength))
    }
  }
}

/// A target that keeps the rules and is random where the rules let it choose.
private struct CorrectTarget {
  var generator: SeededGenerator
  private var text: [UInt8] = []
  private var unsent: ArraySlice<UInt8> = []
  private var transitAtEnd = false

  init(generator: SeededGenerator) { self.generator = generator }

  mutating func respond(to login: Conversation) -> LoginResponsePDU {
    text += login.request.data
    guard !login.request.isContinued else { return login.response() }
    if unsent.isEmpty {
      let pairs = (try? TextParser.parse(text)) ?? []
      text = []
      unsent = TextParser.encode(answers(to: pairs, login))[...]
      transitAtEnd = login.request.transit && (pairs.isEmpty || Bool.random(using: &generator))
    }
    let size = Bool.random(using: &generator) ? unsent.count : Int.random(in: 40...400, using: &generator)
    let part = unsent.prefix(size)
    unsent = unsent.dropFirst(part.count)
    var response = login.response(transit: unsent.isEmpty && transitAtEnd && login.request.transit)
    response.isContinued = !unsent.isEmpty
    response.data = Array(part)
    return response
  }

  private mutating func answers(to pairs: [TextPair], _ login: Conversation) -> [TextPair] {
    pairs.compactMap { pair -> TextPair? in
      guard let key = pair.standardKey, let offer = try? key.value(of: pair.value) else { return nil }
      switch (key, offer) {
      case (.authMethod, .list(let methods)):
        return TextPair(key, methods[Int.random(in: 0..<methods.count, using: &generator)])
      case (.chapAlgorithm, .list(let numbers)):
        return TextPair(key, numbers[Int.random(in: 0..<numbers.count, using: &generator)])
      case (.maxRecvDataSegmentLength, _):
        return TextPair(key, String(Int.random(in: 512...16_777_215, using: &generator)))
      case (_, .list(let words)) where key.rule.result == .selection:
        return TextPair(key, words[Int.random(in: 0..<words.count, using: &generator)])
      case (_, .boolean):
        let own = TextValue.boolean(Bool.random(using: &generator))
        return key.result(offer: offer, answer: own).map { TextPair(key, $0.description) }
      case (_, .number):
        guard case .number(let range) = key.rule.type, key.rule.result != .declarative else { return nil }
        let own = TextValue.number(UInt64.random(in: range, using: &generator))
        return key.result(offer: offer, answer: own).map { TextPair(key, $0.description) }
      default:
        return nil
      }
    } + challenge(pairs) + proof(pairs, login)
  }

  private mutating func challenge(_ pairs: [TextPair]) -> [TextPair] {
    guard pairs.contains(where: { $0.standardKey == .chapAlgorithm }) else { return [] }
    let octets = (0..<Int.random(in: 1...64, using: &generator)).map { _ in
      UInt8.random(in: .min ... .max, using: &generator)
    }
    return [
      TextPair(.chapIdentifier, String(UInt8.random(in: .min ... .max, using: &generator))),
      TextPair(.chapChallenge, TextBinary.encode(octets)),
    ]
  }

  private func proof(_ pairs: [TextPair], _ login: Conversation) -> [TextPair] {
    guard let text = pairs.first(where: { $0.standardKey == .chapChallenge })?.value,
      let challenge = TextBinary.parse(text, limit: 1024),
      let identifier = pairs.first(where: { $0.standardKey == .chapIdentifier }).flatMap({ UInt8($0.value) }),
      let algorithm = CHAPAlgorithm.allCases.first(where: {
        $0.digestLength == challenge.count && [.sha3, .sha1].contains($0)
      }), let secret = Secret("secretOfTarget")
    else { return [] }
    let response = CHAP.response(algorithm: algorithm, identifier: identifier, secret: secret, challenge: challenge)
    return [TextPair(.chapName, "target"), TextPair(.chapResponse, TextBinary.encode(response))]
  }
}
