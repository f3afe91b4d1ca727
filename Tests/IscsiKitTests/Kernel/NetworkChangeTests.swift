// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage
import Testing

@testable import IscsiKit

/// Messages of rtnetlink, built by hand.
private enum Message {
  static func link(_ type: UInt16 = 16, family: UInt8 = 0, index: UInt32, flags: UInt32, _ name: String?) -> [UInt8] {
    var payload: [UInt8] = [family, 0, 1, 0]
    for number in [index, flags, UInt32.max] { payload.appendHostInteger(number) }
    // A counter before the name, as an attribute that means nothing here.
    payload.appendAttribute(13, number: 1000)
    if let name { payload.appendAttribute(3, Array(name.utf8) + [0]) }
    payload.appendAttribute(16, [6])
    return NetlinkMessage.request(type: type, payload)
  }

  static func address(
    _ type: UInt16 = 20, index: UInt32, flags: UInt8 = 0x80, _ attributes: [(type: UInt16, value: [UInt8])]
  ) -> [UInt8] {
    var payload: [UInt8] = [attributes.contains { $0.value.count == 16 } ? 10 : 2, 24, flags, 0]
    payload.appendHostInteger(index)
    for (type, value) in attributes { payload.appendAttribute(type, value) }
    return NetlinkMessage.request(type: type, payload)
  }

  static func route(_ type: UInt16 = 24, table: UInt8 = 254, flags: UInt32 = 0) -> [UInt8] {
    var payload: [UInt8] = [2, 24, 0, 0, table, 2, 253, 1]
    payload.appendHostInteger(flags)
    payload.appendAttribute(4, number: 2)
    return NetlinkMessage.request(type: type, payload)
  }
}

@Suite("Changes of the network", .timeLimit(.minutes(1)))
struct NetworkChangeTests {
  private func changes(_ messages: [UInt8]..., names: [UInt32: String] = [:]) -> [NetworkChange] {
    var decoder = NetworkChangeDecoder(names: names)
    return decoder.changes(in: messages.flatMap { $0 })
  }

  @Test(
    "A device is read with its state",
    arguments: [
      // IFF_UP 1, IFF_RUNNING 0x40, IFF_LOWER_UP 0x10000
      (16 as UInt16, 0x11043 as UInt32, NetworkLink(name: "eth0", index: 2, isUp: true, hasCarrier: true)),
      (16, 0x1003, NetworkLink(name: "eth0", index: 2, isUp: true, hasCarrier: false)),
      (16, 0x1002, NetworkLink(name: "eth0", index: 2, isUp: false, hasCarrier: false)),
      // A carrier without being on is none that could be used.
      (16, 0x11002, NetworkLink(name: "eth0", index: 2, isUp: false, hasCarrier: false)),
      (17, 0x11043, NetworkLink(name: "eth0", index: 2, isUp: false, hasCarrier: false, isGone: true)),
    ])
  func links(type: UInt16, flags: UInt32, link: NetworkLink) {
    #expect(changes(Message.link(type, index: 2, flags: flags, "eth0")) == [.link(link)])
  }

  @Test("A port that leaves its bridge is no device that is gone")
  func bridge() {
    #expect(changes(Message.link(17, family: 7, index: 2, flags: 0x11043, "eth0")) == [])
  }

