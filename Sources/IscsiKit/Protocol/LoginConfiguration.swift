// SPDX-License-Identifier: Apache-2.0

/// What kind of session a login opens.
public enum SessionType: Hashable, Sendable {
  /// A session with a target, for SCSI.
  case normal(TargetName)
  /// A session for SendTargets only.
  case discovery
}

/// All that a login negotiation needs to know.
public struct LoginConfiguration: Hashable, Sendable {
  /// Our name.
  public var initiatorName: InitiatorName
  /// InitiatorAlias: text for the target's admin, up to 255 octets; not sent if nil.
  public var initiatorAlias: String?
  /// What to log in to.
  public var sessionType: SessionType
  /// Our half of the session's identifier.
  public var isid: ISID
  /// 0 for a new session and for the reinstatement of one, which is what the kernel's initiator does.
  public var tsih: UInt16 = 0
  /// CID.
  public var connectionID: UInt16 = 0
  /// The tag of all requests; nil where the kernel puts its own in, so that responses are not compared with it.
  public var initiatorTaskTag: UInt32? = 0
  /// CmdSN of all requests.
  public var initialCommandSN: UInt32 = 1
  /// ExpStatSN of the first request.
  public var expStatSN: UInt32 = 0
  /// How the two sides prove who they are.
  public var authentication = Authentication.none
  /// What we ask for.
  public var operational = OperationalParameters()
  /// The most text in one request, in octets: what a target takes before it has declared another value.
  public var maxDataSegmentLength = 8192

  /// A login of `initiatorName` with the defaults for everything else.
  public init(initiatorName: InitiatorName, sessionType: SessionType, isid: ISID) {
    self.initiatorName = initiatorName
    self.sessionType = sessionType
    self.isid = isid
  }

  var isDiscovery: Bool { sessionType == .discovery }

  /// The declarations at the start of the first request, in the order that targets know from open-iscsi.
  var names: [TextPair] {
    var pairs = [TextPair(.initiatorName, initiatorName.description)]
    if let initiatorAlias, !initiatorAlias.isEmpty { pairs.append(TextPair(.initiatorAlias, initiatorAlias)) }
    switch sessionType {
    case .normal(let target):
      pairs += [TextPair(.targetName, target.description), TextPair(.sessionType, "Normal")]
    case .discovery:
      pairs.append(TextPair(.sessionType, "Discovery"))
    }
    return pairs
  }

  /// Whether a text can be sent as InitiatorAlias.
  static func isAlias(_ text: String) -> Bool {
    1...255 ~= text.utf8.count && text.unicodeScalars.allSatisfy { $0.value >= 32 }
  }

  /// Refuses what must not go out.
  func validate() throws(LoginFailure) {
    try authentication.validate()
    if let alias = initiatorAlias, !alias.isEmpty, !Self.isAlias(alias) {
      throw .invalidParameter(.initiatorAlias, value: alias)
    }
    for (key, digests) in [(TextKey.headerDigest, operational.headerDigest), (.dataDigest, operational.dataDigest)]
    where digests.isEmpty {
      throw .invalidParameter(key, value: "")
    }
    for (key, value) in operational.offers(inDiscovery: false) + [operational.declaration] {
      guard case .number(let number) = value, case .number(let range) = key.rule.type else { continue }
      guard range.contains(number) else { throw .invalidParameter(key, value: value.description) }
    }
  }
}

extension OperationalParameters {
  /// What is offered, in the order of open-iscsi. The obsolete markers are left out: their default is No.
  ///
  /// FirstBurstLength is offered as no more than MaxBurstLength, which RFC 7143, section 13.14, demands.
  func offers(inDiscovery: Bool) -> [(TextKey, TextValue)] {
    let all: [(TextKey, TextValue)] = [
      (.headerDigest, .list(headerDigest.map(\.rawValue))),
      (.dataDigest, .list(dataDigest.map(\.rawValue))),
      (.defaultTime2Wait, .number(UInt64(defaultTime2Wait))),
      (.defaultTime2Retain, .number(UInt64(defaultTime2Retain))),
      (.errorRecoveryLevel, .number(0)),
      (.initialR2T, .boolean(initialR2T)),
      (.immediateData, .boolean(immediateData)),
      (.maxBurstLength, .number(UInt64(maxBurstLength))),
      (.firstBurstLength, .number(UInt64(min(firstBurstLength, maxBurstLength)))),
      (.maxOutstandingR2T, .number(UInt64(maxOutstandingR2T))),
      (.maxConnections, .number(1)),
      (.dataPDUInOrder, .boolean(true)),
      (.dataSequenceInOrder, .boolean(true)),
    ]
    return inDiscovery ? all.filter { !$0.0.rule.isIrrelevantInDiscovery } : all
  }

  /// What is declared behind the offers.
  var declaration: (TextKey, TextValue) { (.maxRecvDataSegmentLength, .number(UInt64(maxRecvDataSegmentLength))) }
}

/// What a successful login gives.
public struct LoginResult: Hashable, Sendable {
  /// What the two sides agreed on.
  public var negotiated: NegotiatedParameters
  /// The target's half of the session's identifier.
  public var tsih: UInt16
  /// StatSN of the last response; the connection's ExpStatSN is this plus one.
  public var statSN: UInt32
  /// ExpCmdSN of the last response.
  public var expCommandSN: UInt32
  /// MaxCmdSN of the last response.
  public var maxCommandSN: UInt32
  /// TargetPortalGroupTag, if the target sent it.
  public var tag: PortalGroupTag?
  /// TargetAlias, if the target sent one that is fit to be shown: 1 to 255 octets, no control characters.
  public var targetAlias: String?
  /// The algorithm of CHAP; nil if the login went without, which a target may choose unless CHAP is mutual.
  public var algorithm: CHAPAlgorithm?

  /// A result from its parts.
  public init(
    negotiated: NegotiatedParameters, tsih: UInt16, statSN: UInt32, expCommandSN: UInt32, maxCommandSN: UInt32,
    tag: PortalGroupTag? = nil, targetAlias: String? = nil, algorithm: CHAPAlgorithm? = nil
  ) {
    self.negotiated = negotiated
    self.tsih = tsih
    self.statSN = statSN
    self.expCommandSN = expCommandSN
    self.maxCommandSN = maxCommandSN
    self.tag = tag
    self.targetAlias = targetAlias
    self.algorithm = algorithm
  }
}
