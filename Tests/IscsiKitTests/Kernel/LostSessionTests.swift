// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Sessions whose numbers were lost", .timeLimit(.minutes(2)))
struct LostSessionTests {
  @Test(
    "A session whose making is never told is found in sysfs and removed, and no other is",
    arguments: [ScriptedKernel.Fault.silence, .overrun])
  func lostSession(fault: ScriptedKernel.Fault) async throws {
    let fixture = try await SessionFixture()
    let kernel = fixture.kernel
    /// Shows a session as one that was just made, over a socket of this port.
    func show(_ session: SessionID, by port: Int32, _ change: (inout SessionSnapshot) -> Void = { _ in }) throws {
      var snapshot = SessionSnapshot(id: session)
      (snapshot.transport, snapshot.state, snapshot.targetState) = ("tcp", .free, .allocated)
      snapshot.creator = port
      change(&snapshot)
      try fixture.tree.add(snapshot)
    }
    let ours = try Int32(bitPattern: #require(kernel.port))
    // One of ours that is known, and was made before.
    let old = kernel.addSession(connection: nil)
    try show(old, by: ours)
    kernel.multicast(.sessionCreated, words: [old.rawValue, 9])
    kernel.inject(fault, into: .createSession)
    // The lost one will be 2; the numbers after it are of others, or of use.
    let lost = SessionID(rawValue: 2)
    try show(lost, by: ours)
    await #expect(throws: OperationError.self) {
      try await fixture.sessions.login(try fixture.request(timeout: .seconds(fault == .overrun ? 60 : 10)))
    }
    #expect(await eventually { kernel.sessions[lost] == nil })
    // With an overrun the kernel did not make it.
    let isRemoved = kernel.requests.contains {
      $0.session == lost && [.destroySession, .destroySessionAsync].contains($0.type)
    }
    #expect(isRemoved || fault == .overrun)
    #expect(kernel.sessions.keys.sorted { $0.rawValue < $1.rawValue } == [old])
  }

  @Test("Which sessions count as lost")
  func lostSessions() async throws {
    let fixture = try await SessionFixture()
    let kernel = fixture.kernel
    let ours = try Int32(bitPattern: #require(kernel.port))
    var ids: [SessionID] = []
    for number in 0..<7 {
      let connection: KernelConnectionState? = number == 2 ? .down : nil
      ids.append(kernel.addSession(connection: connection))
      var snapshot = SessionSnapshot(id: ids[number])
      (snapshot.transport, snapshot.state, snapshot.creator) = ("tcp", .free, ours)
      switch number {
      case 1: snapshot.creator = ours + 1
      case 2: snapshot.connection = ConnectionSnapshot(id: .leading)
      case 3: snapshot.targetName = "iqn.2001-04.com.example:disk"
      case 4: snapshot.transport = "iser"
      case 5: snapshot.state = .loggedIn
      default: break
      }
      try fixture.tree.add(snapshot)
    }
    // Driven by this process.
    let core = try SessionCore(link: fixture.link, id: ids[6], host: HostNumber(rawValue: 8))
    await fixture.link.removeLostSessions(after: ids[0])
    #expect(kernel.sessions.count == 7)
    await fixture.link.removeLostSessions(after: SessionID(rawValue: 0))
    #expect(kernel.sessions.keys.map(\.rawValue).sorted() == ids.dropFirst().map(\.rawValue))
    withExtendedLifetime(core) {}
  }
}
