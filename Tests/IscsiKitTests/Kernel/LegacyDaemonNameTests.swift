// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

/// A client as open-iscsi's: it writes all of its request, then reads as many octets as its structure has.
private struct OldClient: ~Copyable {
  private let descriptor: Int32

  init(_ name: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    // The kernel copies the address.
    let connected = unsafe UnixAddress(abstract: name).withSocketAddress { unsafe connect(descriptor, $0, $1) }
    try #require(connected == 0)
  }

  deinit { close(descriptor) }

  func send(_ octets: [UInt8]) throws { try FileDescriptor(rawValue: descriptor).writeAll(octets) }

  /// Up to `count` octets, fewer only at the end.
  func receive(_ count: Int) -> [UInt8] {
    var buffer = [UInt8](repeating: 0xEE, count: count)
    // The call writes no more than the array has.
    let received = unsafe buffer.withUnsafeMutableBytes {
      unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_WAITALL))
    }
    return Array(buffer.prefix(max(received, 0)))
  }
}

@Suite("The socket name of open-iscsi's daemon", .timeLimit(.minutes(1)))
struct LegacyDaemonNameTests {
  private let name = "iscsikit-legacy-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"

  @Test("The name has no end but its length: 30 octets with the family")
  func length() {
    let length = unsafe UnixAddress(abstract: LegacyDaemonName.standard).withSocketAddress { $1 }
    #expect(length == 30)
    let path = unsafe UnixAddress(path: "/run/x").withSocketAddress { $1 }
    #expect(path == 9)
  }

  @Test("Whether a process has the name is seen without a connection, which might start a daemon")
  func seen() throws {
    #expect(!LegacyDaemonName.hasSocket(name, process: getpid()))
    let held = try LegacyDaemonName.acquire(name)
    #expect(LegacyDaemonName.hasSocket(name, process: getpid()))
    #expect(!LegacyDaemonName.hasSocket(name + "x", process: getpid()))
    #expect(!LegacyDaemonName.hasSocket(name, process: 1))
    // Nobody has connected.
    #expect(accept(held.descriptor, nil, nil) < 0 && errno == EAGAIN)
  }

  @Test("The name is had once, told of with its process, and given back")
  func exclusive() async throws {
    do {
      let held = try LegacyDaemonName.acquire(name)
      let error = #expect(throws: LegacyDaemonNameError.self) { try LegacyDaemonName.acquire(name) }
      guard case .taken(by: .other(let process, let program))? = error else {
        Issue.record("not taken by this test, but \(String(describing: error))")
        return
      }
      #expect(process == getpid())
      #expect(program?.isEmpty == false)
      withExtendedLifetime(held) {}
    }
    // A program that another test starts just now has a copy of the socket until it runs.
    #expect(await eventually { (try? LegacyDaemonName.acquire(name)) != nil })
  }

  @Test("Who has the name is told by the program's file")
  func holders() {
    #expect(LegacyDaemonName.holder(process: 7, program: "iscsid") == .openISCSI(process: 7))
    #expect(LegacyDaemonName.holder(process: 1, program: "systemd") == .socketUnit(process: 1))
    #expect(LegacyDaemonName.holder(process: 7, program: "iscsi-admin") == .iscsiAdmin(process: 7))
    #expect(LegacyDaemonName.holder(process: 7, program: nil) == .other(process: 7, name: nil))
    let error = LegacyDaemonNameError.taken(by: .openISCSI(process: 7))
    #expect(error.description == "open-iscsi's iscsid is running (process 7)")
    #expect(error.advice?.contains("iscsid.socket") == true)
    #expect(error.exitStatus == .busy)
  }

  @Test("A holder of another user is a stranger, and one that takes no connections is silent")
  func strangers() async throws {
    let held = try LegacyDaemonName.acquire(name)
    let stranger = LegacyDaemonNameError.Holder.stranger(user: UnixPeer.current.userID, process: getpid())
    #expect(throws: LegacyDaemonNameError.taken(by: stranger)) { try LegacyDaemonName.acquire(name, besides: [4711]) }
    // Somebody else's socket keeps nobody from starting a daemon, and is no daemon to be woken.
    #expect(LegacyDaemonName.isFree(name, among: [4711]) && !LegacyDaemonName.isFree(name))
    withExtendedLifetime(held) {}
    let silent = try listener(UnixAddress(abstract: name + "s"), isListening: false)
    #expect(throws: LegacyDaemonNameError.taken(by: .silent)) { try LegacyDaemonName.acquire(name + "s") }
    try silent.close()
    #expect(LegacyDaemonNameError.taken(by: stranger).description.contains("user \(UnixPeer.current.userID)"))
    #expect(LegacyDaemonNameError.taken(by: .silent).exitStatus == .busy)
  }

  @Test(
    "open-iscsi's daemon is known by its program and its user",
    arguments: [("/usr/sbin/iscsid", 0, true), ("/usr/sbin/iscsi-admin", 0, false), ("/tmp/iscsid", 1000, false)])
  func processes(program: String, user: Int, expected: Bool) throws {
    let tree = try SysfsTree()
    let proc = tree.root.appending("proc")
    try tree.makeDirectory("proc/77")
    try tree.set("proc/77/status", to: .text("Name:\tiscsid\nUid:\t\(user)\t\(user)\t\(user)\t\(user)"))
    try tree.set("proc/77/comm", to: .text("iscsid"))
    try Directory(path: proc.appending("77")).makeLink("exe", to: program)
    #expect(LegacyDaemonName.isOpenISCSIRunning(as: [0], processes: proc) == expected)
  }

