// SPDX-License-Identifier: Apache-2.0

/// Why a text exchange in the full feature phase failed.
public enum TextExchangeError: DiagnosableError, Hashable {
  /// The request has this many octets, more than one PDU of 8192 octets, which every target takes, can carry.
  case requestTooLong(Int)
  /// The target rejected the request.
  case rejected(RejectReason)
  /// A response has the task tag `received` and not that of the request.
  case wrongTaskTag(expected: UInt32, received: UInt32)
  /// A PDU came that is no answer to a Text Request.
  case unexpected(PDUOpcode)
  /// A response says that it is the last one and that its text goes on (F and C).
  case finalButContinued
  /// A response says that more follows, but has no Target Transfer Tag to ask for it.
  case noTargetTransferTag
  /// The target sent more than `limit` octets of text.
  case tooMuchText(limit: Int)
  /// The target went on for `count` responses without an end.
  case endless(count: Int)
  /// The target drops the connection.
  case dropped(AsyncEvent)

  /// The reason in words.
  public var description: String {
    switch self {
    case .requestTooLong(let count): "the text request has \(count) octets, more than fit in one PDU"
    case .rejected(let reason): "the target rejected the text request: \(reason)"
    case .wrongTaskTag(let expected, let received):
      "the target answered task 0x\(String(received, radix: 16)) instead of 0x\(String(expected, radix: 16))"
    case .unexpected(let opcode): "the target answered the text request with \(opcode)"
    case .finalButContinued: "the target's text response is both final and continued"
    case .noTargetTransferTag: "the target's text response announces more text, but names no transfer tag"
    case .tooMuchText(let limit): "the target's text is longer than \(limit) octets"
    case .endless(let count): "the target's text did not end after \(count) responses"
    case .dropped(let event): "the target drops the connection (\(event))"
    }
  }

  /// 4 for a dropped connection, 1 for a target that breaks the protocol.
  public var exitStatus: ExitStatus {
    switch self {
    case .dropped: .transport
    default: .failure
    }
  }

  /// What to look at.
  public var advice: String? {
    switch self {
    case .dropped, .rejected: "look at the target's log"
    default: nil
    }
  }
}

/// A text request in the full feature phase and all its responses (RFC 7143, sections 6.2, 11.10 and 11.11), without
/// I/O. It gives all text of the target, keys ended by NUL.
///
/// The requests are immediate, so that they need no room in the target's command window.
public struct TextExchange: PDUExchange, Sendable {
  /// All text of the target.
  public typealias Output = [UInt8]
  /// Why it failed.
  public typealias Failure = TextExchangeError

  /// The most octets of text that are collected unless the caller says otherwise: 16 MiB.
  public static let defaultLimit = 16 << 20

  /// The most octets that go into one request: what every target takes without having declared it.
  private static let maxRequestLength = 8192
  /// The most responses; at 8192 octets each, they carry eight times the default limit.
  private static let maxResponses = 16_384

  private let initiatorTaskTag: UInt32
  private let request: [UInt8]
  private let limit: Int
  private var unsolicited: UnsolicitedPDUs
  private var collected: [UInt8] = []
  private var responses = 0
  private var isFinished = false

  /// An exchange that asks `text`.
  ///
  /// - Parameters:
  ///   - text: The keys of the request, each ended by NUL; at most 8192 octets.
  ///   - initiatorTaskTag: A tag that no other task of the connection has.
  ///   - commandSN: CmdSN of the next request.
  ///   - expStatSN: StatSN that the next response should have.
  ///   - limit: The most octets of text to collect.
  public init(
    text: [UInt8], initiatorTaskTag: UInt32, commandSN: UInt32, expStatSN: UInt32,
    limit: Int = TextExchange.defaultLimit
  ) {
    request = text
    self.initiatorTaskTag = initiatorTaskTag
    self.limit = limit
    unsolicited = UnsolicitedPDUs(commandSN: commandSN, expStatSN: expStatSN)
  }

  /// CmdSN for the request after this exchange.
  public var commandSN: UInt32 { unsolicited.commandSN }
  /// ExpStatSN for the request after this exchange.
  public var expStatSN: UInt32 { unsolicited.expStatSN }

  /// Starts the exchange.
  public mutating func start() -> [Action] {
    guard request.count <= Self.maxRequestLength else { return fail(.requestTooLong(request.count)) }
    return [.send(.textRequest(nextRequest(data: request)))]
  }

  /// Takes a PDU that came. After `done` or `failed`, nothing is done any more.
  public mutating func receive(_ pdu: PDU) -> [Action] {
    guard !isFinished else { return [] }
    switch unsolicited.receive(pdu) {
    case .ignored: return []
    case .answer(let answer): return [.send(answer)]
    case .dropped(let event): return fail(.dropped(event))
    case .tooMany: return fail(.endless(count: UnsolicitedPDUs.limit))
    case .solicited: break
    }
    switch pdu {
    case .textResponse(let response): return receive(response)
    case .reject(let reject):
      unsolicited.advance(past: reject.statSN)
      return fail(.rejected(reject.reason))
    default: return fail(.unexpected(pdu.opcode))
    }
  }

  private mutating func receive(_ response: TextResponsePDU) -> [Action] {
    guard response.initiatorTaskTag == initiatorTaskTag else {
      return fail(.wrongTaskTag(expected: initiatorTaskTag, received: response.initiatorTaskTag))
    }
    unsolicited.advance(past: response.statSN)
    guard collected.count + response.data.count <= limit else { return fail(.tooMuchText(limit: limit)) }
    collected += response.data
    if response.isFinal {
      guard !response.isContinued else { return fail(.finalButContinued) }
      isFinished = true
      return [.done(collected)]
    }
    guard response.targetTransferTag != PDU.reservedTag else { return fail(.noTargetTransferTag) }
    responses += 1
    guard responses < Self.maxResponses else { return fail(.endless(count: responses)) }
    var request = nextRequest(data: [])
    request.lun = response.lun
    request.targetTransferTag = response.targetTransferTag
    return [.send(.textRequest(request))]
  }

  private func nextRequest(data: [UInt8]) -> TextRequestPDU {
    var request = TextRequestPDU(initiatorTaskTag: initiatorTaskTag, data: data)
    request.commandSN = commandSN
    request.expStatSN = expStatSN
    return request
  }

  private mutating func fail(_ error: TextExchangeError) -> [Action] {
    isFinished = true
    collected = []
    return [.failed(error)]
  }
}
