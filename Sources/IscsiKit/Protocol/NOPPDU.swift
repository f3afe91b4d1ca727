// SPDX-License-Identifier: Apache-2.0

/// A NOP-Out: a ping, or the answer to the target's ping (RFC 7143, section 11.18).
public struct NOPOutPDU: Hashable, Sendable {
  /// I: the request is for immediate delivery and does not advance CmdSN.
  public var isImmediate = true
  /// LUN: copied from the NOP-In that is answered, else zero.
  public var lun = LUN(rawValue: 0)
  /// Initiator Task Tag: reserved if no answer is wanted.
  public var initiatorTaskTag = PDU.reservedTag
  /// Target Transfer Tag: copied from the NOP-In that is answered, else reserved.
  public var targetTransferTag = PDU.reservedTag
  /// CmdSN.
  public var commandSN: UInt32 = 0
  /// ExpStatSN.
  public var expStatSN: UInt32 = 0
  /// Ping data, unpadded, which the target sends back.
  public var data: [UInt8] = []

  /// A NOP-Out that expects no answer.
  public init() {}
}

/// A NOP-In: the answer to a ping, or the target's own ping (RFC 7143, section 11.19).
public struct NOPInPDU: Hashable, Sendable {
  /// LUN: to be copied into the answer.
  public var lun = LUN(rawValue: 0)
  /// Initiator Task Tag of the NOP-Out that is answered; reserved for a ping of the target.
  public var initiatorTaskTag = PDU.reservedTag
  /// Target Transfer Tag: not reserved if the target wants an answer.
  public var targetTransferTag = PDU.reservedTag
  /// StatSN; the next one, not advanced, in a ping of the target.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0
  /// The data of the ping that is answered, unpadded.
  public var data: [UInt8] = []

  /// A NOP-In that expects no answer.
  public init() {}
}

extension NOPOutPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    isImmediate = fields.isImmediate
    lun = fields.lun
    initiatorTaskTag = fields.load(16)
    targetTransferTag = fields.load(20)
    commandSN = fields.load(24)
    expStatSN = fields.load(28)
    self.data = data
  }

  var fields: HeaderFields {
    var fields = HeaderFields(.nopOut, isImmediate: isImmediate)
    fields.lun = lun
    fields.store(targetTransferTag, at: 20)
    fields.storeRequest(tag: initiatorTaskTag, commandSN: commandSN, expStatSN: expStatSN)
    return fields
  }
}

extension NOPInPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    lun = fields.lun
    initiatorTaskTag = fields.load(16)
    targetTransferTag = fields.load(20)
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
    self.data = data
  }

  var fields: HeaderFields {
    var fields = HeaderFields(.nopIn)
    fields.lun = lun
    fields.store(initiatorTaskTag, at: 16)
    fields.store(targetTransferTag, at: 20)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    return fields
  }
}
