// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// Something that failed, as every JSON document lists it.
struct Failure: Encodable, Hashable, Sendable {
  let target: String?
  let portal: PortalJSON?
  let session: UInt32?
  let lun: UInt64?
  let message: String
  let advice: String?
  let exitCode: UInt8

  init(_ error: any DiagnosableError, about subject: FailureSubject) {
    target = subject.target
    portal = subject.portal.map(PortalJSON.init)
    session = subject.session?.rawValue
    lun = subject.lun?.linuxNumber
    message = error.description
    advice = error.advice
    exitCode = error.exitStatus.rawValue
  }
}

/// What a failure is about, as far as it is known.
struct FailureSubject: Hashable, Sendable {
  var target: String?
  var portal: Portal?
  var session: SessionID?
  var lun: LUN?
}

extension FailureSubject {
  /// What an error itself says that it is about.
  init(_ error: any DiagnosableError) {
    switch error {
    case let error as InitiatorTypes.Failure: self.init(error)
    case InitiatorError.failed(let failure): self.init(failure)
    case let error as NoSession: self.init(target: error.target, portal: error.portal, session: error.session)
    case let error as NothingFound: self.init(portal: error.portal)
    case let error as RecordRefusal: self.init(error)
    case let error as NoRecordToLogIn: self.init(error.refusal)
    case let error as ProbeFailure: self.init(target: error.url.target.description, portal: error.url.portal)
    default: self.init()
    }
  }

  private init(_ refusal: RecordRefusal) {
    switch refusal {
    case .noNode(let selection), .noNodeWithStartup(_, let selection):
      self.init(target: selection.targets.first?.description, portal: selection.portal)
    case .noDiscovery(let portal): self.init(portal: portal)
    case .exists(let subject), .declaredTwice(let subject): self.init(subject)
    case .inUse(let subject, let session):
      self.init(subject)
      self.session = session
    case .noInterface, .builtIn, .setting, .repeated: self.init()
    }
  }

  private init(_ subject: RecordSubject) {
    switch subject {
    case .node(let record): self.init(target: record.target.description, portal: record.portal)
    case .discovery(let record): self.init(portal: record.portal)
    case .interface: self.init()
    }
  }

  private init(_ failure: InitiatorTypes.Failure) {
    self.init(
      target: failure.target, portal: failure.portal.flatMap { try? Portal($0) },
      session: failure.session.map(SessionID.init))
  }
}
