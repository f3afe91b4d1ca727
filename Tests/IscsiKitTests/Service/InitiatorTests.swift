// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("The daemon as its clients see it")
struct InitiatorTests {
  @Test("A socket that nobody serves keeps nobody waiting, whatever is asked")
  func unserved() async throws {
    let directory = try SocketDirectory()
    let listener = try UnixListener(at: directory.socket)
    let initiator = Initiator(socket: directory.socket, patience: .milliseconds(50))
    let silent = InitiatorError.daemon(.timedOut)
    await #expect(throws: silent) { try await initiator.ping() }
    await #expect(throws: silent) { try await initiator.login(.init(logins: [])) }
    await #expect(throws: silent) { try await initiator.logOut(.init(sessions: [1])) }
    await #expect(throws: silent) { try await initiator.discover(.init(portal: "10.0.0.1")) }
    _ = consume listener
  }
}
