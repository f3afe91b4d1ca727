// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension ExitStatus {
  /// What open-iscsi calls it, in `initiator reported error (N - text)` and after `Could not execute operation ...`.
  var openISCSIText: String {
    switch self {
    case .success: ""
    case .failure: "unknown error"
    case .sessionNotFound: "session not found"
    case .noMemory: "no available memory"
    case .transport: "encountered connection failure"
    case .login: "encountered iSCSI login failure"
    case .database: "encountered iSCSI database failure"
    case .invalidArgument: "invalid parameter"
    case .transportTimeout: "connection timed out"
    case .internal: "internal error"
    case .logout: "encountered iSCSI logout failure"
    case .pduTimeout: "iSCSI PDU timed out"
    case .driverNotFound: "iSCSI driver not found. Please make sure it is loaded, and retry the operation"
    case .access: "daemon access denied"
    case .transportCapability: "iSCSI driver does not support requested capability."
    case .sessionExists: "session exists"
    case .invalidRequest: "Unknown request"
    case .isnsUnavailable: "iSNS service not supported"
    case .daemonCommunication: "could not communicate to iscsid"
    case .fatalLogin: "encountered non-retryable iSCSI login failure"
    case .daemonNotConnected: "could not connect to iscsid"
    case .noObjectsFound: "no objects found"
    case .sysfsLookup: "sysfs lookup failure"
    case .hostNotFound: "host not found"
    case .authentication: "iSCSI login failed due to authorization failure"
    case .isnsQuery: "iSNS query failed"
    case .isnsRegistration: "iSNS registration failed"
    case .notSupported: "operation not supported"
    case .busy: "device or resource in use"
    case .tryAgain: "operation failed but retry may succeed"
    case .unknownDiscoveryType: "unknown discovery type"
    case .childTerminated: "child process terminated"
    case .sessionNotConnected: "target likely not connected"
    case .requestTimeout: "iscsid request timed out"
    }
  }
}

/// A failure as `iscsiadm` tells it: lines for standard error, without the program's name, and the exit code.
struct IscsiadmError: Error, Hashable {
  let lines: [String]
  /// A last line, which comes without the program's name.
  let tail: String?
  let status: ExitStatus

  init(_ status: ExitStatus, _ lines: String..., tail: String? = nil) {
    self.lines = lines
    self.tail = tail
    self.status = status
  }
}
