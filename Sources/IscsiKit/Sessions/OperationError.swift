// SPDX-License-Identifier: Apache-2.0

/// What failed, on what, and why: the error of everything that IscsiKit does for a user.
public struct OperationError: DiagnosableError, Hashable {
  /// What was to be done.
  public enum Operation: Hashable, Sendable, CustomStringConvertible {
    /// A discovery, of a target or of an iSNS server.
    case discovery(Portal)
    /// A login.
    case login(TargetName, Portal)
    /// A logout; the target's name, if sysfs has it.
    case logout(SessionID, target: String?)
    /// A scan for logical units, or of those that are there.
    case scan(SessionID)
    /// A question for the counters of a connection.
    case statistics(SessionID)
    /// A change of a living session's parameters.
    case set(SessionID)

    /// The operation and its object, fit to stand before " failed".
    public var description: String {
      switch self {
      case .discovery(let portal): "discovery at \(portal.address)"
      case .login(let target, let portal): "login to \(target) at \(portal.address)"
      case .logout(let session, let target?): "logout from \(target) (session \(session))"
      case .logout(let session, nil): "logout from session \(session)"
      case .scan(let session): "scan of session \(session)"
      case .statistics(let session): "statistics of session \(session)"
      case .set(let session): "change of session \(session)"
      }
    }
  }

  /// Why it failed.
  public enum Cause: Hashable, Sendable {
    /// The login negotiation failed.
    case login(LoginFailure)
    /// The TCP connection could not be made.
    case transport(TransportError)
    /// No connection can be bound to the interface.
    case binding(InterfaceBindingError)
    /// A PDU could not be sent or received.
    case pdu(PDUTransportError)
    /// The target answered a Login Request with this PDU.
    case unexpectedPDU(PDUOpcode)
    /// The kernel's interface failed.
    case kernel(KernelError)
    /// SendTargets failed.
    case text(TextExchangeError)
    /// The iSNS server gave no targets.
    case isns(ISNSFailure)
    /// A sysfs file could not be written.
    case sysfs(SysfsError)
    /// This session has the same target, portal and interface.
    case sessionExists(SessionID)
    /// There is no such session.
    case noSession
    /// The session's transport, as far as sysfs shows it, is not `tcp`, the only one that is driven here.
    case unsupportedTransport(String?)
    /// A login of this or of another program to the same target, portal and interface is under way.
    case loginUnderWay
    /// This session has the same target, portal and interface, and is still being logged out of.
    case logoutUnderWay(SessionID?)
    /// The session has no connection (any more), so that nothing can be scanned.
    case connectionLost
    /// The session was never logged in, and another program may be just doing it.
    case notEstablished
    /// The kernel does not show what the session was logged in to, so that it cannot be logged in again.
    case unknownIdentity
    /// What was asked for cannot be.
    case invalid(LoginDescriptionError)
    /// Disks of the session are in use: where, in words.
    case inUse(String)
    /// Something is made of disks of the session, such as a multipath map, that nobody is seen to use: what, in words.
    case held(String)
    /// What uses disks cannot be read, so that those of the session may be in use.
    case useUnknown(SysfsError)
    /// The scan did not end in time; it goes on in the kernel.
    case scanTimedOut
    /// The scan did not begin in time, because others at the same portal, or very many, hang.
    case scanNotBegun
    /// The task was cancelled.
    case cancelled
  }

  /// What was to be done.
  public let operation: Operation
  /// Why it failed.
  public let cause: Cause
  /// What a failed login could not remove: the kernel may still have this session.
  public let leftover: SessionID?

  /// An error from its parts. A cancellation is `cancelled`, in whatever step the task was.
  public init(_ operation: Operation, _ cause: Cause, leftover: SessionID? = nil) {
    self.operation = operation
    self.leftover = leftover
    self.cause =
      switch cause {
      case .transport(.cancelled), .kernel(.cancelled), .pdu(.transport(.cancelled)), .pdu(.kernel(.cancelled)):
        .cancelled
      default: cause
      }
  }

