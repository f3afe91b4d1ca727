// SPDX-License-Identifier: Apache-2.0

/// A SCSI Command (RFC 7143, section 11.3). The kernel sends these; user space only needs to recognize them.
public struct SCSICommandPDU: Hashable, Sendable {
  /// I: the command is for immediate delivery and does not advance CmdSN.
  public var isImmediate = false
  /// F: no unsolicited Data-Out follows.
  public var isFinal = true
  /// R: the command reads.
  public var isRead = false
  /// W: the command writes.
  public var isWrite = false
  /// ATTR, 0 to 7: the task attribute.
  public var attribute: UInt8 = 0
  /// LUN.
  public var lun = LUN(rawValue: 0)
  /// Initiator Task Tag.
  public var initiatorTaskTag: UInt32 = 0
  /// Expected Data Transfer Length in octets.
  public var expectedDataTransferLength: UInt32 = 0
  /// CmdSN.
  public var commandSN: UInt32 = 0
  /// ExpStatSN.
  public var expStatSN: UInt32 = 0
  /// The first 16 octets of the CDB; missing ones are sent as zero, further ones are not sent.
  public var commandDescriptorBlock: [UInt8] = []
  /// Immediate data, unpadded.
  public var data: [UInt8] = []

  /// An empty command (TEST UNIT READY to LUN 0).
  public init() {}
}

/// A SCSI Response (RFC 7143, section 11.4).
public struct SCSIResponsePDU: Hashable, Sendable {
  /// O: the transfer was longer than expected by `residualCount` octets.
  public var isOverflow = false
  /// U: the transfer was shorter than expected by `residualCount` octets.
  public var isUnderflow = false
  /// o: the read part of a bidirectional transfer was longer than expected.
  public var isBidirectionalReadOverflow = false
  /// u: the read part of a bidirectional transfer was shorter than expected.
  public var isBidirectionalReadUnderflow = false
  /// iSCSI service response: 0 command completed at target, 1 target failure, above 0x7F vendor specific.
  public var response: UInt8 = 0
  /// SCSI status, meaningful with response 0.
  public var status: UInt8 = 0
  /// Initiator Task Tag.
  public var initiatorTaskTag: UInt32 = 0
  /// SNACK Tag.
  public var snackTag: UInt32 = 0
  /// StatSN.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0
  /// ExpDataSN.
  public var expDataSN: UInt32 = 0
  /// Bidirectional Read Residual Count in octets.
  public var bidirectionalReadResidualCount: UInt32 = 0
  /// Residual Count in octets.
  public var residualCount: UInt32 = 0
  /// SenseLength, sense data and response data, unpadded.
  public var data: [UInt8] = []

  /// A response that says GOOD.
  public init() {}
}

extension SCSICommandPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    isImmediate = fields.isImmediate
    isFinal = fields.flags(HeaderFields.final)
    isRead = fields.flags(0x40)
    isWrite = fields.flags(0x20)
    attribute = fields[1] & 7
    lun = fields.lun
    initiatorTaskTag = fields.load(16)
    expectedDataTransferLength = fields.load(20)
    commandSN = fields.load(24)
    expStatSN = fields.load(28)
    commandDescriptorBlock = Array(fields.octets[32..<48])
    self.data = data
  }

  var fields: HeaderFields {
    let flags = (isFinal ? HeaderFields.final : 0) | (isRead ? 0x40 : 0) | (isWrite ? 0x20 : 0) | attribute & 7
    var fields = HeaderFields(.scsiCommand, isImmediate: isImmediate, flags: flags)
    fields.lun = lun
    fields.store(expectedDataTransferLength, at: 20)
    fields.storeRequest(tag: initiatorTaskTag, commandSN: commandSN, expStatSN: expStatSN)
    for (index, octet) in commandDescriptorBlock.prefix(16).enumerated() { fields[32 + index] = octet }
    return fields
  }
}

extension SCSIResponsePDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    isBidirectionalReadOverflow = fields.flags(0x10)
    isBidirectionalReadUnderflow = fields.flags(0x08)
    isOverflow = fields.flags(0x04)
    isUnderflow = fields.flags(0x02)
    response = fields[2]
    status = fields[3]
    initiatorTaskTag = fields.load(16)
    snackTag = fields.load(20)
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
    expDataSN = fields.load(36)
    bidirectionalReadResidualCount = fields.load(40)
    residualCount = fields.load(44)
    self.data = data
  }

  var fields: HeaderFields {
    let read: UInt8 = (isBidirectionalReadOverflow ? 0x10 : 0) | (isBidirectionalReadUnderflow ? 0x08 : 0)
    let flags = HeaderFields.final | read | (isOverflow ? 0x04 : 0) | (isUnderflow ? 0x02 : 0)
    var fields = HeaderFields(.scsiResponse, flags: flags)
    fields[2] = response
    fields[3] = status
    fields.store(initiatorTaskTag, at: 16)
    fields.store(snackTag, at: 20)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    fields.store(expDataSN, at: 36)
    fields.store(bidirectionalReadResidualCount, at: 40)
    fields.store(residualCount, at: 44)
    return fields
  }
}