  @Test("Old clients of any size of structures get their protocol's error", arguments: [2464, 1200, 4096])
  func answer(size: Int) async throws {
    let held = try LegacyDaemonName.acquire(name)
    let requests = Mutex<[UInt32?]>([])
    let server = Task { await held.answer { request in requests.withLock { $0.append(request) } } }
    // Blocking calls have no place on a thread of Swift's pool.
    let name = name
    let answer = try await BlockingWork(limit: 1).run(until: nil) { () -> [UInt8] in
      guard let client = try? OldClient(name) else { return [] }
      // 1: log in. 16128 octets of request and 4000 of payload.
      guard (try? client.send([1, 0, 0, 0] + [UInt8](repeating: 0x11, count: 20_124))) != nil else { return [] }
      return client.receive(size)
    }
    #expect(answer == [1, 0, 0, 0, 16, 0, 0, 0] + [UInt8](repeating: 0, count: size - 8))
    #expect(await eventually { requests.withLock { $0 == [1] } })
    server.cancel()
    await server.value
  }

  @Test("Clients that send nothing or half a number keep no one else from being answered")
  func silent() async throws {
    let held = try LegacyDaemonName.acquire(name)
    let server = Task { await held.answer() }
    let name = name
    let answer = try await BlockingWork(limit: 1).run(until: nil) { () -> [UInt8] in
      guard let silent = try? OldClient(name), let half = try? OldClient(name), let gone = try? OldClient(name) else {
        return []
      }
      try? half.send([1, 0])
      _ = consume gone
      guard let client = try? OldClient(name), (try? client.send([2, 0, 0, 0])) != nil else { return [] }
      let answer = client.receive(8)
      _ = consume silent
      _ = consume half
      return answer
    }
    #expect(answer == [2, 0, 0, 0, 16, 0, 0, 0])
    server.cancel()
    await server.value
  }

  // MARK: - A service manager's socket

  /// A socket that listens at an address, as a manager hands it over.
  private func listener(_ address: UnixAddress, isListening: Bool = true) throws -> FileDescriptor {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    // The kernel copies the address.
    let bound = unsafe address.withSocketAddress { unsafe bind(descriptor, $0, $1) }
    try #require(bound == 0)
    if isListening { try #require(listen(descriptor, 4) == 0) }
    return FileDescriptor(rawValue: descriptor)
  }

  @Test("A socket that listens by the name is taken over, another one is not")
  func adopt() async throws {
    let path = "/tmp/\(name)"
    // The path is only read.
    defer { _ = unsafe unlink(path) }
    let others = [
      try listener(UnixAddress(abstract: name + "x")), try listener(UnixAddress(path: path)),
      try listener(UnixAddress(abstract: name + "y"), isListening: false), FileDescriptor(rawValue: -1),
    ]
    for other in others {
      #expect(!LegacyDaemonName.listens(other, name: name))
      #expect(throws: LegacyDaemonNameError.system(.invalidArgument)) { try LegacyDaemonName.adopt(other, name: name) }
    }
    for other in others.prefix(3) { try other.close() }
    let socket = try listener(UnixAddress(abstract: name))
    #expect(LegacyDaemonName.listens(socket, name: name))
    let held = try LegacyDaemonName.adopt(socket, name: name)
    let server = Task { await held.answer() }
    let woken = await LegacyDaemonName.wake(name, ifHeldBy: { _ in true }, until: .now + .seconds(30))
    #expect(woken)
    server.cancel()
    await server.value
  }

  @Test("A daemon is woken by the name of a service manager only, and answers as soon as it runs")
  func wake() async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    #expect(await !LegacyDaemonName.wake(name, ifHeldBy: { _ in true }, until: deadline))
    let socket = try listener(UnixAddress(abstract: name))
    // This program is no service manager.
    #expect(await !LegacyDaemonName.wake(name, until: deadline))
    let name = name
    async let woken = LegacyDaemonName.wake(name, ifHeldBy: { $0 != .socketUnit(process: 1) }, until: deadline)
    let held = try LegacyDaemonName.adopt(socket, name: name)
    let requests = Mutex<[UInt32?]>([])
    let server = Task { await held.answer { request in requests.withLock { $0.append(request) } } }
    #expect(await woken)
    #expect(await eventually { requests.withLock { $0.contains(LegacyDaemonName.wakeRequest) } })
    server.cancel()
    await server.value
  }

  @Test("A manager that drops whoever asks, and one that does not answer, wake nobody")
  func refusal() async throws {
    let socket = try listener(UnixAddress(abstract: name))
    let name = name
    #expect(await !LegacyDaemonName.wake(name, ifHeldBy: { _ in true }, until: .now + .milliseconds(50)))
    async let woken = LegacyDaemonName.wake(name, ifHeldBy: { _ in true }, until: .now + .seconds(30))
    // The first is in the queue as well.
    for _ in 0..<2 { close(try await BlockingWork(limit: 1).run(until: nil) { accept(socket.rawValue, nil, nil) }) }
    #expect(await !woken)
    try socket.close()
  }
}
