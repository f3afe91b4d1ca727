// SPDX-License-Identifier: Apache-2.0

/// Why an iSNS server's answer gave no targets.
public enum ISNSFailure: DiagnosableError, Hashable {
  /// The server's octets are no message.
  case malformed(ISNSError)
  /// A response came to something else than was asked.
  case unexpected(ISNSFunction)
  /// The server sent `count` messages of its own instead of an answer.
  case noAnswer(afterMessages: Int)
  /// No answer to this request came in time.
  case timedOut(ISNSFunction)
  /// The server did not take the query.
  case query(ISNSStatus)
  /// The server did not register this machine, without which it answers no query.
  case registration(ISNSStatus)

  /// Code 26 for a registration, 21 if there is nothing to find, 11 without an answer in time, else 25.
  public var exitStatus: ExitStatus {
    switch self {
    case .registration: .isnsRegistration
    case .timedOut: .pduTimeout
    case .query(.noSuchEntry): .noObjectsFound
    case .malformed, .unexpected, .noAnswer, .query: .isnsQuery
    }
  }

  /// The reason in words.
  public var description: String {
    switch self {
    case .malformed(let error): "the iSNS server's answer makes no sense: \(error)"
    case .unexpected(let function): "the iSNS server answers with \(function), which was not asked for"
    case .noAnswer(let count): "the iSNS server sent \(count) messages and no answer"
    case .timedOut(let function): "the iSNS server did not answer \(function) in time"
    case .query(.noSuchEntry): "the iSNS server has no targets for this initiator"
    case .query(let status): "the iSNS server refuses the query: \(status)"
    case .registration(let status): "the iSNS server does not register this initiator: \(status)"
    }
  }

  /// What to look at.
  public var advice: String? {
    switch self {
    case .malformed, .unexpected, .noAnswer: "check that the address and the port are those of an iSNS server"
    case .timedOut: "look at the iSNS server's log"
    case .query(.noSuchEntry): "put the initiator and its targets into one discovery domain of the server"
    case .query(.busy), .registration(.busy): "try again"
    case .query, .registration: "allow this initiator's name on the iSNS server, and look at its log"
    }
  }
}

/// The talk with an iSNS server that finds targets (RFC 4171), without I/O.
///
/// It asks for all targets that this initiator may see. A server that does not know the initiator may refuse (Source
/// Unknown): then it is registered, and taken out again at the end. What the server says of its own accord is passed over.
public struct ISNSExchange: Sendable {
  /// What the caller has to do.
  public enum Action: Hashable, Sendable {
    /// Send these octets and wait for the answer.
    case send([UInt8])
    /// The targets are there.
    case done(ISNSTargets)
    /// It has failed.
    case failed(ISNSFailure)
  }

  private enum Step {
    case query, registration, queryAgain
    case farewell(Result<ISNSTargets, ISNSFailure>)
    case end
  }

  /// The most messages of the server's own that are passed over.
  public static let maxNotices = 16

  private let initiator: InitiatorName
  private let server: Portal
  private var step = Step.end
  private var transactionID: UInt16 = 0
  private var notices = 0
  /// Whether the server has registered us for all that is known, from the request on until it is asked to undo that.
  private var mayBeRegistered = false

  /// A talk that has not begun.
  ///
  /// - Parameters:
  ///   - initiator: The name that we ask with.
  ///   - server: Whom we ask.
  public init(initiator: InitiatorName, server: Portal) {
    self.initiator = initiator
    self.server = server
  }

  /// The request that waits for its answer.
  public var pending: ISNSFunction {
    switch step {
    case .query, .queryAgain: .query
    case .registration: .register
    case .farewell, .end: .deregister
    }
  }

  /// How it ends if nothing more comes of the server: nil as long as the answer itself is missing.
  public var conclusion: Action? {
    guard case .farewell(let result) = step else { return nil }
    return Self.end(result)
  }

  /// What to send, without waiting for an answer, when the talk has failed or is broken off: nil if the server has registered
  /// nothing.
  public var farewell: [UInt8]? {
    mayBeRegistered ? message(.deregister, transactionID &+ 1).octets() : nil
  }

