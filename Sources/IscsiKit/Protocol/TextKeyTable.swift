// SPDX-License-Identifier: Apache-2.0

/// What RFC 7143 says of one key: the lines "Use", "Senders", "Scope", "Default", and the result function.
public struct TextKeyRule: Hashable, Sendable {
  /// When a key may be sent.
  public enum Use: Hashable, Sendable {
    /// IO: in the login of any connection.
    case initializeOnly
    /// LO: in the login of a session's first connection.
    case leadingOnly
    /// FFPO: in the full feature phase.
    case fullFeatureOnly
    /// ALL.
    case always
  }

  /// What a key's value holds for.
  public enum Scope: Hashable, Sendable {
    /// SW.
    case session
    /// CO.
    case connection
  }

  /// Who may send a key first.
  public enum Senders: Hashable, Sendable {
    /// The initiator only.
    case initiator
    /// The target only.
    case target
    /// Both.
    case both
  }

  /// The type of a key's value.
  public enum ValueType: Hashable, Sendable {
    /// `Yes` or `No`.
    case boolean
    /// A number in this range.
    case number(ClosedRange<UInt64>)
    /// Words separated by commas, best first.
    case list
    /// Text that is not interpreted here: names, aliases, addresses, binary values.
    case text
  }

  /// How offer and answer make the result.
  public enum ResultFunction: Hashable, Sendable {
    /// There is no answer: each side tells its own value.
    case declarative
    /// The smaller number.
    case minimum
    /// The greater number.
    case maximum
    /// Yes if either side says so.
    case or
    /// Yes if both sides say so.
    case and
    /// The answer is one element of the offered list.
    case selection
    /// Obsolete: never sent, and answered with `Reject` (13.25).
    case obsolete
  }

  /// When the key may be sent.
  public var use: Use
  /// Who may send it first.
  public var senders: Senders
  /// What its value holds for.
  public var scope: Scope
  /// The type of its value.
  public var type: ValueType
  /// How the result is made.
  public var result: ResultFunction
  /// The value that holds without a negotiation, if there is one.
  public var defaultValue: TextValue?
  /// Whether it has no meaning in a discovery session.
  public var isIrrelevantInDiscovery = false
}

extension TextKey {
  private static let segmentLengths: ClosedRange<UInt64> = 512...16_777_215

  /// What RFC 7143 says of this key.
  public var rule: TextKeyRule {
    switch self {
    case .authMethod: .login(.list, .selection, nil, scope: .connection)
    case .chapAlgorithm: .login(.list, .selection, nil, scope: .connection)
    case .chapIdentifier, .chapChallenge, .chapName, .chapResponse: .login(.text, .declarative, nil, scope: .connection)
    case .headerDigest, .dataDigest: .login(.list, .selection, .list(["None"]), scope: .connection)
    case .maxConnections: .leading(.number(1...65_535), .minimum, .number(1))
    case .sendTargets: .declared(.fullFeatureOnly, .initiator)
    case .targetName: .declared(.initializeOnly, .initiator)
    case .initiatorName: .declared(.initializeOnly, .initiator)
    case .targetAlias: .declared(.always, .target)
    case .initiatorAlias: .declared(.always, .initiator)
    case .targetAddress: .declared(.always, .target)
    case .targetPortalGroupTag: .declared(.initializeOnly, .target, .number(0...65_535))
    case .initialR2T: .leading(.boolean, .or, .boolean(true))
    case .immediateData: .leading(.boolean, .and, .boolean(true))
    case .maxRecvDataSegmentLength:
      .declared(.always, .both, .number(Self.segmentLengths), .number(8192), scope: .connection)
    case .maxBurstLength: .leading(.number(Self.segmentLengths), .minimum, .number(262_144))
    case .firstBurstLength: .leading(.number(Self.segmentLengths), .minimum, .number(65_536))
    case .defaultTime2Wait: .leading(.number(0...3600), .maximum, .number(2), inDiscovery: true)
    case .defaultTime2Retain: .leading(.number(0...3600), .minimum, .number(20), inDiscovery: true)
    case .maxOutstandingR2T: .leading(.number(1...65_535), .minimum, .number(1))
    case .dataPDUInOrder, .dataSequenceInOrder: .leading(.boolean, .or, .boolean(true))
    case .errorRecoveryLevel: .leading(.number(0...2), .minimum, .number(0), inDiscovery: true)
    case .sessionType: .declared(.leadingOnly, .initiator, .text, .text("Normal"))
    case .taskReporting: .leading(.list, .selection, .list(["RFC3720"]))
    case .protocolLevel: .leading(.number(0...31), .minimum, .number(1))
    case .ifMarker, .ofMarker, .ifMarkInt, .ofMarkInt: .leading(.text, .obsolete, nil, inDiscovery: true)
    case .nodeArchitecture: .declared(.leadingOnly, .both, .list)
    }
  }

