// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The service manager", .timeLimit(.minutes(1)))
struct ServiceManagerTests {
  /// A datagram socket as systemd has it, which does not block.
  private struct Receiver: ~Copyable {
    let descriptor: Int32

    init(_ address: UnixAddress) throws {
      let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
      descriptor = socket(AF_UNIX, type, 0)
      // The kernel copies the address.
      let bound = unsafe address.withSocketAddress { unsafe bind(descriptor, $0, $1) }
      try #require(bound == 0)
    }

    deinit { close(descriptor) }

    func receive() -> String? {
      var buffer = [UInt8](repeating: 0, count: 4096)
      guard
        let count = try? unsafe buffer.withUnsafeMutableBytes({
          unsafe try FileDescriptor(rawValue: descriptor).read(into: $0)
        })
      else { return nil }
      return String(decoding: buffer.prefix(count), as: UTF8.self)
    }
  }

  @Test("States go to a socket in the abstract namespace, in one message")
  func abstract() throws {
    let name = "iscsikit-notify-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let receiver = try Receiver(UnixAddress(abstract: name))
    let manager = ServiceManager(["NOTIFY_SOCKET": "@" + name], process: 1)
    let told = manager.notify(.ready, .status("2 sessions\nREADY=0\r\n"), .mainProcess(42))
    #expect(told)
    #expect(receiver.receive() == "READY=1\nSTATUS=2 sessions READY=0\nMAINPID=42")
    manager.notify(.watchdog)
    manager.notify(.stopping)
    #expect(receiver.receive() == "WATCHDOG=1")
    #expect(receiver.receive() == "STOPPING=1")
  }

  @Test("A manager whose queue is full is told again until it has heard")
  func fullQueue() async throws {
    let name = "iscsikit-notify-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let receiver = try Receiver(UnixAddress(abstract: name))
    let manager = ServiceManager(["NOTIFY_SOCKET": "@" + name], process: 1)
    var count = 0
    while manager.notify(.watchdog) { count += 1 }
    let telling = Task { await manager.tell(.ready) }
    // It has come to the full queue by then, or will.
    try await Task.sleep(for: .milliseconds(50))
    for _ in 0..<count { #expect(receiver.receive() == "WATCHDOG=1") }
    await telling.value
    #expect(receiver.receive() == "READY=1")
  }

  @Test("Nobody is told again who is not there")
  func absent() async {
    await ServiceManager(["NOTIFY_SOCKET": "@iscsikit-nobody-\(getpid())"], process: 1).tell(.ready)
    await ServiceManager([:], process: 1).tell(.ready)
  }

  @Test("States go to a socket with a path")
  func path() throws {
    let path = "/tmp/iscsikit-notify-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let receiver = try Receiver(UnixAddress(path: path))
    // The path is only read.
    defer { _ = unsafe unlink(path) }
    let told = ServiceManager(["NOTIFY_SOCKET": path], process: 1).notify(.ready)
    #expect(told)
    #expect(receiver.receive() == "READY=1")
  }

  @Test("A manager that takes no more does not hold up who tells it")
  func full() throws {
    let name = "iscsikit-notify-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let receiver = try Receiver(UnixAddress(abstract: name))
    let manager = ServiceManager(["NOTIFY_SOCKET": "@" + name], process: 1)
    var count = 0
    while count < 100_000, manager.notify(.watchdog) { count += 1 }
    #expect(count < 100_000)
    #expect(receiver.receive() == "WATCHDOG=1")
  }

  @Test(
    "Without a usable address nobody is told",
    arguments: [nil, "", "@", "/", "relative", "vsock:2:1", "/" + String(repeating: "x", count: 200), "/nonexistent/s"])
  func absent(address: String?) {
    let manager = ServiceManager(address.map { ["NOTIFY_SOCKET": $0] } ?? [:], process: 1)
    let told = manager.notify(.ready)
    #expect(!told)
  }

  @Test(
    "The watchdog is for one process",
    arguments: [
      (["WATCHDOG_USEC": "3000000"], Duration.seconds(3)),
      (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "42"], .seconds(3)),
      (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "43"], nil), (["WATCHDOG_USEC": "0"], nil),
      (["WATCHDOG_USEC": "-1"], nil), (["WATCHDOG_USEC": "x"], nil), (["WATCHDOG_PID": "42"], nil),
    ])
  func watchdog(variables: [String: String], interval: Duration?) {
    #expect(ServiceManager(variables, process: 42).watchdogInterval == interval)
  }

  @Test("Sockets are for one process, numbered from 3, and may have names")
  func listeners() {
    let variables = ["LISTEN_PID": "42", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "control.socket::x"]
    let listeners = ServiceManager(variables, process: 42).listeners
    #expect(listeners.map(\.descriptor.rawValue) == [3, 4, 5])
    #expect(listeners.map(\.name) == ["control.socket", nil, "x"])
    #expect(ServiceManager(variables, process: 43).listeners == [])
    for count in ["0", "-1", "65", "x", "99999999999"] {
      #expect(ServiceManager(["LISTEN_PID": "42", "LISTEN_FDS": count], process: 42).listeners == [])
    }
    #expect(ServiceManager(["LISTEN_FDS": "1"], process: 42).listeners == [])
    #expect(ServiceManager(["LISTEN_PID": "42", "LISTEN_FDS": "1"], process: 42).listeners.map(\.name) == [nil])
  }
}
