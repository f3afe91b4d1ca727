// SPDX-License-Identifier: Apache-2.0

import Glibc
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

private var soon: ContinuousClock.Instant { .now + .seconds(20) }
private var atOnce: ContinuousClock.Instant { .now + .milliseconds(30) }

/// A descriptor that can be duplicated; the scripted kernel looks at its number only.
private func anySocket() throws -> FileDescriptor { try FileDescriptor.open(FilePath("/dev/null"), .readWrite) }

/// The value of a step that must succeed.
private func expectDone<Next: KernelSessionPhase>(
  _ transition: consuming KernelTransition<Next>, sourceLocation: SourceLocation = #_sourceLocation
) throws -> KernelSession<Next> {
  switch consume transition {
  case .done(let session): return session
  case .failed(_, let error):
    Issue.record(error, sourceLocation: sourceLocation)
    throw error
  }
}

/// The value and the error of a step that must fail.
private func expectFailed<Next: KernelSessionPhase>(
  _ transition: consuming KernelTransition<Next>, _ expected: KernelError,
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> BrokenKernelSession {
  switch consume transition {
  case .done(let session):
    Issue.record("session \(session.id) went on", sourceLocation: sourceLocation)
    throw KernelError.unexpectedReply(.bindConnection)
  case .failed(let session, let error):
    #expect(error == expected, sourceLocation: sourceLocation)
    return session
  }
}

private func expectGone(_ removal: consuming KernelSessionRemoval, sourceLocation: SourceLocation = #_sourceLocation) {
  if case .failed(_, let error) = removal { Issue.record(error, sourceLocation: sourceLocation) }
}

// Facts that the compiler keeps, each tried by hand to give an error:
// - `UnboundKernelSession` has no `start`, `send`, `set` or `stopForRecovery`; `BoundKernelSession` has no `bind`;
//   `UpKernelSession` has no `bind` or `start`; `BrokenKernelSession` has no `bind`, `start`, `send` or `set`.
// - A value is consumed by its step: a second `bind` on it is "consumed more than once".
// - No value can be made from outside but by `create`, by `adopt` and by a step.
@Suite(.timeLimit(.minutes(1))) struct `Kernel session` {
  let kernel = ScriptedKernel()
  let link: KernelLink

  init() async throws { link = try await KernelLink.open(channel: kernel, handle: kernel.handle) }

  private func makeUnbound() async throws -> UnboundKernelSession {
    try await UnboundKernelSession.create(on: link, initialCommandSN: 1, maxCommands: 128, queueDepth: 32, until: soon)
  }

  private func makeBound() async throws -> BoundKernelSession {
    let socket = try anySocket()
    defer { try? socket.close() }
    return try expectDone(await makeUnbound().bind(socket, until: soon))
  }

  private func makeUp() async throws -> UpKernelSession {
    try expectDone(await makeBound().start(until: soon))
  }

  @Test func `A login, a recovery and a teardown are the requests that the kernel wants`() async throws {
    let socket = try anySocket()
    defer { try? socket.close() }
    let unbound = try await makeUnbound()
    #expect(unbound.id == SessionID(rawValue: 1))
    #expect(unbound.host == HostNumber(rawValue: 2))
    let bound = try expectDone(
      await unbound.bind(socket, parameters: [.targetName("iqn.x"), .recoveryTimeout(.seconds(120))], until: soon))
    let up = try expectDone(await bound.start([.headerDigest(.crc32c), .expStatSN(2)], until: soon))
    #expect(kernel.sessions[up.id]?.connection == .up)
    #expect(kernel.sessions[up.id]?.parameters == [15: "iqn.x", 19: "120", 2: "1", 14: "2"])

    let events = up.events
    kernel.failConnection(of: up.id)
    #expect(try await events.next(until: soon) == .connectionFailed(.connectionClosed))
    let again = try expectDone(await up.stopForRecovery(until: soon))
    let boundAgain = try expectDone(await again.bind(socket, until: soon))
    let upAgain = try expectDone(await boundAgain.start(until: soon))
    try await upAgain.removeDevices(until: soon)
    expectGone(await upAgain.destroy(until: soon))

    #expect(kernel.sessions.isEmpty)
    #expect(kernel.violations.isEmpty)
    #expect(
      kernel.requests.dropFirst().map(\.type) == [
        .createSession, .createConnection, .bindConnection, .setParameter, .setParameter, .setParameter,
        .setParameter, .startConnection, .stopConnection, .bindConnection, .startConnection, .unbindSession,
        .stopConnection, .stopConnection, .destroyConnection, .destroySessionAsync,
      ])
    #expect(kernel.requests.filter { $0.type == .stopConnection }.map(\.stopFlag) == [3, 3, 1])
  }

  @Test func `The socket that is bound is a duplicate, open until the kernel has answered`() async throws {
    let socket = try anySocket()
    defer { try? socket.close() }
    let unbound = try await makeUnbound()
    let id = unbound.id
    _ = try expectDone(await unbound.bind(socket, until: soon))
    let bound = try #require(kernel.sessions[id]?.socket)
    #expect(bound != socket.rawValue)
    #expect(fcntl(socket.rawValue, F_GETFD) >= 0)
  }

  @Test func `A login in the kernel exchanges PDUs with the target`() async throws {
    kernel.answerPDUs { _, request in
      // A Login Response that gives back the request's data and CmdSN.
      var header = [UInt8](repeating: 0, count: 48)
      header[0] = 0x23
      header.replaceSubrange(28..<32, with: request.header[24..<28])
      return [ScriptedPDU(header: header, data: request.data + [0])]
    }
    let bound = try await makeBound()
    var header = [UInt8](repeating: 0, count: 48)
    header[0] = 0x43
    let pdu = ScriptedPDU(header: header, data: Array("InitiatorName=iqn.x".utf8))
    let events = bound.events
    try await bound.send(header: pdu.header, data: pdu.data, until: soon)
    guard case .received(let answer, let data)? = try await events.next(until: soon) else {
      Issue.record("no PDU")
      return
    }
    #expect(answer[0] == 0x23)
    #expect(Array(answer[28..<32]) == [0, 0, 0, 1])
    #expect(data == pdu.data + [0])
  }

  /// First octet, DataSegmentLength and data, and whether the phase lets it out.
  @Test(
    arguments: [
      (0x43, 0, 0, true, false), (0x04, 3, 3, true, false), (0x44, 3, 3, true, true), (0x46, 0, 0, false, true),
      (0x40, 0, 0, false, true), (0x42, 0, 0, false, true), (0x06, 0, 0, false, false), (0x46, 3, 3, false, false),
      (0x41, 0, 0, false, false), (0x43, 4, 3, false, false), (0x43, 8193, 8193, false, false),
      (0x43, 8192, 8192, true, false),
    ] as [(UInt8, Int, Int, Bool, Bool)])
  func `Only PDUs that the kernel sends in a phase leave`(
    _ first: UInt8, _ length: Int, _ count: Int, _ whenBound: Bool, _ whenUp: Bool
  ) async throws {
    var header = [UInt8](repeating: 0, count: 48)
    header.replaceSubrange(0..<8, with: [first, 0x80, 0, 0, 0, 0, UInt8(length >> 8), UInt8(length & 0xFF)])
    let data = [UInt8](repeating: 0, count: count)
    let bound = try await makeBound()
    let sentWhenBound = (try? await bound.send(header: header, data: data, until: soon)) != nil
    #expect(sentWhenBound == whenBound)
    let up = try expectDone(await bound.start(until: soon))
    let sentWhenUp = (try? await up.send(header: header, data: data, until: soon)) != nil
    #expect(sentWhenUp == whenUp)
    #expect(kernel.violations.isEmpty)
    #expect(kernel.requests.filter { $0.type == .sendPDU }.count == (whenBound ? 1 : 0) + (whenUp ? 1 : 0))
  }

  @Test(arguments: [0, 47, 49]) func `A header has 48 octets`(_ count: Int) async throws {
    let bound = try await makeBound()
    await #expect(throws: KernelError.invalidArgument("a PDU header has 48 octets, not \(count)")) {
      try await bound.send(header: [UInt8](repeating: 0, count: count), data: [], until: soon)
    }
  }

  @Test func `A PDU that the transport refuses is not a lack of permission`() async throws {
    let bound = try await makeBound()
    for _ in 0..<10 { kernel.inject(.returnCode(.notPermitted), into: .sendPDU) }
    var header = [UInt8](repeating: 0, count: 48)
    header[0] = 0x43
    await #expect(throws: KernelError.rejected(.sendPDU, .notPermitted, by: .transport)) {
      try await bound.send(header: header, data: [], until: soon)
    }
  }

  @Test func `A PDU that comes before the kernel is done with the last one is sent again`() async throws {
    let bound = try await makeBound()
    for _ in 0..<3 { kernel.inject(.returnCode(.notPermitted), into: .sendPDU) }
    var header = [UInt8](repeating: 0, count: 48)
    header[0] = 0x43
    try await bound.send(header: header, data: [], until: soon)
    #expect(kernel.requests.filter { $0.type == .sendPDU }.count == 4)
  }

  @Test(arguments: [
    (
      ScriptedKernel.Fault.returnCode(.socketNotConnected),
      KernelError.rejected(.bindConnection, .socketNotConnected, by: .transport)
    ),
    (.refuse(.invalidArgument), .rejected(.bindConnection, .invalidArgument, by: .interface)),
    (.overrun, .overrun(.bindConnection)), (.sendError(.noMemory), .system(.send, .noMemory)),
  ])
  func `A bind that fails leaves a session that must be stopped first`(
    _ fault: ScriptedKernel.Fault, _ error: KernelError
  ) async throws {
    let socket = try anySocket()
    defer { try? socket.close() }
    kernel.inject(fault, into: .bindConnection)
    let broken = try expectFailed(
      await makeUnbound().bind(socket, parameters: [.fastAbort(true)], until: soon), error)
    let unbound = try expectDone(await broken.stopForRecovery(until: soon))
    let bound = try expectDone(await unbound.bind(socket, until: soon))
    expectGone(await bound.destroy(until: soon))
    #expect(kernel.violations.isEmpty)
  }

  @Test func `A bind whose answer does not come may have been done`() async throws {
    let socket = try anySocket()
    defer { try? socket.close() }
    kernel.inject(.silence, into: .bindConnection)
    let broken = try expectFailed(await makeUnbound().bind(socket, until: atOnce), .timedOut(.bindConnection))
    let unbound = try expectDone(await broken.stopForRecovery(until: soon))
    _ = try expectDone(await unbound.bind(socket, until: soon))
    #expect(kernel.violations.isEmpty)
  }

  @Test func `A start that the transport refuses leaves a broken session`() async throws {
    let broken = try expectFailed(
      await makeBound().start([.immediateData(true), .firstBurstLength(2), .maxBurstLength(1)], until: soon),
      .rejected(.startConnection, .invalidArgument, by: .transport))
    expectGone(await broken.destroy(until: soon))
  }

  @Test func `A parameter that the transport does not know is passed over`() async throws {
    kernel.inject(.refuse(.noFunction), into: .setParameter)
    let socket = try anySocket()
    defer { try? socket.close() }
    let bound = try expectDone(
      await makeUnbound().bind(socket, parameters: [.localAddress("::1"), .fastAbort(true)], until: soon))
    #expect(kernel.sessions[bound.id]?.parameters == [26: "1"])
  }

  @Test func `A parameter that the transport refuses is an error`() async throws {
    _ = try expectFailed(
      await makeBound().start([.maxOutstandingR2T(3)], until: soon),
      .rejected(.setParameter, .invalidArgument, by: .interface))
  }

  @Test func `A text that the kernel would cut is not sent`() async throws {
    let bound = try await makeBound()
    await #expect(throws: KernelError.self) { try await bound.set([.targetName("a\0b")], until: soon) }
    await #expect(throws: KernelError.self) { try await bound.setHostParameter(.networkDevice("e\0"), until: soon) }
    #expect(!kernel.requests.contains { $0.type == .setParameter || $0.type == .setHostParameter })
  }

  @Test func `Statistics and host parameters can be had in every phase`() async throws {
    kernel.setSCSICommands(66)
    let unbound = try await makeUnbound()
    #expect(try await unbound.statistics(until: soon).scsiCommands == 66)
    try await unbound.setHostParameter(.networkDevice("eth0"), until: soon)
    #expect(kernel.requests.last?.text == "eth0")
  }

  @Test func `Device removal waits for the event, and asks once`() async throws {
    let up = try await makeUp()
    try await up.removeDevices(until: soon)
    try await up.removeDevices(until: soon)
    #expect(kernel.requests.filter { $0.type == .unbindSession }.count == 1)
  }

  @Test func `Device removal without an event times out, and destruction goes on`() async throws {
    let up = try await makeUp()
    kernel.inject(.withoutEvent, into: .unbindSession)
    await #expect(throws: KernelError.timedOut(.unbindSession)) { try await up.removeDevices(until: atOnce) }
    expectGone(await up.destroy(until: soon))
    #expect(kernel.sessions.isEmpty)
  }

  @Test func `A kernel without the asynchronous destruction is asked for the other`() async throws {
    kernel.inject(.refuse(.noFunction), into: .destroySessionAsync)
    expectGone(await (try await makeUp()).destroy(until: soon))
    #expect(kernel.sessions.isEmpty)
    #expect(kernel.requests.last?.type == .destroySession)
  }

  @Test func `A destruction that fails gives the session back`() async throws {
    kernel.inject(.refuse(.invalidArgument), into: .destroyConnection)
    switch await (try await makeUp()).destroy(until: soon) {
    case .done: Issue.record("the session still has a connection")
    case .failed(let broken, let error):
      #expect(error == .rejected(.destroySessionAsync, .resourceBusy, by: .interface))
      expectGone(await broken.destroy(until: soon))
    }
    #expect(kernel.sessions.isEmpty)
  }

  @Test func `A session whose connection cannot be made is removed again`() async throws {
    kernel.inject(.refuse(.noMemory), into: .createConnection)
    await #expect(throws: KernelError.rejected(.createConnection, .noMemory, by: .interface)) {
      _ = try await makeUnbound()
    }
    #expect(kernel.sessions.isEmpty)
  }

  @Test func `Such a session is removed later if it cannot be at once`() async throws {
    kernel.inject(.refuse(.noMemory), into: .createConnection)
    kernel.inject(.refuse(.resourceBusy), into: .destroySessionAsync)
    await #expect(throws: KernelError.rejected(.createConnection, .noMemory, by: .interface)) {
      _ = try await makeUnbound()
    }
    #expect(await eventually { kernel.sessions.isEmpty })
  }

  @Test func `A queue of less than 16 commands is refused by the kernel`() async throws {
    await #expect(throws: KernelError.rejected(.createSession, .noMemory, by: .interface)) {
      _ = try await UnboundKernelSession.create(on: link, initialCommandSN: 1, maxCommands: 15, queueDepth: 32)
    }
  }

  @Test func `A released session stays and can be adopted`() async throws {
    let up = try await makeUp()
    let (id, host) = (up.id, up.host)
    up.release()
    guard case .up(let adopted) = try link.adopt(id, host: host, transport: "tcp", connectionState: .up) else {
      Issue.record("not up")
      return
    }
    _ = try await adopted.statistics(until: soon)
    expectGone(await adopted.destroy(until: soon))
    #expect(kernel.violations.isEmpty)
  }

  @Test(arguments: [KernelConnectionState.bound, .failed, .down, nil])
  func `A session that is found in another state is stopped before it gets a socket`(
    _ state: KernelConnectionState?
  ) async throws {
    let id = kernel.addSession(connection: state ?? .bound)
    let socket = try anySocket()
    defer { try? socket.close() }
    switch try link.adopt(id, host: HostNumber(rawValue: 2), transport: "tcp", connectionState: state) {
    case .up: Issue.record("up")
    case .broken(let broken):
      let unbound = try expectDone(await broken.stopForRecovery(until: soon))
      let bound = try expectDone(await unbound.bind(socket, until: soon))
      _ = try expectDone(await bound.start(until: soon))
    }
    #expect(kernel.violations.isEmpty)
  }

  @Test func `A session has one value at a time`() async throws {
    let up = try await makeUp()
    let (id, host) = (up.id, up.host)
    #expect(throws: KernelError.alreadyOwned(id)) {
      _ = try link.adopt(id, host: host, transport: "tcp", connectionState: .failed)
    }
    up.release()
    _ = try link.adopt(id, host: host, transport: "tcp", connectionState: .up)
  }

  @Test(arguments: ["iser", "qla4xxx", nil])
  func `A session of another transport is not taken up`(_ transport: String?) throws {
    let id = kernel.addSession(connection: .up)
    let error = KernelError.invalidArgument("session \(id) is of transport \(transport ?? "unknown"), not of tcp")
    #expect(throws: error) {
      _ = try link.adopt(id, host: HostNumber(rawValue: 2), transport: transport, connectionState: .up)
    }
  }

  @Test func `Sixty-four sessions at once get their own sockets and answers`() async throws {
    let socket = try anySocket()
    defer { try? socket.close() }
    let link = link
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<64 {
        group.addTask {
          let unbound = try await UnboundKernelSession.create(
            on: link, initialCommandSN: UInt32(number), maxCommands: 128, queueDepth: 32, until: soon)
          let bound = try expectDone(
            await unbound.bind(socket, parameters: [.persistentPort(UInt16(number))], until: soon))
          let up = try expectDone(await bound.start([.expStatSN(UInt32(number))], until: soon))
          try await up.removeDevices(until: soon)
          expectGone(await up.destroy(until: soon))
        }
      }
      try await group.waitForAll()
    }
    #expect(kernel.sessions.isEmpty)
    #expect(kernel.violations.isEmpty)
  }
}