  /// Reads a value of this key's type, in this key's range.
  public func value(of text: String) throws(TextError) -> TextValue {
    let wrong = TextError.badValue(key: rawValue, value: text)
    switch rule.type {
    case .boolean:
      guard text == "Yes" || text == "No" else { throw wrong }
      return .boolean(text == "Yes")
    case .number(let range):
      guard let number = TextNumber.parse(text) else { throw wrong }
      guard range.contains(number) else { throw .outOfRange(key: rawValue, value: text) }
      return .number(number)
    case .list:
      let words = text.split(separator: ",", omittingEmptySubsequences: false)
      guard words.allSatisfy({ (1...255).contains($0.utf8.count) }) else { throw wrong }
      return .list(words.map(String.init))
    case .text:
      return .text(text)
    }
  }

  /// The result of our `offer` and the target's `answer`; nil if the answer is not one that the offer allows.
  ///
  /// The function is applied to both numbers and both booleans, whichever of "result" or "own value" the target means
  /// by its answer: the two readings give the same where the target follows the standard, and where it does not, the
  /// result never exceeds what we offered.
  public func result(offer: TextValue, answer: TextValue) -> TextValue? {
    switch (rule.result, offer, answer) {
    case (.minimum, .number(let left), .number(let right)): .number(min(left, right))
    case (.maximum, .number(let left), .number(let right)): .number(max(left, right))
    case (.or, .boolean(let left), .boolean(let right)): .boolean(left || right)
    case (.and, .boolean(let left), .boolean(let right)): .boolean(left && right)
    case (.selection, .list(let offered), .list(let chosen)):
      chosen.count == 1 && offered.contains(chosen[0]) ? answer : nil
    default: nil
    }
  }

  /// What we answer to the target's `offer` when we would take `own`; nil if there is nothing in common.
  public func answer(toOffer offer: TextValue, own: TextValue) -> TextValue? {
    guard rule.result == .selection, case .list(let offered) = offer, case .list(let taken) = own else {
      return result(offer: offer, answer: own)
    }
    return offered.first(where: taken.contains).map { .list([$0]) }
  }
}

/// A value of a text key, interpreted.
public enum TextValue: Hashable, Sendable, CustomStringConvertible {
  /// `Yes` or `No`.
  case boolean(Bool)
  /// A number.
  case number(UInt64)
  /// Words in order of preference.
  case list([String])
  /// Other text.
  case text(String)

  /// The value as it goes on the wire; numbers are decimal.
  public var description: String {
    switch self {
    case .boolean(let value): value ? "Yes" : "No"
    case .number(let value): String(value)
    case .list(let words): words.joined(separator: ",")
    case .text(let text): text
    }
  }
}

extension TextKeyRule {
  /// A negotiated key of any login.
  fileprivate static func login(
    _ type: ValueType, _ result: ResultFunction, _ defaultValue: TextValue?, scope: Scope
  ) -> TextKeyRule {
    TextKeyRule(
      use: .initializeOnly, senders: .both, scope: scope, type: type, result: result, defaultValue: defaultValue)
  }

  /// A negotiated key of a session's first login.
  fileprivate static func leading(
    _ type: ValueType, _ result: ResultFunction, _ defaultValue: TextValue?, inDiscovery: Bool = false
  ) -> TextKeyRule {
    TextKeyRule(
      use: .leadingOnly, senders: .both, scope: .session, type: type, result: result, defaultValue: defaultValue,
      isIrrelevantInDiscovery: !inDiscovery)
  }

  /// A declared key.
  fileprivate static func declared(
    _ use: Use, _ senders: Senders, _ type: ValueType = .text, _ defaultValue: TextValue? = nil,
    scope: Scope = .session
  ) -> TextKeyRule {
    TextKeyRule(
      use: use, senders: senders, scope: scope, type: type, result: .declarative, defaultValue: defaultValue)
  }
}
