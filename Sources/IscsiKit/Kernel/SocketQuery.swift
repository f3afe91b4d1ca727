// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import SystemPackage

/// Asks the kernel about TCP connections, whoever has them: that of an iSCSI session has no descriptor any more (kernel:
/// `linux/inet_diag.h`, module `tcp_diag`).
enum SocketQuery {
  /// One end of a connection.
  struct End: Hashable, Sendable {
    /// The address.
    var address: IPAddress
    /// The port.
    var port: UInt16
  }

  /// The kernel's number of the protocol (`NETLINK_SOCK_DIAG`).
  static let diagnosis: Int32 = 4
  private static let byFamily: UInt16 = 20
  /// `INET_DIAG_INFO`.
  private static let information: UInt16 = 2
  /// The octets of `struct inet_diag_msg`.
  private static let messageLength = 72
  /// Where `struct tcp_info` has `tcpi_last_data_recv`.
  private static let lastDataOffset = 52

  /// A request for one connection.
  static func request(from local: End, to remote: End, sequence: UInt32) -> [UInt8] {
    // struct inet_diag_req_v2: family, protocol, extensions, padding, states; then struct inet_diag_sockid: both ports, both
    // addresses in 16 octets each, any interface, and no cookie.
    var payload: [UInt8] = [
      UInt8(local.address.isIPv6 ? AF_INET6 : AF_INET), UInt8(IPPROTO_TCP), 1 << UInt8(information - 1), 0,
    ]
    payload.appendHostInteger(UInt32.max)
    for end in [local, remote] { payload += [UInt8(end.port >> 8), UInt8(truncatingIfNeeded: end.port)] }
    for end in [local, remote] {
      payload += end.address.octets + [UInt8](repeating: 0, count: 16 - end.address.octets.count)
    }
    payload.appendHostInteger(UInt32(0))
    payload.appendHostInteger(UInt64.max)
    return NetlinkMessage.request(type: byFamily, sequence: sequence, payload)
  }

  /// For how long no data has come over the connection; nil if the message does not tell.
  static func silence(in message: NetlinkMessage) -> Duration? {
    guard message.type == byFamily, let value = message.attributes(after: messageLength)?[information],
      value.count >= lastDataOffset + 4
    else { return nil }
    return .milliseconds(Int64(value.hostInteger(at: value.startIndex + lastDataOffset, as: UInt32.self)))
  }
}