  /// The whole sentence: `login to iqn... at 10.0.0.1:3260 failed: connection refused`.
  public var description: String {
    let remains = leftover.map { "; session \($0) could not be removed and is still in the kernel" }
    return "\(operation) failed: \(cause)\(remains ?? "")"
  }
  /// The code of the cause.
  public var exitStatus: ExitStatus { cause.exitStatus }
  /// What to do about it; the removal of what is left comes first.
  public var advice: String? {
    guard let leftover else { return cause.advice }
    let removal = "remove the session with iscsi-admin logout \(leftover)"
    return cause.advice.map { "\(removal), then \($0)" } ?? removal
  }
}

extension OperationError.Cause: DiagnosableError {
  private var underlying: (any DiagnosableError)? {
    switch self {
    case .login(let error): error
    case .transport(let error): error
    case .binding(let error): error
    case .pdu(let error): error
    case .kernel(let error): error
    case .text(let error): error
    case .isns(let error): error
    case .sysfs(let error): error
    case .invalid(let error): error
    case .inUse, .held, .useUnknown, .unexpectedPDU, .sessionExists, .noSession, .unsupportedTransport, .loginUnderWay,
      .logoutUnderWay, .connectionLost, .notEstablished, .unknownIdentity, .scanTimedOut, .scanNotBegun, .cancelled:
      nil
    }
  }

  /// The code of open-iscsi's table.
  public var exitStatus: ExitStatus {
    switch self {
    case .unexpectedPDU: .fatalLogin
    case .sessionExists, .loginUnderWay: .sessionExists
    case .noSession: .sessionNotFound
    case .unsupportedTransport: .notSupported
    case .connectionLost: .transport
    case .notEstablished, .unknownIdentity: .internal
    case .inUse, .held, .useUnknown, .logoutUnderWay: .busy
    case .scanTimedOut, .scanNotBegun: .requestTimeout
    case .cancelled: .failure
    default: underlying?.exitStatus ?? .failure
    }
  }

  /// The reason in words.
  public var description: String {
    switch self {
    case .unexpectedPDU(let opcode): "the target answered the login with \(opcode)"
    case .sessionExists(let session): "session \(session) has this target, portal and interface already"
    case .noSession: "there is no such session"
    case .unsupportedTransport(let name?): "the session is of transport \(name), and only tcp is supported"
    case .unsupportedTransport(nil): "the kernel does not tell the session's transport, and only tcp is supported"
    case .loginUnderWay: "a login to the same target, portal and interface is under way"
    case .logoutUnderWay(let session?):
      "session \(session), which has this target, portal and interface, is still being logged out of"
    case .logoutUnderWay(nil): "a logout from the same target, portal and interface is under way"
    case .connectionLost: "the session has lost its connection"
    case .notEstablished: "the session was never logged in"
    case .unknownIdentity: "the kernel does not show what the session was logged in to"
    case .inUse(let uses): "its disks are in use: \(uses)"
    case .held(let holders): "its disks are held: \(holders)"
    case .useUnknown(let error): "it cannot be told whether its disks are in use: \(error)"
    case .scanTimedOut: "the scan did not end in time"
    case .scanNotBegun: "the scan did not begin in time: other scans hang"
    case .cancelled: "cancelled"
    default: underlying?.description ?? ""
    }
  }

  /// What to do about it.
  public var advice: String? {
    switch self {
    case .unexpectedPDU: "look at the target's log"
    case .sessionExists, .loginUnderWay, .notEstablished, .cancelled: nil
    case .unknownIdentity: "remove it with iscsi-admin logout"
    case .noSession: "iscsi-admin session list shows the sessions"
    case .unsupportedTransport: "use the program that logged in, such as iscsiadm"
    case .connectionLost:
      "the daemon logs it in again by itself: iscsi-admin recovery --wait waits for it, iscsi-admin explain tells why it is lost"
    case .useUnknown: "see that nothing uses them, then use --force, which ends their I/O with errors"
    case .held:
      "take apart what is made of them (multipath -f MAP, vgchange -an GROUP, dmsetup remove NAME), or use --force, which ends their I/O with errors"
    case .inUse: "unmount them and switch swap off, or use --force, which ends their I/O with errors"
    case .logoutUnderWay:
      "try again when it has ended: iscsi-admin monitor tells; until then its disks have data to write or do not let go"
    case .scanNotBegun: "look at the target and at the kernel's log; iscsi-admin session rescan scans again"
    case .scanTimedOut: "it goes on in the kernel; look at the kernel's log and at the target"
    default: underlying?.advice
    }
  }
}
