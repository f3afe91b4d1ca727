// SPDX-License-Identifier: Apache-2.0

import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

extension KernelLink {
  /// A link over a scripted kernel that has sessions already.
  static func scripted(sessions: Int = 0) async throws -> (KernelLink, ScriptedKernel) {
    let kernel = ScriptedKernel()
    for _ in 0..<sessions { kernel.addSession(connection: .up) }
    return (try await KernelLink.open(channel: kernel, handle: kernel.handle), kernel)
  }
}

/// Far enough for the slowest machine; no test waits for it unless it fails.
private var soon: ContinuousClock.Instant { .now + .seconds(20) }
/// For requests that are meant to time out.
private var atOnce: ContinuousClock.Instant { .now + .milliseconds(30) }

private let one = SessionID(rawValue: 1)
private let two = SessionID(rawValue: 2)

@Suite(.timeLimit(.minutes(1))) struct `Kernel link` {
  @Test func `A batch is one datagram, answered in order`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    kernel.inject(.refuse(.invalidArgument), into: .setParameter, skip: 1)
    let answers = try await link.perform(
      [
        .setParameter(one, .leading, .fastAbort(true)), .setParameter(one, .leading, .targetPortalGroupTag(1)),
        .getStatistics(one, .leading), .createSession(initialCommandSN: 1, maxCommands: 128, queueDepth: 32),
        .createConnection(two, .leading),
      ], until: soon)
    #expect(answers.count == 5)
    #expect(answers[0] == .success(.done))
    #expect(answers[1] == .failure(.rejected(.setParameter, .invalidArgument, by: .interface)))
    guard case .success(.statistics(let statistics)) = answers[2] else {
      Issue.record("no statistics")
      return
    }
    #expect(statistics.custom == [.init(name: "eh_abort_cnt", value: 7)])
    #expect(answers[3] == .success(.sessionCreated(two, HostNumber(rawValue: 3))))
    #expect(answers[4] == .success(.connectionCreated(two, .leading)))
  }

  @Test func `Requests of many callers each get their own answers`() async throws {
    let (link, kernel) = try await KernelLink.scripted()
    try await withThrowingTaskGroup(of: SessionID.self) { group in
      for number in 0..<64 {
        group.addTask {
          let reply = try await link.perform(
            .createSession(initialCommandSN: UInt32(number), maxCommands: 128, queueDepth: 32), until: soon)
          guard case .sessionCreated(let id, _) = reply else { throw KernelError.unexpectedReply(.createSession) }
          let answers = try await link.perform(
            [.createConnection(id, .leading), .unbindSession(id)], until: soon)
          #expect(answers == [.success(.connectionCreated(id, .leading)), .success(.done)])
          #expect(kernel.sessions[id]?.commandSN == UInt32(number))
          return id
        }
      }
      var all: Set<SessionID> = []
      for try await id in group { all.insert(id) }
      #expect(all.count == 64)
    }
    #expect(kernel.violations.isEmpty)
  }

  @Test func `A lost reply times out, and the next request of its kind gets its own`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 2)
    kernel.inject(.silence, into: .setParameter)
    await #expect(throws: KernelError.timedOut(.setParameter)) {
      // Long enough to be sent in time, however busy the machine is.
      try await link.perform(.setParameter(one, .leading, .fastAbort(true)), until: .now + .seconds(1))
    }
    #expect(try await link.perform(.setParameter(two, .leading, .fastAbort(true)), until: soon) == .done)
  }

  @Test func `A late reply is not taken for another request's`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    // A session whose connection has no socket: the kernel refuses to set its parameters.
    kernel.addSession(connection: .down)
    kernel.inject(.lateReply, into: .setParameter)
    await #expect(throws: KernelError.timedOut(.setParameter)) {
      try await link.perform(.setParameter(one, .leading, .fastAbort(true)), until: atOnce)
    }
    kernel.inject(.lateReply, into: .setParameter)
    let second = Task { try await link.perform(.setParameter(two, .leading, .fastAbort(true)), until: soon) }
    while kernel.requests.filter({ $0.type == .setParameter }).count < 2 { await Task.yield() }
    // The good reply to the first comes before the bad one to the second.
    kernel.releaseReplies()
    await #expect(throws: KernelError.rejected(.setParameter, .socketNotConnected, by: .interface)) {
      try await second.value
    }
    #expect(try await link.perform(.setParameter(one, .leading, .fastAbort(false)), until: soon) == .done)
  }

  @Test func `A reply to a later request says that the replies before it are lost`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    kernel.inject(.silence, into: .setParameter)
    let answers = try await link.perform(
      [.setParameter(one, .leading, .fastAbort(true)), .unbindSession(one)], until: soon)
    #expect(answers == [.failure(.overrun(.setParameter)), .success(.done)])
  }

  @Test func `A deadline passes even while the kernel holds the thread, and what was not sent is not sent later`()
    async throws
  {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    kernel.inject(.stuck, into: .startConnection)
    await #expect(throws: KernelError.timedOut(.startConnection)) {
      try await link.perform(.startConnection(one, .leading), until: atOnce)
    }
    await #expect(throws: KernelError.notSent(.unbindSession)) {
      try await link.perform(.unbindSession(one), until: atOnce)
    }
    kernel.releaseSends()
    #expect(try await link.perform(.setParameter(one, .leading, .fastAbort(true)), until: soon) == .done)
    #expect(kernel.requests.map(\.type) == [.getParameter, .startConnection, .setParameter])
  }

  @Test func `A deadline that has passed sends nothing`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    await #expect(throws: KernelError.notSent(.unbindSession)) {
      try await link.perform(.unbindSession(one), until: .now - .seconds(1))
    }
    #expect(kernel.requests.map(\.type) == [.getParameter])
  }

  @Test func `A caller whose deadline passes before it waits is not left to wait`() async {
    let batch = RequestBatch([.unbindSession(one)], handle: TransportHandle(rawValue: 1))
    batch.expire()
    let result = await withCheckedContinuation { continuation in
      if !batch.install(continuation) { continuation.resume(returning: .failure(.closed)) }
    }
    #expect(result == .failure(.closed))
  }

  @Test func `What has come is read before anything is sent`() async throws {
    let channel = WatchedChannel()
    let link = try await KernelLink.open(channel: channel, handle: channel.kernel.handle)
    let answers = try await link.perform(Array(repeating: .unbindSession(one), count: 700), until: soon)
    #expect(answers.count == 700)
    #expect(channel.kernel.datagramCount > 2)
    #expect(channel.sendsWithoutReading == 0)
  }

  @Test func `What has come is looked for before statistics are asked for, which need room`() async throws {
    let channel = WatchedChannel()
    channel.kernel.addSession(connection: .up)
    let link = try await KernelLink.open(channel: channel, handle: channel.kernel.handle)
    #expect(channel.expectations == 0)
    _ = try await link.perform([.unbindSession(one), .getStatistics(one, .leading)], until: soon)
    #expect(channel.expectations == 1)
  }

  @Test func `Statistics that another program asked for are nobody's`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    kernel.multicast(.getStatistics, words: [], payload: [UInt8](repeating: 0, count: 96))
    #expect(try await link.perform(.unbindSession(one), until: soon) == .done)
  }

  @Test func `Statistics of an unknown session are refused by unicast`() async throws {
    let (link, _) = try await KernelLink.scripted()
    await #expect(throws: KernelError.rejected(.getStatistics, .fileExists, by: .interface)) {
      try await link.perform(.getStatistics(one, .leading), until: soon)
    }
  }

  @Test func `Hostile datagrams change nothing`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    for count in [0, 1, 71, 72, 100] {
      kernel.inject(KernelDatagram(origin: .unicast, octets: [UInt8](repeating: 0xFF, count: count)))
      kernel.inject(KernelDatagram(origin: .multicast, octets: [UInt8](repeating: 0xFF, count: count)))
    }
    #expect(try await link.perform(.unbindSession(one), until: soon) == .done)
  }

  @Test func `Closing ends every wait`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    kernel.inject(.silence, into: .unbindSession)
    let events = link.events(for: one)
    let event = Task { try await events.next(until: soon) }
    let reply = Task { try await link.perform(.unbindSession(one), until: soon) }
    while kernel.requests.last?.type != .unbindSession { await Task.yield() }
    link.close()
    await #expect(throws: KernelError.closed) { try await reply.value }
    await #expect(throws: KernelError.closed) { try await event.value }
    await #expect(throws: KernelError.closed) { try await link.perform(.unbindSession(one), until: soon) }
    for await event in link.events(for: one) { Issue.record("\(event)") }
  }

  @Test func `A socket that fails ends the link with its error`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    let events = link.events(for: one)
    kernel.failReceive(.ioError)
    await #expect(throws: KernelError.closed) { try await events.next(until: soon) }
    await #expect(throws: KernelError.system(.receive, .ioError)) {
      try await link.perform(.unbindSession(one), until: soon)
    }
  }

  @Test func `A link that has failed sends nothing more, and gives the reason`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    kernel.inject(.stuck, into: .startConnection)
    let first = Task { try await link.perform(.startConnection(one, .leading), until: soon) }
    while kernel.datagramCount < 2 { await Task.yield() }
    let batch = RequestBatch([.unbindSession(one)], handle: kernel.handle)
    let result = await withCheckedContinuation { continuation in
      #expect(batch.install(continuation))
      link.core.submit(batch)
      kernel.failReceive(.ioError)
      kernel.releaseSends()
    }
    #expect(result == .failure(.system(.receive, .ioError)))
    #expect(!kernel.requests.contains { $0.type == .unbindSession })
    // An answer that is there is given nevertheless.
    #expect(try await first.value == .done)
  }

  @Test func `A session whose maker has given up is removed, also by a kernel without the asynchronous removal`()
    async throws
  {
    let (link, kernel) = try await KernelLink.scripted()
    kernel.inject(.lateReply, into: .createSession)
    kernel.inject(.refuse(.noFunction), into: .destroySessionAsync)
    let request = KernelRequest.createSession(initialCommandSN: 1, maxCommands: 128, queueDepth: 32)
    let batch = RequestBatch([request], handle: kernel.handle)
    link.core.submit(batch)
    while kernel.sessions.isEmpty { await Task.yield() }
    batch.fail(.timedOut(.createSession))
    kernel.releaseReplies()
    while !kernel.sessions.isEmpty { await Task.yield() }
    #expect(kernel.requests.map(\.type).suffix(2) == [.destroySessionAsync, .destroySession])
  }

  @Test func `A session has one value at a time, over all links to one kernel`() async throws {
    let claims = SessionClaims()
    func link() async throws -> KernelLink {
      let kernel = ScriptedKernel()
      let core = LinkCore(channel: kernel, handle: kernel.handle, claims: claims)
      return try await KernelLink.open(KernelLink(core: core, sysfs: Sysfs(), hasLoadedModule: false))
    }
    let (first, second) = (try await link(), try await link())
    let host = HostNumber(rawValue: 2)
    guard case .up(let up) = try first.adopt(one, host: host, transport: "tcp", connectionState: .up) else {
      Issue.record("not up")
      return
    }
    #expect(throws: KernelError.alreadyOwned(one)) {
      _ = try second.adopt(one, host: host, transport: "tcp", connectionState: .up)
    }
    up.release()
    _ = try second.adopt(one, host: host, transport: "tcp", connectionState: .up)
  }

  @Test func `The thread ends with the last user of the link`() async throws {
    weak var channel: ScriptedKernel?
    do {
      let (link, kernel) = try await KernelLink.scripted(sessions: 1)
      channel = kernel
      _ = try await link.perform(.unbindSession(one), until: soon)
    }
    while channel != nil { await Task.yield() }
  }
}