  /// Begins.
  public mutating func start() -> Action {
    step = .query
    return ask(.query)
  }

  /// Takes a message that came; nil if nothing follows from it.
  public mutating func receive(_ message: ISNSMessage) -> Action? {
    guard message.function.isResponse else {
      notices += 1
      return notices > Self.maxNotices ? fail(.noAnswer(afterMessages: notices)) : nil
    }
    guard message.function == pending.response, message.transactionID == transactionID else {
      return fail(.unexpected(message.function))
    }
    guard let value: UInt32 = message.payload.number(at: 0) else { return fail(.malformed(.noStatus)) }
    let status = ISNSStatus(rawValue: value)
    switch step {
    case .query:
      guard status == .sourceUnknown else { return end(outcome(status, message)) }
      step = .registration
      return ask(.register)
    case .registration:
      guard status == .successful else {
        mayBeRegistered = false
        return end(.failure(.registration(status)))
      }
      step = .queryAgain
      return ask(.query)
    case .queryAgain:
      let outcome =
        if status == .sourceUnknown { Result<ISNSTargets, ISNSFailure>.failure(.registration(status)) } else {
          self.outcome(status, message)
        }
      step = .farewell(outcome)
      return ask(.deregister)
    case .farewell(let result): return end(result)
    case .end: return nil
    }
  }

  // MARK: - Requests

  /// Whom DevAttrReg and DevDereg are about, and what DevAttrQry asks for, of all nodes of type target.
  private func message(_ function: ISNSFunction, _ transactionID: UInt16) -> ISNSMessage {
    let name = initiator.description
    var attributes = [ISNSAttribute(.nodeName, name)]
    switch function {
    case .query:
      attributes += [ISNSAttribute(.nodeType, ISNSNodeType.target.rawValue), ISNSAttribute(.delimiter)]
      attributes += Self.questions.map { ISNSAttribute($0) }
    case .register:
      attributes += [
        ISNSAttribute(.delimiter), ISNSAttribute(.nodeName, name),
        ISNSAttribute(.nodeType, ISNSNodeType.initiator.rawValue),
      ]
    default:
      attributes += [ISNSAttribute(.delimiter), ISNSAttribute(.nodeName, name)]
    }
    return ISNSMessage(function, transactionID: transactionID, payload: attributes.flatMap(\.octets))
  }

  private static let questions: [ISNSTag] = [
    .nodeName, .nodeType, .portalAddress, .portalPort, .groupNodeName, .groupAddress, .groupPort, .groupTag,
  ]

  private mutating func ask(_ function: ISNSFunction) -> Action {
    transactionID &+= 1
    switch function {
    case .register: mayBeRegistered = true
    case .deregister: mayBeRegistered = false
    default: break
    }
    return .send(message(function, transactionID).octets())
  }

  // MARK: - Answers

  private func outcome(_ status: ISNSStatus, _ message: ISNSMessage) -> Result<ISNSTargets, ISNSFailure> {
    guard status == .successful else { return .failure(.query(status)) }
    var rest = message.payload.dropFirst(4)
    do throws(ISNSError) {
      // The message key comes back as it was asked.
      while let attribute = try ISNSAttribute(takenFrom: &rest) {
        if attribute.tag == .delimiter { return .success(try ISNSTargets(rest, from: server)) }
      }
      return .failure(.malformed(.noDelimiter))
    } catch {
      return .failure(.malformed(error))
    }
  }

  /// Ends at once, for the stream is out of step.
  private mutating func fail(_ failure: ISNSFailure) -> Action {
    if case .farewell(let result) = step { return end(result) }
    return end(.failure(failure))
  }

  private mutating func end(_ result: Result<ISNSTargets, ISNSFailure>) -> Action {
    step = .end
    return Self.end(result)
  }

  private static func end(_ result: Result<ISNSTargets, ISNSFailure>) -> Action {
    switch result {
    case .success(let targets): .done(targets)
    case .failure(let failure): .failed(failure)
    }
  }
}
