// SPDX-License-Identifier: Apache-2.0

/// Deals with what a target sends without being asked while an exchange waits for its answer, and keeps the sequence
/// numbers of the connection (RFC 7143, section 4.2.2).
struct UnsolicitedPDUs: Sendable {
  /// What to do with a PDU.
  enum Verdict {
    /// It is none of these: the exchange has to look at it.
    case solicited
    /// It needs no answer.
    case ignored
    /// This is the answer.
    case answer(PDU)
    /// The target drops the connection.
    case dropped(AsyncEvent)
    /// More came than any sane target sends.
    case tooMany
  }

  /// The most PDUs without request in one exchange; a target that sends more would keep us busy for ever.
  static let limit = 256

  /// CmdSN of the next request; immediate requests, the only ones sent here, do not advance it.
  let commandSN: UInt32
  /// StatSN that the next response should have.
  private(set) var expStatSN: UInt32
  private var count = 0

  init(commandSN: UInt32, expStatSN: UInt32) {
    self.commandSN = commandSN
    self.expStatSN = expStatSN
  }

  /// Looks at a PDU that came.
  mutating func receive(_ pdu: PDU) -> Verdict {
    switch pdu {
    case .asyncMessage(let message):
      advance(past: message.statSN)
      if message.event == .connectionDropped || message.event == .sessionDropped { return .dropped(message.event) }
      return counted(.ignored)
    case .nopIn(let ping) where ping.initiatorTaskTag == PDU.reservedTag:
      // A ping carries the next StatSN without using it up.
      guard ping.targetTransferTag != PDU.reservedTag else { return counted(.ignored) }
      var pong = NOPOutPDU()
      pong.lun = ping.lun
      pong.targetTransferTag = ping.targetTransferTag
      pong.commandSN = commandSN
      pong.expStatSN = expStatSN
      return counted(.answer(.nopOut(pong)))
    default:
      return .solicited
    }
  }

  /// Notes the StatSN of a response. An older one than expected changes nothing (serial arithmetic of RFC 1982).
  mutating func advance(past statSN: UInt32) {
    if Int32(bitPattern: statSN &- expStatSN) >= 0 { expStatSN = statSN &+ 1 }
  }

  private mutating func counted(_ verdict: Verdict) -> Verdict {
    count += 1
    return count > Self.limit ? .tooMany : verdict
  }
}
