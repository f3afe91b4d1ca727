// SPDX-License-Identifier: Apache-2.0

/// A SCSI Data-Out (RFC 7143, section 11.7).
public struct DataOutPDU: Hashable, Sendable {
  /// F: the last PDU of its sequence.
  public var isFinal = true
  /// LUN, as in the R2T that is answered.
  public var lun = LUN(rawValue: 0)
  /// Initiator Task Tag of the command.
  public var initiatorTaskTag: UInt32 = 0
  /// Target Transfer Tag of the R2T; reserved for unsolicited data.
  public var targetTransferTag = PDU.reservedTag
  /// ExpStatSN.
  public var expStatSN: UInt32 = 0
  /// DataSN.
  public var dataSN: UInt32 = 0
  /// Buffer Offset in octets.
  public var bufferOffset: UInt32 = 0
  /// The data, unpadded.
  public var data: [UInt8] = []

  /// An empty Data-Out.
  public init() {}
}

/// A SCSI Data-In (RFC 7143, section 11.7).
public struct DataInPDU: Hashable, Sendable {
  /// F: the last PDU of its sequence.
  public var isFinal = true
  /// A: the target wants an acknowledgement.
  public var isAcknowledgeRequested = false
  /// O: the transfer was longer than expected by `residualCount` octets.
  public var isOverflow = false
  /// U: the transfer was shorter than expected by `residualCount` octets.
  public var isUnderflow = false
  /// S: `status` and `residualCount` are meaningful and no SCSI Response follows.
  public var hasStatus = false
  /// SCSI status.
  public var status: UInt8 = 0
  /// LUN, with a Target Transfer Tag only.
  public var lun = LUN(rawValue: 0)
  /// Initiator Task Tag of the command.
  public var initiatorTaskTag: UInt32 = 0
  /// Target Transfer Tag, with `isAcknowledgeRequested` only.
  public var targetTransferTag = PDU.reservedTag
  /// StatSN, with `hasStatus` only.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0
  /// DataSN.
  public var dataSN: UInt32 = 0
  /// Buffer Offset in octets.
  public var bufferOffset: UInt32 = 0
  /// Residual Count in octets.
  public var residualCount: UInt32 = 0
  /// The data, unpadded.
  public var data: [UInt8] = []

  /// An empty Data-In.
  public init() {}
}

/// A Ready To Transfer (RFC 7143, section 11.8). It has no data.
public struct ReadyToTransferPDU: Hashable, Sendable {
  /// LUN.
  public var lun = LUN(rawValue: 0)
  /// Initiator Task Tag of the command.
  public var initiatorTaskTag: UInt32 = 0
  /// Target Transfer Tag: to be copied into the Data-Out PDUs.
  public var targetTransferTag: UInt32 = 0
  /// StatSN: the next one, not advanced.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0
  /// R2TSN.
  public var r2tSN: UInt32 = 0
  /// Buffer Offset in octets.
  public var bufferOffset: UInt32 = 0
  /// Desired Data Transfer Length in octets.
  public var desiredDataTransferLength: UInt32 = 0

  /// An empty R2T.
  public init() {}
}

extension DataOutPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    isFinal = fields.flags(HeaderFields.final)
    lun = fields.lun
    initiatorTaskTag = fields.load(16)
    targetTransferTag = fields.load(20)
    expStatSN = fields.load(28)
    dataSN = fields.load(36)
    bufferOffset = fields.load(40)
    self.data = data
  }

  var fields: HeaderFields {
    var fields = HeaderFields(.dataOut, flags: isFinal ? HeaderFields.final : 0)
    fields.lun = lun
    fields.store(initiatorTaskTag, at: 16)
    fields.store(targetTransferTag, at: 20)
    fields.store(expStatSN, at: 28)
    fields.store(dataSN, at: 36)
    fields.store(bufferOffset, at: 40)
    return fields
  }
}

extension DataInPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    isFinal = fields.flags(HeaderFields.final)
    isAcknowledgeRequested = fields.flags(0x40)
    isOverflow = fields.flags(0x04)
    isUnderflow = fields.flags(0x02)
    hasStatus = fields.flags(0x01)
    status = fields[3]
    lun = fields.lun
    initiatorTaskTag = fields.load(16)
    targetTransferTag = fields.load(20)
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
    dataSN = fields.load(36)
    bufferOffset = fields.load(40)
    residualCount = fields.load(44)
    self.data = data
  }

  var fields: HeaderFields {
    let sequence = (isFinal ? HeaderFields.final : 0) | (isAcknowledgeRequested ? 0x40 : 0)
    let flags = sequence | (isOverflow ? 0x04 : 0) | (isUnderflow ? 0x02 : 0) | (hasStatus ? 0x01 : 0)
    var fields = HeaderFields(.dataIn, flags: flags)
    fields[3] = status
    fields.lun = lun
    fields.store(initiatorTaskTag, at: 16)
    fields.store(targetTransferTag, at: 20)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    fields.store(dataSN, at: 36)
    fields.store(bufferOffset, at: 40)
    fields.store(residualCount, at: 44)
    return fields
  }
}

extension ReadyToTransferPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    lun = fields.lun
    initiatorTaskTag = fields.load(16)
    targetTransferTag = fields.load(20)
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
    r2tSN = fields.load(36)
    bufferOffset = fields.load(40)
    desiredDataTransferLength = fields.load(44)
  }

  var fields: HeaderFields {
    var fields = HeaderFields(.readyToTransfer)
    fields.lun = lun
    fields.store(initiatorTaskTag, at: 16)
    fields.store(targetTransferTag, at: 20)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    fields.store(r2tSN, at: 36)
    fields.store(bufferOffset, at: 40)
    fields.store(desiredDataTransferLength, at: 44)
    return fields
  }

  var data: [UInt8] { [] }
}
