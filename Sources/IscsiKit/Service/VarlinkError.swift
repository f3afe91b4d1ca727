// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why a call over Varlink failed.
public enum VarlinkError: DiagnosableError, Hashable {
  /// Nobody can be reached at the path: `noSuchFileOrDirectory` and `connectionRefused` if nothing listens,
  /// `permissionDenied` if the caller may not.
  case notConnected(FilePath, Errno)
  /// The service has closed the connection, or this side has.
  case closed
  /// No answer by the deadline. The connection is closed.
  case timedOut
  /// The task was cancelled. The connection is closed.
  case cancelled
  /// Another call of the same connection is under way.
  case busy
  /// The answer is too long or no Varlink. The connection is closed.
  case malformed
  /// The answer is not what the method answers: who calls and who serves are of different versions.
  case unexpected(JSONCodingError)
  /// The parameters cannot be said in JSON.
  case unsayable(JSONTextError)
  /// The service answered with this error.
  case remote(name: String, parameters: JSONValue)
  /// Another error of the operating system. The connection is closed.
  case system(Errno)

  /// Codes 20 if the service cannot be reached, 13 if the caller may not, 33 for a timeout, 7 for parameters that cannot
  /// be sent, 18 if the conversation fails, 28 if the service or the connection is busy, else 1.
  public var exitStatus: ExitStatus {
    switch self {
    case .notConnected(_, .permissionDenied), .notConnected(_, .notPermitted): .access
    case .remote(VarlinkErrorName.permissionDenied, _): .access
    case .notConnected: .daemonNotConnected
    case .closed, .malformed, .unexpected, .system: .daemonCommunication
    case .timedOut: .requestTimeout
    case .busy, .remote(VarlinkErrorName.busy, _): .busy
    case .unsayable: .invalidArgument
    case .remote(VarlinkErrorName.invalidParameter, _): .invalidArgument
    case .cancelled, .remote: .failure
    }
  }

  /// The reason in words.
  public var description: String {
    switch self {
    case .notConnected(let path, let errno): "the daemon cannot be reached at \(path): \("\(errno)".lowercasedFirst)"
    case .closed: "the daemon closed the connection"
    case .timedOut: "the daemon did not answer in time"
    case .cancelled: "cancelled"
    case .busy: "another call of this connection is under way"
    case .malformed: "the daemon's answer is malformed"
    case .unexpected(let error): "the daemon's answer is not understood: \(error)"
    case .unsayable(let error): "the request cannot be sent: \(error)"
    case .remote(let name, _): "the daemon answered \(name.debugDescription)"
    case .system(let errno): "talking to the daemon failed: \("\(errno)".lowercasedFirst)"
    }
  }

  /// What to do about it.
  public var advice: String? {
    switch self {
    case .notConnected(_, .noSuchFileOrDirectory), .notConnected(_, .connectionRefused): "start the daemon"
    case .notConnected(_, .permissionDenied), .remote(VarlinkErrorName.permissionDenied, _): "run it as root"
    case .remote(VarlinkErrorName.busy, _): "try again later"
    case .unexpected: "update the daemon or this program, so that both are of one version"
    default: nil
    }
  }

  /// An error of the socket during a call.
  init(_ error: LocalSocketError) {
    switch error {
    case .closedByPeer: self = .closed
    case .timedOut: self = .timedOut
    case .cancelled: self = .cancelled
    case .failed(let errno): self = .system(errno)
    }
  }
}
