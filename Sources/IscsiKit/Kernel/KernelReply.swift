// SPDX-License-Identifier: Apache-2.0

internal import SystemPackage

/// What the kernel answered to a request that it accepted.
enum KernelReply: Hashable, Sendable {
  /// Done, and nothing more to tell.
  case done
  /// The new session and its SCSI host.
  case sessionCreated(SessionID, HostNumber)
  /// The new connection.
  case connectionCreated(SessionID, ConnectionID)
  /// The counters of a connection.
  case statistics(KernelStatistics)

  /// Reads the reply to a request of the type that the message's header names.
  ///
  /// A failure shows at one of two places: the interface's error, and for three requests the transport's return code.
  init(_ message: KernelMessage) throws(KernelError) {
    let request = message.headerType
    guard message.type != .interfaceError else {
      let errno = Errno(rawValue: message.interfaceErrorNumber)
      // The interface gives EPERM for one reason only, a missing CAP_SYS_ADMIN; the transport has others.
      throw errno == .notPermitted ? .notPermitted(.request, errno) : .rejected(request, errno, by: .interface)
    }
    switch request {
    case .bindConnection, .startConnection, .sendPDU:
      let code = Int32(bitPattern: message.responseWord(0))
      // The transport returns negative errnos; a positive number would be a kernel that we do not know.
      guard code == 0 else {
        throw .rejected(request, Errno(rawValue: Int32(truncatingIfNeeded: code.magnitude)), by: .transport)
      }
      self = .done
    case .createSession:
      self = .sessionCreated(
        SessionID(rawValue: message.responseWord(0)), HostNumber(rawValue: message.responseWord(1)))
    case .createConnection:
      self = .connectionCreated(
        SessionID(rawValue: message.responseWord(0)), ConnectionID(rawValue: message.responseWord(1)))
    default:
      self = .done
    }
  }
}
