// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import Testing

@testable import IscsiKit

/// A manager that is kept, so that it supervises what it has logged in.
final class SupervisedFixture {
  let base: SessionFixture
  let manager: SessionManager
  private let seen = SeenEvents()
  private let reading: Task<Void, Never>
  var kernel: ScriptedKernel { base.kernel }

  /// A fixture in which each connection gets a target of its own, which may go by the number of the login.
  init(
    peers: Int = 1, connections: Int = LoopbackTarget.maxConnections,
    serving makeNode: @escaping @Sendable (ScriptedKernel.Session) -> any PDUNode
  ) async throws {
    base = try await SessionFixture(peers: peers, connections: connections, serving: makeNode)
    manager = base.sessions
    let (log, seen) = (manager.events, seen)
    reading = Task { for await event in log.events(after: 0) { seen.add(event) } }
  }

  /// A fixture whose targets let everybody in.
  convenience init() async throws {
    let target = try testTarget()
    try await self.init { _ in target }
  }

  /// A fixture whose target refuses logins from the second on with this status, up to the number that is given.
  convenience init(refusing status: LoginStatus, upTo last: Int) async throws {
    let target = try testTarget()
    try await self.init { session in
      var target = target
      if (2...last).contains(session.bindCount) { target.login.refusal = status }
      return target
    }
  }

  deinit { reading.cancel() }

  /// The events so far.
  var events: [SessionEvent] { seen.all }
  /// What happened so far.
  var kinds: [SessionEvent.Kind] { events.map(\.kind) }

  /// Logs in and shows the session in sysfs.
  @discardableResult
  func logIn(_ change: (inout LoginRequest) -> Void = { _ in }) async throws -> SessionID {
    var request = try base.request()
    change(&request)
    let session = try await manager.login(request).session
    try show(session)
    return session
  }

  /// Lets sysfs show a session as it is in the kernel, and as changed.
  func show(_ session: SessionID, _ change: (inout SessionSnapshot) -> Void = { _ in }) throws {
    var snapshot = try #require(kernel.snapshot(of: session))
    change(&snapshot)
    try base.tree.add(snapshot)
  }

  func supervision(_ session: SessionID) -> Supervision? { manager.supervisions()[session]?.0 }

  /// Waits until a session has come back so many times.
  func recoveries(_ session: SessionID, _ count: Int = 1) async -> Bool {
    await eventually { supervision(session).map { $0.recoveries == count && $0.phase == .up } ?? false }
  }

  /// Waits until something has happened so many times.
  func happened(_ kind: SessionEvent.Kind, _ count: Int = 1) async -> Bool {
    await eventually { kinds.count { $0 == kind } >= count }
  }

  /// Delivers a message of the target.
  func deliver(_ message: AsyncMessagePDU, to session: SessionID) {
    let encoded = PDU.asyncMessage(message).encoded()
    kernel.deliver(ScriptedPDU(header: encoded.header, data: encoded.data), to: session)
  }

  /// The requests behind so many, as numbers, with the flag of a stop and the opcode of a PDU; parameters are left out.
  func requests(after count: Int) -> [String] {
    kernel.requests.dropFirst(count).compactMap { request in
      switch request.type {
      case .setParameter: nil
      case .stopConnection: "18 flag \(request.stopFlag)"
      case .sendPDU: "19 \(request.pdu.map { String($0.header[0], radix: 16) } ?? "?")"
      default: "\(request.type.rawValue)"
      }
    }
  }

  /// The Login Requests so far.
  var loginRequests: [ScriptedPDU] {
    kernel.requests.filter { $0.type == .sendPDU }.compactMap(\.pdu).filter { $0.header[0] & 0x3F == 3 }
  }
}

/// Events in the order of their coming.
private final class SeenEvents: Sendable {
  private let events = Mutex<[SessionEvent]>([])
  var all: [SessionEvent] { events.withLock(\.self) }
  func add(_ event: SessionEvent) { events.withLock { $0.append(event) } }
}
