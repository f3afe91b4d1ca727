// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

/// A login in a test: the negotiation, and the responses that the test writes by hand.
struct Conversation {
  var negotiation: LoginNegotiation
  /// The last request; what a response copies ISID, tag and stage from.
  var request: LoginRequestPDU
  var action: LoginNegotiation.Action
  var statSN: UInt32 = 0xFFFF_FFFE

  static func configuration(
    _ authentication: Authentication = .none, discovery: Bool = false
  ) throws -> LoginConfiguration {
    var configuration = LoginConfiguration(
      initiatorName: try InitiatorName("iqn.2004-10.com.example:host"),
      sessionType: discovery ? .discovery : .normal(try TargetName("iqn.2001-04.com.example:disk")),
      isid: ISID(session: SessionID(rawValue: 7)))
    configuration.authentication = authentication
    return configuration
  }

  static func credentials(_ name: String = "user", _ secret: String = "secretOfUser12") throws -> CHAPCredentials {
    CHAPCredentials(name: name, secret: try #require(Secret(secret)))
  }

  static func oneWay(_ algorithms: [CHAPAlgorithm] = [.md5]) throws -> Authentication {
    Authentication(outgoing: try credentials(), algorithms: algorithms)
  }

  static func mutual(_ algorithms: [CHAPAlgorithm] = [.md5]) throws -> Authentication {
    Authentication(
      outgoing: try credentials(), incoming: try credentials("target", "secretOfTarget"), algorithms: algorithms)
  }

  init(_ configuration: LoginConfiguration) throws {
    negotiation = try LoginNegotiation(configuration)
    action = negotiation.start()
    guard case .send(let first) = action else { throw Unexpected(action: action) }
    request = first
  }

  /// What a test did not expect.
  struct Unexpected: Error {
    var action: LoginNegotiation.Action
  }

  /// The keys of the last request.
  var sent: [String] {
    get throws { try TextParser.parse(request.data).map(\.description) }
  }

  /// The value of a key of the last request.
  func sentValue(_ key: TextKey) throws -> String {
    try #require(try TextParser.parse(request.data).first { $0.standardKey == key }).value
  }

  /// A response that fits the last request.
  func response(_ text: [String] = [], transit: Bool = false) -> LoginResponsePDU {
    var response = LoginResponsePDU(isid: request.isid)
    response.transit = transit
    response.currentStage = request.currentStage
    response.nextStage = transit ? request.nextStage : .security
    response.initiatorTaskTag = request.initiatorTaskTag
    response.tsih = response.nextStage == .fullFeature ? 1 : 0
    response.statSN = statSN
    response.expCommandSN = 1
    response.maxCommandSN = 32
    response.data = text.flatMap { Array($0.utf8) + [0] }
    return response
  }

  /// Gives a response to the negotiation, after the test has changed it.
  @discardableResult
  mutating func answer(
    _ text: [String] = [], transit: Bool = false, change: (inout LoginResponsePDU) -> Void = { _ in }
  ) -> LoginNegotiation.Action {
    var response = response(text, transit: transit)
    change(&response)
    statSN &+= 1
    action = negotiation.receive(response)
    if case .send(let next) = action { request = next }
    return action
  }

  /// Answers with the reason of a failure; nil if there was none.
  mutating func failure(
    _ text: [String] = [], transit: Bool = false, change: (inout LoginResponsePDU) -> Void = { _ in }
  ) -> LoginFailure? {
    if case .failed(let failure) = answer(text, transit: transit, change: change) { failure } else { nil }
  }

  /// Ends the operational stage with this text.
  mutating func finish(_ text: [String] = []) throws -> LoginResult {
    guard case .succeeded(let result) = answer(text, transit: true) else { throw Unexpected(action: action) }
    return result
  }

  /// Goes up to the target's challenge, which is 1, 2, 3 with the identifier 9.
  mutating func challenge(_ algorithm: CHAPAlgorithm = .md5) {
    answer(["AuthMethod=CHAP", "TargetPortalGroupTag=1"])
    answer(["CHAP_A=\(algorithm.rawValue)", "CHAP_I=9", "CHAP_C=0x010203"])
  }

  /// What the target of `mutual` answers to the challenge in the last request.
  func proof(_ algorithm: CHAPAlgorithm = .md5, secret: String = "secretOfTarget") throws -> String {
    let response = CHAP.response(
      algorithm: algorithm, identifier: try #require(UInt8(try sentValue(.chapIdentifier))),
      secret: try #require(Secret(secret)),
      challenge: try #require(TextBinary.parse(try sentValue(.chapChallenge), limit: 1024)))
    return "CHAP_R=" + TextBinary.encode(response)
  }
}

/// A small generator with a seed, so that a failing case can be run again.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
