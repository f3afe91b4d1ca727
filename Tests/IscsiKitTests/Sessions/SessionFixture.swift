// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import IscsiKitTesting
import Testing

/// All that a login needs in a test: a kernel in memory with targets behind it, a made-up sysfs, and real TCP
/// connections to peers that say nothing, since the PDUs go through the kernel.
final class SessionFixture {
  let kernel = ScriptedKernel()
  let link: KernelLink
  /// The far ends of the connections.
  let peers: [LoopbackTarget]
  let tree: SysfsTree
  let registry = SessionRegistry()

  /// A fixture in which every session has a target of its own behind it.
  init(
    peers count: Int = 1, connections: Int = LoopbackTarget.maxConnections,
    serving makeNode: @escaping @Sendable (ScriptedKernel.Session) -> any PDUNode
  ) async throws {
    tree = try SysfsTree()
    link = try await KernelLink.open(channel: kernel, handle: kernel.handle, sysfs: tree.root)
    peers = try (0..<count).map { _ in try LoopbackTarget(connections: connections) { _ in SilentNode() } }
    kernel.serve(makeNode)
  }

  /// A fixture in which every session has a copy of this target behind it, or else an honest one.
  convenience init(_ node: (any PDUNode)? = nil) async throws {
    let node = try node ?? testTarget()
    try await self.init { _ in node }
  }

  /// A manager of its own for each use: what it has done is done, and nobody recovers what is lost later.
  var sessions: SessionManager { SessionManager(link: link, sysfs: Sysfs(root: tree.root), registry: registry) }

  var portal: Portal { peers[0].portal }

  /// A login without a scan; its time is enough for any machine.
  func request(_ authentication: Authentication = .none, timeout: Duration = .seconds(60)) throws -> LoginRequest {
    var request = LoginRequest(
      initiator: try InitiatorName("iqn.2001-04.com.example:host"),
      target: try TargetName("iqn.2001-04.com.example:disk"), portal: portal)
    request.options.authentication = authentication
    request.options.timeouts.login = timeout
    request.options.scan = .none
    return request
  }

  /// Logs in, which must fail, and tells why.
  func failure(
    _ request: LoginRequest, sourceLocation: SourceLocation = #_sourceLocation
  ) async -> OperationError.Cause? {
    let error = await #expect(throws: OperationError.self, sourceLocation: sourceLocation) {
      try await sessions.login(request)
    }
    #expect(error?.operation == .login(request.target, request.portal), sourceLocation: sourceLocation)
    return error?.cause
  }

  /// The requests after the link's own probe, by number.
  var requestTypes: [UInt32] { kernel.requests.dropFirst().map(\.type.rawValue) }

  /// Checks that a failed login or a logout has left nothing: no session, no broken rule, no socket on either side.
  func expectNothingLeft(sourceLocation: SourceLocation = #_sourceLocation) async {
    #expect(kernel.sessions.isEmpty, sourceLocation: sourceLocation)
    #expect(kernel.violations == [], sourceLocation: sourceLocation)
    for peer in peers {
      #expect(
        await eventually { TestListener.connections(to: peer.portal.port) == 0 }, sourceLocation: sourceLocation)
      #expect(await eventually { peer.openConnectionCount == 0 }, sourceLocation: sourceLocation)
    }
  }
}

/// What the two sides of the tests know of each other.
enum TestAccounts {
  static let secrets = ["initiatorSecret1", "targetSecret1234"]

  static func ours() throws -> CHAPCredentials {
    CHAPCredentials(name: "host", secret: try #require(Secret(secrets[0])))
  }

  static func theirs() throws -> CHAPCredentials {
    CHAPCredentials(name: "disk", secret: try #require(Secret(secrets[1])))
  }

  static func authentication(mutual: Bool, _ algorithms: [CHAPAlgorithm] = [.md5]) throws -> Authentication {
    Authentication(outgoing: try ours(), incoming: mutual ? try theirs() : nil, algorithms: algorithms)
  }

  static func chap(_ algorithms: [CHAPAlgorithm] = [.md5]) throws -> TargetCHAP {
    TargetCHAP(initiator: try ours(), target: try theirs(), algorithms: algorithms)
  }
}
