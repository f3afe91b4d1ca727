// SPDX-License-Identifier: Apache-2.0

/// How a session was closed.
public enum LogoutOutcome: Hashable, Sendable {
  /// The target says so. The times in its answer say nothing at error recovery level 0 (RFC 7143, section 11.15.3).
  case closed
  /// The target has dropped the connection, or the session, meanwhile.
  case dropped
}

/// Why a logout failed. The connection has to be closed all the same.
public enum LogoutError: DiagnosableError, Hashable {
  /// The target answered with this code, which is not `closed`, and wants that many seconds to pass before a logout or a login:
  /// Time2Wait, which holds for the codes 2 and 3 (RFC 7143, section 11.15.3) and is 0 for others.
  case refused(LogoutResponseCode, time2Wait: UInt16 = 0)
  /// The target rejected the request.
  case rejected(RejectReason)
  /// A response has the task tag `received` and not that of the request.
  case wrongTaskTag(expected: UInt32, received: UInt32)
  /// The target keeps sending other things than the answer.
  case noAnswer

  /// The reason in words.
  public var description: String {
    switch self {
    case .refused(let code, _): "the target did not log out: \(code)"
    case .rejected(let reason): "the target rejected the logout: \(reason)"
    case .wrongTaskTag(let expected, let received):
      "the target answered task 0x\(String(received, radix: 16)) instead of 0x\(String(expected, radix: 16))"
    case .noAnswer: "the target did not answer the logout"
    }
  }

  /// 10.
  public var exitStatus: ExitStatus { .logout }
}

/// A logout that closes the session (RFC 7143, sections 11.14 and 11.15), without I/O. The connection is to be closed
/// behind it.
public struct LogoutExchange: PDUExchange, Sendable {
  /// How the session was closed.
  public typealias Output = LogoutOutcome
  /// Why it was not.
  public typealias Failure = LogoutError

  /// The most late responses to other tasks that are passed over.
  private static let maxStrays = 256

  private let initiatorTaskTag: UInt32?
  private var unsolicited: UnsolicitedPDUs
  private var strays = 0
  private var isFinished = false

  /// A logout of the whole session.
  ///
  /// - Parameters:
  ///   - initiatorTaskTag: A tag that no other task of the connection has; nil where the kernel puts its own in, so
  ///     that responses are not compared with it.
  ///   - commandSN: CmdSN of the next request.
  ///   - expStatSN: StatSN that the next response should have.
  public init(initiatorTaskTag: UInt32?, commandSN: UInt32, expStatSN: UInt32) {
    self.initiatorTaskTag = initiatorTaskTag
    unsolicited = UnsolicitedPDUs(commandSN: commandSN, expStatSN: expStatSN)
  }

  /// Starts the logout.
  public func start() -> [Action] {
    var request = LogoutRequestPDU(reason: .closeSession, initiatorTaskTag: initiatorTaskTag ?? 0)
    request.commandSN = unsolicited.commandSN
    request.expStatSN = unsolicited.expStatSN
    return [.send(.logoutRequest(request))]
  }

  /// Takes a PDU that came. After `done` or `failed`, nothing is done any more.
  public mutating func receive(_ pdu: PDU) -> [Action] {
    guard !isFinished else { return [] }
    switch unsolicited.receive(pdu) {
    case .ignored: return []
    case .answer(let answer): return [.send(answer)]
    case .dropped: return finish(.done(.dropped))
    case .tooMany: return finish(.failed(.noAnswer))
    case .solicited: break
    }
    switch pdu {
    case .logoutResponse(let response): return receive(response)
    case .reject(let reject)
    where initiatorTaskTag == nil || (reject.rejectedTaskTag ?? initiatorTaskTag) == initiatorTaskTag:
      return finish(.failed(.rejected(reject.reason)))
    default:
      // Late answers to earlier requests may still be on their way.
      strays += 1
      return strays > Self.maxStrays ? finish(.failed(.noAnswer)) : []
    }
  }

  private mutating func receive(_ response: LogoutResponsePDU) -> [Action] {
    if let initiatorTaskTag, response.initiatorTaskTag != initiatorTaskTag {
      return finish(.failed(.wrongTaskTag(expected: initiatorTaskTag, received: response.initiatorTaskTag)))
    }
    switch response.response {
    case .closed: return finish(.done(.closed))
    case .recoveryNotSupported, .cleanupFailed:
      return finish(.failed(.refused(response.response, time2Wait: response.time2Wait)))
    default: return finish(.failed(.refused(response.response)))
    }
  }

  private mutating func finish(_ action: Action) -> [Action] {
    isFinished = true
    return [action]
  }
}