  @Test("Addresses come with the name of their device")
  func addresses() throws {
    let four = try #require(IPAddress("10.0.0.1"))
    let six = try #require(IPAddress("fd00::1"))
    let peer = try #require(IPAddress("10.0.0.2"))
    #expect(
      changes(
        Message.link(index: 2, flags: 0x11043, "eth0"),
        Message.address(index: 2, [(1, four.octets), (2, four.octets), (3, Array("eth0:1\0".utf8))]),
        Message.address(index: 2, [(1, six.octets), (8, [0x80, 0, 0, 0])]),
        // The own end of a point-to-point link is the local one.
        Message.address(index: 3, [(1, peer.octets), (2, four.octets), (3, Array("ppp0\0".utf8))]),
        Message.address(21, index: 2, [(1, six.octets)]),
        Message.address(21, index: 9, [(1, six.octets)])
      ).dropFirst() == [
        .addressAdded(device: "eth0", index: 2, four), .addressAdded(device: "eth0", index: 2, six),
        .addressAdded(device: "ppp0", index: 3, four), .addressRemoved(device: "eth0", index: 2, six),
        .addressRemoved(device: nil, index: 9, six),
      ])
  }

  @Test("An IPv6 address counts when its check for duplicates is done, or need not be waited for")
  func tentative() throws {
    let six = try #require(IPAddress("fd00::1"))
    #expect(changes(Message.address(index: 2, flags: 0x40, [(1, six.octets)])) == [])
    // The long flags replace the short ones.
    #expect(changes(Message.address(index: 2, flags: 0x40, [(1, six.octets), (8, [0x80, 0, 0, 0])])).count == 1)
    #expect(changes(Message.address(index: 2, flags: 0, [(1, six.octets), (8, [0x44, 0, 0, 0])])).count == 1)
  }

  @Test("Removed routes, routes of local addresses and cached routes are no news")
  func routes() {
    #expect(
      changes(
        Message.route(), Message.route(25), Message.route(table: 255), Message.route(flags: 0x200),
        NetlinkMessage.request(type: 28, [2, 0, 0, 0])) == [.routesAdded])
  }

  @Test("Many added routes that wait are one change, and so is a row of overruns")
  func coalescing() {
    var queue = NetworkChangeQueue(NetworkChangeDecoder())
    for _ in 0..<1000 { queue.add(Message.route()) }
    queue.add(Message.link(index: 2, flags: 1, "eth0"))
    queue.add(Message.route())
    queue.addOverrun()
    queue.addOverrun()
    var taken: [NetworkChange] = []
    while let change = queue.take() { taken.append(change) }
    let link = NetworkLink(name: "eth0", index: 2, isUp: true, hasCarrier: false)
    #expect(taken == [.routesAdded, .link(link), .overrun])
    queue.add(Message.route())
    #expect(queue.take() == .routesAdded)
  }

  @Test("No cut and no flipped octet traps")
  func malformed() throws {
    let six = try #require(IPAddress("fd00::1"))
    let datagram =
      Message.link(index: 2, flags: 0x11043, "eth0") + Message.address(index: 2, [(1, six.octets), (8, [0, 0, 0, 0])])
      + Message.route()
    for count in 0..<datagram.count { #expect(changes(Array(datagram.prefix(count))).count < 3) }
    for index in datagram.indices {
      for octet in [0, 1, 3, 4, 0x7F, 0xFF] as [UInt8] {
        var wrong = datagram
        wrong[index] = octet
        // What comes out hardly matters: every message of 16 octets or more may be one.
        #expect(changes(wrong).count <= datagram.count / 16)
      }
    }
    #expect(changes(Message.link(index: 2, flags: 1, nil)) == [])
    #expect(changes(Message.address(index: 2, [(1, [1, 2, 3])])) == [])
    #expect(changes(NetlinkMessage.request(type: 16, [])) == [])
  }

  @Test("A monitor gives what arrives, in order, and ends with its task")
  func monitor() async throws {
    var ends: [Int32] = [0, 0]
    // The array has the two numbers that the call writes.
    let made = unsafe socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends)
    try #require(made == 0)
    let sender = FileDescriptor(rawValue: ends[1])
    defer { try? sender.close() }
    let monitor = NetworkMonitor(NetlinkHandle(adopting: ends[0]), NetworkChangeDecoder())
    #expect(try await monitor.next(until: .now) == nil)

    let reader = Task {
      var changes: [NetworkChange] = []
      for try await change in monitor {
        changes.append(change)
        if changes.count == 3 { break }
      }
      return changes
    }
    try sender.writeAll(Message.link(index: 2, flags: 0x11043, "eth0"))
    try sender.writeAll(Message.route())
    // Longer than any datagram of the kernel: it counts as lost.
    try sender.writeAll([UInt8](repeating: 0, count: 40_000))
    let link = NetworkLink(name: "eth0", index: 2, isUp: true, hasCarrier: true)
    #expect(try await reader.value == [.link(link), .routesAdded, .overrun])

    let waiting = Task { try await monitor.next(until: nil) }
    waiting.cancel()
    #expect(try await waiting.value == nil)
  }

  @Test("The kernel lets anybody watch")
  func live() async throws {
    let monitor = try NetworkMonitor()
    _ = try await monitor.next(until: .now)
  }
}
