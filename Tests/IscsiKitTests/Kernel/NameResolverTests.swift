// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Host names", .timeLimit(.minutes(1)))
struct NameResolverTests {
  /// What the machine's resolver is like.
  private enum Mood { case answers, fails, hangs }

  /// A machine's resolver whose mood can be changed.
  private final class Machine: Sendable {
    private let mood = Mutex(Mood.answers)
    private let gate = DispatchSemaphore(value: 0)

    func becomes(_ new: Mood) { mood.withLock { $0 = new } }
    func release() { gate.signal() }

    func lookUp(_ name: String, _ port: UInt16) -> Result<[SocketAddress], TransportError> {
      switch mood.withLock({ $0 }) {
      case .answers: return .success([SocketAddress(.v4(0x0A00_0001), port: port)])
      case .fails: return .failure(.unresolvable("no answer"))
      case .hangs:
        gate.wait()
        return .failure(.unresolvable("too late"))
      }
    }
  }

  private func resolver(_ machine: Machine) -> NameResolver {
    NameResolver(BlockingWork(limit: 2), patience: .milliseconds(50)) { machine.lookUp($0, $1) }
  }

  @Test("A name that cannot be resolved any more has the addresses that it had, at whatever port")
  func remembered() async throws {
    let machine = Machine()
    let resolver = resolver(machine)
    let end = ContinuousClock.now + .seconds(30)
    #expect(try await resolver.addresses(of: "target", port: 3260, until: end).map(\.port) == [3260])
    machine.becomes(.fails)
    #expect(try await resolver.addresses(of: "target", port: 860, until: end).map(\.port) == [860])
    machine.becomes(.hangs)
    #expect(try await resolver.addresses(of: "target", port: 3260, until: end).count == 1)
    machine.release()
  }

  @Test("What an earlier process knew of a name has to do as long as there is no other answer")
  func inherited() async throws {
    let machine = Machine()
    let resolver = resolver(machine)
    let end = ContinuousClock.now + .seconds(30)
    machine.becomes(.fails)
    resolver.remember(SocketAddress(.v4(0x0A00_0009), port: 3260), of: "target")
    #expect(try await resolver.addresses(of: "target", port: 860, until: end).map(\.description) == ["10.0.0.9:860"])
    machine.becomes(.answers)
    #expect(try await resolver.addresses(of: "target", port: 860, until: end).map(\.description) == ["10.0.0.1:860"])
    resolver.remember(SocketAddress(.v4(0x0A00_0009), port: 3260), of: "target")
    machine.becomes(.fails)
    #expect(try await resolver.addresses(of: "target", port: 860, until: end).map(\.description) == ["10.0.0.1:860"])
  }

  @Test("A name has the addresses that it had also where the machine has no room for a thread that asks")
  func noThread() async throws {
    let pool = BlockingWork(limit: 1, linger: .zero) { (_) throws(Errno) in throw .resourceTemporarilyUnavailable }
    let resolver = NameResolver(pool) { _, _ in .failure(.unresolvable("never asked")) }
    resolver.remember(SocketAddress(.v4(0x0A00_0009), port: 3260), of: "target")
    let end = ContinuousClock.now + .seconds(30)
    #expect(try await resolver.addresses(of: "target", port: 860, until: end).map(\.description) == ["10.0.0.9:860"])
    await #expect(throws: TransportError.self) { try await resolver.addresses(of: "other", port: 860, until: end) }
  }

  @Test("A full memory loses for a new name the one that nobody has asked for the longest, and none for a known one")
  func full() async throws {
    let machine = Machine()
    let resolver = resolver(machine)
    let end = ContinuousClock.now + .seconds(60)
    for number in 0..<1024 { _ = try await resolver.addresses(of: "target\(number)", port: 3260, until: end) }
    // Known, and by that the last one that was asked for.
    _ = try await resolver.addresses(of: "target0", port: 3260, until: end)
    _ = try await resolver.addresses(of: "new", port: 3260, until: end)
    machine.becomes(.fails)
    var lost: [String] = []
    for name in ["new"] + (0..<1024).map({ "target\($0)" }) {
      do throws(TransportError) { _ = try await resolver.addresses(of: name, port: 3260, until: end) } catch {
        lost.append(name)
      }
    }
    #expect(lost == ["target1"])
  }

  @Test("A name that never had an address has none")
  func unknown() async {
    let machine = Machine()
    machine.becomes(.fails)
    await #expect(throws: TransportError.unresolvable("no answer")) {
      try await resolver(machine).addresses(of: "target", port: 3260, until: .now + .seconds(30))
    }
    machine.becomes(.hangs)
    await #expect(throws: TransportError.unresolvable("the resolver did not answer in time")) {
      try await resolver(machine).addresses(of: "target", port: 3260, until: .now + .milliseconds(50))
    }
    machine.release()
  }
}
