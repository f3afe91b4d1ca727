// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension DiscoveryMode {
  /// What open-iscsi waits for an answer of an iSNS server.
  private static let patience = Duration.seconds(60)

  /// Asks an iSNS server once. The interface is that of sessions, and has no part in it but for our name.
  func askISNS(_ record: DiscoveryRecord, as interface: InterfaceRecord) throws(IscsiadmError) -> [DiscoveredTarget] {
    let discovery: ISNSDiscovery
    do {
      let name =
        if let own = interface.initiatorName { try InitiatorName(own) } else { try InitiatorNameFile().read() }
      discovery = ISNSDiscovery(initiator: name, timeout: Self.patience)
    } catch {
      let status = (error as? any DiagnosableError)?.exitStatus ?? .invalidArgument
      throw IscsiadmError(status, "\(error)", Self.failure(status))
    }
    let result = runBlocking { () async -> Result<ISNSTargets, OperationError> in
      do throws(OperationError) {
        return .success(try await discovery.run(at: record.portal))
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success(let answer):
      for refusal in answer.refused { console.warn("Discovery TargetName invalid: \(refusal.text)") }
      return answer.targets
    case .failure(let error):
      let failure = ISNSFailureText(error, asking: record, as: discovery.initiator)
      failure.remarks.forEach { console.complain($0.printable) }
      failure.lines.forEach(console.warn)
      throw IscsiadmError(failure.status, Self.failure(failure.status))
    }
  }

  private static func failure(_ status: ExitStatus) -> String {
    "Could not perform iSNS discovery: \(status.openISCSIText)"
  }
}

/// Why an iSNS server gave no targets, in open-iscsi's words.
struct ISNSFailureText {
  /// Lines for standard error as they are: they come from open-iscsi's library for iSNS.
  var remarks: [String] = []
  /// Lines for standard error, without the program's name.
  var lines: [String] = []
  /// The code of open-iscsi, which has few here.
  var status = ExitStatus.isnsQuery

  init(_ error: OperationError, asking record: DiscoveryRecord, as initiator: InitiatorName) {
    switch error.cause {
    case .cancelled:
      status = .failure
    case .transport(.unresolvable(let reason)):
      let server = "\"\(record.host):\(record.port)\""
      remarks = [
        "Warning: Cannot resolve address \(server): \(reason)", "Warning: Unable to create socket for host \(server)",
      ]
      status = .noMemory
    case .transport(.timedOut), .isns(.timedOut):
      remarks = [Self.timedOut]
      lines = [Self.failed("Internal error")]
    case .transport:
      remarks = ["socket disconnect, killing socket", Self.timedOut]
      lines = [Self.failed("Internal error")]
    case .isns(.query(let status)):
      lines = [Self.failed(status.openISCSIText)]
    case .isns(.registration(.sourceUnknown)):
      self.status = .isnsRegistration
    case .isns(.registration(let status)):
      lines = ["Could not register \(initiator) with iSNS server: \(status.openISCSIText)."]
      self.status = .isnsRegistration
    default:
      lines = [Self.failed("Message format error")]
    }
  }

  private static let timedOut = "Warning: Timed out while waiting for reply"

  private static func failed(_ reason: String) -> String { "iSNS discovery failed: \(reason)" }
}

extension ISNSStatus {
  /// What open-iscsi's library for iSNS calls it.
  fileprivate var openISCSIText: String {
    switch rawValue {
    case 4, 24...: "Unknown iSNS status code"
    case 19: "FC domain id not available"
    case 20: "FC domain id not allocated"
    default: description.prefix(1).uppercased() + description.dropFirst()
    }
  }
}
