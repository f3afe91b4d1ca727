// SPDX-License-Identifier: Apache-2.0

/// The standard text keys of a login and of SendTargets: RFC 7143, sections 12.1 and 13, and CHAP's of 12.1.3.
public enum TextKey: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// AuthMethod (12.1).
  case authMethod = "AuthMethod"
  /// CHAP_A: algorithms offered, or the one chosen (12.1.3).
  case chapAlgorithm = "CHAP_A"
  /// CHAP_I: identifier.
  case chapIdentifier = "CHAP_I"
  /// CHAP_C: challenge.
  case chapChallenge = "CHAP_C"
  /// CHAP_N: name.
  case chapName = "CHAP_N"
  /// CHAP_R: response.
  case chapResponse = "CHAP_R"
  /// HeaderDigest (13.1).
  case headerDigest = "HeaderDigest"
  /// DataDigest (13.1).
  case dataDigest = "DataDigest"
  /// MaxConnections (13.2).
  case maxConnections = "MaxConnections"
  /// SendTargets (13.3).
  case sendTargets = "SendTargets"
  /// TargetName (13.4).
  case targetName = "TargetName"
  /// InitiatorName (13.5).
  case initiatorName = "InitiatorName"
  /// TargetAlias (13.6).
  case targetAlias = "TargetAlias"
  /// InitiatorAlias (13.7).
  case initiatorAlias = "InitiatorAlias"
  /// TargetAddress (13.8).
  case targetAddress = "TargetAddress"
  /// TargetPortalGroupTag (13.9).
  case targetPortalGroupTag = "TargetPortalGroupTag"
  /// InitialR2T (13.10).
  case initialR2T = "InitialR2T"
  /// ImmediateData (13.11).
  case immediateData = "ImmediateData"
  /// MaxRecvDataSegmentLength (13.12).
  case maxRecvDataSegmentLength = "MaxRecvDataSegmentLength"
  /// MaxBurstLength (13.13).
  case maxBurstLength = "MaxBurstLength"
  /// FirstBurstLength (13.14).
  case firstBurstLength = "FirstBurstLength"
  /// DefaultTime2Wait (13.15).
  case defaultTime2Wait = "DefaultTime2Wait"
  /// DefaultTime2Retain (13.16).
  case defaultTime2Retain = "DefaultTime2Retain"
  /// MaxOutstandingR2T (13.17).
  case maxOutstandingR2T = "MaxOutstandingR2T"
  /// DataPDUInOrder (13.18).
  case dataPDUInOrder = "DataPDUInOrder"
  /// DataSequenceInOrder (13.19).
  case dataSequenceInOrder = "DataSequenceInOrder"
  /// ErrorRecoveryLevel (13.20).
  case errorRecoveryLevel = "ErrorRecoveryLevel"
  /// SessionType (13.21).
  case sessionType = "SessionType"
  /// TaskReporting (13.23).
  case taskReporting = "TaskReporting"
  /// iSCSIProtocolLevel (13.24).
  case protocolLevel = "iSCSIProtocolLevel"
  /// IFMarker, obsolete (13.25).
  case ifMarker = "IFMarker"
  /// OFMarker, obsolete (13.25).
  case ofMarker = "OFMarker"
  /// IFMarkInt, obsolete (13.25).
  case ifMarkInt = "IFMarkInt"
  /// OFMarkInt, obsolete (13.25).
  case ofMarkInt = "OFMarkInt"
  /// X#NodeArchitecture (13.26).
  case nodeArchitecture = "X#NodeArchitecture"

  /// The key as it goes on the wire.
  public var description: String { rawValue }
}

/// Words that stand in place of a value and end the negotiation of a key without a result (RFC 7143, section 6.2).
///
/// `None` is not among them: it is an element of lists. `?` is for the full feature phase only, so in a login it is
/// a value like any other, and no key's type allows it.
public enum TextConstant: String, Hashable, Sendable, CaseIterable {
  /// The value cannot be agreed to.
  case reject = "Reject"
  /// The key has no meaning here.
  case irrelevant = "Irrelevant"
  /// The key is not known.
  case notUnderstood = "NotUnderstood"
}

/// One key with its value, as text.
public struct TextPair: Hashable, Sendable, CustomStringConvertible {
  /// The key, known to us or not.
  public var key: String
  /// The value, not interpreted.
  public var value: String

  /// A pair of any key.
  public init(key: String, value: String) {
    self.key = key
    self.value = value
  }

  /// A pair of a standard key.
  public init(_ key: TextKey, _ value: String) { self.init(key: key.rawValue, value: value) }

  /// The standard key, or nil if the key is none.
  public var standardKey: TextKey? { TextKey(rawValue: key) }
  /// The constant that the value is, or nil.
  public var constant: TextConstant? { TextConstant(rawValue: value) }
  /// `key=value`.
  public var description: String { "\(key)=\(value)" }
}

/// What is wrong with a text.
public enum TextError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The text has more octets than the limit.
  case tooLong(octets: Int, limit: Int)
  /// A part between two NULs has no `=`.
  case noSeparator(String)
  /// A key is empty, longer than 63 octets, or has a character that a key may not have.
  case badKey(String)
  /// The value of this key is longer than the limit.
  case valueTooLong(key: String, octets: Int)
  /// The value of this key is not UTF-8.
  case notUTF8(key: String)
  /// This key stands twice in one text.
  case duplicate(key: String)
  /// The value is not of the type that the key has.
  case badValue(key: String, value: String)
  /// The number is not in the range that the key has.
  case outOfRange(key: String, value: String)

  /// The reason in words; text of the peer's is shortened and has its control characters escaped.
  public var description: String {
    switch self {
    case .tooLong(let octets, let limit): "the text has \(octets) octets, more than the limit of \(limit)"
    case .noSeparator(let text): "\(text.quotedForMessage) is not of the form key=value"
    case .badKey(let key): "\(key.quotedForMessage) cannot be a key"
    case .valueTooLong(let key, let octets): "the value of \(key) has \(octets) octets, more than allowed"
    case .notUTF8(let key): "the value of \(key) is not UTF-8"
    case .duplicate(let key): "the key \(key) stands twice in one text"
    case .badValue(let key, let value): "\(key) has the value \(value.quotedForMessage), which is not of its type"
    case .outOfRange(let key, let value): "\(key) has the value \(value.quotedForMessage), which is out of its range"
    }
  }
}

extension String {
  /// The text in quotes, cut to 64 characters and with everything but printable ASCII escaped, so that what a peer
  /// sent cannot forge a line of a log or drive a terminal.
  var quotedForMessage: String {
    let shown = unicodeScalars.prefix(64).map { $0.escaped(asASCII: true) }.joined()
    return "\"\(shown)\"" + (unicodeScalars.count > 64 ? "..." : "")
  }
}
