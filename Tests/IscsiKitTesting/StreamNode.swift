// SPDX-License-Identifier: Apache-2.0
public import IscsiKit

/// What a node puts into the stream as the answer to one PDU.
public struct StreamReply: Hashable, Sendable {
  /// The octets to send; they need not be PDUs.
  public var octets: [UInt8]
  /// Whether the node closes the connection behind them.
  public var closes: Bool

  /// A reply from its parts.
  public init(octets: [UInt8], closes: Bool = false) {
    self.octets = octets
    self.closes = closes
  }

  /// A reply of PDUs.
  public init(_ pdus: [PDU], closes: Bool = false) {
    self.init(octets: pdus.flatMap { $0.encoded().streamOctets }, closes: closes)
  }
}

/// A node that answers PDUs with octets: what `LoopbackTarget` serves. A value stands for one connection.
public protocol StreamNode: Sendable {
  /// Takes a PDU of the initiator and gives the answer.
  mutating func reply(to pdu: PDU) -> StreamReply
}

extension InMemoryTarget: StreamNode {
  /// The answers of `respond` as octets; the connection is closed when the target says so.
  public mutating func reply(to pdu: PDU) -> StreamReply {
    let answers = respond(to: pdu)
    return StreamReply(answers, closes: isClosed)
  }
}

/// A server of another protocol than iSCSI, which `LoopbackTarget` serves as well. A value stands for one connection.
public protocol OctetNode: Sendable {
  /// Takes octets of the client, as they come, and gives the answer.
  mutating func reply(to octets: [UInt8]) -> StreamReply
}
