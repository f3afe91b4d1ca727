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
///
/// A cancelled logout goes no further than the removal of the devices, since what comes after it ends a flush of their
/// caches. Behind that there is nothing to lose: cancellation cuts the wait for the target's answer short, and the
/// session goes.
struct SessionLogout {
  let link: KernelLink
  let sysfs: Sysfs
  /// How long the removal of the devices may take: their caches are flushed.
  var removalTimeout: Duration = .seconds(30)
  /// How long the target may take to answer.
  var logoutTimeout: Duration = .seconds(15)

  func run(_ session: SessionID) async throws(OperationError.Cause) -> LogoutReport {
    guard !Task.isCancelled else { throw .cancelled }
    let (snapshot, host) = try look(at: session)
    var report = LogoutReport(session: session, target: snapshot.targetName, portal: snapshot.configuredPortal)
    let adopted: AdoptedKernelSession
    do throws(KernelError) {
      adopted = try link.adopt(
        session, host: host, transport: snapshot.transport, connectionState: snapshot.connection?.state)
    } catch {
      throw .kernel(error)
    }
    switch consume adopted {
    case .up(let session):
      try await removeDevices(of: session, snapshot.targetState, &report)
      var transport = KernelPDUTransport(session: session)
      await sayGoodbye(over: &transport, expStatSN: snapshot.connection?.expStatSN ?? 0, &report)
      try await transport.session.remove()
    case .broken(let session):
      report.problems.append(.notConnected)
      try await removeDevices(of: session, snapshot.targetState, &report)
      try await session.remove()
    }
    return report
  }

  /// The session as it is now: a listing is old by the time that a logout of many sessions comes to its last.
  private func look(at session: SessionID) throws(OperationError.Cause) -> (SessionSnapshot, HostNumber) {
    let snapshot: SessionSnapshot?
    do throws(SysfsError) { snapshot = try sysfs.session(session) } catch { throw .sysfs(error) }
    guard let snapshot, let host = snapshot.host?.number else { throw .noSession }
    // Requests name the transport by the handle of `tcp`. For a session of another transport the kernel would run
    // the functions of `iscsi_tcp` on that transport's objects.
    guard snapshot.transport == KernelLink.transport else { throw .unsupportedTransport(snapshot.transport) }
    return (snapshot, host)
  }

  private func removeDevices(
    of session: borrowing KernelSession<some StoppableKernelSessionPhase>, _ state: KernelTargetState?,
    _ report: inout LogoutReport
  ) async throws(OperationError.Cause) {
    // An earlier logout came this far. The kernel tells the end of a removal once, so there is nothing to wait for.
    guard state != .unbound else { return }
    do throws(KernelError) {
      try await session.removeDevices(until: .now + removalTimeout)
    } catch {
      guard error != .cancelled else { throw .cancelled }
      report.problems.append(.removeDevices(error))
    }
  }

  private func sayGoodbye(
    over transport: inout KernelPDUTransport<KernelPhase.Up>, expStatSN: UInt32, _ report: inout LogoutReport
  ) async {
    // The kernel puts its own tag, CmdSN and ExpStatSN in.
    var exchange = LogoutExchange(initiatorTaskTag: nil, commandSN: 0, expStatSN: expStatSN)
    do throws(PDUTransportError) {
      let outcome = try await exchange.run(over: &transport, until: .now + logoutTimeout)
      if case .failure(let error) = outcome { report.problems.append(.refused(error)) }
    } catch {
      report.problems.append(.notLoggedOut(error))
    }
  }
}
