// SPDX-License-Identifier: Apache-2.0

/// How a logout went. The session is gone in every case.
public struct LogoutReport: Hashable, Sendable {
  /// The session that was.
  public var session: SessionID
  /// The target, if sysfs had its name.
  public var target: String?
  /// The portal, if sysfs had it.
  public var portal: Portal?
  /// What did not go as it should; empty for a clean logout.
  public var problems: [Problem] = []

  /// A step of the logout that failed and was passed over.
  public enum Problem: Hashable, Sendable, CustomStringConvertible {
    /// The devices could not be removed in an orderly way; write caches may not have been flushed.
    case removeDevices(KernelError)
    /// The target was not told, or did not answer.
    case notLoggedOut(PDUTransportError)
    /// The target refused.
    case refused(LogoutError)
    /// There was no connection over which to tell the target.
    case notConnected

    /// The problem in words.
    public var description: String {
      switch self {
      case .removeDevices(let error): "the devices were not removed in order: \(error)"
      case .notLoggedOut(let error): "the target was not told: \(error)"
      case .refused(let error): "\(error)"
      case .notConnected: "the session had no connection, so the target was not told"
      }
    }
  }
}

/// Logs out in the order that loses nothing: devices, Logout PDU, connection, session. Each step has a deadline, and a
/// step that fails does not keep the next one from being made.
struct SessionLogout {
  let link: KernelLink
  /// How long the removal of the devices may take: their caches are flushed.
  var removalTimeout: Duration = .seconds(30)
  /// How long the target may take to answer.
  var logoutTimeout: Duration = .seconds(15)

  func run(_ snapshot: SessionSnapshot) async throws(OperationError.Cause) -> LogoutReport {
    guard let host = snapshot.host?.number else { throw .noSession }
    var report = LogoutReport(session: snapshot.id, target: snapshot.targetName, portal: snapshot.configuredPortal)
    do throws(KernelError) {
      switch try link.adopt(snapshot.id, host: host, connectionState: snapshot.connection?.state) {
      case .up(let session):
        await removeDevices(of: session, &report)
        var transport = KernelFullFeatureTransport(session: session)
        await sayGoodbye(over: &transport, expStatSN: snapshot.connection?.expStatSN ?? 0, &report)
        try await destroy(transport.session)
      case .broken(let session):
        report.problems.append(.notConnected)
        await removeDevices(of: session, &report)
        try await destroy(session)
      }
    } catch {
      throw .kernel(error)
    }
    return report
  }

  private func removeDevices(
    of session: borrowing KernelSession<some StoppableKernelSessionPhase>, _ report: inout LogoutReport
  ) async {
    do throws(KernelError) {
      try await session.removeDevices(until: .now + removalTimeout)
    } catch {
      report.problems.append(.removeDevices(error))
    }
  }

  private func sayGoodbye(
    over transport: inout KernelFullFeatureTransport, expStatSN: UInt32, _ report: inout LogoutReport
  ) async {
    let deadline = ContinuousClock.now + logoutTimeout
    // The kernel puts its own tag, CmdSN and ExpStatSN in.
    var exchange = LogoutExchange(initiatorTaskTag: nil, commandSN: 0, expStatSN: expStatSN)
    var actions = exchange.start()
    do throws(PDUTransportError) {
      while true {
        for action in actions {
          switch action {
          case .send(let pdu): try await transport.send(pdu, until: deadline)
          case .done: return
          case .failed(let error):
            report.problems.append(.refused(error))
            return
          }
        }
        actions = exchange.receive(try await transport.receive(until: deadline))
      }
    } catch {
      report.problems.append(.notLoggedOut(error))
    }
  }

  private func destroy<Phase>(_ session: consuming KernelSession<Phase>) async throws(KernelError) {
    if case .failed(_, let error) = await session.destroy() { throw error }
  }
}
