// SPDX-License-Identifier: Apache-2.0

internal import SystemPackage

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
  public enum Problem: Error, Hashable, CustomStringConvertible {
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

/// The steps of a logout up to the removal of the session, in the order that loses nothing: devices, then Logout PDU. Each
/// has a deadline, and one that fails does not keep the next one from being made.
struct SessionLogout: Sendable {
  /// How long the removal of the devices may take: their caches are flushed.
  var removalTimeout: Duration = .seconds(30)
  /// How long the target may take to answer.
  var logoutTimeout: Duration = .seconds(15)

  /// What is left of a session whose target was told goodbye, and how it answered.
  struct Goodbye: ~Copyable {
    let session: BrokenKernelSession
    let result: Result<LogoutOutcome, LogoutReport.Problem>
  }

  /// Removes the devices; tells what did not go as it should.
  func removeDevices(
    of session: borrowing KernelSession<some StoppableKernelSessionPhase>
  ) async -> LogoutReport.Problem? {
    do throws(KernelError) {
      try await session.removeDevices(until: .now + removalTimeout)
      return nil
    } catch {
      return .removeDevices(error)
    }
  }

  /// Logs out at the target.
  func sayGoodbye(
    over session: consuming UpKernelSession, expStatSN: UInt32
  ) async -> Goodbye {
    // The kernel puts its own tag, CmdSN and ExpStatSN in.
    var exchange = LogoutExchange(initiatorTaskTag: nil, commandSN: 0, expStatSN: expStatSN)
    let events = session.events
    var transport = KernelPDUTransport(session: session, events: events)
    do throws(PDUTransportError) {
      let outcome = try await exchange.run(over: &transport, until: .now + logoutTimeout)
      return Goodbye(session: transport.session.asBroken(), result: outcome.mapError { .refused($0) })
    } catch {
      return Goodbye(session: transport.session.asBroken(), result: .failure(.notLoggedOut(error)))
    }
  }
}
