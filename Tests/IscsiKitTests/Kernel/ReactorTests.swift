// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import Synchronization
import SystemPackage
import Testing

@Suite("Reactor and blocking work")
struct ReactorTests {
  @Test("A wait ends when the descriptor can be read")
  func readable() async throws {
    let pipe = try FileDescriptor.pipe()
    defer { try? pipe.readEnd.close() }
    async let ready = Reactor.shared.wait(for: pipe.readEnd.rawValue, .read, until: .now + .seconds(10))
    _ = try pipe.writeEnd.writeAll([1])
    #expect(try await ready.contains(.read))
    try pipe.writeEnd.close()
  }

  @Test("A closed peer ends a wait")
  func hangUp() async throws {
    let pipe = try FileDescriptor.pipe()
    defer { try? pipe.readEnd.close() }
    try pipe.writeEnd.close()
    #expect(try await Reactor.shared.wait(for: pipe.readEnd.rawValue, .read, until: nil).contains(.read))
  }

  @Test("A peer that has closed its half does not end a wait for room to write")
  func halfClosed() async throws {
    let (ours, theirs) = try socketPair()
    defer {
      try? ours.close()
      try? theirs.close()
    }
    #expect(fcntl(ours.rawValue, F_SETFL, O_NONBLOCK) == 0)
    while (try? ours.writeAll([UInt8](repeating: 0, count: 4096))) != nil {}
    #expect(shutdown(theirs.rawValue, Int32(SHUT_WR)) == 0)
    await #expect(throws: WaitError.timedOut) {
      try await Reactor.shared.wait(for: ours.rawValue, .write, until: .now + .milliseconds(50))
    }
    #expect(try await Reactor.shared.wait(for: ours.rawValue, .read, until: .now + .seconds(20)).contains(.read))
  }

  @Test("A deadline that has passed ends a wait for what is ready, too")
  func deadlineFirst() async throws {
    let (ours, theirs) = try socketPair()
    defer {
      try? ours.close()
      try? theirs.close()
    }
    await #expect(throws: WaitError.timedOut) {
      try await Reactor.shared.wait(for: ours.rawValue, .write, until: .now - .seconds(1))
    }
  }

  private func socketPair() throws -> (FileDescriptor, FileDescriptor) {
    var pair: [Int32] = [-1, -1]
    guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else { throw Errno(rawValue: errno) }
    return (FileDescriptor(rawValue: pair[0]), FileDescriptor(rawValue: pair[1]))
  }

  @Test("A wait ends at its deadline, the earliest first, however they were added")
  func deadlines() async throws {
    let order = Shared<[Int]>([])
    try await withThrowingTaskGroup { group in
      for delay in [40, 5, 25, 15, 60, 50] {
        group.addTask {
          try await Reactor.shared.sleep(until: .now + .milliseconds(delay * 4))
          order.value.withLock { $0.append(delay) }
        }
      }
      try await group.waitForAll()
    }
    #expect(order.value.withLock { $0 } == [5, 15, 25, 40, 50, 60])
  }

  @Test("A descriptor that stays silent times out")
  func timeout() async throws {
    let pipe = try FileDescriptor.pipe()
    await #expect(throws: WaitError.timedOut) {
      try await Reactor.shared.wait(for: pipe.readEnd.rawValue, .read, until: .now + .milliseconds(10))
    }
    // The descriptor is free again afterwards.
    try pipe.writeEnd.close()
    _ = try await Reactor.shared.wait(for: pipe.readEnd.rawValue, .read, until: nil)
    try pipe.readEnd.close()
  }

  @Test("A cancelled task waits no longer", arguments: [true, false])
  func cancellation(before: Bool) async throws {
    let pipe = try FileDescriptor.pipe()
    let (started, continuation) = AsyncStream.makeStream(of: Void.self)
    let task = Task {
      continuation.finish()
      if before { while !Task.isCancelled { await Task.yield() } }
      return try await Reactor.shared.wait(for: pipe.readEnd.rawValue, .read, until: nil)
    }
    for await _ in started {}
    task.cancel()
    await #expect(throws: WaitError.cancelled) { try await task.value }
    try pipe.readEnd.close()
    try pipe.writeEnd.close()
  }

  @Test("A descriptor that epoll cannot watch is an error, not a hang")
  func badDescriptor() async {
    await #expect(throws: WaitError.failed(.badFileDescriptor)) {
      try await Reactor.shared.wait(for: -1, .read, until: nil)
    }
  }

  @Test("Blocking calls run side by side up to the limit, and all of them run")
  func blockingLimit() async throws {
    let pool = BlockingWork(limit: 3)
    let counts = Shared((running: 0, most: 0, done: 0))
    try await withThrowingTaskGroup { group in
      for _ in 0..<20 {
        group.addTask {
          try await pool.run(until: nil) {
            counts.value.withLock {
              $0.running += 1
              $0.most = max($0.most, $0.running)
            }
            usleep(2000)
            counts.value.withLock {
              $0.running -= 1
              $0.done += 1
            }
          }
        }
      }
      try await group.waitForAll()
    }
    let (_, most, done) = counts.value.withLock { $0 }
    #expect(done == 20)
    #expect(most <= 3 && most > 1)
  }

  @Test("A call that blocks too long lets its caller go at the deadline")
  func blockingDeadline() async throws {
    let pipe = try FileDescriptor.pipe()
    await #expect(throws: WaitError.timedOut) {
      try await BlockingWork(limit: 1).run(until: .now + .milliseconds(20)) {
        var octet: UInt8 = 0
        return unsafe read(pipe.readEnd.rawValue, &octet, 1)
      }
    }
    try pipe.writeEnd.close()
  }
}

