// SPDX-License-Identifier: Apache-2.0

public import SystemPackage

extension KernelSession where Phase == KernelPhase.Unbound {
  /// Makes a session, its SCSI host and its connection.
  ///
  /// - Parameters:
  ///   - link: The link to the kernel; it lives at least as long as the session's value.
  ///   - initialCommandSN: CmdSN of the first login or command.
  ///   - maxCommands: Commands in flight; the kernel takes 16 to 4096, and rounds down to a power of two.
  ///   - queueDepth: Commands in flight a logical unit; 0 means 32.
  ///   - deadline: When to give up.
  /// - Returns: The session, in the phase without a socket.
  /// - Throws: `rejected` with `ENOMEM` for whatever the kernel could not make. Nothing is left behind then. After
  ///   `timedOut` and `overrun` the kernel may have a session of which nobody was told; it is looked for in the
  ///   background, and removed.
  public static func create(
    on link: KernelLink, initialCommandSN: UInt32, maxCommands: UInt16, queueDepth: UInt16,
    until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) -> UnboundKernelSession {
    let newest = link.core.newest
    let reply: KernelReply
    do throws(KernelError) {
      reply = try await link.perform(
        .createSession(initialCommandSN: initialCommandSN, maxCommands: maxCommands, queueDepth: queueDepth),
        until: deadline)
    } catch {
      if error == .timedOut(.createSession) || error == .overrun(.createSession) {
        Task { await link.removeLostSessions(after: newest) }
      }
      throw error
    }
    guard case .sessionCreated(let id, let host) = reply else { throw .unexpectedReply(.createSession) }
    let core = try SessionCore(link: link, id: id, host: host)
    do throws(KernelError) {
      _ = try await core.perform(.createConnection(id, .leading), until: deadline)
    } catch {
      // Nobody else knows of this session. The first error is the one to tell.
      let first = error
      do throws(KernelError) { try await core.destroy(until: KernelLink.defaultDeadline) } catch {
        if !error.isUnknownSession { Task { await link.removeLater(core) } }
      }
      throw first
    }
    return KernelSession(core: core)
  }

  /// Gives the connection a connected TCP socket and sets parameters, in one datagram.
  ///
  /// The kernel keeps a reference of its own: the descriptor stays the caller's, who must not read or write it any more.
  /// What was received and not read before is not looked at until more comes.
  public consuming func bind(
    _ socket: FileDescriptor, parameters: [KernelParameter] = [],
    until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async -> KernelTransition<KernelPhase.Bound> {
    do throws(KernelError) {
      let socket = try DuplicatedSocket(socket)
      let bind = KernelRequest.bindConnection(id, .leading, socket: socket.descriptor)
      try await core.performAll([bind] + core.requests(setting: parameters), keeping: socket, until: deadline)
      return .done(KernelSession<KernelPhase.Bound>(core: core))
    } catch {
      return .failed(KernelSession<KernelPhase.Broken>(core: core), error)
    }
  }
}

extension KernelSession where Phase == KernelPhase.Bound {
  /// Sets parameters and enters the full feature phase, in one datagram. Does not scan for devices.
  public consuming func start(
    _ parameters: [KernelParameter] = [], until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async -> KernelTransition<KernelPhase.Up> {
    do throws(KernelError) {
      let start = KernelRequest.startConnection(id, .leading)
      try await core.performAll(core.requests(setting: parameters) + [start], until: deadline)
      return .done(KernelSession<KernelPhase.Up>(core: core))
    } catch {
      return .failed(KernelSession<KernelPhase.Broken>(core: core), error)
    }
  }
}

extension KernelSession {
  /// The same session as one of which nothing more is known: it can be stopped for recovery or destroyed.
  consuming func asBroken() -> BrokenKernelSession { KernelSession<KernelPhase.Broken>(core: core) }
}

extension KernelSession where Phase == KernelPhase.Up {
  /// Leaves the session to the kernel: I/O goes on without this program. `adopt` takes it up again.
  public consuming func release() {}
}

extension KernelSession where Phase: ConnectedKernelSessionPhase {
  /// Sets parameters, in one datagram. Those that the kernel's transport does not know are passed over.
  public borrowing func set(
    _ parameters: [KernelParameter], until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) {
    try await core.set(parameters, until: deadline)
  }

