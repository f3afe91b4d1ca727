// SPDX-License-Identifier: Apache-2.0

/// What an Asynchronous Message is about (RFC 7143, section 11.9.1).
public struct AsyncEvent: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The octet as it came.
  public let rawValue: UInt8

  /// An event as it came.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// 0: a SCSI unit attention; the data has the sense data.
  public static let scsi = AsyncEvent(rawValue: 0)
  /// 1: the target wants a logout within `parameter3` seconds.
  public static let logoutRequested = AsyncEvent(rawValue: 1)
  /// 2: the target will drop connection `parameter1`.
  public static let connectionDropped = AsyncEvent(rawValue: 2)
  /// 3: the target will drop all connections of the session.
  public static let sessionDropped = AsyncEvent(rawValue: 3)
  /// 4: the target wants a parameter negotiation.
  public static let negotiationRequested = AsyncEvent(rawValue: 4)
  /// 5: all tasks of a logical unit are being terminated (RFC 7144).
  public static let tasksTerminated = AsyncEvent(rawValue: 5)
  /// 255: vendor specific.
  public static let vendorSpecific = AsyncEvent(rawValue: 255)

  /// The event in words.
  public var description: String {
    switch self {
    case .scsi: "SCSI event"
    case .logoutRequested: "logout requested"
    case .connectionDropped: "connection dropped"
    case .sessionDropped: "session dropped"
    case .negotiationRequested: "negotiation requested"
    case .tasksTerminated: "tasks terminated"
    default: "event \(rawValue)"
    }
  }
}

/// An Asynchronous Message: something that the target tells without being asked (RFC 7143, section 11.9).
public struct AsyncMessagePDU: Hashable, Sendable {
  /// LUN, for events of a logical unit.
  public var lun = LUN(rawValue: 0)
  /// StatSN.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0
  /// AsyncEvent.
  public var event: AsyncEvent
  /// AsyncVCode, for vendor specific events.
  public var vendorCode: UInt8 = 0
  /// Parameter1: the CID of a dropped connection.
  public var parameter1: UInt16 = 0
  /// Parameter2: Time2Wait in seconds for dropped connections.
  public var parameter2: UInt16 = 0
  /// Parameter3: seconds to act in, or Time2Retain for dropped connections.
  public var parameter3: UInt16 = 0
  /// Sense data or event data, unpadded.
  public var data: [UInt8] = []

  /// A message about an event.
  public init(event: AsyncEvent) { self.event = event }
}

/// Why a target rejected a PDU (RFC 7143, section 11.17.1).
public struct RejectReason: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The octet as it came.
  public let rawValue: UInt8

  /// A reason as it came.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// 0x02: a data digest was wrong.
  public static let dataDigestError = RejectReason(rawValue: 0x02)
  /// 0x03: a SNACK was refused.
  public static let snackReject = RejectReason(rawValue: 0x03)
  /// 0x04: a protocol error.
  public static let protocolError = RejectReason(rawValue: 0x04)
  /// 0x05: the target does not support the command.
  public static let commandNotSupported = RejectReason(rawValue: 0x05)
  /// 0x06: too many immediate commands.
  public static let tooManyImmediateCommands = RejectReason(rawValue: 0x06)
  /// 0x07: the task is in progress.
  public static let taskInProgress = RejectReason(rawValue: 0x07)
  /// 0x08: an invalid data acknowledgement.
  public static let invalidDataACK = RejectReason(rawValue: 0x08)
  /// 0x09: a field of the PDU is invalid.
  public static let invalidPDUField = RejectReason(rawValue: 0x09)
  /// 0x0A: no resources for a long operation.
  public static let longOperationReject = RejectReason(rawValue: 0x0A)
  /// 0x0C: the target waits for a logout.
  public static let waitingForLogout = RejectReason(rawValue: 0x0C)

  /// The reason in words, with its number.
  public var description: String {
    let words =
      switch self {
      case .dataDigestError: "data digest error"
      case .snackReject: "SNACK rejected"
      case .protocolError: "protocol error"
      case .commandNotSupported: "command not supported"
      case .tooManyImmediateCommands: "too many immediate commands"
      case .taskInProgress: "task in progress"
      case .invalidDataACK: "invalid data acknowledgement"
      case .invalidPDUField: "invalid PDU field"
      case .longOperationReject: "no resources for a long operation"
      case .waitingForLogout: "waiting for logout"
      default: "reserved reason"
      }
    return "\(words) (0x\(rawValue.hexadecimal))"
  }
}

/// A Reject: the target could not use a PDU of ours (RFC 7143, section 11.17).
public struct RejectPDU: Hashable, Sendable {
  /// Why.
  public var reason: RejectReason
  /// StatSN.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0
  /// DataSN or R2TSN, for a rejected data or SNACK PDU.
  public var dataSN: UInt32 = 0
  /// The header of the rejected PDU, and what the vendor adds, as the target sent them back.
  public var data: [UInt8] = []

  /// A reject for a reason.
  public init(reason: RejectReason) { self.reason = reason }

  /// The Initiator Task Tag of the rejected PDU; nil if the target did not send its header back.
  public var rejectedTaskTag: UInt32? {
    guard let header = try? HeaderFields(data.prefix(PDUSegmentLengths.basicHeader)) else { return nil }
    return header.load(16)
  }
}

extension AsyncMessagePDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    self.init(event: AsyncEvent(rawValue: fields[36]))
    lun = fields.lun
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
    vendorCode = fields[37]
    parameter1 = fields.load(38)
    parameter2 = fields.load(40)
    parameter3 = fields.load(42)
    self.data = data
  }

  var fields: HeaderFields {
    var fields = HeaderFields(.asyncMessage)
    fields.lun = lun
    fields.store(PDU.reservedTag, at: 16)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    fields[36] = event.rawValue
    fields[37] = vendorCode
    fields.store(parameter1, at: 38)
    fields.store(parameter2, at: 40)
    fields.store(parameter3, at: 42)
    return fields
  }
}

extension RejectPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    self.init(reason: RejectReason(rawValue: fields[2]))
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
    dataSN = fields.load(36)
    self.data = data
  }

  var fields: HeaderFields {
    var fields = HeaderFields(.reject)
    fields[2] = reason.rawValue
    fields.store(PDU.reservedTag, at: 16)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    fields.store(dataSN, at: 36)
    return fields
  }
}

extension AsyncMessagePDU {
  /// Whether this tells that units came, went or changed their size: a unit attention with REPORTED LUNS DATA HAS
  /// CHANGED (3F/0E) or CAPACITY DATA HAS CHANGED (2A/09), see SPC-4, annex F.
  public var announcesChangedUnits: Bool {
    // The sense data has its length before it (RFC 7143, section 11.9.4). Its first octet tells its format.
    guard event == .scsi, data.count > 2 else { return false }
    let length = Int(data[0]) << 8 | Int(data[1])
    let sense = Array(data[2...].prefix(length))
    guard let format = sense.first else { return false }
    let position =
      switch format & 0x7F {
      case 0x70, 0x71: 12
      case 0x72, 0x73: 2
      default: Int.max
      }
    guard position < sense.count - 1 else { return false }
    let code = (sense[position], sense[position + 1])
    return code == (0x3F, 0x0E) || code == (0x2A, 0x09)
  }
}
