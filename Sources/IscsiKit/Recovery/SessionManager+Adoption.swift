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

  /// Finds the records of nodes that sessions were made by, of as many of them as have one. It must come to an end in some
  /// seconds, whatever becomes of the files: a session that was lost waits for it with its recovery.
  public typealias NodeLookup = @Sendable ([SessionSnapshot]) async -> [SessionID: NodeRecord]

  /// Takes up all sessions of the kernel that are not supervised yet.
  ///
  /// A healthy session is left as it is: nothing is asked of the kernel for it, and its I/O has no gap. One that is not
  /// up is recovered, all at the same time; its outage is the one that the registry knows of. What the registry knows of a
  /// session is used as far as the kernel agrees. Others, as those of open-iscsi or of an early boot, are logged in again by
  /// the records of their nodes and what the kernel shows; all records are looked for at once, and what is known without
  /// them does not wait for that.
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
    let new = sessions.filter { session in directory.withLock { $0[session.id] == nil } }
    let isOnRecord = { [registry] (session: SessionSnapshot) in registry?.read(session.id)?.describes(session) == true }
    for session in new where isOnRecord(session) {
      await adopt(session.id, nil, initiator, ports, into: &adoption)
    }
    let others = new.filter { !isOnRecord($0) }
    let nodes = await nodes(of: others)
    // While the records were read, a login may have made one of them known.
    for session in others where directory.withLock({ $0[session.id] == nil }) {
      await adopt(session.id, nodes[session.id], initiator, ports, into: &adoption)
    }
    let present = Set(sessions.map(\.id)).union(directory.withLock { $0.all.compactMap(\.session) })
    for session in recorded where !present.contains(session) { registry?.remove(session) }
    registry?.saveAgain()
    return adoption
  }

  /// The records of sessions' nodes; none of what is of another transport, and cannot be taken up.
  private func nodes(of sessions: [SessionSnapshot]) async -> [SessionID: NodeRecord] {
    let ours = sessions.filter { $0.transport == KernelLink.transport }
    guard let findNodes, !ours.isEmpty else { return [:] }
    return await findNodes(ours)
  }

  private func adopt(
    _ session: SessionID, _ node: NodeRecord?, _ initiator: @Sendable () async -> InitiatorName?,
    _ ports: NetlinkPorts?, into adoption: inout Adoption
  ) async {
    do throws(OperationError.Cause) {
      let (driver, state) = try await adopt(session, by: node, initiator: initiator, beside: ports)
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

  /// Takes up one session that is to stay, by the record of its node if nothing else is known of it.
  func adoptAlone(_ session: SessionID) async throws(OperationError.Cause) -> SessionDriver {
    let found = try look(at: session)
    let isKnown = registry?.read(session)?.describes(found) == true
    return try await adopt(session, by: isKnown ? nil : await nodes(of: [found])[session]).0
  }

  /// Takes up one session.
  ///
  /// - Parameters:
  ///   - session: The kernel's number.
  ///   - node: The record of its node, for what neither registry nor kernel know.
  ///   - initiator: Gives our name, if the kernel does not show it.
  ///   - ports: The programs that talk to the kernel's initiator, as they were after the session had been seen; nil reads
  ///     them when they matter.
  ///   - toRemove: Whether the session is to be removed whatever its state.
  /// - Returns: Its driver, and how it was found.
  /// - Throws: Why it is not ours to drive.
  @discardableResult
  func adopt(
    _ session: SessionID, by node: NodeRecord? = nil, initiator: @Sendable () async -> InitiatorName? = { nil },
    beside ports: NetlinkPorts? = nil, toRemove: Bool = false
  ) async throws(OperationError.Cause) -> (SessionDriver, SessionMachine.AdoptedState) {
    let found = try look(at: session)
    // Requests name the transport by the handle of `tcp`. For a session of another transport the kernel would run
    // the functions of `iscsi_tcp` on that transport's objects.
    guard found.transport == KernelLink.transport else { throw .unsupportedTransport(found.transport) }
    let record = registry?.read(session).flatMap { $0.describes(found) ? $0 : nil }
    let isNamed = record != nil || found.initiatorName != nil || found.host?.initiatorName != nil
    let identity = identity(of: found, record, node, isNamed ? nil : await initiator())
    let driver = SessionDriver(identity, session: session, record: record, in: environment, owner: self)
    guard enter(driver, of: found, owner: record?.owner) else { throw .loginUnderWay }
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
      // Whoever has waited for it looks again, and must not find it.
      await driver.answerWaiters()
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

  /// What the session was logged in to and how: by the registry, or else by the record of its node and the kernel, which
  /// has the last word on what may have been changed on the living session.
  private func identity(
    of session: SessionSnapshot, _ record: SessionRecord?, _ node: NodeRecord?, _ initiator: InitiatorName?
  ) -> SessionDriver.Identity {
    var request = record?.request
    if request == nil {
      request = LoginRequest(
        deriving: session, initiator: initiator, secrets: environment.sysfs.secrets(of: session.id), record: node)
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
    if record == nil, let creator = session.creator, (ports ?? NetlinkPorts())?.hasForeignCreator(creator) != false {
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
