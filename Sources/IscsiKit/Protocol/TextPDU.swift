// SPDX-License-Identifier: Apache-2.0

/// A Text Request (RFC 7143, section 11.10).
public struct TextRequestPDU: Hashable, Sendable {
  /// I: the request is for immediate delivery and does not advance CmdSN.
  public var isImmediate = true
  /// F: we have no more text to send.
  public var isFinal = true
  /// C: the text goes on in the next request.
  public var isContinued = false
  /// LUN: that of the response whose Target Transfer Tag is used, else zero.
  public var lun = LUN(rawValue: 0)
  /// Initiator Task Tag: the same in all requests of one exchange.
  public var initiatorTaskTag: UInt32
  /// Target Transfer Tag: reserved in the first request, then that of the last response.
  public var targetTransferTag = PDU.reservedTag
  /// CmdSN.
  public var commandSN: UInt32 = 0
  /// ExpStatSN.
  public var expStatSN: UInt32 = 0
  /// The data segment, unpadded: text keys, each ended by NUL.
  public var data: [UInt8]

  /// The first request of an exchange.
  public init(initiatorTaskTag: UInt32, data: [UInt8]) {
    self.initiatorTaskTag = initiatorTaskTag
    self.data = data
  }
}

/// A Text Response (RFC 7143, section 11.11).
public struct TextResponsePDU: Hashable, Sendable {
  /// F: the exchange is complete.
  public var isFinal = true
  /// C: the text goes on in the next response.
  public var isContinued = false
  /// LUN: to be copied into the next request.
  public var lun = LUN(rawValue: 0)
  /// Initiator Task Tag, as in the request.
  public var initiatorTaskTag: UInt32
  /// Target Transfer Tag: to be copied into the next request, reserved if the exchange is complete.
  public var targetTransferTag = PDU.reservedTag
  /// StatSN.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0
  /// The data segment, unpadded.
  public var data: [UInt8]

  /// A complete response.
  public init(initiatorTaskTag: UInt32, data: [UInt8]) {
    self.initiatorTaskTag = initiatorTaskTag
    self.data = data
  }
}

extension TextRequestPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    self.init(initiatorTaskTag: fields.load(16), data: data)
    isImmediate = fields.isImmediate
    isFinal = fields.flags(HeaderFields.final)
    isContinued = fields.flags(HeaderFields.continue)
    lun = fields.lun
    targetTransferTag = fields.load(20)
    commandSN = fields.load(24)
    expStatSN = fields.load(28)
  }

  var fields: HeaderFields {
    var fields = HeaderFields(
      .textRequest, isImmediate: isImmediate,
      flags: (isFinal ? HeaderFields.final : 0) | (isContinued ? HeaderFields.continue : 0))
    fields.lun = lun
    fields.store(targetTransferTag, at: 20)
    fields.storeRequest(tag: initiatorTaskTag, commandSN: commandSN, expStatSN: expStatSN)
    return fields
  }
}

extension TextResponsePDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    self.init(initiatorTaskTag: fields.load(16), data: data)
    isFinal = fields.flags(HeaderFields.final)
    isContinued = fields.flags(HeaderFields.continue)
    lun = fields.lun
    targetTransferTag = fields.load(20)
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
  }

  var fields: HeaderFields {
    var fields = HeaderFields(
      .textResponse, flags: (isFinal ? HeaderFields.final : 0) | (isContinued ? HeaderFields.continue : 0))
    fields.lun = lun
    fields.store(initiatorTaskTag, at: 16)
    fields.store(targetTransferTag, at: 20)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    return fields
  }
}
