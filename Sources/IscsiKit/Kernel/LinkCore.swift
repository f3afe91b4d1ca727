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
    /// The sessions that have a `KernelSession` value now.
    var owned: Set<SessionID> = []
    /// Why nothing more is sent; nil while the link works.
    var end: KernelError?
  }

  /// A request that was sent and not answered yet. Known to the thread only.
  private struct Pending {
    let batch: RequestBatch
    let index: Int
    var entry: RequestBatch.Entry { batch.entries[index] }
  }

  private let channel: any KernelChannel
  let handle: TransportHandle
  private let state = Mutex(State())

  init(channel: any KernelChannel, handle: TransportHandle) {
    self.channel = channel
    self.handle = handle
  }

  // MARK: - For callers

  /// Queues a batch for the thread; its caller is resumed by the answers, by `expire`, or by the end of the link.
  func submit(_ batch: RequestBatch) {
    let end = state.withLock { state in
      if state.end == nil { state.outbox.append(batch) }
      return state.end
    }
    if let end { batch.fail(end) } else { channel.wake() }
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

  /// Notes that a value drives the session; false if there is one already.
  func claim(_ session: SessionID) -> Bool {
    state.withLock { $0.owned.insert(session).inserted }
  }

  /// Notes that no value drives the session any more.
  func disclaim(_ session: SessionID) {
    state.withLock { _ = $0.owned.remove(session) }
  }

  // MARK: - The thread

  /// Sends and receives until the link ends. Nobody else touches the channel, so the order in which the kernel queues
  /// events and replies is the order in which they are handled.
  func run() {
    var pending: [Pending] = []
    while true {
      channel.wait()
      let (batches, ended) = state.withLock { state in
        defer { state.outbox = [] }
        return (state.outbox, state.end != nil)
      }
      guard !ended else {
        for batch in batches { batch.fail(.closed) }
        break
      }
      for batch in batches { send(batch, pending: &pending) }
      drain(&pending)
    }
    finish(pending)
  }

  private func send(_ batch: RequestBatch, pending: inout [Pending]) {
    // A batch whose caller has gone before it was sent stays unsent.
    guard batch.claim() else { return }
    for datagram in batch.datagrams {
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
      // The answers are queued by now: taking them at once keeps room for events.
      drain(&pending)
    }
  }

  /// Handles all that is queued.
  private func drain(_ pending: inout [Pending]) {
    var lost = false
    while true {
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
      let isAwaited = request.batch.answer(request.index, with: .success(reply))
      if !isAwaited, case .sessionCreated(let session, _) = reply {
        // Whoever asked for it has given up, and nobody else will ever know of it.
        submit(RequestBatch([.destroySessionAsync(session)], handle: handle))
      }
    } catch {
      request.batch.answer(request.index, with: .failure(error))
    }
  }

  private func handleNotification(_ notification: KernelNotification, pending: inout [Pending]) {
    switch notification {
    case .event(let session, let event):
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
  }
}
