// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// A SendTargets discovery over a socket of our own; the kernel has no part in it.
///
/// Each run has an ISID of its own, so that two runs from one machine do not end each other, and logs out at its end.
public struct SendTargetsDiscovery: Sendable {
  /// The name that we log in with.
  public var initiator: InitiatorName
  /// What the target's administrator is shown beside it (InitiatorAlias); nil is nothing.
  public var alias: String?
  /// How the two sides prove who they are.
  public var authentication = Authentication.none
  /// What the connection goes out through.
  public var binding = InterfaceBinding.automatic
  /// How long the whole discovery may take, redirects included.
  public var timeout: Duration = .seconds(30)
  /// How long a portal may take until we are logged in; nil is as long as the whole.
  public var loginTimeout: Duration?
  /// Where to look a MAC address up; another root is for tests.
  public var sysfs: FilePath = "/sys"

  /// MaxRecvDataSegmentLength that we declare: long answers come in few PDUs.
  private static let maxRecvDataSegmentLength: UInt32 = 262_144
  /// CmdSN of all requests: immediate ones do not use it up.
  private static let commandSN: UInt32 = 1
  /// What a logout at the end may take; the answer is there already by then.
  private static let logoutTimeout: Duration = .seconds(2)

  /// A discovery by this initiator with the defaults above.
  public init(initiator: InitiatorName) { self.initiator = initiator }

  /// Asks the target at `portal` for all that it has.
  ///
  /// - Throws: `OperationError` with the portal that was asked; a target without anything is not an error.
  public func run(at portal: Portal) async throws(OperationError) -> SendTargetsResponse {
    do throws(OperationError.Cause) {
      return try await run(at: portal, until: .now + timeout)
    } catch {
      throw OperationError(.discovery(portal), error)
    }
  }

  /// Asks over the interface of a record.
  ///
  /// - Throws: `OperationError` with the portal that was asked, as above, or with why nothing can be bound to the interface. That is
  ///   told only of portals that have an address, as where the network is to blame.
  public func run(
    at portal: Portal, over interface: InterfaceRecord
  ) async throws(OperationError) -> SendTargetsResponse {
    var bound = self
    do throws(InterfaceBindingError) { bound.binding = try interface.binding() } catch {
      do throws(TransportError) { _ = try await portal.resolve(until: .now + timeout) } catch {
        throw OperationError(.discovery(portal), .transport(error))
      }
      throw OperationError(.discovery(portal), .binding(error))
    }
    return try await bound.run(at: portal)
  }

  private func run(
    at portal: Portal, until deadline: ContinuousClock.Instant
  ) async throws(OperationError.Cause) -> SendTargetsResponse {
    var route = LoginRoute(portal)
    var redirects: [SendTargetsResponse.Redirect] = []
    while true {
      let loginDeadline = loginTimeout.map { min(deadline, .now + $0) } ?? deadline
      var transport = try await connect(to: route.current, until: loginDeadline)
      var negotiation = try makeNegotiation()
      switch try await negotiation.run(over: &transport, until: loginDeadline) {
      case .redirected(let redirect):
        redirects.append(.init(from: route.current, to: redirect))
        do throws(LoginFailure) { try route.follow(redirect) } catch { throw .login(error) }
      case .loggedIn(let login):
        var exchange = TextExchange(
          text: Array("SendTargets=All\0".utf8), initiatorTaskTag: 1, commandSN: Self.commandSN,
          expStatSN: login.statSN &+ 1)
        let text = try await ask(&exchange, over: &transport, until: deadline)
        await logOut(over: &transport, after: exchange)
        var response = SendTargetsResponse(text: text, discoveryPortal: route.current)
        response.redirects = redirects
        return response
      }
    }
  }

  private func connect(
    to portal: Portal, until deadline: ContinuousClock.Instant
  ) async throws(OperationError.Cause) -> PDUSocket {
    do throws(TransportError) {
      let socket = try await TCPSocket.connect(to: portal, through: binding, sysfs: sysfs, until: deadline)
      return PDUSocket(socket, maxDataLength: Int(Self.maxRecvDataSegmentLength))
    } catch {
      throw .transport(error)
    }
  }

  private func makeNegotiation() throws(OperationError.Cause) -> LoginNegotiation {
    var configuration = LoginConfiguration(initiatorName: initiator, sessionType: .discovery, isid: .random())
    configuration.initiatorAlias = alias
    configuration.initialCommandSN = Self.commandSN
    configuration.authentication = authentication
    configuration.operational.maxRecvDataSegmentLength = Self.maxRecvDataSegmentLength
    do throws(LoginFailure) { return try LoginNegotiation(configuration) } catch { throw .login(error) }
  }

  private func ask(
    _ exchange: inout TextExchange, over transport: inout PDUSocket, until deadline: ContinuousClock.Instant
  ) async throws(OperationError.Cause) -> [UInt8] {
    let answer: Result<[UInt8], TextExchangeError>
    do throws(PDUTransportError) {
      answer = try await exchange.run(over: &transport, until: deadline)
    } catch {
      throw .pdu(error)
    }
    do throws(TextExchangeError) { return try answer.get() } catch { throw .text(error) }
  }

  /// Ends the discovery session. The answer is complete, so whatever goes wrong here changes nothing.
  private func logOut(over transport: inout PDUSocket, after exchange: TextExchange) async {
    var logout = LogoutExchange(initiatorTaskTag: 2, commandSN: exchange.commandSN, expStatSN: exchange.expStatSN)
    _ = try? await logout.run(over: &transport, until: .now + Self.logoutTimeout)
  }
}
