// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("Table of text keys")
struct TextKeyTableTests {
  /// One line of RFC 7143, section 13.
  struct Line: Sendable, CustomTestStringConvertible {
    var key: TextKey
    var use: TextKeyRule.Use
    var senders: TextKeyRule.Senders
    var scope: TextKeyRule.Scope
    var result: TextKeyRule.ResultFunction
    var defaultText: String?
    var irrelevant: Bool
    var testDescription: String { key.rawValue }

    init(
      _ key: TextKey, _ use: TextKeyRule.Use, _ senders: TextKeyRule.Senders, _ scope: TextKeyRule.Scope,
      _ result: TextKeyRule.ResultFunction, _ defaultText: String?, irrelevant: Bool = false
    ) {
      self.key = key
      self.use = use
      self.senders = senders
      self.scope = scope
      self.result = result
      self.defaultText = defaultText
      self.irrelevant = irrelevant
    }
  }

  static let lines: [Line] = [
    Line(.authMethod, .initializeOnly, .both, .connection, .selection, nil),
    Line(.chapAlgorithm, .initializeOnly, .both, .connection, .selection, nil),
    Line(.chapIdentifier, .initializeOnly, .both, .connection, .declarative, nil),
    Line(.chapChallenge, .initializeOnly, .both, .connection, .declarative, nil),
    Line(.chapName, .initializeOnly, .both, .connection, .declarative, nil),
    Line(.chapResponse, .initializeOnly, .both, .connection, .declarative, nil),
    Line(.headerDigest, .initializeOnly, .both, .connection, .selection, "None"),
    Line(.dataDigest, .initializeOnly, .both, .connection, .selection, "None"),
    Line(.maxConnections, .leadingOnly, .both, .session, .minimum, "1", irrelevant: true),
    Line(.sendTargets, .fullFeatureOnly, .initiator, .session, .declarative, nil),
    Line(.targetName, .initializeOnly, .initiator, .session, .declarative, nil),
    Line(.initiatorName, .initializeOnly, .initiator, .session, .declarative, nil),
    Line(.targetAlias, .always, .target, .session, .declarative, nil),
    Line(.initiatorAlias, .always, .initiator, .session, .declarative, nil),
    Line(.targetAddress, .always, .target, .session, .declarative, nil),
    Line(.targetPortalGroupTag, .initializeOnly, .target, .session, .declarative, nil),
    Line(.initialR2T, .leadingOnly, .both, .session, .or, "Yes", irrelevant: true),
    Line(.immediateData, .leadingOnly, .both, .session, .and, "Yes", irrelevant: true),
    Line(.maxRecvDataSegmentLength, .always, .both, .connection, .declarative, "8192"),
    Line(.maxBurstLength, .leadingOnly, .both, .session, .minimum, "262144", irrelevant: true),
    Line(.firstBurstLength, .leadingOnly, .both, .session, .minimum, "65536", irrelevant: true),
    Line(.defaultTime2Wait, .leadingOnly, .both, .session, .maximum, "2"),
    Line(.defaultTime2Retain, .leadingOnly, .both, .session, .minimum, "20"),
    Line(.maxOutstandingR2T, .leadingOnly, .both, .session, .minimum, "1", irrelevant: true),
    Line(.dataPDUInOrder, .leadingOnly, .both, .session, .or, "Yes", irrelevant: true),
    Line(.dataSequenceInOrder, .leadingOnly, .both, .session, .or, "Yes", irrelevant: true),
    Line(.errorRecoveryLevel, .leadingOnly, .both, .session, .minimum, "0"),
    Line(.sessionType, .leadingOnly, .initiator, .session, .declarative, "Normal"),
    Line(.taskReporting, .leadingOnly, .both, .session, .selection, "RFC3720", irrelevant: true),
    Line(.protocolLevel, .leadingOnly, .both, .session, .minimum, "1", irrelevant: true),
    Line(.ifMarker, .leadingOnly, .both, .session, .obsolete, nil),
    Line(.ofMarker, .leadingOnly, .both, .session, .obsolete, nil),
    Line(.ifMarkInt, .leadingOnly, .both, .session, .obsolete, nil),
    Line(.ofMarkInt, .leadingOnly, .both, .session, .obsolete, nil),
    Line(.nodeArchitecture, .leadingOnly, .both, .session, .declarative, nil),
  ]

  @Test("Every key has the rules of its section", arguments: lines)
  func rules(line: Line) {
    let rule = line.key.rule
    #expect(rule.use == line.use)
    #expect(rule.senders == line.senders)
    #expect(rule.scope == line.scope)
    #expect(rule.result == line.result)
    #expect(rule.defaultValue?.description == line.defaultText)
    #expect(rule.isIrrelevantInDiscovery == line.irrelevant)
  }

  @Test("No key is left out")
  func complete() {
    #expect(Set(Self.lines.map(\.key)) == Set(TextKey.allCases))
  }

