// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

extension SessionManager {
  /// What became of the sessions that were in the kernel.
  public struct Adoption: Hashable, Sendable {
    /// Sessions that are up, and were left as they are.
    public var healthy: [SessionID] = []
    /// Sessions that are being recovered.
    public var recovering: [SessionID] = []
    /// Sessions of a login or a logout that was interrupted; they are being removed.
    public var removing: [SessionID] = []
    /// Sessions that are not ours to drive, and why.
    public var skipped: [SessionID: OperationError.Cause] = [:]
  }

  /// Takes up all sessions of the kernel that are not supervised yet.
  ///
  /// A healthy session is left as it is: nothing is asked of the kernel for it, and its I/O has no gap. One that is not
  /// up is recovered, all at the same time; its outage is the one that the registry knows of. What the registry knows of a session is used as far as the kernel agrees; of
  /// others it is derived from the kernel, as for sessions of open-iscsi or of an early boot.
  ///
  /// - Parameter initiator: Gives our name, for sessions of which the kernel does not show it.
  /// - Returns: What became of them.
  /// - Throws: `SysfsError` if the sessions cannot be listed.
  public func adoptSessions(
    initiator: @Sendable () async -> InitiatorName? = { nil }
  ) async throws(SysfsError) -> Adoption {
    var adoption = Adoption()
    let recorded = registry?.sessions ?? []
    let sessions = try environment.sysfs.sessions(.summary)
    // Once for all sessions, and after the listing: who made a session of it had its socket by then.
    let ports = NetlinkPorts()
    for session in sessions.map(\.id) where directory.withLock({ $0[session] == nil }) {
      do throws(OperationError.Cause) {
        let (driver, state) = try await adopt(session, initiator: initiator, beside: ports)
        // What looks healthy may have to be logged in anew all the same.
        let isUp = await driver.machine.isUp
        switch state {
        case .up where isUp: adoption.healthy.append(session)
        case .up, .failed: adoption.recovering.append(session)
        case .leaving: adoption.removing.append(session)
        }
      } catch {
        switch error {
        // It has gone since the listing, or a login of this manager is just making it.
        case .noSession, .kernel(.alreadyOwned): break
        default: adoption.skipped[session] = error
        }
      }
    }
    let present = Set(sessions.map(\.id)).union(directory.withLock { $0.all.compactMap(\.session) })
    for session in recorded where !present.contains(session) { registry?.remove(session) }
    registry?.saveAgain()
    return adoption
  }

  /// Takes up one session.
  ///
  /// - Parameters:
  ///   - session: The kernel's number.
  ///   - initiator: Gives our name, if the kernel does not show it.
  ///   - ports: The programs that talk to the kernel's initiator, as they were after the session had been seen; nil reads
  ///     them when they matter.
  ///   - toRemove: Whether the session is to be removed whatever its state.
  /// - Returns: Its driver, and how it was found.
  /// - Throws: Why it is not ours to drive.
  @discardableResult
  func adopt(
    _ session: SessionID, initiator: @Sendable () async -> InitiatorName? = { nil },
    beside ports: NetlinkPorts? = nil, toRemove: Bool = false
  ) async throws(OperationError.Cause) -> (SessionDriver, SessionMachine.AdoptedState) {
    let found = try look(at: session)
    // Requests name the transport by the handle of `tcp`. For a session of another transport the kernel would run
    // the functions of `iscsi_tcp` on that transport's objects.
    guard found.transport == KernelLink.transport else { throw .unsupportedTransport(found.transport) }
    let record = registry?.read(session).flatMap { $0.describes(found) ? $0 : nil }
    let isNamed = record != nil || found.initiatorName != nil || found.host?.initiatorName != nil
    let identity = identity(of: found, record, isNamed ? nil : await initiator())
    let driver = SessionDriver(identity, session: session, record: record, in: environment, owner: self)
    guard enter(driver, of: session, SessionKey(found), owner: record?.owner) else { throw .loginUnderWay }
    Self.remember(found, identity)
    do throws(OperationError.Cause) {
      let state = try await driver.adopt { () throws(OperationError.Cause) in
        let now = try look(at: session)
        let state = try Self.state(of: now, record, beside: ports, toRemove, isKnown: identity.request != nil)
        let taken = try take(now)
        if record == nil, let request = identity.request {
          registry?.write(
            SessionRecord(session: session, request: request, isid: ISID(session: session), stage: .established))
        } else if case .up = state {
          registry?.update(session) { $0.stage = .established }
        }
        return SessionDriver.Found(session: taken, state: state)
      }
      return (driver, state)
    } catch {
      forget(driver)
      throw error
    }
  }

