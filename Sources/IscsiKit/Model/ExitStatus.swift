// SPDX-License-Identifier: Apache-2.0

/// The exit codes of open-iscsi's programs, which scripts and services branch on; ours are the same numbers.
public enum ExitStatus: UInt8, Hashable, Sendable, CaseIterable {
  /// 0: done.
  case success = 0
  /// 1: an error that no other code names.
  case failure = 1
  /// 2: no such session.
  case sessionNotFound = 2
  /// 3: no memory.
  case noMemory = 3
  /// 4: the transport failed: refused, reset, unreachable.
  case transport = 4
  /// 5: the login failed.
  case login = 5
  /// 6: the record database failed.
  case database = 6
  /// 7: an argument cannot be used.
  case invalidArgument = 7
  /// 8: the connection or the login timed out.
  case transportTimeout = 8
  /// 9: internal error, or the operation does not fit the state.
  case `internal` = 9
  /// 10: the logout failed.
  case logout = 10
  /// 11: no answer to a PDU in time.
  case pduTimeout = 11
  /// 12: the kernel's iSCSI driver is not there.
  case driverNotFound = 12
  /// 13: not allowed (not root).
  case access = 13
  /// 14: the driver lacks a capability.
  case transportCapability = 14
  /// 15: the session exists already.
  case sessionExists = 15
  /// 16: unknown request.
  case invalidRequest = 16
  /// 17: iSNS is not there.
  case isnsUnavailable = 17
  /// 18: talking to the daemon failed.
  case daemonCommunication = 18
  /// 19: a login failure that no retry mends.
  case fatalLogin = 19
  /// 20: the daemon does not answer.
  case daemonNotConnected = 20
  /// 21: nothing found: no session, no record, no portal.
  case noObjectsFound = 21
  /// 22: sysfs has not what it should have.
  case sysfsLookup = 22
  /// 23: no such SCSI host.
  case hostNotFound = 23
  /// 24: authentication or authorization failed.
  case authentication = 24
  /// 25: an iSNS query failed.
  case isnsQuery = 25
  /// 26: an iSNS registration failed.
  case isnsRegistration = 26
  /// 27: not supported.
  case notSupported = 27
  /// 28: in use.
  case busy = 28
  /// 29: failed, but a retry may succeed.
  case tryAgain = 29
  /// 30: unknown type of discovery.
  case unknownDiscoveryType = 30
  /// 31: a child process was terminated.
  case childTerminated = 31
  /// 32: the session is not connected.
  case sessionNotConnected = 32
  /// 33: a request timed out.
  case requestTimeout = 33
}

/// What every error of IscsiKit can tell: why, what to do about it, and the exit code that scripts expect.
public protocol DiagnosableError: Error, CustomStringConvertible {
  /// The code of open-iscsi's table that names this failure.
  var exitStatus: ExitStatus { get }
  /// What the user can do about it, as an imperative without a full stop; nil if there is nothing general to say.
  var advice: String? { get }
}

extension DiagnosableError {
  /// No advice unless the error has some.
  public var advice: String? { nil }
}
