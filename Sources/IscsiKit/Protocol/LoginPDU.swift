// SPDX-License-Identifier: Apache-2.0

/// A stage of the login phase (RFC 7143, section 11.12.3: CSG and NSG).
public enum LoginStage: UInt8, Hashable, Sendable, Comparable {
  /// SecurityNegotiation.
  case security = 0
  /// LoginOperationalNegotiation.
  case operational = 1
  /// FullFeaturePhase; 2 is reserved.
  case fullFeature = 3

  /// Orders stages by the way that a login goes through them.
  public static func < (left: LoginStage, right: LoginStage) -> Bool { left.rawValue < right.rawValue }
}

/// The Status-Class and Status-Detail of a Login Response (RFC 7143, section 11.13.5).
public struct LoginStatus: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// Class in the upper octet, detail in the lower one.
  public let rawValue: UInt16

  /// A status as it came.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// 0x00 success, 0x01 redirection, 0x02 the initiator's fault, 0x03 the target's fault.
  public var statusClass: UInt8 { UInt8(rawValue >> 8) }
  /// What of its class it is.
  public var detail: UInt8 { UInt8(truncatingIfNeeded: rawValue) }

  /// 0000: success.
  public static let success = LoginStatus(rawValue: 0x0000)
  /// 0101: the target moved for now.
  public static let movedTemporarily = LoginStatus(rawValue: 0x0101)
  /// 0102: the target moved for good.
  public static let movedPermanently = LoginStatus(rawValue: 0x0102)
  /// 0200: the initiator did something wrong.
  public static let initiatorError = LoginStatus(rawValue: 0x0200)
  /// 0201: authentication failed.
  public static let authenticationFailure = LoginStatus(rawValue: 0x0201)
  /// 0202: authenticated, but not allowed to use this target.
  public static let authorizationFailure = LoginStatus(rawValue: 0x0202)
  /// 0203: no such target here.
  public static let notFound = LoginStatus(rawValue: 0x0203)
  /// 0204: the target was removed.
  public static let targetRemoved = LoginStatus(rawValue: 0x0204)
  /// 0205: no protocol version in common.
  public static let unsupportedVersion = LoginStatus(rawValue: 0x0205)
  /// 0206: too many connections on this session.
  public static let tooManyConnections = LoginStatus(rawValue: 0x0206)
  /// 0207: a key that the target needs was missing.
  public static let missingParameter = LoginStatus(rawValue: 0x0207)
  /// 0208: the target cannot include this connection in the session.
  public static let cannotIncludeInSession = LoginStatus(rawValue: 0x0208)
  /// 0209: the session type is not supported.
  public static let sessionTypeNotSupported = LoginStatus(rawValue: 0x0209)
  /// 020a: no session with that TSIH.
  public static let sessionDoesNotExist = LoginStatus(rawValue: 0x020A)
  /// 020b: a request that does not fit the login.
  public static let invalidDuringLogin = LoginStatus(rawValue: 0x020B)
  /// 0300: the target failed.
  public static let targetError = LoginStatus(rawValue: 0x0300)
  /// 0301: the service is not available at the moment.
  public static let serviceUnavailable = LoginStatus(rawValue: 0x0301)
  /// 0302: the target has no room for another session.
  public static let outOfResources = LoginStatus(rawValue: 0x0302)

  /// Four hexadecimal digits, as standards and logs write it.
  public var description: String {
    statusClass.hexadecimal + detail.hexadecimal
  }
}

/// A Login Request (RFC 7143, section 11.12). The immediate bit is always set.
public struct LoginRequestPDU: Hashable, Sendable {
  /// T: we are ready to go on to the next stage.
  public var transit = false
  /// C: the text goes on in the next request.
  public var isContinued = false
  /// CSG.
  public var currentStage = LoginStage.security
  /// NSG, meaningful with `transit` only.
  public var nextStage = LoginStage.security
  /// Version-max.
  public var versionMax: UInt8 = 0
  /// Version-min.
  public var versionMin: UInt8 = 0
  /// ISID.
  public var isid: ISID
  /// TSIH: 0 for a new session.
  public var tsih: UInt16 = 0
  /// Initiator Task Tag; the kernel puts its own in on its path.
  public var initiatorTaskTag: UInt32 = 0
  /// CID.
  public var connectionID: UInt16 = 0
  /// CmdSN; the kernel puts its own in on its path.
  public var commandSN: UInt32 = 0
  /// ExpStatSN.
  public var expStatSN: UInt32 = 0
  /// The data segment, unpadded: text keys, each ended by NUL.
  public var data: [UInt8] = []

  /// A request of a session with this ISID.
  public init(isid: ISID) { self.isid = isid }
}

/// A Login Response (RFC 7143, section 11.13).
public struct LoginResponsePDU: Hashable, Sendable {
  /// T: the target goes on to the next stage.
  public var transit = false
  /// C: the text goes on in the next response.
  public var isContinued = false
  /// CSG.
  public var currentStage = LoginStage.security
  /// NSG, meaningful with `transit` only.
  public var nextStage = LoginStage.security
  /// Version-max.
  public var versionMax: UInt8 = 0
  /// Version-active.
  public var versionActive: UInt8 = 0
  /// ISID, as in the request.
  public var isid: ISID
  /// TSIH: given by the target with its last response.
  public var tsih: UInt16 = 0
  /// Initiator Task Tag, as in the request.
  public var initiatorTaskTag: UInt32 = 0
  /// StatSN.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0
  /// Status-Class and Status-Detail.
  public var status = LoginStatus.success
  /// The data segment, unpadded.
  public var data: [UInt8] = []

  /// A response of a session with this ISID.
  public init(isid: ISID) { self.isid = isid }
}
