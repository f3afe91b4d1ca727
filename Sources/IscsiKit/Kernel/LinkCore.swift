// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import SystemPackage

/// The shared half of a link: what callers put in and what its thread gives out.
///
/// The thread keeps the core alive, and `KernelLink` ends the thread when the last user has gone.
final class LinkCore: Sendable {
  private struct State {
    /// Not sent yet.
    var outbox: [RequestBatch] = []
    /// Who listens, by session: an event costs one look-up however many sessions there are.
    var subscribers: [SessionID: [(ticket: UInt64, queue: EventQueue)]] = [:]
    var lastTicket: UInt64 = 0
    /// Why nothing more is sent; nil while the link works.
    var end: KernelError?
    /// The sessions that this link has made and whose number it was told, until they are gone.
    var made: Set<SessionID> = []
    /// The highest number of a session that was heard of, whoever made it: the kernel counts up and uses none again.
    var newest = SessionID(rawValue: 0)

    mutating func hasHeard(of session: SessionID) {
      if session.rawValue > newest.rawValue { newest = session }
    }
  }

  /// A request that was sent and not answered yet. Known to the thread only.
  private struct Pending {
    let batch: RequestBatch
    let index: Int
    var entry: RequestBatch.Entry { batch.entries[index] }
  }

  private let channel: any KernelChannel
  let handle: TransportHandle
  /// The sessions of this kernel that have a `KernelSession` value now.
  let claims: SessionClaims
  private let state = Mutex(State())
  /// Why the thread has ended.
  let ended = OneShot<KernelError>()

  init(channel: any KernelChannel, handle: TransportHandle, claims: SessionClaims) {
    self.channel = channel
    self.handle = handle
    self.claims = claims
  }

  // MARK: - For callers

  /// Queues a batch for the thread; its caller is resumed by the answers, by `expire`, or by the end of the link.
  func submit(_ batch: RequestBatch) {
    let (end, isFirst) = state.withLock { state in
      if state.end == nil { state.outbox.append(batch) }
      return (state.end, state.outbox.count == 1)
    }
    // The thread takes all that there is whenever it is awake: others have woken it for what lies before this.
    if let end { batch.fail(end) } else if isFirst { channel.wake() }
  }

  /// Ends the link. Idempotent.
  func close() {
    state.withLock { if $0.end == nil { $0.end = .closed } }
    channel.wake()
  }

  /// Adds a subscriber to the events of a session.
  func subscribe(to session: SessionID) -> (ticket: UInt64, queue: EventQueue) {
    let queue = EventQueue()
    let (ticket, ended) = state.withLock { state in
      state.lastTicket += 1
      state.subscribers[session, default: []].append((state.lastTicket, queue))
      return (state.lastTicket, state.end != nil)
    }
    if ended { queue.close() }
    return (ticket, queue)
  }

  /// Removes a subscriber.
  func unsubscribe(_ ticket: UInt64, from session: SessionID) {
    state.withLock { state in
      state.subscribers[session]?.removeAll { $0.ticket == ticket }
      if state.subscribers[session]?.isEmpty == true { state.subscribers[session] = nil }
    }
  }

  /// How many subscribers a session has.
  func subscriberCount(of session: SessionID) -> Int { state.withLock { $0.subscribers[session]?.count ?? 0 } }

  /// The port of the link's socket.
  var port: UInt32? { channel.port }

  /// The highest number of a session that was heard of.
  var newest: SessionID { state.withLock(\.newest) }

  /// Whether this process has made a session and knows of it, or drives it.
  func knows(_ session: SessionID) -> Bool {
    state.withLock { $0.made.contains(session) } || claims.has(session)
  }