  /// Sends a PDU that is user space's to send in the phase; the kernel sets CmdSN and the initiator task tag.
  ///
  /// - Parameters:
  ///   - header: 48 octets; DataSegmentLength must be the length of the data.
  ///   - data: Up to 8192 octets, without padding.
  ///   - deadline: When to give up waiting for the kernel to queue it.
  /// - Throws: `invalidArgument` for a PDU that the kernel would not send as it is; `rejected` if it does not queue it.
  public borrowing func send(
    header: [UInt8], data: [UInt8] = [], until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) {
    try Self.check(header: header, data: data)
    if let objection = Phase.objection(to: header[0], hasData: !data.isEmpty) { throw .invalidArgument(objection) }
    try await core.send(.sendPDU(id, .leading, header: header, data: data), until: deadline)
  }

  /// The lengths that the kernel takes on trust.
  private static func check(header: [UInt8], data: [UInt8]) throws(KernelError) {
    guard header.count == 48 else { throw .invalidArgument("a PDU header has 48 octets, not \(header.count)") }
    guard header[4] == 0 else { throw .invalidArgument("the kernel sends no additional header segments") }
    let length = Int(header[5]) << 16 | Int(header[6]) << 8 | Int(header[7])
    guard length == data.count, length <= 8192 else {
      throw .invalidArgument("a PDU of \(data.count) data octets says \(length); the kernel sends up to 8192")
    }
  }
}

extension KernelSession where Phase: StoppableKernelSessionPhase {
  /// Stops the connection for recovery: the kernel lets go of the socket, and commands wait for the next login or for the
  /// recovery timeout. Also what clears the kernel's own stop after a failure. Events from before are dropped.
  public consuming func stopForRecovery(
    until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async -> KernelTransition<KernelPhase.Unbound> {
    do throws(KernelError) {
      _ = try await core.perform(.stopConnection(id, .leading, .recover), until: deadline)
      return .done(KernelSession<KernelPhase.Unbound>(core: core))
    } catch {
      return .failed(KernelSession<KernelPhase.Broken>(core: core), error)
    }
  }

  /// Removes the session's SCSI devices, flushing their caches, and waits for it. Nothing is scanned after that.
  ///
  /// Comes before logout and destruction. With a target that does not answer it takes as long as the SCSI timeouts;
  /// `destroy` breaks it off.
  ///
  /// - Parameters:
  ///   - deadline: When to give up.
  ///   - afterLoss: How long to wait at most once the connection is not up any more; nil makes no difference.
  /// - Throws: `timedOut`, or what the kernel said.
  public borrowing func removeDevices(
    until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline, afterLoss: Duration? = nil
  ) async throws(KernelError) {
    try await core.removeDevices(Patience(until: deadline, afterLoss: afterLoss))
  }
}

extension KernelLink {
  /// The transport whose sessions a link drives.
  static let transport = "tcp"

  /// Takes up a session that is in the kernel already, by what sysfs says of its connection.
  ///
  /// Only a connection that is `up` is known to have a socket and to need none. Anything else is stopped for recovery
  /// before it gets one: who has bound what before is not shown anywhere.
  ///
  /// - Parameters:
  ///   - session: The kernel's number of the session.
  ///   - host: The session's SCSI host.
  ///   - transport: The session's transport, as sysfs shows it. Requests go out with the handle of `tcp`, and the
  ///     kernel does not check that the session is of that transport: it runs the functions of the one on the objects
  ///     of the other, which corrupts its memory.
  ///   - connectionState: The state of the session's connection.
  /// - Returns: The session, in the phase that its connection is in.
  /// - Throws: `alreadyOwned` if a value of this process drives the session, `invalidArgument` for any transport but
  ///   `tcp`.
  public func adopt(
    _ session: SessionID, host: HostNumber, transport: String?, connectionState: KernelConnectionState?
  ) throws(KernelError) -> AdoptedKernelSession {
    guard transport == Self.transport else {
      throw .invalidArgument("session \(session) is of transport \(transport ?? "unknown"), not of \(Self.transport)")
    }
    let core = try SessionCore(link: self, id: session, host: host)
    return connectionState == .up ? .up(KernelSession(core: core)) : .broken(KernelSession(core: core))
  }
}
