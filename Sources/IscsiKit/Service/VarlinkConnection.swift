// SPDX-License-Identifier: Apache-2.0

/// The server's end of one connection: takes requests in order and answers each before the next.
struct VarlinkConnection: Sendable {
  /// How long what is on its way out may take after the server was closed.
  private static let farewell = Duration.seconds(5)

  private let socket: LocalSocket
  private let peer: UnixPeer
  private let router: VarlinkRouter
  private let limits: VarlinkServer.Limits
  private let rates: VarlinkRates
  private let outbox: VarlinkOutbox

  init(
    _ socket: LocalSocket, peer: UnixPeer, router: VarlinkRouter, limits: VarlinkServer.Limits, rates: VarlinkRates
  ) {
    self.socket = socket
    self.peer = peer
    self.router = router
    self.limits = limits
    self.rates = rates
    outbox = VarlinkOutbox(socket, stall: limits.stall, limit: 2 * limits.replySize)
  }

  /// Serves until the client hangs up, breaks the protocol or a limit, or the task is cancelled.
  func run() async {
    await withTaskCancellationHandler {
      await serve()
    } onCancel: {
      // Writes go on in spite of a cancellation, so that the last reply gets out, but not for long.
      let socket = socket
      _ = Reactor.shared.schedule(at: .now + Self.farewell) { socket.shutdown() }
    }
    socket.shutdown()
  }

  private func serve() async {
    var buffer = VarlinkMessageBuffer(limit: limits.requestSize)
    var bucket = TokenBucket(burst: limits.requestBurst, perSecond: limits.requestsPerSecond, at: .now)
    while let message = await nextMessage(&buffer) {
      while let again = bucket.take(at: .now) {
        guard (try? await Reactor.shared.sleep(until: again)) != nil else { return }
      }
      while let again = rates.take(peer.userID, at: .now) {
        guard (try? await Reactor.shared.sleep(until: again)) != nil else { return }
      }
      // There is no reply to what is no request: who sends it does not speak Varlink.
      guard let request = VarlinkRequest(message), await handle(request) else { return }
    }
  }

  /// The next message; nil when there will be none.
  private func nextMessage(_ buffer: inout VarlinkMessageBuffer) async -> [UInt8]? {
    // A message that has begun must end in time, however little of it comes at once.
    var deadline: ContinuousClock.Instant?
    do {
      while true {
        if Task.isCancelled { return nil }
        if let message = try buffer.next() { return message }
        if buffer.hasPartialMessage { deadline = deadline ?? .now + limits.stall }
        let octets = try await socket.read(upTo: 65_536, until: deadline)
        guard !octets.isEmpty else { return nil }
        buffer.append(octets)
      }
    } catch {
      return nil
    }
  }

  /// Answers a request; false if the connection is at its end.
  private func handle(_ request: VarlinkRequest) async -> Bool {
    switch router.route(request) {
    case .refused(let reply):
      return request.oneway ? true : await send(reply, of: outbox.begin())
    case .to(let service) where request.oneway:
      // Nobody waits for the end, so a client that hangs up does not mean to stop the call.
      _ = await service.call(call(of: request) { (_) throws(VarlinkSendError) in throw .ended })
      return true
    case .to(let service):
      let ticket = outbox.begin()
      let call = call(of: request) { [self] (parameters) throws(VarlinkSendError) in
        try await send(intermediate: parameters, of: ticket)
      }
      guard let reply = await answer(call, by: service) else {
        outbox.end(ticket)
        return false
      }
      return await send(reply, of: ticket)
    }
  }

  private func call(
    of request: VarlinkRequest, sender: @escaping @Sendable (JSONValue) async throws(VarlinkSendError) -> Void
  ) -> VarlinkCall {
    VarlinkCall(
      method: request.name, parameters: request.parameters, peer: peer, wantsMore: request.more && !request.oneway,
      sender: sender)
  }

  private enum Event: Sendable {
    case reply(VarlinkReply)
    case hangUp
    /// The wait for the client's hang-up has ended without one.
    case unwatched
  }

  /// The service's reply; nil if the client has hung up meanwhile, which cancels the call.
  private func answer(_ call: VarlinkCall, by service: any VarlinkService) async -> VarlinkReply? {
    await withTaskGroup(of: Event.self) { group in
      group.addTask { .reply(await service.call(call)) }
      group.addTask {
        do throws(LocalSocketError) {
          try await socket.waitForHangUp()
          return .hangUp
        } catch {
          return .unwatched
        }
      }
      var reply: VarlinkReply?
      var isGone = false
      for await event in group {
        switch event {
        case .reply(let value):
          reply = value
          group.cancelAll()
        case .hangUp:
          isGone = true
          group.cancelAll()
        case .unwatched: break
        }
      }
      return isGone ? nil : reply
    }
  }

  private func send(_ reply: VarlinkReply, of ticket: VarlinkOutbox.Ticket) async -> Bool {
    let message = Self.encode(reply, limit: limits.replySize)
    return await outbox.send(message, of: ticket, isLast: true)
  }

  private func send(
    intermediate parameters: JSONValue, of ticket: VarlinkOutbox.Ticket
  ) async throws(VarlinkSendError) {
    guard let message = try? VarlinkReply.encodedIntermediate(parameters), message.count <= limits.replySize else {
      throw .unsayable
    }
    guard !Task.isCancelled, await outbox.send(message, of: ticket, isLast: false) else { throw .ended }
  }

  /// The message of a reply, or of the error that it cannot be said.
  static func encode(_ reply: VarlinkReply, limit: Int) -> [UInt8] {
    let reason: String
    do throws(JSONTextError) {
      let message = try reply.encoded()
      if message.count <= limit { return message }
      reason = "the reply is too large"
    } catch {
      reason = "\(error)"
    }
    let failure = VarlinkReply.failure(name: VarlinkErrorName.internal, parameters: ["reason": .string(reason)])
    return (try? failure.encoded()) ?? []
  }
}
