// SPDX-License-Identifier: Apache-2.0

/// What the driver of an exchange has to do.
public enum PDUExchangeAction<Output: Hashable & Sendable, Failure: Error & Hashable>: Hashable, Sendable {
  /// Send this PDU.
  case send(PDU)
  /// The exchange is complete.
  case done(Output)
  /// The exchange failed; the connection is of no more use.
  case failed(Failure)
}

/// A request of the full feature phase and all that answers it, without I/O: call `start`, carry out the actions, and
/// give `receive` what comes until `done` or `failed`.
public protocol PDUExchange {
  /// What a complete exchange gives.
  associatedtype Output: Hashable & Sendable
  /// Why an exchange failed.
  associatedtype Failure: Error & Hashable
  /// What the driver has to do.
  typealias Action = PDUExchangeAction<Output, Failure>

  /// Starts the exchange.
  mutating func start() -> [Action]
  /// Takes a PDU that came. After `done` or `failed`, nothing is done any more.
  mutating func receive(_ pdu: PDU) -> [Action]
}