/// A scripted kernel's channel that notes what is sent while something may wait unread.
private final class WatchedChannel: KernelChannel {
  let kernel = ScriptedKernel()
  let port: UInt32? = nil
  private let state = Mutex((isEmpty: false, sendsWithoutReading: 0, expectations: 0))

  var sendsWithoutReading: Int { state.withLock(\.sendsWithoutReading) }

  var expectations: Int { state.withLock(\.expectations) }

  func expectMore() { state.withLock { $0.expectations += 1 } }

  func send(_ datagram: [UInt8]) throws(Errno) {
    state.withLock { state in
      if !state.isEmpty { state.sendsWithoutReading += 1 }
      state.isEmpty = false
    }
    try kernel.send(datagram)
  }

  func receive() throws(Errno) -> KernelDatagram? {
    let datagram = try kernel.receive()
    state.withLock { $0.isEmpty = datagram == nil }
    return datagram
  }

  func wait() { kernel.wait() }
  func wake() { kernel.wake() }
}

@Suite(.timeLimit(.minutes(1))) struct `Opening the kernel link` {
  @Test(
    arguments: [
      (ScriptedKernel.Fault.refuse(.notPermitted), KernelError.notPermitted(.request, .notPermitted), 13),
      (.sendError(.connectionRefused), .wrongNetworkNamespace, 12),
      (.sendError(.noMemory), .system(.send, .noMemory), 9),
      (.refuse(.invalidArgument), .rejected(.getParameter, .invalidArgument, by: .interface), 9),
    ] as [(ScriptedKernel.Fault, KernelError, UInt8)])
  func `A first request tells why no request can be made`(
    _ fault: ScriptedKernel.Fault, _ error: KernelError, _ status: UInt8
  ) async {
    let kernel = ScriptedKernel()
    kernel.inject(fault, into: .getParameter)
    await #expect(throws: error) { _ = try await KernelLink.open(channel: kernel, handle: kernel.handle) }
    #expect(error.exitStatus.rawValue == status)
  }

  @Test func `A kernel that does not answer is given up`() async {
    let kernel = ScriptedKernel()
    kernel.inject(.silence, into: .getParameter)
    await #expect(throws: KernelError.timedOut(.getParameter)) {
      _ = try await KernelLink.open(channel: kernel, handle: kernel.handle, until: atOnce)
    }
  }

  @Test func `A handle that is not the kernel's is refused`() async {
    await #expect(throws: KernelError.rejected(.getParameter, .invalidArgument, by: .interface)) {
      _ = try await KernelLink.open(channel: ScriptedKernel(), handle: TransportHandle(rawValue: 1))
    }
  }
}
