// SPDX-License-Identifier: Apache-2.0

/// An iSCSI PDU (RFC 7143, section 11) that passes between an initiator and a target.
///
/// Additional header segments are skipped when read and never written: no PDU that user space sends has one.
public enum PDU: Hashable, Sendable {
  /// Login Request.
  case loginRequest(LoginRequestPDU)
  /// Login Response.
  case loginResponse(LoginResponsePDU)
  /// Text Request.
  case textRequest(TextRequestPDU)
  /// Text Response.
  case textResponse(TextResponsePDU)
  /// Logout Request.
  case logoutRequest(LogoutRequestPDU)
  /// Logout Response.
  case logoutResponse(LogoutResponsePDU)
  /// NOP-Out.
  case nopOut(NOPOutPDU)
  /// NOP-In.
  case nopIn(NOPInPDU)
  /// Asynchronous Message.
  case asyncMessage(AsyncMessagePDU)
  /// Reject.
  case reject(RejectPDU)
  /// SCSI Command.
  case scsiCommand(SCSICommandPDU)
  /// SCSI Response.
  case scsiResponse(SCSIResponsePDU)
  /// SCSI Data-Out.
  case dataOut(DataOutPDU)
  /// SCSI Data-In.
  case dataIn(DataInPDU)
  /// Ready To Transfer.
  case readyToTransfer(ReadyToTransferPDU)
  /// Task Management Function Request.
  case taskManagementRequest(TaskManagementRequestPDU)
  /// Task Management Function Response.
  case taskManagementResponse(TaskManagementResponsePDU)
  /// A PDU with an opcode that this library does not know; its octets are kept as they came.
  case unknown(UnknownPDU)

  /// The value of a task tag that names no task (RFC 7143, section 11.2.1.8).
  public static let reservedTag: UInt32 = 0xFFFF_FFFF

  /// Reads a PDU from its basic header segment and its data segment.
  ///
  /// - Parameters:
  ///   - header: The 48 octets of the basic header segment.
  ///   - data: The data segment, with or without its padding.
  /// - Throws: `headerLength` or `dataLength` if the lengths do not fit, `reservedStage` for a Login PDU that names
  ///   stage 2.
  public init(header: some Collection<UInt8>, data: [UInt8]) throws(PDUError) {
    let fields = try HeaderFields(header)
    let declared = fields.dataLength
    guard (declared...declared + PDUSegmentLengths.padding(after: declared)).contains(data.count) else {
      throw .dataLength(declared: declared, given: data.count)
    }
    try self.init(fields: fields, data: data.count == declared ? data : Array(data.prefix(declared)))
  }

  private init(fields: HeaderFields, data: [UInt8]) throws(PDUError) {
    self =
      switch fields.opcode {
      case .loginRequest: .loginRequest(try LoginRequestPDU(fields: fields, data: data))
      case .loginResponse: .loginResponse(try LoginResponsePDU(fields: fields, data: data))
      case .textRequest: .textRequest(TextRequestPDU(fields: fields, data: data))
      case .textResponse: .textResponse(TextResponsePDU(fields: fields, data: data))
      case .logoutRequest: .logoutRequest(LogoutRequestPDU(fields: fields, data: data))
      case .logoutResponse: .logoutResponse(LogoutResponsePDU(fields: fields, data: data))
      case .nopOut: .nopOut(NOPOutPDU(fields: fields, data: data))
      case .nopIn: .nopIn(NOPInPDU(fields: fields, data: data))
      case .asyncMessage: .asyncMessage(AsyncMessagePDU(fields: fields, data: data))
      case .reject: .reject(RejectPDU(fields: fields, data: data))
      case .scsiCommand: .scsiCommand(SCSICommandPDU(fields: fields, data: data))
      case .scsiResponse: .scsiResponse(SCSIResponsePDU(fields: fields, data: data))
      case .dataOut: .dataOut(DataOutPDU(fields: fields, data: data))
      case .dataIn: .dataIn(DataInPDU(fields: fields, data: data))
      case .readyToTransfer: .readyToTransfer(ReadyToTransferPDU(fields: fields, data: data))
      case .taskManagementRequest: .taskManagementRequest(TaskManagementRequestPDU(fields: fields, data: data))
      case .taskManagementResponse: .taskManagementResponse(TaskManagementResponsePDU(fields: fields, data: data))
      default: .unknown(UnknownPDU(fields: fields, data: data))
      }
  }

  /// What kind of PDU it is.
  public var opcode: PDUOpcode { content.fields.opcode }

  /// The PDU's octets, reserved bits zero. The data must not be longer than `PDUSegmentLengths.maximumData`.
  public func encoded() -> EncodedPDU {
    let content = self.content
    precondition(content.data.count <= PDUSegmentLengths.maximumData, "a data segment has at most 2^24 - 1 octets")
    var fields = content.fields
    fields.dataLength = content.data.count
    return EncodedPDU(header: fields.octets, data: content.data)
  }

  private var content: any PDUCodable {
    switch self {
    case .loginRequest(let pdu): pdu
    case .loginResponse(let pdu): pdu
    case .textRequest(let pdu): pdu
    case .textResponse(let pdu): pdu
    case .logoutRequest(let pdu): pdu
    case .logoutResponse(let pdu): pdu
    case .nopOut(let pdu): pdu
    case .nopIn(let pdu): pdu
    case .asyncMessage(let pdu): pdu
    case .reject(let pdu): pdu
    case .scsiCommand(let pdu): pdu
    case .scsiResponse(let pdu): pdu
    case .dataOut(let pdu): pdu
    case .dataIn(let pdu): pdu
    case .readyToTransfer(let pdu): pdu
    case .taskManagementRequest(let pdu): pdu
    case .taskManagementResponse(let pdu): pdu
    case .unknown(let pdu): pdu
    }
  }
}

/// A PDU with an opcode that this library does not know.
public struct UnknownPDU: Hashable, Sendable {
  /// The 48 octets of the basic header segment, as they came.
  public let header: [UInt8]
  /// The data segment, unpadded.
  public let data: [UInt8]
}

extension UnknownPDU: PDUCodable {
  init(fields: HeaderFields, data: [UInt8]) {
    header = fields.octets
    self.data = data
  }

  /// TotalAHSLength is cleared, because additional header segments are not kept.
  var fields: HeaderFields {
    // The header is one that `HeaderFields` accepted before; an empty one stands in where the compiler cannot know.
    var fields = (try? HeaderFields(header)) ?? HeaderFields(.reject)
    fields[4] = 0
    return fields
  }
}
