// SPDX-License-Identifier: Apache-2.0

internal import CNetlink
internal import Glibc
internal import SystemPackage

/// One datagram of the kernel, as it comes off a netlink socket of any protocol.
struct NetlinkDatagram {
  /// The octets; of a truncated datagram the first only.
  let octets: [UInt8]
  /// The groups it was sent to, a bit each; 0 for one that was sent to this socket alone.
  let groups: UInt32
  /// Whether the datagram was longer than the limit.
  let isTruncated: Bool

  /// Takes the next datagram of the kernel, without waiting. Other processes' are passed over.
  ///
  /// - Parameters:
  ///   - descriptor: The socket.
  ///   - limit: The longest datagram that is taken whole, in octets.
  /// - Returns: The datagram; nil if none waits.
  /// - Throws: `.noBufferSpace` when the kernel had to drop some.
  static func receive(from descriptor: Int32, limit: Int) throws(Errno) -> NetlinkDatagram? {
    while true {
      var sender = sockaddr_nl()
      var senderLength = socklen_t(MemoryLayout<sockaddr_nl>.size)
      var result = 0
      var number: Int32 = 0
      // MSG_TRUNC makes the result the datagram's real length. The buffer and the address are ours for the call only.
      let octets = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
        unsafe withUnsafeMutablePointer(to: &sender) { pointer in
          unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            result = unsafe recvfrom(
              descriptor, buffer.baseAddress, limit, Int32(MSG_TRUNC) | Int32(MSG_DONTWAIT), address, &senderLength)
            number = errno
          }
        }
        count = max(0, min(result, limit))
      }
      guard result >= 0 else {
        switch number {
        case EINTR: continue
        case EAGAIN: return nil
        default: throw Errno(rawValue: number)
        }
      }
      // Any process may send to a netlink socket: only port 0 is the kernel.
      guard sender.nl_pid == 0 else { continue }
      return NetlinkDatagram(octets: octets, groups: sender.nl_groups, isTruncated: result > limit)
    }
  }
}
