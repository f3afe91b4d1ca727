// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Unix sockets")
struct UnixSocketTests {
  @Test("Octets go both ways, and each side knows the other")
  func conversation() async throws {
    let directory = try SocketDirectory()
    let listener = try UnixListener(at: directory.socket)
    let client = try await LocalSocket.connect(to: directory.socket, until: .soon)
    let server = try await listener.accept()
    #expect(try server.peer() == .current)
    #expect(try client.peer() == .current)
    try await client.write([1, 2, 3], until: .soon)
    #expect(try await server.read(upTo: 2, until: .soon) == [1, 2])
    server.offer([4])
    #expect(try await client.read(upTo: 9, until: .soon) == [4])
    server.shutdown()
    #expect(try await client.read(upTo: 9, until: .soon) == [])
    await #expect(throws: LocalSocketError.closedByPeer) { try await client.write([1], until: .soon) }
  }

  @Test("The file is for its owner only and goes with the listener")
  func file() throws {
    let directory = try SocketDirectory()
    var listener: UnixListener? = try UnixListener(at: directory.socket)
    #expect(mode(of: directory.socket) == S_IFSOCK | 0o600)
    _ = listener
    listener = nil
    #expect(mode(of: directory.socket) == nil)
  }

  @Test("A stale socket is replaced, a live one is not")
  func stale() async throws {
    let directory = try SocketDirectory()
    try leaveStaleSocket(at: directory.socket)
    await #expect(throws: LocalSocketError.failed(.connectionRefused)) {
      _ = try await LocalSocket.connect(to: directory.socket, until: .soon)
    }
    let listener = try UnixListener(at: directory.socket)
    #expect(throws: Errno.addressInUse) { try UnixListener(at: directory.socket) }
    _ = try await LocalSocket.connect(to: directory.socket, until: .soon)
    listener.close()
  }

  @Test("What is no socket is left alone")
  func otherFile() throws {
    let directory = try SocketDirectory()
    let file = try FileDescriptor.open(directory.socket, .writeOnly, options: .create, permissions: .ownerReadWrite)
    try file.close()
    #expect(throws: Errno.addressInUse) { try UnixListener(at: directory.socket) }
    #expect(mode(of: directory.socket) == S_IFREG | 0o600)
  }

  @Test("A listener does not remove the file of its successor")
  func successor() throws {
    let directory = try SocketDirectory()
    let first = try UnixListener(at: directory.socket)
    #expect(unsafe unlink(directory.socket.string) == 0)
    let second = try UnixListener(at: directory.socket)
    first.close()
    #expect(mode(of: directory.socket) != nil)
    second.close()
    #expect(mode(of: directory.socket) == nil)
  }

  @Test(
    "A path that cannot be says why",
    arguments: [
      ("/no-such-directory/x", Errno.noSuchFileOrDirectory), ("", .fileNameTooLong),
      ("/" + String(repeating: "x", count: 107), .fileNameTooLong),
    ])
  func badPaths(path: String, errno: Errno) async {
    #expect(throws: errno) { try UnixListener(at: FilePath(path)) }
    await #expect(throws: LocalSocketError.failed(errno)) {
      _ = try await LocalSocket.connect(to: FilePath(path), until: .soon)
    }
  }

  @Test("A descriptor that listens is adopted, and its file left where it is")
  func adoption() async throws {
    let directory = try SocketDirectory()
    let descriptor = try leaveStaleSocket(at: directory.socket, closing: false)
    #expect(throws: Errno.invalidArgument) { try UnixListener(adopting: descriptor) }
    #expect(listen(descriptor, 1) == 0)
    let listener = try UnixListener(adopting: descriptor)
    let client = try await LocalSocket.connect(to: directory.socket, until: .soon)
    try await listener.accept().write([7], until: .soon)
    #expect(try await client.read(upTo: 9, until: .soon) == [7])
    listener.close()
    #expect(mode(of: directory.socket) != nil)
  }

  @Test("What is no Unix socket is not adopted")
  func wrongDescriptors() throws {
    let pipe = try FileDescriptor.pipe()
    #expect(throws: Errno.notSocket) { try UnixListener(adopting: pipe.readEnd.rawValue) }
    try pipe.readEnd.close()
    try pipe.writeEnd.close()
    #expect(throws: Errno.badFileDescriptor) { try UnixListener(adopting: -1) }
  }

  @Test("A closed peer is noticed amid a silent wait, one that has ended its sending is not")
  func hangUp() async throws {
    var pair: [Int32] = [-1, -1]
    #expect(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    let ours = LocalSocket(owning: pair[0])
    var theirs: LocalSocket? = LocalSocket(owning: pair[1])
    #expect(shutdown(pair[1], Int32(SHUT_WR)) == 0)
    let watch = Task { try await ours.waitForHangUp() }
    // The watch does not stand in the way of a write and a read.
    try await ours.write([1], until: .soon)
    #expect(try await theirs?.read(upTo: 1, until: .soon) == [1])
    #expect(try await ours.read(upTo: 1, until: .soon) == [])
    let quick = Task { try await ours.waitForHangUp() }
    quick.cancel()
    await #expect(throws: LocalSocketError.cancelled) { try await quick.value }
    theirs = nil
    try await watch.value
  }

  @Test("A write to a peer that takes nothing stalls or meets its deadline")
  func stall() async throws {
    let directory = try SocketDirectory()
    let listener = try UnixListener(at: directory.socket)
    let client = try await LocalSocket.connect(to: directory.socket, until: .soon)
    let octets = [UInt8](repeating: 0, count: 4 << 20)
    await #expect(throws: LocalSocketError.timedOut) {
      try await client.write(octets, until: nil, stall: .milliseconds(20))
    }
    await #expect(throws: LocalSocketError.timedOut) {
      try await client.write(octets, until: .now + .milliseconds(20), stall: .seconds(60))
    }
    listener.close()
  }

  /// Binds a socket without listening, which is what a process that was killed leaves.
  @discardableResult
  private func leaveStaleSocket(at path: FilePath, closing: Bool = true) throws -> Int32 {
    let descriptor = try LocalSocket.makeDescriptor()
    let address = try UnixAddress(checking: path)
    #expect(unsafe address.withSocketAddress { unsafe bind(descriptor, $0, $1) } == 0)
    if closing { close(descriptor) }
    return descriptor
  }

  private func mode(of path: FilePath) -> mode_t? {
    var status = stat()
    return unsafe lstat(path.string, &status) == 0 ? status.st_mode : nil
  }
}
