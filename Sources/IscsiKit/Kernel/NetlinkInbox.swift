// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
internal import SystemPackage

/// The datagrams of the kernel that come off a netlink socket, several by one call of the system: the kernel answers a batch of
/// requests by a datagram for each.
@safe struct NetlinkInbox: ~Copyable {
  private static let datagramsAtOnce = Int(CLINUX_DATAGRAMS)

  private let descriptor: Int32
  private let limit: Int
  private let buffer: UnsafeMutablePointer<UInt8>
  /// What was taken off the socket, the oldest last.
  private var taken: [NetlinkDatagram] = []
  /// Whether something may wait at the socket. A call that takes fewer than it could has taken all that there was, unless the socket
  /// has an error to tell, which shows at the next look.
  private var mayHaveMore = true

  /// An inbox of a socket, which outlives it.
  ///
  /// - Parameters:
  ///   - descriptor: The socket.
  ///   - limit: The longest datagram that is taken whole, in octets.
  init(of descriptor: Int32, limit: Int) {
    self.descriptor = descriptor
    self.limit = limit
    // Freed in deinit; nothing else keeps it. Of what few datagrams need, little becomes memory.
    unsafe buffer = .allocate(capacity: limit * Self.datagramsAtOnce)
  }

  deinit { unsafe buffer.deallocate() }

  /// Whether datagrams were taken off the socket that nobody has had yet.
  var hasMore: Bool { !taken.isEmpty }

  /// Notes that something may have come since all was taken: what is not looked for costs no call of the system.
  mutating func expectMore() { mayHaveMore = true }

  /// The next datagram of the kernel, without waiting; nil if there is none, and none is looked for any more until it is
  /// expected. Other processes' are passed over.
  ///
  /// - Throws: `.noBufferSpace` when the kernel had to drop some; those that it did not come after that.
  mutating func next() throws(Errno) -> NetlinkDatagram? {
    while taken.isEmpty {
      guard mayHaveMore else { return nil }
      try take()
    }
    return taken.removeLast()
  }

  /// Takes what waits at the socket, as much as fits.
  private mutating func take() throws(Errno) {
    var found = [clinux_datagram](repeating: clinux_datagram(), count: Self.datagramsAtOnce)
    var count: Int32
    repeat {
      // The call fills no more than `limit` octets for each of as many datagrams as there is room for, and keeps nothing.
      count = unsafe clinux_receive_datagrams(descriptor, buffer, limit, &found)
    } while count < 0 && errno == EINTR
    guard count >= 0 else {
      let failure = Errno(rawValue: errno)
      guard failure == .wouldBlock else { throw failure }
      mayHaveMore = false
      return
    }
    mayHaveMore = count == Self.datagramsAtOnce
    for index in (0..<Int(count)).reversed() {
      // Any process may send to a netlink socket: only port 0 is the kernel.
      guard found[index].port == 0 else { continue }
      let length = Int(found[index].length)
      let octets = unsafe Array(UnsafeBufferPointer(start: buffer + index * limit, count: min(length, limit)))
      taken.append(NetlinkDatagram(octets: octets, groups: found[index].groups, isTruncated: length > limit))
    }
  }
}
