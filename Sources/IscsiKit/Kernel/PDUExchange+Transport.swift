// SPDX-License-Identifier: Apache-2.0

extension PDUExchange {
  /// Carries the exchange out over a transport.
  ///
  /// - Parameters:
  ///   - transport: Where the target is.
  ///   - deadline: The end of the whole exchange, however many PDUs the target makes of it.
  /// - Returns: What the exchange itself came to.
  /// - Throws: Why a PDU could not be sent or received.
  mutating func run(
    over transport: inout some PDUTransport & ~Copyable, until deadline: ContinuousClock.Instant
  ) async throws(PDUTransportError) -> Result<Output, Failure> {
    var actions = start()
    while true {
      for action in actions {
        switch action {
        case .send(let pdu): try await transport.send(pdu, until: deadline)
        case .done(let output): return .success(output)
        case .failed(let failure): return .failure(failure)
        }
      }
      actions = receive(try await transport.receive(until: deadline))
    }
  }
}
