// SPDX-License-Identifier: Apache-2.0

/// Why a PDU could not be sent or received.
public enum PDUTransportError: DiagnosableError, Hashable {
  /// The TCP connection failed.
  case transport(TransportError)
  /// The peer's octets are no PDU.
  case malformed(PDUError)
  /// The kernel's interface failed.
  case kernel(KernelError)
  /// The kernel failed the connection.
  case connection(KernelErrorCode)

  private var underlying: (any DiagnosableError)? {
    switch self {
    case .transport(let error): error
    case .malformed(let error): error
    case .kernel(let error): error
    case .connection: nil
    }
  }

  /// The code of what failed; 11 if a PDU did not come or go in time.
  public var exitStatus: ExitStatus {
    if case .transport(.timedOut) = self { .pduTimeout } else { underlying?.exitStatus ?? .transport }
  }
  /// The reason in words.
  public var description: String {
    if case .connection(let code) = self { "the kernel reported \(code)" } else { underlying?.description ?? "" }
  }
  /// What to do about it.
  public var advice: String? { underlying?.advice }
}

/// A way for PDUs to and from a target: a socket of our own, or the kernel's SEND_PDU and RECV_PDU.
///
/// Login, text and logout exchanges are driven over it without knowing which of the two it is.
public protocol PDUTransport: ~Copyable {
  /// Sends one PDU.
  mutating func send(_ pdu: PDU, until deadline: ContinuousClock.Instant) async throws(PDUTransportError)
  /// The next PDU of the target.
  mutating func receive(until deadline: ContinuousClock.Instant) async throws(PDUTransportError) -> PDU
}

/// PDUs over a TCP socket, without digests.
public struct PDUSocket: PDUTransport, ~Copyable {
  private let socket: TCPSocket
  private var assembler: PDUAssembler

  /// Takes over a connected socket that is at the start of a PDU.
  ///
  /// - Parameters:
  ///   - socket: The socket; closed with this value.
  ///   - maxDataLength: The MaxRecvDataSegmentLength that the login declares, in octets.
  public init(_ socket: consuming TCPSocket, maxDataLength: Int) {
    self.socket = socket
    assembler = PDUAssembler(maxDataLength: maxDataLength)
  }

  /// Sends one PDU.
  public mutating func send(_ pdu: PDU, until deadline: ContinuousClock.Instant) async throws(PDUTransportError) {
    do throws(TransportError) {
      try await socket.write(pdu.encoded().streamOctets, until: deadline)
    } catch {
      throw .transport(error)
    }
  }

  /// The next PDU of the target.
  public mutating func receive(until deadline: ContinuousClock.Instant) async throws(PDUTransportError) -> PDU {
    while true {
      do throws(PDUError) {
        if let pdu = try assembler.next() { return pdu }
      } catch {
        throw .malformed(error)
      }
      do throws(TransportError) {
        assembler.feed(try await socket.read(upTo: 65_536, until: deadline))
      } catch {
        throw .transport(error)
      }
    }
  }
}