@Suite("TCP sockets")
struct TCPSocketTests {
  @Test("A closed port is refused at once")
  func refused() async throws {
    let listener = try Listener()
    let port = listener.port
    listener.close()
    await #expect(throws: TransportError.refused) {
      _ = try await TCPSocket.connect(to: Portal("127.0.0.1:\(port)"), until: .now + .seconds(60))
    }
  }

  @Test("Octets go both ways, and the end of the stream is an error of its own", arguments: ["127.0.0.1", "localhost"])
  func echo(host: String) async throws {
    let listener = try Listener()
    let socket = try await TCPSocket.connect(
      to: Portal("\(host):\(listener.port)"), through: .sourceAddress(#require(IPAddress("127.0.0.1"))),
      until: .now + .seconds(60))
    let peer = try listener.accept()
    try await socket.write([1, 2, 3], until: .now + .seconds(60))
    #expect(try peer.read(3) == [1, 2, 3])
    try peer.write([4, 5, 6, 7])
    #expect(try await socket.read(upTo: 2, until: .now + .seconds(60)) == [4, 5])
    #expect(try await socket.read(upTo: 9, until: .now + .seconds(60)) == [6, 7])
    peer.close()
    await #expect(throws: TransportError.closedByPeer) {
      try await socket.read(upTo: 1, until: .now + .seconds(60))
    }
    listener.close()
  }

  @Test("A peer that says nothing ends in a timeout")
  func silence() async throws {
    let listener = try Listener()
    let socket = try await TCPSocket.connect(to: Portal("127.0.0.1:\(listener.port)"), until: .now + .seconds(60))
    await #expect(throws: TransportError.timedOut) {
      try await socket.read(upTo: 1, until: .now + .milliseconds(20))
    }
    listener.close()
  }

  @Test(
    "A binding that cannot be is refused with its reason",
    arguments: [
      (InterfaceBinding.device("nosuch0"), TransportError.noSuchDevice("nosuch0")),
      (.device("../x"), .noSuchDevice("../x")),
      (.sourceAddress(.v4(0xC000_0201)), .sourceNotLocal(.v4(0xC000_0201))),
      (.sourceAddress(.v6([0, 0, 0, 0, 0, 0, 0, 1])), .sourceOfOtherFamily(.v6([0, 0, 0, 0, 0, 0, 0, 1]))),
    ])
  func bindings(binding: InterfaceBinding, error: TransportError) async throws {
    await #expect(throws: error) {
      _ = try await TCPSocket.connect(to: Portal("127.0.0.1"), through: binding, until: .now + .seconds(60))
    }
  }

  @Test("Only an address that this machine lacks is called that")
  func sourceWithoutScope() async throws {
    // The kernel answers EINVAL: a link-local address needs a link, and the destination names none.
    await #expect(throws: TransportError.system("bind", .invalidArgument)) {
      _ = try await TCPSocket.connect(
        to: Portal("[::1]:3260"), through: .sourceAddress(#require(IPAddress("fe80::1"))), until: .now + .seconds(60))
    }
  }

  @Test(
    "A host that cannot be resolved or reached says so",
    arguments: ["no-such-host.invalid", "fe80::1", "fe80::1%nosuch0"])
  func unreachable(host: String) async throws {
    await #expect(throws: TransportError.self) {
      _ = try await TCPSocket.connect(to: Portal(host: PortalHost(host)), until: .now + .seconds(20))
    }
  }
}

/// A listening socket on a free port of the loopback interface, with blocking calls.
private struct Listener {
  let descriptor: Int32
  let port: UInt16

  struct Failure: Error {}

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let failed = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
        unsafe Glibc.bind(descriptor, raw, length) != 0 || listen(descriptor, 4) != 0
          || getsockname(descriptor, raw, &length) != 0
      }
    }
    if failed { throw Failure() }
    port = UInt16(bigEndian: address.sin_port)
  }

  func accept() throws -> Peer {
    let peer = Glibc.accept(descriptor, nil, nil)
    if peer < 0 { throw Failure() }
    return Peer(descriptor: FileDescriptor(rawValue: peer))
  }

  func close() { _ = Glibc.close(descriptor) }

  struct Peer {
    let descriptor: FileDescriptor

    func read(_ count: Int) throws -> [UInt8] {
      try unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        filled = try unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
    }

    func write(_ octets: [UInt8]) throws { _ = try descriptor.writeAll(octets) }

    func close() { try? descriptor.close() }
  }
}

/// A value that concurrent test code shares.
private final class Shared<Value: Sendable>: Sendable {
  let value: Mutex<Value>
  init(_ value: Value) { self.value = Mutex(value) }
}