  @Test("A default is a value of its key's type and range", arguments: TextKey.allCases)
  func defaults(key: TextKey) throws {
    guard let standard = key.rule.defaultValue else { return }
    #expect(try key.value(of: standard.description) == standard)
  }

  @Test(
    "Offer and answer make the result of the key's function",
    arguments: [
      (TextKey.headerDigest, "CRC32C,None", "CRC32C", "CRC32C"), (.headerDigest, "CRC32C,None", "None", "None"),
      (.headerDigest, "None", "CRC32C", nil), (.headerDigest, "CRC32C,None", "CRC32C,None", nil),
      (.dataDigest, "None", "None", "None"), (.dataDigest, "None", "none", nil),
      (.maxConnections, "1", "8", "1"), (.maxConnections, "4", "2", "2"),
      (.initialR2T, "No", "No", "No"), (.initialR2T, "No", "Yes", "Yes"), (.initialR2T, "Yes", "No", "Yes"),
      (.immediateData, "Yes", "Yes", "Yes"), (.immediateData, "Yes", "No", "No"), (.immediateData, "No", "Yes", "No"),
      (.maxBurstLength, "16776192", "262144", "262144"), (.maxBurstLength, "65536", "262144", "65536"),
      (.maxBurstLength, "16776192", "0x40000", "262144"), (.firstBurstLength, "262144", "65536", "65536"),
      (.defaultTime2Wait, "2", "0", "2"), (.defaultTime2Wait, "2", "20", "20"), (.defaultTime2Retain, "0", "20", "0"),
      (.maxOutstandingR2T, "1", "16", "1"), (.dataPDUInOrder, "Yes", "No", "Yes"),
      (.dataSequenceInOrder, "No", "No", "No"), (.errorRecoveryLevel, "0", "2", "0"),
      (.protocolLevel, "1", "2", "1"), (.taskReporting, "FastAbort,RFC3720", "RFC3720", "RFC3720"),
      (.taskReporting, "RFC3720", "FastAbort", nil), (.maxRecvDataSegmentLength, "8192", "65536", nil),
    ] as [(TextKey, String, String, String?)])
  func results(key: TextKey, offer: String, answer: String, result: String?) throws {
    #expect(key.result(offer: try key.value(of: offer), answer: try key.value(of: answer))?.description == result)
  }

  @Test(
    "An offer of the target's is answered by the same function",
    arguments: [
      (TextKey.maxBurstLength, "65536", "262144", "65536"), (.initialR2T, "No", "Yes", "Yes"),
      (.taskReporting, "FastAbort,ResponseFence,RFC3720", "RFC3720", "RFC3720"),
      (.taskReporting, "FastAbort", "RFC3720", nil), (.headerDigest, "None,CRC32C", "CRC32C,None", "None"),
    ] as [(TextKey, String, String, String?)])
  func answers(key: TextKey, offer: String, own: String, answer: String?) throws {
    #expect(key.answer(toOffer: try key.value(of: offer), own: try key.value(of: own))?.description == answer)
  }

  @Test(
    "A value that is not of the key's type is refused",
    arguments: [
      (TextKey.initialR2T, "yes"), (.initialR2T, ""), (.initialR2T, "1"), (.maxBurstLength, "big"),
      (.maxBurstLength, "0b1"), (.headerDigest, ""), (.headerDigest, "None,"), (.headerDigest, ",None"),
      (.headerDigest, String(repeating: "x", count: 256)), (.maxConnections, "?"),
    ])
  func wrongType(key: TextKey, text: String) {
    #expect(throws: TextError.badValue(key: key.rawValue, value: text)) { try key.value(of: text) }
  }

  @Test(
    "A number out of its range is refused, and the ends of the range are not",
    arguments: [
      (TextKey.maxConnections, "1", "65535", "0", "65536"), (.maxOutstandingR2T, "1", "65535", "0", "65536"),
      (.maxBurstLength, "512", "16777215", "511", "16777216"), (.firstBurstLength, "512", "16777215", "0", "16777216"),
      (.maxRecvDataSegmentLength, "512", "16777215", "511", "0x1000000"),
      (.defaultTime2Wait, "0", "3600", "3601", "99999"), (.defaultTime2Retain, "0", "3600", "3601", "99999"),
      (.errorRecoveryLevel, "0", "2", "3", "255"), (.protocolLevel, "0", "31", "32", "255"),
      (.targetPortalGroupTag, "0", "65535", "65536", "18446744073709551615"),
    ])
  func ranges(key: TextKey, least: String, most: String, below: String, above: String) throws {
    #expect(try key.value(of: least).description == least)
    #expect(try key.value(of: most).description == most)
    for text in [below, above] {
      #expect(throws: TextError.outOfRange(key: key.rawValue, value: text)) { try key.value(of: text) }
    }
  }
}
