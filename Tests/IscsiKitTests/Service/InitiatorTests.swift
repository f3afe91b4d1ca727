// SPDX-License-Identifier: Apache-2.0
import SystemPackage
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

  @Test("The command that starts a daemon runs only where nobody has the name of one")
  func startCommand() async throws {
    let directory = try SocketDirectory()
    let name = "iscsikit-start-\(UInt64.random(in: 0...UInt64.max))"
    let trace = directory.socket.removingLastComponent().appending("started")
    let initiator = Initiator(
      socket: directory.socket, wakeName: name, startCommand: "echo yes >>'\(trace)'", patience: .seconds(30))
    let nobody = InitiatorError.daemon(.notConnected(directory.socket, .noSuchFileOrDirectory))
    do {
      let held = try LegacyDaemonName.acquire(name)
      await #expect(throws: nobody) { try await initiator.ping() }
      #expect(throws: Errno.noSuchFileOrDirectory) { try FileContents(of: trace, limit: 100) }
      withExtendedLifetime(held) {}
    }
    #expect(await eventually { LegacyDaemonName.isFree(name) })
    await #expect(throws: nobody) { try await initiator.ping() }
    #expect(try FileContents(of: trace, limit: 100).octets == Array("yes\n".utf8))
  }
}
