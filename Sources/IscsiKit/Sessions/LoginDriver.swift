// SPDX-License-Identifier: Apache-2.0
import SystemPackage

/// How a negotiation that did not fail ended.
enum NegotiationOutcome {
  case loggedIn(LoginResult)
  case redirected(LoginRedirect)
}

extension LoginNegotiation {
  /// Carries the negotiation out over a transport.
  ///
  /// - Parameters:
  ///   - transport: Where the target is.
  ///   - deadline: The end of the whole negotiation, however many PDUs the target makes of it.
  /// - Returns: The session's parameters, or where the target sends us.
  /// - Throws: Why there is neither.
  mutating func run(
    over transport: inout some PDUTransport & ~Copyable, until deadline: ContinuousClock.Instant
  ) async throws(OperationError.Cause) -> NegotiationOutcome {
    var action = start()
    while true {
      switch action {
      case .send(let request):
        action = try await exchange(request, over: &transport, until: deadline)
      case .redirect(let redirect): return .redirected(redirect)
      case .succeeded(let result): return .loggedIn(result)
      case .failed(let failure): throw .login(failure)
      }
    }
  }

  private mutating func exchange(
    _ request: LoginRequestPDU, over transport: inout some PDUTransport & ~Copyable,
    until deadline: ContinuousClock.Instant
  ) async throws(OperationError.Cause) -> Action {
    // A login that used its time up on the way is the target's doing, not that of a transport without time to send.
    guard .now < deadline else { throw .login(.timedOut) }
    let unexpected: PDUOpcode
    do throws(PDUTransportError) {
      try await transport.send(.loginRequest(request), until: deadline)
      switch try await transport.receive(until: deadline) {
      case .loginResponse(let response): return receive(response)
      case let other: unexpected = other.opcode
      }
    } catch {
      throw Self.cause(of: error)
    }
    throw .unexpectedPDU(unexpected)
  }

  /// In a login, silence and a closed connection are answers of the target and not faults of the way.
  private static func cause(of error: PDUTransportError) -> OperationError.Cause {
    switch error {
    case .transport(.timedOut): .login(.timedOut)
    case .transport(.closedByPeer), .connection(.connectionClosed): .login(.connectionClosed)
    case .kernel(let error) where error.isLostConnection: .login(.connectionClosed)
    default: .pdu(error)
    }
  }
}

extension KernelError {
  /// Whether a request was refused because the connection has failed meanwhile: the kernel answers so until it is
  /// stopped.
  var isLostConnection: Bool {
    if case .rejected(_, .socketNotConnected, by: _) = self { true } else { false }
  }
}
