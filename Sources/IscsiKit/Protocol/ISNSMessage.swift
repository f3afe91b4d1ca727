// SPDX-License-Identifier: Apache-2.0

/// A message of iSNS, in as many PDUs as it takes (RFC 4171, section 5.2).
public struct ISNSMessage: Hashable, Sendable {
  /// The most octets of a message's payload that are taken: 16 MiB, which is some 100,000 portals.
  public static let maxLength = 16 << 20

  /// What it asks or answers.
  public var function: ISNSFunction
  /// The number that a request and its response share.
  public var transactionID: UInt16
  /// The payloads of its PDUs, one behind the other: a status in responses, then attributes.
  public var payload: [UInt8]

  /// A message from its parts.
  public init(_ function: ISNSFunction, transactionID: UInt16, payload: [UInt8]) {
    self.function = function
    self.transactionID = transactionID
    self.payload = payload
  }

  /// The message in PDUs.
  ///
  /// - Parameters:
  ///   - sender: The flags that say who sends it.
  ///   - maxPayload: The most octets of payload in a PDU: a multiple of four from 4 to 65532.
  /// - Returns: The octets of all its PDUs.
  public func octets(
    from sender: ISNSFlags = .client, maxPayload: Int = ISNSHeader.maxPayload
  ) -> [UInt8] {
    let size = max(4, min(maxPayload, ISNSHeader.maxPayload)) & ~3
    var octets: [UInt8] = []
    var start = 0
    var sequence: UInt16 = 0
    repeat {
      let piece = payload[start..<min(start + size, payload.count)]
      var flags = sender
      if start == 0 { flags.insert(.first) }
      if piece.endIndex == payload.count { flags.insert(.last) }
      octets +=
        ISNSHeader(
          function, payloadLength: UInt16(clamping: piece.count), flags: flags, transactionID: transactionID,
          sequenceID: sequence
        ).octets + piece
      start = piece.endIndex
      sequence &+= 1
    } while start < payload.count
    return octets
  }
}

/// Puts messages of iSNS together from a stream of octets.
public typealias ISNSAssembler = StreamAssembler<ISNSFormat>

extension ISNSAssembler {
  /// An assembler at the start of a message.
  ///
  /// - Parameter maxLength: The most octets of payload that a message may have.
  public init(maxLength: Int = ISNSMessage.maxLength) { self.init(ISNSFormat(maxLength: maxLength)) }
}

/// Messages of iSNS in a stream (RFC 4171, section 5.2). One is bounded in octets and in PDUs, for their numbers have 16
/// bits.
public struct ISNSFormat: StreamFormat {
  /// The most octets of payload that a message may have.
  let maxLength: Int
  /// The message whose last PDU has not come, and how many PDUs of it have.
  private var pending: (message: ISNSMessage, count: Int)?

  init(maxLength: Int) { self.maxLength = maxLength }

  /// The next message.
  ///
  /// - Throws: What the server must not send.
  public mutating func next(from queue: inout OctetQueue) throws(ISNSError) -> ISNSMessage? {
    do throws(ISNSError) {
      while let header = try ISNSHeader(queue.pending) {
        try check(header)
        let length = ISNSHeader.length + Int(header.payloadLength)
        guard queue.count >= length else { return nil }
        let payload = queue.pending.prefix(length).dropFirst(ISNSHeader.length)
        queue.removeFirst(length)
        if let message = add(header, payload) { return message }
      }
      return nil
    } catch {
      pending = nil
      throw error
    }
  }

  /// Refuses a PDU by its header, before its payload has come.
  private func check(_ header: ISNSHeader) throws(ISNSError) {
    let (message, count) = pending.map { ($0.message, $0.count) } ?? (nil, 0)
    // A PDU of number 0 is the first one, also without the flag, which a lone one only SHOULD have.
    guard message == nil || !header.flags.contains(.first) else { throw .misplacedFirst }
    guard Int(header.sequenceID) == count else { throw .sequence(expected: count, received: header.sequenceID) }
    if let message {
      guard message.function == header.function, message.transactionID == header.transactionID else {
        throw .mixedMessages
      }
    }
    guard (message?.payload.count ?? 0) + Int(header.payloadLength) <= maxLength else {
      throw .messageTooLong(limit: maxLength)
    }
  }

  /// Adds a PDU to its message, which is returned when it is complete.
  private mutating func add(_ header: ISNSHeader, _ payload: ArraySlice<UInt8>) -> ISNSMessage? {
    // Taken out, so that the payload grows in place.
    var (message, count) =
      pending ?? (ISNSMessage(header.function, transactionID: header.transactionID, payload: []), 0)
    pending = nil
    message.payload += payload
    count += 1
    guard !header.flags.contains(.last) else { return message }
    pending = (message, count)
    return nil
  }
}
