// SPDX-License-Identifier: Apache-2.0

/// How a target of the tests answers the operational keys of a login (RFC 7143, section 13).
public struct TargetParameters: Sendable {
  /// The digests that the target takes, for headers and for data.
  public var digests = ["None"]
  /// InitialR2T=Yes wins if either side wants it.
  public var initialR2T = true
  /// ImmediateData=Yes needs both sides.
  public var immediateData = true
  /// The target's limits: the smaller value of both sides is agreed on.
  public var minimumOf = [
    "MaxBurstLength": 262_144, "FirstBurstLength": 65_536, "MaxOutstandingR2T": 1, "MaxConnections": 1,
    "DefaultTime2Retain": 20, "ErrorRecoveryLevel": 0,
  ]
  /// DefaultTime2Wait: the larger value of both sides is agreed on.
  public var defaultTime2Wait = 2
  /// MaxRecvDataSegmentLength that the target declares; nil declares none.
  public var maxRecvDataSegmentLength: Int? = 262_144
  /// Values that are sent word for word instead of the proper answer; an empty value leaves the key unanswered.
  public var overrides: [String: String] = [:]
  /// Entries that the target adds on its own in the operational stage.
  public var additions: [(key: String, value: String)] = []

  /// What a common software target does.
  public init() {}

  /// Keys that mean nothing in a discovery session.
  private static let normalOnly: Set<String> = [
    "MaxConnections", "InitialR2T", "ImmediateData", "MaxBurstLength", "FirstBurstLength", "MaxOutstandingR2T",
    "DataPDUInOrder", "DataSequenceInOrder",
  ]
  /// Keys that declare something and get no answer here.
  private static let declarations: Set<String> = [
    "InitiatorName", "InitiatorAlias", "TargetName", "TargetAlias", "TargetAddress", "TargetPortalGroupTag",
    "SessionType", "AuthMethod", "MaxRecvDataSegmentLength",
  ]

  /// The answers to the initiator's keys.
  func answers(to keys: TextEntries, isDiscovery: Bool) -> TextEntries {
    var answers = TextEntries()
    for entry in keys.entries where !Self.declarations.contains(entry.key) {
      if let value = overrides[entry.key] {
        if !value.isEmpty { answers.append(entry.key, value) }
      } else if isDiscovery, Self.normalOnly.contains(entry.key) {
        answers.append(entry.key, "Irrelevant")
      } else {
        answers.append(entry.key, answer(entry.key, entry.value))
      }
    }
    return answers
  }

  private func answer(_ key: String, _ value: String) -> String {
    switch key {
    case "HeaderDigest", "DataDigest":
      return value.split(separator: ",").map(String.init).first(where: digests.contains) ?? "Reject"
    case "InitialR2T": return initialR2T || value == "Yes" ? "Yes" : "No"
    case "ImmediateData": return immediateData && value == "Yes" ? "Yes" : "No"
    case "DataPDUInOrder", "DataSequenceInOrder": return "Yes"
    case "IFMarker", "OFMarker": return "No"
    case "DefaultTime2Wait":
      guard let wanted = Int(value) else { return "Reject" }
      return String(max(wanted, defaultTime2Wait))
    default:
      guard let limit = minimumOf[key] else { return "NotUnderstood" }
      guard let wanted = Int(value) else { return "Reject" }
      return String(min(wanted, limit))
    }
  }
}
