// SPDX-License-Identifier: Apache-2.0

/// A Task Management Function Request (RFC 7143, section 11.5). It has no data.
public struct TaskManagementRequestPDU: Hashable, Sendable {
  /// I: the request is for immediate delivery and does not advance CmdSN.
  public var isImmediate = true
  /// 1 ABORT TASK, 2 ABORT TASK SET, 3 CLEAR ACA, 4 CLEAR TASK SET, 5 LOGICAL UNIT RESET, 6 TARGET WARM RESET,
  /// 7 TARGET COLD RESET, 8 TASK REASSIGN.
  public var function: UInt8
  /// LUN.
  public var lun = LUN(rawValue: 0)
  /// Initiator Task Tag of this request.
  public var initiatorTaskTag: UInt32 = 0
  /// Referenced Task Tag: the task to abort, else reserved.
  public var referencedTaskTag = PDU.reservedTag
  /// CmdSN.
  public var commandSN: UInt32 = 0
  /// ExpStatSN.
  public var expStatSN: UInt32 = 0
  /// RefCmdSN: CmdSN of the task to abort.
  public var referencedCommandSN: UInt32 = 0
  /// ExpDataSN, for TASK REASSIGN.
  public var expDataSN: UInt32 = 0

  /// A request for a function.
  public init(function: UInt8) { self.function = function }
}

/// A Task Management Function Response (RFC 7143, section 11.6). It has no data.
public struct TaskManagementResponsePDU: Hashable, Sendable {
  /// 0 complete, 1 no such task, 2 no such LUN, 3 task still allegiant, 4 reassignment not supported, 5 function not
  /// supported, 6 authorization failed, 255 rejected.
  public var response: UInt8
  /// Initiator Task Tag, as in the request.
  public var initiatorTaskTag: UInt32 = 0
  /// StatSN.
  public var statSN: UInt32 = 0
  /// ExpCmdSN.
  public var expCommandSN: UInt32 = 0
  /// MaxCmdSN.
  public var maxCommandSN: UInt32 = 0

  /// A response from its code.
  public init(response: UInt8) { self.response = response }
}

extension TaskManagementRequestPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    self.init(function: fields[1] & 0x7F)
    isImmediate = fields.isImmediate
    lun = fields.lun
    initiatorTaskTag = fields.load(16)
    referencedTaskTag = fields.load(20)
    commandSN = fields.load(24)
    expStatSN = fields.load(28)
    referencedCommandSN = fields.load(32)
    expDataSN = fields.load(36)
  }

  var fields: HeaderFields {
    let flags = HeaderFields.final | function & 0x7F
    var fields = HeaderFields(.taskManagementRequest, isImmediate: isImmediate, flags: flags)
    fields.lun = lun
    fields.store(referencedTaskTag, at: 20)
    fields.storeRequest(tag: initiatorTaskTag, commandSN: commandSN, expStatSN: expStatSN)
    fields.store(referencedCommandSN, at: 32)
    fields.store(expDataSN, at: 36)
    return fields
  }

  var data: [UInt8] { [] }
}

extension TaskManagementResponsePDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    self.init(response: fields[2])
    initiatorTaskTag = fields.load(16)
    statSN = fields.load(24)
    expCommandSN = fields.load(28)
    maxCommandSN = fields.load(32)
  }

  var fields: HeaderFields {
    var fields = HeaderFields(.taskManagementResponse)
    fields[2] = response
    fields.store(initiatorTaskTag, at: 16)
    fields.storeNumbers(statSN, expCommandSN, maxCommandSN)
    return fields
  }

  var data: [UInt8] { [] }
}
