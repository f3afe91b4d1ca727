// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

/// A PDU beside the octets that RFC 7143 section 11 gives it.
struct PDUVector: Sendable, CustomTestStringConvertible {
  let pdu: PDU
  /// The basic header segment: twelve words in hexadecimal, as the RFC draws them.
  let header: String

  var testDescription: String { pdu.opcode.description }

  var headerOctets: [UInt8] { octets(header) }
}

/// A value of `type` after `change`.
func changed<Value>(_ value: Value, _ change: (inout Value) -> Void) -> Value {
  var value = value
  change(&value)
  return value
}

let testISID = ISID(octets: [0x00, 0x02, 0x3D, 0x01, 0x02, 0x03])

/// One vector a PDU that user space sends or receives.
let pduVectors: [PDUVector] = loginVectors + controlVectors + noticeVectors + taskVectors

private let loginVectors = [
  PDUVector(
    pdu: .loginRequest(
      changed(LoginRequestPDU(isid: testISID)) {
        $0.transit = true
        $0.currentStage = .operational
        $0.nextStage = .fullFeature
        $0.versionMax = 1
        $0.versionMin = 2
        $0.tsih = 0x0405
        $0.initiatorTaskTag = 0x1122_3344
        $0.connectionID = 0x0607
        $0.commandSN = 8
        $0.expStatSN = 9
        $0.data = Array("A=B\0".utf8)
      }),
    header: """
      43870102 00000004 00023d01 02030405 11223344 06070000 00000008 00000009 00000000 00000000 00000000 00000000
      """),
  PDUVector(
    pdu: .loginResponse(
      changed(LoginResponsePDU(isid: testISID)) {
        $0.isContinued = true
        $0.currentStage = .operational
        $0.versionActive = 1
        $0.tsih = 0x0405
        $0.initiatorTaskTag = 0x1122_3344
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
        $0.status = .movedPermanently
        $0.data = Array("A=BCD\0".utf8)
      }),
    header: """
      23440001 00000006 00023d01 02030405 11223344 00000000 00000007 00000008 00000009 01020000 00000000 00000000
      """),
]

private let controlVectors = [
  PDUVector(
    pdu: .textRequest(
      changed(TextRequestPDU(initiatorTaskTag: 1, data: Array("SendTargets=All\0".utf8))) {
        $0.commandSN = 5
        $0.expStatSN = 6
      }),
    header: """
      44800000 00000010 00000000 00000000 00000001 ffffffff 00000005 00000006 00000000 00000000 00000000 00000000
      """),
  PDUVector(
    pdu: .textResponse(
      changed(TextResponsePDU(initiatorTaskTag: 1, data: [1, 2, 3])) {
        $0.isFinal = false
        $0.isContinued = true
        $0.lun = LUN(rawValue: 0x0001_0000_0000_0002)
        $0.targetTransferTag = 0x1234
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
      }),
    header: """
      24400000 00000003 00010000 00000002 00000001 00001234 00000007 00000008 00000009 00000000 00000000 00000000
      """),
  PDUVector(
    pdu: .logoutRequest(
      changed(LogoutRequestPDU(reason: .closeConnection, initiatorTaskTag: 2)) {
        $0.connectionID = 3
        $0.commandSN = 4
        $0.expStatSN = 5
      }),
    header: """
      46810000 00000000 00000000 00000000 00000002 00030000 00000004 00000005 00000000 00000000 00000000 00000000
      """),
  PDUVector(
    pdu: .logoutResponse(
      changed(LogoutResponsePDU(initiatorTaskTag: 2)) {
        $0.response = .cleanupFailed
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
        $0.time2Wait = 10
        $0.time2Retain = 0x0102
      }),
    header: """
      26800300 00000000 00000000 00000000 00000002 00000000 00000007 00000008 00000009 00000000 000a0102 00000000
      """),
  PDUVector(
    pdu: .nopOut(
      changed(NOPOutPDU()) {
        $0.lun = LUN(rawValue: 0x0005_0000_0000_0000)
        $0.targetTransferTag = 6
        $0.commandSN = 7
        $0.expStatSN = 8
        $0.data = [9]
      }),
    header: """
      40800000 00000001 00050000 00000000 ffffffff 00000006 00000007 00000008 00000000 00000000 00000000 00000000
      """),
  PDUVector(
    pdu: .nopIn(
      changed(NOPInPDU()) {
        $0.lun = LUN(rawValue: 0x0005_0000_0000_0000)
        $0.targetTransferTag = 6
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
      }),
    header: """
      20800000 00000000 00050000 00000000 ffffffff 00000006 00000007 00000008 00000009 00000000 00000000 00000000
      """),
]

