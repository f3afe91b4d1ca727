// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// Why a portal gave no targets, in open-iscsi's words.
struct DiscoveryFailure {
  /// Lines for standard error, without the program's name.
  let lines: [String]
  let status: ExitStatus
  /// Whether another attempt may do better.
  let mayPass: Bool

  /// A failure.
  ///
  /// - Parameters:
  ///   - error: It.
  ///   - name: The host as it was given. All that comes after its name was looked up tells of the address.
  init(_ error: OperationError, host name: PortalHost) {
    switch error.cause {
    case .cancelled, .transport(.unresolvable):
      // Neither tells of an address, and another look-up would take as long as the one that failed.
      self.init(error, host: name, at: name.description, lastError: "Success")
      return
    default: break
    }
    // The last error of the system is shown, whatever it is of: a look-up leaves that its cache does not run.
    let (host, lastError) = name.numeric.map { ($0, "Success") } ?? (name.addresses.first, "No such file or directory")
    self.init(error, host: name, at: host.map(\.description) ?? name.description, lastError: lastError)
  }

  private init(_ error: OperationError, host name: PortalHost, at host: String, lastError: String) {
    switch error.cause {
    case .cancelled:
      self.init([], .failure)
    case .transport(.unresolvable(let reason)):
      self.init(
        [
          "Cannot resolve host \(name). getaddrinfo error: [\(reason)]", "cannot resolve host name \(name)",
          "cannot resolve host name \(name)",
        ], .transport)
    case .transport(.noSuchHardwareAddress(let address)):
      self.init(unbound: [Self.noMatch(address.description)], to: host, lastError)
    case .binding(.hardwareAddress(let text)):
      self.init(unbound: [Self.noMatch(text)], to: host, lastError)
    case .binding(.cardAddress(let text)):
      self.init(
        unbound: [
          "Cannot bind \(text) to net/scsi interface. This is not supported with software iSCSI (iscsi_tcp)."
        ], to: host, lastError)
    case .transport(.noSuchDevice(let name)), .binding(.device(let name)):
      self.init(unbound: ["Could not bind connection 0 to \(name)"], to: host, "No such device")
    case .transport(.timedOut):
      self.init(["connect to \(host) timed out"], .pduTimeout, mayPass: true)
    case .transport(let reason):
      self.init(["cannot make connection to \(host): \(reason.wordsOfTheSystem)"], .pduTimeout, mayPass: true)
    case .login(.rejected(let status)) where status.statusClass == 3:
      self.init(
        ["discovery login to \(host) rejected: target error (\(status.words))"], .pduTimeout, mayPass: true)
    case .login(.connectionClosed), .login(.timedOut), .pdu(.transport):
      self.init(
        [
          "Connection to Discovery Address \(host) failed", "Login I/O error, failed to receive a PDU",
          "retrying discovery login to \(host)",
        ], .pduTimeout, mayPass: true)
    case _ where error.exitStatus == .authentication:
      self.init(
        [
          "Login failed to authenticate with target ",
          "discovery login to \(host) rejected: initiator failed authorization",
        ], .authentication)
    case .login(.rejected(let status)):
      self.init(
        ["discovery login to \(host) rejected: initiator error (\(status.words)), non-retryable, giving up"],
        .fatalLogin)
    default:
      self.init(["discovery login to \(host) failed, giving up 4"], .fatalLogin)
    }
  }

  /// The connection cannot be bound to its interface, which open-iscsi takes for a fault that may pass.
  private init(unbound lines: [String], to host: String, _ lastError: String) {
    self.init(lines + ["cannot make connection to \(host): \(lastError)"], .pduTimeout, mayPass: true)
  }

  private static func noMatch(_ address: String) -> String { "Cannot match \(address) to net/scsi interface." }

  private init(_ lines: [String], _ status: ExitStatus, mayPass: Bool = false) {
    self.lines = lines
    self.status = status
    self.mayPass = mayPass
  }
}

extension LoginStatus {
  /// Class and detail, as `02/03`.
  fileprivate var words: String {
    "\(description.prefix(2))/\(description.suffix(2))"
  }
}

extension TransportError {
  /// The reason as the C library words it.
  fileprivate var wordsOfTheSystem: String {
    switch self {
    case .refused: "Connection refused"
    case .unreachable(let errno), .system(_, let errno): "\(errno)"
    default: description
    }
  }
}
