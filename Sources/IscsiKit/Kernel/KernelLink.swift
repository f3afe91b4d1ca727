// SPDX-License-Identifier: Apache-2.0

public import SystemPackage

/// The link to the kernel's initiator: one socket, joined to the kernel's event group, and one thread that owns it.
///
/// Both exist from opening to closing. So every request is sent where its answer and the events are received, in one
/// order, and no request can block the kernel for want of a listener. Requests are made through `KernelSession`, whose
/// types keep the order that the kernel does not check.
///
/// Callers never block: all methods suspend, and resume at their deadline even when the kernel holds the thread.
public final class KernelLink: Sendable {
  let core: LinkCore
  /// Where to see what became of a session when the kernel's own word was lost.
  let sysfs: Sysfs
  /// Whether opening the link has loaded the kernel module `iscsi_tcp`.
  public let hasLoadedModule: Bool

  /// What a request may take when its caller has no opinion: 30 seconds from now.
  public static var defaultDeadline: ContinuousClock.Instant { .now + .seconds(30) }

  init(core: LinkCore, sysfs: Sysfs, hasLoadedModule: Bool) {
    self.core = core
    self.sysfs = sysfs
    self.hasLoadedModule = hasLoadedModule
  }

  deinit { core.close() }

  /// Opens the link to the running kernel: loads `iscsi_tcp` if need be, opens the socket, and makes a harmless request.
  ///
  /// - Parameters:
  ///   - root: Where sysfs is mounted.
  ///   - deadline: When to give up.
  /// - Returns: The link, ready for sessions.
  /// - Throws: `KernelError`, which says what is missing: the module, permissions, the right network namespace.
  public static func open(
    sysfs root: FilePath = "/sys", until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) -> KernelLink {
    let (socket, handle, hasLoaded) = try await DedicatedThread.run { () throws(KernelError) in
      let hasLoaded = try TransportModule.load(sysfs: root, until: deadline)
      let handle = try TransportHandle.read(sysfs: root)
      return (try NetlinkSocket(), handle, hasLoaded)
    }
    let core = LinkCore(channel: socket, handle: handle, claims: .kernel)
    return try await open(KernelLink(core: core, sysfs: Sysfs(root: root), hasLoadedModule: hasLoaded), until: deadline)
  }

  /// Opens the link over another channel than the kernel's socket, such as `ScriptedKernel` in tests.
  ///
  /// - Parameters:
  ///   - channel: The way to the kernel.
  ///   - handle: The handle that requests must name.
  ///   - root: The sysfs that belongs to the channel's kernel.
  ///   - deadline: When to give up.
  /// - Returns: The link, ready for sessions.
  /// - Throws: Why the first request failed.
  public static func open(
    channel: any KernelChannel, handle: TransportHandle, sysfs root: FilePath = "/sys",
    until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) -> KernelLink {
    let core = LinkCore(channel: channel, handle: handle, claims: SessionClaims())
    return try await open(KernelLink(core: core, sysfs: Sysfs(root: root), hasLoadedModule: false), until: deadline)
  }

  /// Starts the link's thread and makes the first request.
  static func open(
    _ link: KernelLink, until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) -> KernelLink {
    let core = link.core
    do throws(Errno) {
      try DedicatedThread.start(named: "iscsi-netlink") { core.run() }
    } catch {
      throw .system(.startThread, error)
    }
    try await link.probe(until: deadline)
    return link
  }

  /// Why the link has ended, as soon as it has: `closed`, or what is wrong with its socket. For one task.
  var end: KernelError { get async { await core.ended.value } }

  /// Ends the link: all that wait are resumed with `closed`. Sessions stay in the kernel.
  public func close() { core.close() }

  /// The events of a session from now on, of whoever drives it.
  public func events(for session: SessionID) -> KernelEvents {
    let (ticket, queue) = core.subscribe(to: session)
    return KernelEvents(session: session, queue: queue) { [core] in core.unsubscribe(ticket, from: session) }
  }

  /// The counters of a session's connection, whoever drives it; this socket is in the group that is answered to.
  func statistics(
    of session: SessionID, until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) -> KernelStatistics {
    guard case .statistics(let statistics) = try await perform(.getStatistics(session, .leading), until: deadline)
    else { throw .unexpectedReply(.getStatistics) }
    return statistics
  }

  /// Sets parameters of a session that has a socket, whoever drives it.
  func set(
    _ parameters: [KernelParameter], of session: SessionID,
    until deadline: ContinuousClock.Instant = KernelLink.defaultDeadline
  ) async throws(KernelError) {
    for answer in try await perform(try SessionCore.requests(setting: parameters, of: session), until: deadline) {
      switch answer {
      case .success, .failure(.rejected(.setParameter, .noFunction, by: .interface)): continue
      case .failure(let error): throw error
      }
    }
  }

  /// Makes sure that requests reach the kernel, that this process may make them, and that the handle is right.
  func probe(until deadline: ContinuousClock.Instant) async throws(KernelError) {
    do throws(KernelError) {
      _ = try await perform(.probe, until: deadline)
    } catch .rejected(_, .noFunction, by: .interface) {
      return
    }
  }

  /// Makes one request and returns its answer.
  func perform(
    _ request: KernelRequest, until deadline: ContinuousClock.Instant
  ) async throws(KernelError) -> KernelReply {
    let answers = try await perform([request], until: deadline)
    guard let answer = answers.first else { throw .unexpectedReply(request.type) }
    return try answer.get()
  }

  /// Makes several requests in as few datagrams as possible and returns an answer for each, in order.
  ///
  /// The kernel executes all of them, also those after one that fails. It executes them even if the caller's task is
  /// cancelled, so cancellation does not end the wait.
  ///
  /// - Parameters:
  ///   - requests: What to ask for, in order.
  ///   - socket: The socket that one of them names, to be kept open until the kernel has answered.
  ///   - deadline: When to resume with `timedOut`. What was not sent by then is never sent.
  /// - Returns: An answer for each request.
  /// - Throws: `timedOut`, or why the link has ended.
  func perform(
    _ requests: [KernelRequest], keeping socket: DuplicatedSocket? = nil, until deadline: ContinuousClock.Instant
  ) async throws(KernelError) -> RequestBatch.Answers {
    try await core.perform(requests, keeping: socket, until: deadline)
  }
}
