// SPDX-License-Identifier: Apache-2.0

/// What a Logout Request asks for (RFC 7143, section 11.14.1).
public enum LogoutReason: UInt8, Hashable, Sendable {
  /// Close the session with all its connections.
  case closeSession = 0
  /// Close one connection.
  case closeConnection = 1
  /// Remove one connection, so that its commands can be taken over by another one.
  case removeConnectionForRecovery = 2
}

/// How the target answered a Logout Request (RFC 7143, section 11.15.1).
public struct LogoutResponseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The octet as it came.
  public let rawValue: UInt8

  /// A code as it came.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// 0: the connection or session is closed.
  public static let closed = LogoutResponseCode(rawValue: 0)
  /// 1: there is no such CID.
  public static let connectionNotFound = LogoutResponseCode(rawValue: 1)
  /// 2: connection recovery is not supported.
  public static let recoveryNotSupported = LogoutResponseCode(rawValue: 2)
  /// 3: cleanup failed.
  public static let cleanupFailed = LogoutResponseCode(rawValue: 3)

  /// The code in words.
  public var description: String {
    switch self {
    case .closed: "closed"
    case .connectionNotFound: "CID not found"
    case .recoveryNotSupported: "connection recovery not supported"
    case .cleanupFailed: "cleanup failed"
    default: "response \(rawValue)"
    }
  }
}

/// A Logout Request (RFC 7143, section 11.14). It has no data.
public struct LogoutRequestPDU: Hashable, Sendable {
  /// I: the request is for immediate delivery and does not advance CmdSN.
  public var isImmediate = true
  /// What to close. A reserved reason code is read as `closeSession`.
  public var reason: LogoutReason
  /// Initiator Task Tag.
  public var initiatorTaskTag: UInt32
  /// CID of the connection to close; ignored for a whole session.
  public var connectionID: UInt16 = 0
  /// CmdSN.
  public var commandSN: UInt32 = 0
  /// ExpStatSN.
  public var expStatSN: UInt32 = 0

  /// A request from its reason and tag.
  public init(reason: LogoutReason, initiatorTaskTag: UInt32) {
    self.reason = reason
    self.initiatorTaskTag = initiatorTaskTag
  }
}

/// A Logout Response (RFC 7143, section 11.15). It has no data.
public struct LogoutResponsePDU: Hashable, Sendable {
  /// How it went.
  public var response = LogoutResponseCode.closed
  /// Initiator Task Tag, as in the request.
  public var initiatorTaskTag: UInt32
  /// StatSN.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0
  /// Seconds to wait before another logout or login, where the session was not closed.
  public var time2Wait: UInt16 = 0
  /// Seconds after the wait during which the target keeps tasks, at error recovery level 2.
  public var time2Retain: UInt16 = 0

  /// A response that says "closed".
  public init(initiatorTaskTag: UInt32) { self.initiatorTaskTag = initiatorTaskTag }
}

extension LogoutRequestPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    self.init(reason: LogoutReason(rawValue: fields[1] & 0x7F) ?? .closeSession, initiatorTaskTag: fields.load(16))
    isImmediate = fields.isImmediate
    connectionID = fields.load(20)
    commandSN = fields.load(24)
    expStatSN = fields.load(28)
  }

  var fields: HeaderFields {
    var fields = HeaderFields(.logoutRequest, isImmediate: isImmediate, flags: HeaderFields.final | reason.rawValue)
    fields.store(connectionID, at: 20)
    fields.storeRequest(tag: initiatorTaskTag, commandSN: commandSN, expStatSN: expStatSN)
    return fields
  }

  var data: [UInt8] { [] }
}

extension LogoutResponsePDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    self.init(initiatorTaskTag: fields.load(16))
    response = LogoutResponseCode(rawValue: fields[2])
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
    time2Wait = fields.load(40)
    time2Retain = fields.load(42)
  }

  var fields: HeaderFields {
    var fields = HeaderFields(.logoutResponse)
    fields[2] = response.rawValue
    fields.store(initiatorTaskTag, at: 16)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    fields.store(time2Wait, at: 40)
    fields.store(time2Retain, at: 42)
    return fields
  }

  var data: [UInt8] { [] }
}
