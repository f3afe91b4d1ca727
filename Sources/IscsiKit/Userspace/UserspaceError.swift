// SPDX-License-Identifier: Apache-2.0

/// What failed with libiscsi's initiator, and why.
public struct UserspaceError: DiagnosableError, Hashable {
  /// Why.
  public enum Reason: Hashable, Sendable {
    /// The name was not resolved, no connection was made, the deadline passed or the task was cancelled.
    case transport(TransportError)
    /// The target refused the login.
    case loginRejected(LoginStatus)
    /// The target asks for CHAP, and we have no name and secret.
    case authenticationRequired
    /// The target is to prove who it is (mutual CHAP), which libiscsi does not check.
    case mutualAuthentication
    /// The target sends us in a circle, too far, or to nowhere.
    case redirection(LoginFailure)
    /// The target sends us to this, which is no portal.
    case badRedirection(String)
    /// libiscsi gave up, in its own words.
    case library(String)
    /// The connection ended, or the target broke the protocol.
    case disconnected
    /// The session is closed.
    case closed
    /// The session does one call at a time.
    case busy
    /// libiscsi knows CHAP with MD5 only.
    case unsupportedAlgorithms([CHAPAlgorithm])
    /// A CHAP name or secret cannot be given to libiscsi (1 to 255 octets, no NUL).
    case unusableCredentials
    /// libiscsi addresses units by the first level of their LUN only.
    case unaddressable
    /// The unit refused a command with this sense data.
    case sense(SCSISense)
    /// The unit ended a command with this SCSI status.
    case status(UInt8)
    /// The unit's answer is too short or contradicts itself.
    case malformedAnswer
    /// The unit has no blocks to read.
    case noBlocks
    /// No memory.
    case noMemory
  }

  /// What was being done: `login to iqn... at 10.0.0.1:3260`.
  public let operation: String
  /// Why it failed.
  public let reason: Reason

  /// An error from its parts.
  public init(_ operation: String, _ reason: Reason) {
    self.operation = operation
    self.reason = reason
  }

  init(_ operation: String, of failure: ISCSIConnection.Failure) {
    let reason: Reason =
      switch failure {
      case .connect(let errno): .transport(TransportError(call: "connect", errno: errno))
      case .wait(let error): .transport(TransportError(error))
      case .busy: .busy
      case .context(.noMemory): .noMemory
      case .context(.unusableText): .unusableCredentials
      case .context(.closed): .closed
      case .context(.disconnected): .disconnected
      case .context(.failed(let text)): .library(text)
      }
    self.init(operation, reason)
  }

  /// Whether a unit gave this answer, so that the session goes on; every other error has closed it or never opened it.
  public var isOfUnit: Bool {
    switch reason {
    case .sense, .status, .malformedAnswer, .noBlocks, .unaddressable: true
    default: false
    }
  }

  /// One line: what failed and why.
  public var description: String { "\(operation) failed: \(reason)" }

  /// open-iscsi's code for it.
  public var exitStatus: ExitStatus {
    switch reason {
    case .transport(let error): error.exitStatus
    case .library, .disconnected: .transport
    case .authenticationRequired, .loginRejected(.authenticationFailure), .loginRejected(.authorizationFailure):
      .authentication
    case .loginRejected(let status): LoginFailure.rejected(status).exitStatus
    case .redirection(let error): error.exitStatus
    case .badRedirection: .login
    case .closed: .sessionNotConnected
    case .busy: .busy
    case .unsupportedAlgorithms, .mutualAuthentication: .notSupported
    case .unusableCredentials, .unaddressable, .noBlocks: .invalidArgument
    case .noMemory: .noMemory
    case .sense, .status, .malformedAnswer: .failure
    }
  }

  /// What helps.
  public var advice: String? {
    switch reason {
    case .transport(let error): error.advice
    case .authenticationRequired: "give a CHAP name and secret"
    case .mutualAuthentication: "log in with the kernel, which checks it: iscsi-admin login"
    case .redirection(let error): error.advice
    case .loginRejected(.authenticationFailure): "check the CHAP name and secret on both sides"
    case .loginRejected(.authorizationFailure): "allow this initiator name on the target"
    case .loginRejected(.notFound): "list the targets that the portal offers with a discovery"
    case .unsupportedAlgorithms: "offer MD5 too"
    default: nil
    }
  }
}

extension UserspaceError.Reason: CustomStringConvertible {
  /// The reason in words, fit to follow "failed: ".
  public var description: String {
    switch self {
    case .transport(let error): error.description
    case .authenticationRequired: "the target asks for CHAP (\(LoginStatus.authenticationFailure))"
    case .mutualAuthentication: "libiscsi does not check the proof of the target (mutual CHAP)"
    case .loginRejected(let status): "\(Self.words(for: status)) (\(status))"
    case .redirection(let error): error.description
    case .badRedirection(let text): "the target redirected the login to \(text.debugDescription), which is no portal"
    case .library(let text): text.isEmpty ? "libiscsi gave up" : text
    case .disconnected: "the target closed the connection or broke the protocol"
    case .closed: "the session is closed"
    case .busy: "another command of this session is under way"
    case .unsupportedAlgorithms(let algorithms):
      "libiscsi knows CHAP with MD5 only, not \(algorithms.map(\.description).joined(separator: ","))"
    case .unusableCredentials: "a CHAP name or secret is empty, has a NUL or is longer than 255 octets"
    case .unaddressable: "libiscsi cannot address a LUN of more than one level"
    case .sense(let sense): "the unit says: \(sense)"
    case .status(let status): "SCSI status 0x\(status.hexadecimal)"
    case .malformedAnswer: "the answer is malformed"
    case .noBlocks: "the unit has no blocks to read"
    case .noMemory: "no memory"
    }
  }

  private static func words(for status: LoginStatus) -> String {
    switch status {
    case .movedTemporarily, .movedPermanently: "the target has moved"
    case .authenticationFailure: "CHAP secret rejected"
    case .authorizationFailure: "this initiator may not use the target"
    case .notFound: "no such target"
    case .targetRemoved: "the target was removed"
    case .unsupportedVersion: "no protocol version in common"
    case .tooManyConnections: "too many connections"
    case .missingParameter: "a parameter is missing"
    case .cannotIncludeInSession: "the connection does not fit the session"
    case .sessionTypeNotSupported: "the session type is not supported"
    case .sessionDoesNotExist: "no such session"
    case .invalidDuringLogin: "an invalid request during the login"
    case .serviceUnavailable: "the target is not available at the moment"
    case .outOfResources: "the target has no room for another session"
    case _ where status.statusClass == 3: "the target failed"
    default: "the target refused the login"
    }
  }
}