private let noticeVectors = [
  PDUVector(
    pdu: .asyncMessage(
      changed(AsyncMessagePDU(event: .sessionDropped)) {
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
        $0.vendorCode = 4
        $0.parameter1 = 0x0102
        $0.parameter2 = 0x0304
        $0.parameter3 = 0x0506
        $0.data = [1, 2, 3, 4, 5]
      }),
    header: """
      32800000 00000005 00000000 00000000 ffffffff 00000000 00000007 00000008 00000009 03040102 03040506 00000000
      """),
  PDUVector(
    pdu: .reject(
      changed(RejectPDU(reason: .protocolError)) {
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
        $0.dataSN = 10
        $0.data = Array(repeating: 0xAB, count: 48)
      }),
    header: """
      3f800400 00000030 00000000 00000000 ffffffff 00000000 00000007 00000008 00000009 0000000a 00000000 00000000
      """),
  PDUVector(
    pdu: .taskManagementRequest(
      changed(TaskManagementRequestPDU(function: 1)) {
        $0.lun = LUN(rawValue: 0x0001_0000_0000_0000)
        $0.initiatorTaskTag = 2
        $0.referencedTaskTag = 3
        $0.commandSN = 4
        $0.expStatSN = 5
        $0.referencedCommandSN = 6
        $0.expDataSN = 7
      }),
    header: """
      42810000 00000000 00010000 00000000 00000002 00000003 00000004 00000005 00000006 00000007 00000000 00000000
      """),
  PDUVector(
    pdu: .taskManagementResponse(
      changed(TaskManagementResponsePDU(response: 5)) {
        $0.initiatorTaskTag = 2
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
      }),
    header: """
      22800500 00000000 00000000 00000000 00000002 00000000 00000007 00000008 00000009 00000000 00000000 00000000
      """),
]

private let taskVectors = [
  PDUVector(
    pdu: .scsiCommand(
      changed(SCSICommandPDU()) {
        $0.isRead = true
        $0.attribute = 1
        $0.lun = LUN(rawValue: 0x0001_0000_0000_0000)
        $0.initiatorTaskTag = 2
        $0.expectedDataTransferLength = 512
        $0.commandSN = 4
        $0.expStatSN = 5
        $0.commandDescriptorBlock = [0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
      }),
    header: """
      01c10000 00000000 00010000 00000000 00000002 00000200 00000004 00000005 28000000 00010000 01000000 00000000
      """),
  PDUVector(
    pdu: .scsiResponse(
      changed(SCSIResponsePDU()) {
        $0.isUnderflow = true
        $0.response = 0
        $0.status = 2
        $0.initiatorTaskTag = 2
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
        $0.expDataSN = 1
        $0.residualCount = 512
        $0.data = [0, 2, 0x70, 0]
      }),
    header: """
      21820002 00000004 00000000 00000000 00000002 00000000 00000007 00000008 00000009 00000001 00000000 00000200
      """),
  PDUVector(
    pdu: .dataOut(
      changed(DataOutPDU()) {
        $0.isFinal = false
        $0.initiatorTaskTag = 2
        $0.expStatSN = 5
        $0.dataSN = 6
        $0.bufferOffset = 7
        $0.data = [1, 2]
      }),
    header: """
      05000000 00000002 00000000 00000000 00000002 ffffffff 00000000 00000005 00000000 00000006 00000007 00000000
      """),
  PDUVector(
    pdu: .dataIn(
      changed(DataInPDU()) {
        $0.hasStatus = true
        $0.isOverflow = true
        $0.initiatorTaskTag = 2
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
        $0.dataSN = 1
        $0.bufferOffset = 512
        $0.residualCount = 3
        $0.data = [1, 2, 3, 4]
      }),
    header: """
      25850000 00000004 00000000 00000000 00000002 ffffffff 00000007 00000008 00000009 00000001 00000200 00000003
      """),
  PDUVector(
    pdu: .readyToTransfer(
      changed(ReadyToTransferPDU()) {
        $0.initiatorTaskTag = 2
        $0.targetTransferTag = 3
        $0.statSN = 7
        $0.expCommandSN = 8
        $0.maxCommandSN = 9
        $0.r2tSN = 1
        $0.bufferOffset = 2
        $0.desiredDataTransferLength = 4096
      }),
    header: """
      31800000 00000000 00000000 00000000 00000002 00000003 00000007 00000008 00000009 00000001 00000002 00001000
      """),
]
