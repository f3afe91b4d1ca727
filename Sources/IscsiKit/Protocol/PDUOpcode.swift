// SPDX-License-Identifier: Apache-2.0

/// What kind of PDU a header starts: the low six bits of its first octet (RFC 7143, section 11.2.1.2).
public struct PDUOpcode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// 0 to 0x3F; bit 0x20 is set in what targets send.
  public let rawValue: UInt8

  /// An opcode from a header's first octet; the immediate bit and the reserved bit are dropped.
  public init(rawValue: UInt8) { self.rawValue = rawValue & 0x3F }

  /// 0x00.
  public static let nopOut = PDUOpcode(rawValue: 0x00)
  /// 0x01.
  public static let scsiCommand = PDUOpcode(rawValue: 0x01)
  /// 0x02.
  public static let taskManagementRequest = PDUOpcode(rawValue: 0x02)
  /// 0x03.
  public static let loginRequest = PDUOpcode(rawValue: 0x03)
  /// 0x04.
  public static let textRequest = PDUOpcode(rawValue: 0x04)
  /// 0x05.
  public static let dataOut = PDUOpcode(rawValue: 0x05)
  /// 0x06.
  public static let logoutRequest = PDUOpcode(rawValue: 0x06)
  /// 0x20.
  public static let nopIn = PDUOpcode(rawValue: 0x20)
  /// 0x21.
  public static let scsiResponse = PDUOpcode(rawValue: 0x21)
  /// 0x22.
  public static let taskManagementResponse = PDUOpcode(rawValue: 0x22)
  /// 0x23.
  public static let loginResponse = PDUOpcode(rawValue: 0x23)
  /// 0x24.
  public static let textResponse = PDUOpcode(rawValue: 0x24)
  /// 0x25.
  public static let dataIn = PDUOpcode(rawValue: 0x25)
  /// 0x26.
  public static let logoutResponse = PDUOpcode(rawValue: 0x26)
  /// 0x31.
  public static let readyToTransfer = PDUOpcode(rawValue: 0x31)
  /// 0x32.
  public static let asyncMessage = PDUOpcode(rawValue: 0x32)
  /// 0x3F.
  public static let reject = PDUOpcode(rawValue: 0x3F)

  private static let names: [PDUOpcode: String] = [
    .nopOut: "NOP-Out", .scsiCommand: "SCSI Command", .taskManagementRequest: "Task Management Function Request",
    .loginRequest: "Login Request", .textRequest: "Text Request", .dataOut: "SCSI Data-Out",
    .logoutRequest: "Logout Request", .nopIn: "NOP-In", .scsiResponse: "SCSI Response",
    .taskManagementResponse: "Task Management Function Response", .loginResponse: "Login Response",
    .textResponse: "Text Response", .dataIn: "SCSI Data-In", .logoutResponse: "Logout Response",
    .readyToTransfer: "Ready To Transfer", .asyncMessage: "Asynchronous Message", .reject: "Reject",
  ]

  /// The name that RFC 7143 gives the PDU, or the number of an opcode that this library does not know.
  public var description: String { Self.names[self] ?? "opcode 0x\(rawValue.hexadecimal)" }
}
