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

/// How long a logout waits for the removal of a session's devices, whose dirty data is written and whose caches are
/// flushed before they go. What is not with the target when the session is removed is lost.
struct RemovalPatience: Hashable, Sendable {
  /// As long as the connection is up. The target may be slow and have gigabytes to take; a command that it does not
  /// answer at all makes the kernel fail the connection. The limit is for a kernel that does neither.
  var connected: Duration = .seconds(3600)
  /// Without a connection, from its loss on: nothing can be written, and what waits for the replacement timeout may do
  /// so for ever.
  var unconnected: Duration = .seconds(30)
  /// How long nothing is said of it.
  var silence: Duration = .seconds(10)
  /// How often it is said again.
  var repetition: Duration = .seconds(60)
}

/// The steps of a logout up to the removal of the session, in the order that loses nothing: devices, then Logout PDU. Each
/// has a deadline, and one that fails does not keep the next one from being made.
struct SessionLogout: Sendable {
  /// How long the removal of the devices is waited for.
  var patience = RemovalPatience()
  /// How long the target may take to answer.
  var logoutTimeout: Duration = .seconds(15)

  /// What is left of a session whose target was told goodbye, and how it answered.
  struct Goodbye: ~Copyable {
    let session: BrokenKernelSession
    let result: Result<LogoutOutcome, LogoutReport.Problem>
  }

  /// Removes the devices; tells what did not go as it should.
  func removeDevices(
    of session: borrowing KernelSession<some StoppableKernelSessionPhase>, isConnected: Bool = false
  ) async -> LogoutReport.Problem? {
    do throws(KernelError) {
      try await session.removeDevices(
        until: .now + (isConnected ? patience.connected : patience.unconnected), afterLoss: patience.unconnected)
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
