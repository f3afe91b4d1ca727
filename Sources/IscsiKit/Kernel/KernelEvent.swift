// SPDX-License-Identifier: Apache-2.0

/// What the kernel tells about a session without being asked.
public enum KernelEvent: Hashable, Sendable {
  /// A PDU that the kernel leaves to user space: Login, Text or Logout Response, Asynchronous Message, or a NOP-In that
  /// answers a NOP-Out of ours. 48 octets of header, and the data without padding or digest.
  case received(header: [UInt8], data: [UInt8])
  /// The connection failed. The kernel has stopped it for recovery already; `stopForRecovery` is the answer.
  /// May come twice for one failure.
  case connectionFailed(KernelErrorCode)
  /// The SCSI devices of the session are gone.
  case devicesRemoved
  /// The session is gone.
  case sessionDestroyed
  /// The session was made.
  case sessionCreated
  /// A card changed the login state of a connection (kernel: `enum iscsi_conn_state`).
  case loginState(UInt32)
  /// Events were lost, because the kernel's buffer or the subscriber's queue ran full: read sysfs again.
  case overrun
}

/// One multicast message of the kernel, decoded.
enum KernelNotification: Hashable, Sendable {
  /// An event of a session.
  case event(SessionID, KernelEvent)
  /// The answer to a request for statistics, by whomever it was asked.
  case statistics(SessionID, ConnectionID, KernelStatistics)
  /// The link of a card: 1 is up, 2 is down.
  case host(HostNumber, code: UInt32)
  /// A message of a known type whose payload is too short for it.
  case malformed(KernelMessageType)
  /// A number that this program does not know.
  case unknown(KernelMessageType)

  /// Reads an event. Only the documented fields are used: the kernel does not clear the rest of the structure.
  init(_ message: KernelMessage) {
    let session = SessionID(rawValue: message.responseWord(0))
    switch message.type {
    case .receivedPDU:
      guard let (header, data) = Self.splitPDU(message.payload) else {
        self = .malformed(message.type)
        return
      }
      self = .event(session, .received(header: header, data: data))
    case .connectionError:
      self = .event(session, .connectionFailed(KernelErrorCode(rawValue: message.responseWord(2))))
    case .sessionDestroyed:
      // The only event that has the host first.
      self = .event(SessionID(rawValue: message.responseWord(1)), .sessionDestroyed)
    case .sessionUnbound: self = .event(session, .devicesRemoved)
    case .sessionCreated: self = .event(session, .sessionCreated)
    case .connectionLoginState: self = .event(session, .loginState(message.responseWord(2)))
    case .hostEvent: self = .host(HostNumber(rawValue: message.responseWord(0)), code: message.responseWord(2))
    case .getStatistics:
      guard let statistics = KernelStatistics(message.payload) else {
        self = .malformed(message.type)
        return
      }
      self = .statistics(
        SessionID(rawValue: message.requestWord(0)), ConnectionID(rawValue: message.requestWord(1)), statistics)
    default: self = .unknown(message.type)
    }
  }

  /// Cuts the data by the PDU's own DataSegmentLength: the kernel rounds the message's length up to four octets and
  /// does not clear the padding.
  private static func splitPDU(_ payload: ArraySlice<UInt8>) -> (header: [UInt8], data: [UInt8])? {
    let header = payload.prefix(48)
    guard header.count == 48 else { return nil }
    let base = header.startIndex
    let length = Int(header[base + 5]) << 16 | Int(header[base + 6]) << 8 | Int(header[base + 7])
    // The kernel passes the basic header and the data; additional header segments are not among them.
    let data = payload.dropFirst(48)
    guard data.count >= length else { return nil }
    return (Array(header), Array(data.prefix(length)))
  }
}

/// Why the kernel failed a connection (kernel: `enum iscsi_err`).
public struct KernelErrorCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The kernel's number, 1001 to 1022 today.
  public let rawValue: UInt32

  /// A number as the kernel gave it.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// 1011: the connection failed, or nobody listened to a PDU for user space.
  public static let connectionFailed = KernelErrorCode(rawValue: 1011)
  /// 1018: the SCSI host is going away: the session cannot be recovered.
  public static let invalidHost = KernelErrorCode(rawValue: 1018)
  /// 1019: sending failed.
  public static let transmitFailed = KernelErrorCode(rawValue: 1019)
  /// 1020: the target closed the connection.
  public static let connectionClosed = KernelErrorCode(rawValue: 1020)
  /// 1021: SCSI error handling gave the connection up.
  public static let sessionReset = KernelErrorCode(rawValue: 1021)
  /// 1022: a NOP-Out went unanswered.
  public static let noopTimedOut = KernelErrorCode(rawValue: 1022)

  /// The kernel's name without its prefix; nil for a number that this program does not know.
  public var name: String? {
    guard rawValue > 1000, let index = Int(exactly: rawValue - 1001), index < Self.names.count else { return nil }
    return Self.names[index]
  }

  /// Name and number.
  public var description: String { name.map { "\($0) (\(rawValue))" } ?? "kernel error \(rawValue)" }

  /// The names of 1001 onwards.
  private static let names = [
    "DATASN", "DATA_OFFSET", "MAX_CMDSN", "EXP_CMDSN", "BAD_OPCODE", "DATALEN", "AHSLEN", "PROTO", "LUN", "BAD_ITT",
    "CONN_FAILED", "R2TSN", "SESSION_FAILED", "HDR_DGST", "DATA_DGST", "PARAM_NOT_FOUND", "NO_SCSI_CMD",
    "INVALID_HOST", "XMIT_FAILED", "TCP_CONN_CLOSE", "SCSI_EH_SESSION_RST", "NOP_TIMEDOUT",
  ]
}
