// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@testable import iscsi_admin

@Suite("The discovery of what is logged in to", .timeLimit(.minutes(1)))
struct LoginDiscoveryTests {
  /// A portal that wants these users of discoveries, one after the other; nil is none, and the last one stays.
  private func serve(_ users: String?...) throws -> LoopbackTarget {
    let name = try Samples.target(1)
    let left = Mutex(users)
    let secret = try #require(Secret("twelve-octets"))
    return try LoopbackTarget { portal in
      let user = left.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
      let authentication = user.map { TargetCHAP(initiator: CHAPCredentials(name: $0, secret: secret)) }
      return InMemoryTarget(name: name, portals: [portal], authentication: authentication)
    }
  }

  /// What a login to all at a portal comes to, without a daemon: 20 once the targets are known.
  private func login(_ target: LoopbackTarget, _ options: String...) async throws -> IscsiKit.ExitStatus {
    let file = try TemporaryFile("twelve-octets\n", permissions: [.ownerReadWrite])
    let words = [
      "--all", "--portal", target.portal.address, "--initiator-name", "iqn.2026-11.org.example:host", "--quiet",
      "--socket", "/nonexistent/control.sock", "--user", "me", "--password-file", file.path.string,
    ]
    return try await onOwnThread { try LoginCommand.parse(words + options).output(for: .plain).status }
  }

  @Test("A portal that refuses the user of the logins is asked without one")
  func refused() async throws {
    let target = try serve("discoverer", nil)
    #expect(try await login(target) == .daemonNotConnected)
    #expect(target.connectionCount == 2)
  }

  @Test("A portal that takes the user is asked once")
  func taken() async throws {
    let target = try serve("me")
    #expect(try await login(target) == .daemonNotConnected)
    #expect(target.connectionCount == 1)
  }

  @Test("A portal that takes neither is told as one that refuses the user")
  func neither() async throws {
    let target = try serve("discoverer")
    #expect(try await login(target) == .authentication)
    #expect(target.connectionCount == 2)
  }

  @Test("A discovery that is asked for with a user is made with that user alone")
  func discovery() async throws {
    let target = try serve("discoverer", nil)
    let file = try TemporaryFile("twelve-octets\n", permissions: [.ownerReadWrite])
    let words = [
      target.portal.address, "--initiator-name", "iqn.2026-11.org.example:host", "--socket",
      "/nonexistent/control.sock", "--user", "me", "--password-file", file.path.string,
    ]
    let output = try await onOwnThread { try DiscoverCommand.parse(words).output(for: .plain) }
    #expect(output.status == .authentication)
    #expect(target.connectionCount == 1)
  }
}