  /// Makes several requests and returns an answer for each; see `KernelLink`, whose work this is.
  func perform(
    _ requests: [KernelRequest], keeping socket: DuplicatedSocket? = nil, until deadline: ContinuousClock.Instant
  ) async throws(KernelError) -> RequestBatch.Answers {
    guard let first = requests.first else { return [] }
    guard deadline > .now else { throw .notSent(first.type) }
    let batch = RequestBatch(requests, handle: handle, socket: socket)
    // Not the link's thread: it may be held by the kernel just then.
    let timer = Reactor.shared.schedule(at: deadline) { batch.expire() }
    defer { timer.cancel() }
    let result = await withCheckedContinuation { continuation in
      guard batch.install(continuation) else {
        return continuation.resume(returning: .failure(.notSent(first.type)))
      }
      submit(batch)
    }
    return try result.get()
  }

  /// Asks for the removal of a session, after the requests that it needs before, in one datagram.
  ///
  /// - Returns: Whether the session is still to go, which an event will tell; false if it is gone.
  func destroySession(
    _ session: SessionID, after requests: [KernelRequest] = [], until deadline: ContinuousClock.Instant
  ) async throws(KernelError) -> Bool {
    // There may be no connection to stop or destroy: only the session's own answer counts.
    switch try await perform(requests + [.destroySessionAsync(session)], until: deadline).last {
    case .success?:
      return true
    case .failure(.rejected(_, .noFunction, by: .interface))?:
      // Before Linux 5.7 there is only the request that waits.
      _ = try await perform([.destroySession(session)], until: deadline).first?.get()
      return false
    case .failure(let error)?:
      throw error
    case nil:
      throw .unexpectedReply(.destroySessionAsync)
    }
  }

  // MARK: - The thread

  /// Sends and receives until the link ends. Nobody else touches the channel, so the order in which the kernel queues
  /// events and replies is the order in which they are handled.
  func run() {
    var pending: [Pending] = []
    while end == nil {
      channel.wait()
      while let batch = nextBatch() { send(batch, pending: &pending) }
      // Targets that send without end must not keep requests waiting.
      drain(&pending, atMost: 256)
    }
    finish(pending)
  }

  /// Why nothing more is sent; nil while the link works.
  private var end: KernelError? { state.withLock(\.end) }

  /// Takes the oldest batch that was not sent. There is none when the link has ended: `finish` has the rest.
  private func nextBatch() -> RequestBatch? {
    state.withLock { $0.end == nil && !$0.outbox.isEmpty ? $0.outbox.removeFirst() : nil }
  }

  private func send(_ batch: RequestBatch, pending: inout [Pending]) {
    // A batch whose caller has gone before it was sent stays unsent.
    guard batch.claim() else { return }
    for datagram in batch.datagrams {
      // With a full receive buffer the kernel would try to multicast the answer to GET_STATS for ever, and hold up every
      // iSCSI request of the machine with it.
      if batch.entries[datagram.entries].contains(where: { $0.type == .getStatistics }) { channel.expectMore() }
      drain(&pending)
      if let end { return batch.fail(end) }
      pending.append(contentsOf: datagram.entries.map { Pending(batch: batch, index: $0) })
      do throws(Errno) {
        try channel.send(datagram.octets)
      } catch {
        pending.removeLast(datagram.entries.count)
        let failure: KernelError =
          // Only the first network namespace has a kernel side.
          error == .connectionRefused ? .wrongNetworkNamespace : .system(.send, error)
        for index in datagram.entries { batch.answer(index, with: .failure(failure)) }
      }
    }
    // The answers are queued by now: taking them at once keeps room for events.
    drain(&pending)
  }

  /// Handles what is queued, but no more messages than this: the default is more than the buffer has.
  private func drain(_ pending: inout [Pending], atMost limit: Int = 1 << 16) {
    var lost = false
    for _ in 0..<limit {
      do throws(Errno) {
        guard let datagram = try channel.receive() else { break }
        handle(datagram, pending: &pending)
      } catch {
        if error == .noBufferSpace {
          lost = true
        } else if error != .interrupted {
          fail(.system(.receive, error))
          break
        }
      }
    }
    guard lost else { return }
    // Every request that was sent is executed, so an answer that is not here by now never comes.
    for request in pending {
      request.batch.answer(request.index, with: .failure(.overrun(request.entry.type)))
    }
    pending = []
    for queue in allQueues() { queue.post(.overrun) }
  }

