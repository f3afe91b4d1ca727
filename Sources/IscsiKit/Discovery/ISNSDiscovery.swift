// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// A discovery by an iSNS server (RFC 4171): it is asked for the targets that this initiator may see.
public struct ISNSDiscovery: Sendable {
  /// The port that IANA assigned to iSNS.
  public static let defaultPort: UInt16 = 3205

  /// The name that we ask with.
  public var initiator: InitiatorName
  /// What the connection goes out through.
  public var binding = InterfaceBinding.automatic
  /// How long the whole discovery may take.
  public var timeout: Duration
  /// Where to look a MAC address up; another root is for tests.
  public var sysfs: FilePath = "/sys"

  /// What the end of a registration may take; the answer is there already by then.
  private static let farewellTimeout: Duration = .seconds(2)

  /// A discovery by this initiator, unbound, in 30 seconds if not told otherwise.
  public init(initiator: InitiatorName, timeout: Duration = .seconds(30)) {
    self.initiator = initiator
    self.timeout = timeout
  }

  /// Asks the server at `portal` for all targets.
  ///
  /// - Throws: `OperationError` with the portal that was asked; a server that knows no target and answers so is not an
  ///   error.
  public func run(at portal: Portal) async throws(OperationError) -> ISNSTargets {
    do throws(OperationError.Cause) {
      return try await run(at: portal, until: .now + timeout)
    } catch {
      throw OperationError(.discovery(portal), error)
    }
  }

  private func run(
    at portal: Portal, until deadline: ContinuousClock.Instant
  ) async throws(OperationError.Cause) -> ISNSTargets {
    let result: Result<ISNSTargets, ISNSFailure>
    do throws(TransportError) {
      let socket = try await TCPSocket.connect(to: portal, through: binding, sysfs: sysfs, until: deadline)
      var exchange = ISNSExchange(initiator: initiator, server: portal)
      result = try await talk(&exchange, over: socket, until: deadline)
    } catch {
      throw .transport(error)
    }
    do throws(ISNSFailure) { return try result.get() } catch { throw .isns(error) }
  }

  /// Leads the exchange to its end. What it has found is not lost by a server that does not take the farewell.
  private func talk(
    _ exchange: inout ISNSExchange, over socket: borrowing TCPSocket, until deadline: ContinuousClock.Instant
  ) async throws(TransportError) -> Result<ISNSTargets, ISNSFailure> {
    var assembler = ISNSAssembler()
    var action: ISNSExchange.Action? = exchange.start()
    while true {
      switch action {
      case .done(let targets)?: return .success(targets)
      case .failed(let failure)?:
        await leave(exchange, over: socket)
        return .failure(failure)
      case .send?, nil: break
      }
      let conclusion = exchange.conclusion
      do throws(TransportError) {
        let limit = conclusion == nil ? deadline : min(deadline, .now + Self.farewellTimeout)
        if case .send(let octets)? = action { try await socket.write(octets, until: limit) }
        action = try await answer(to: &exchange, &assembler, over: socket, until: limit)
      } catch {
        if let conclusion {
          action = conclusion
          continue
        }
        await leave(exchange, over: socket)
        if error == .timedOut { return .failure(.timedOut(exchange.pending)) }
        throw error
      }
    }
  }

  /// Takes a registration back. The server is not asked whether it has taken that, for the task may be cancelled by now, and the
  /// stream out of step.
  private func leave(_ exchange: ISNSExchange, over socket: borrowing TCPSocket) async {
    if let farewell = exchange.farewell { try? await socket.write(farewell, until: .now) }
  }

  /// Reads until something follows from what has come.
  private func answer(
    to exchange: inout ISNSExchange, _ assembler: inout ISNSAssembler, over socket: borrowing TCPSocket,
    until deadline: ContinuousClock.Instant
  ) async throws(TransportError) -> ISNSExchange.Action {
    while true {
      do throws(ISNSError) {
        while let message = try assembler.next() {
          if let action = exchange.receive(message) { return action }
        }
      } catch {
        return exchange.conclusion ?? .failed(.malformed(error))
      }
      assembler.feed(try await socket.read(upTo: 65_536, until: deadline))
    }
  }
}
