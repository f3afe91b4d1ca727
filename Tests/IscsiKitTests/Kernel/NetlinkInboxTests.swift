// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("What comes off a netlink socket, several datagrams at a time")
struct NetlinkInboxTests {
  /// Has the kernel answer empty messages of these numbers: an acknowledgement of 36 octets for each.
  private func ask(_ descriptor: Int32, _ numbers: Range<UInt32>) {
    for number in numbers {
      // Length, NLMSG_NOOP, NLM_F_REQUEST with NLM_F_ACK, number, port.
      let header: [UInt32] = [16, 1 | 5 << 16, number, 0]
      // The array is lent to the call.
      let sent = unsafe header.withUnsafeBytes { unsafe send(descriptor, $0.baseAddress, $0.count, 0) }
      #expect(sent == 16)
    }
  }

  private func number(of datagram: NetlinkDatagram) -> UInt32? {
    guard datagram.octets.count >= 12 else { return nil }
    return datagram.octets[8..<12].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  private func withSocket(_ body: (Int32) throws -> Void) throws {
    let descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), 0)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try body(descriptor)
  }

  @Test("All come, each once and in their order, however many there are", arguments: [1, 15, 16, 17, 50] as [UInt32])
  func order(count: UInt32) throws {
    try withSocket { descriptor in
      var inbox = NetlinkInbox(of: descriptor, limit: 64)
      let rest = try inbox.next()
      #expect(rest == nil)
      ask(descriptor, 0..<count)
      inbox.expectMore()
      for expected in 0..<count {
        let datagram = try #require(try inbox.next())
        #expect(number(of: datagram) == expected && datagram.groups == 0 && !datagram.isTruncated)
        #expect(datagram.octets.count == 36)
      }
      let hasMore = inbox.hasMore
      #expect(!hasMore)
      let end = try inbox.next()
      #expect(end == nil)
    }
  }

  @Test("A socket that all was taken off is asked again only when more is expected", arguments: [0, 1, 15] as [UInt32])
  func expectation(count: UInt32) throws {
    try withSocket { descriptor in
      var inbox = NetlinkInbox(of: descriptor, limit: 64)
      ask(descriptor, 0..<count)
      for _ in 0..<count { _ = try inbox.next() }
      let end = try inbox.next()
      ask(descriptor, 0..<1)
      let unexpected = try inbox.next()
      inbox.expectMore()
      let expected = try inbox.next()
      #expect(end == nil && unexpected == nil && expected != nil)
    }
  }

  @Test("What was taken off the socket and not had yet is told")
  func more() throws {
    try withSocket { descriptor in
      var inbox = NetlinkInbox(of: descriptor, limit: 64)
      ask(descriptor, 0..<2)
      _ = try inbox.next()
      let hadMore = inbox.hasMore
      _ = try inbox.next()
      let hasMore = inbox.hasMore
      #expect(hadMore && !hasMore)
    }
  }

  @Test("Of a datagram that is longer than any is taken what there is room for, and those behind it are whole")
  func truncated() throws {
    try withSocket { descriptor in
      var inbox = NetlinkInbox(of: descriptor, limit: 20)
      ask(descriptor, 7..<9)
      for expected in 7..<9 as Range<UInt32> {
        let datagram = try #require(try inbox.next())
        #expect(datagram.isTruncated && datagram.octets.count == 20 && number(of: datagram) == expected)
      }
    }
  }

  @Test("That the kernel had to drop some is an error once, and what came is not lost with it")
  func overrun() throws {
    try withSocket { descriptor in
      var size: Int32 = 1
      // The kernel copies the four octets of `size`, and makes the buffer as small as it can be.
      #expect(unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) == 0)
      ask(descriptor, 0..<64)
      var inbox = NetlinkInbox(of: descriptor, limit: 64)
      #expect(throws: Errno.noBufferSpace) { try inbox.next() }
      var expected: UInt32 = 0
      while let datagram = try inbox.next() {
        #expect(number(of: datagram) == expected)
        expected += 1
      }
      #expect(expected > 0 && expected < 64)
    }
  }
}