  /// Notes where a portal with a name is: the way to a resolver may be gone when the session is.
  private static func remember(_ session: SessionSnapshot, _ identity: SessionDriver.Identity) {
    guard case .name(let name)? = identity.request?.portal.host, let connection = session.connection,
      let address = connection.address.flatMap({ IPAddress($0) })
    else { return }
    NameResolver.shared.remember(SocketAddress(address, port: connection.port ?? 0), of: name)
  }

  private func look(at session: SessionID) throws(OperationError.Cause) -> SessionSnapshot {
    let snapshot: SessionSnapshot?
    do throws(SysfsError) { snapshot = try environment.sysfs.session(session) } catch { throw .sysfs(error) }
    guard let snapshot else { throw .noSession }
    return snapshot
  }

  /// What the session was logged in to and how: by the registry, or else by the kernel, which has the last word on what
  /// may have been changed on the living session.
  private func identity(
    of session: SessionSnapshot, _ record: SessionRecord?, _ initiator: InitiatorName?
  ) -> SessionDriver.Identity {
    var request = record?.request
    if request == nil {
      request = LoginRequest(
        deriving: session, initiator: initiator, secrets: environment.sysfs.secrets(of: session.id))
    }
    request?.adoptTimeouts(session)
    // What the kernel could not be told yet it does not show.
    if let due = record?.due { request?.options.take(due) }
    return SessionDriver.Identity(request: request, target: session.targetName, portal: session.configuredPortal)
  }

  private static func state(
    of session: SessionSnapshot, _ record: SessionRecord?, beside ports: NetlinkPorts?, _ toRemove: Bool, isKnown: Bool
  ) throws(OperationError.Cause) -> SessionMachine.AdoptedState {
    let isConnected = session.isConnectionUp && session.state == .loggedIn
    // Before Linux 6.3 only what is left of the SCSI target tells: its number goes when the removal begins, and the
    // devices when it ends.
    let isUnbound =
      session.targetState.map { $0 == .unbound } ?? (session.targetNumber == nil && session.devices.isEmpty)
    let isScanned = session.targetState.map { $0 == .scanned } ?? !session.devices.isEmpty
    let isInterrupted =
      switch record?.stage {
      case nil, .established: false
      // A login that got to its scan has only not been noted.
      case .made: !(isConnected && isScanned)
      case .leaving: true
      }
    if toRemove || session.targetState == .unbinding || session.targetState == .unbound || isInterrupted {
      return .leaving(isConnected: isConnected, isUnbound: isUnbound)
    }
    if isConnected { return .up(isScanned: isScanned, hasOffline: session.devices.contains(where: \.isOffline)) }
    if record == nil, session.state == .free, !isScanned {
      // Another program may be just about to log it in, unless that has ended; then this is what a login has left that
      // was killed before it could note anything.
      guard let creator = session.creator, let ports = ports ?? NetlinkPorts(), !ports.hasCreator(creator) else {
        throw .notEstablished
      }
      return .leaving(isConnected: false, isUnbound: false)
    }
    if record == nil, let creator = session.creator, (ports ?? NetlinkPorts())?.hasForeignCreator(creator) == true {
      // Another program's login or recovery of it may be under way, and two programs that bind one session hang the kernel.
      throw .notEstablished
    }
    guard isKnown else { throw .unknownIdentity }
    return .failed
  }

  private func take(_ session: SessionSnapshot) throws(OperationError.Cause) -> AdoptedKernelSession {
    guard let host = session.host?.number else { throw .noSession }
    do throws(KernelError) {
      return try environment.link.adopt(
        session.id, host: host, transport: session.transport,
        connectionState: session.isConnectionUp ? .up : session.connection?.state)
    } catch {
      throw .kernel(error)
    }
  }
}