  private func handle(_ datagram: KernelDatagram, pending: inout [Pending]) {
    for message in KernelMessage.messages(in: datagram.octets) {
      switch datagram.origin {
      case .unicast: handleReply(message, pending: &pending)
      case .multicast: handleNotification(KernelNotification(message), pending: &pending)
      }
    }
  }

  /// Gives a reply to its request.
  ///
  /// Replies come in the order of the requests. Those that were sent before this one and have no reply have lost it. A
  /// reply that fits no request is not for us to guess about.
  private func handleReply(_ message: KernelMessage, pending: inout [Pending]) {
    let echo = message.echo
    guard let position = pending.firstIndex(where: { $0.entry.type == message.headerType && $0.entry.echo == echo })
    else { return }
    for request in pending[..<position] {
      request.batch.answer(request.index, with: .failure(.overrun(request.entry.type)))
    }
    let request = pending[position]
    pending.removeSubrange(...position)
    do throws(KernelError) {
      let reply = try KernelReply(message)
      if request.entry.type == .stopConnection, let session = request.entry.session {
        // Before the caller resumes: all that is queued for this session is about the connection that ended here.
        for queue in queues(for: session) { queue.dropConnectionEvents() }
      }
      if case .sessionCreated(let session, _) = reply {
        // Before the caller resumes, and makes use of it.
        state.withLock { state in
          state.hasHeard(of: session)
          state.made.insert(session)
        }
      }
      let isAwaited = request.batch.answer(request.index, with: .success(reply))
      if !isAwaited, case .sessionCreated(let session, _) = reply {
        // Whoever asked for it has given up, and nobody else will ever know of it. What looks for lost sessions removes it too,
        // should this fail.
        state.withLock { _ = $0.made.remove(session) }
        Task { try? await destroySession(session, until: KernelLink.defaultDeadline) }
      }
    } catch {
      request.batch.answer(request.index, with: .failure(error))
    }
  }

  private func handleNotification(_ notification: KernelNotification, pending: inout [Pending]) {
    switch notification {
    case .event(let session, let event):
      switch event {
      case .sessionCreated: state.withLock { $0.hasHeard(of: session) }
      case .sessionDestroyed: state.withLock { _ = $0.made.remove(session) }
      default: break
      }
      for queue in queues(for: session) { queue.post(event) }
    case .statistics(let session, _, let statistics):
      // The counters are the same whoever asked for them.
      guard
        let position = pending.firstIndex(where: { $0.entry.type == .getStatistics && $0.entry.session == session })
      else { return }
      let request = pending.remove(at: position)
      request.batch.answer(request.index, with: .success(.statistics(statistics)))
    case .host, .malformed, .unknown:
      // Nothing of a session of this transport.
      return
    }
  }

  private func queues(for session: SessionID) -> [EventQueue] {
    state.withLock { $0.subscribers[session]?.map(\.queue) ?? [] }
  }

  private func allQueues() -> [EventQueue] {
    state.withLock { $0.subscribers.values.flatMap { $0.map(\.queue) } }
  }

  /// Ends the link because its socket is of no use any more.
  private func fail(_ error: KernelError) {
    state.withLock { $0.end = $0.end ?? error }
    // The thread must not wait for a socket that reports the same error for ever.
    channel.wake()
  }

  private func finish(_ pending: [Pending]) {
    let (end, outbox) = state.withLock { state in
      defer { state.outbox = [] }
      return (state.end ?? .closed, state.outbox)
    }
    for request in pending { request.batch.fail(end) }
    for batch in outbox { batch.fail(end) }
    for queue in allQueues() { queue.close() }
    ended.resolve(end)
  }
}
