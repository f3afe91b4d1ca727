// SPDX-License-Identifier: Apache-2.0

/// PDUs through the kernel, over a session that has a socket.
struct KernelPDUTransport<Phase: ConnectedKernelSessionPhase>: PDUTransport, ~Copyable {
  let session: KernelSession<Phase>
  /// Where the answers come. Subscribed to for one exchange: what was reported and lost before it is not about it.
  let events: KernelEvents

  mutating func send(_ pdu: PDU, until deadline: ContinuousClock.Instant) async throws(PDUTransportError) {
    let encoded = pdu.encoded()
    do throws(KernelError) {
      try await session.send(header: encoded.header, data: encoded.data, until: deadline)
    } catch {
      throw .kernel(error)
    }
  }

  mutating func receive(until deadline: ContinuousClock.Instant) async throws(PDUTransportError) -> PDU {
    try await events.nextPDU(until: deadline)
  }
}

extension KernelEvents {
  /// The next PDU of the session; a failed connection or lost events end the wait.
  fileprivate func nextPDU(until deadline: ContinuousClock.Instant) async throws(PDUTransportError) -> PDU {
    while true {
      let event: KernelEvent?
      do throws(KernelError) { event = try await next(until: deadline) } catch { throw .kernel(error) }
      switch event {
      case nil: throw .transport(.timedOut)
      case .received(let header, let data):
        // The kernel passes no additional header segments on, and none of these PDUs has a use for one.
        guard header[4] == 0 else { throw .malformed(.additionalHeader) }
        do throws(PDUError) { return try PDU(header: header, data: data) } catch { throw .malformed(error) }
      case .connectionFailed(let code): throw .connection(code)
      case .sessionDestroyed: throw .connection(.invalidHost)
      case .overrun: throw .kernel(.overrun(.receivedPDU))
      case .devicesRemoved, .sessionCreated, .loginState: continue
      }
    }
  }
}
