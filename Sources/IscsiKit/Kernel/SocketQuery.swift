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
  /// `TCP_ESTABLISHED`, as a bit.
  private static let established: UInt32 = 1 << 1
  /// `NLM_F_DUMP`
  private static let allOfThem: UInt16 = 0x300
  /// The octets of `struct inet_diag_msg`.
  private static let messageLength = 72
  /// Where `struct inet_diag_msg` has its `struct inet_diag_sockid`.
  private static let endsOffset = 4
  /// Where `struct tcp_info` has `tcpi_last_data_recv`.
  private static let lastDataOffset = 52

  /// A connection, as both ends name it.
  struct Connection: Hashable, Sendable {
    /// Our end.
    var local: End
    /// The other one.
    var remote: End
  }

  /// A request for all connections to a port. The kernel finds a single one only for who names the device that its socket is
  /// bound to, which is not known here (`inet_bound_dev_eq`); a list goes by the ports alone.
  static func request(isIPv6: Bool, remotePort: UInt16, sequence: UInt32) -> [UInt8] {
    // struct inet_diag_req_v2: family, protocol, extensions, padding, states; then struct inet_diag_sockid: both ports, both
    // addresses in 16 octets each, the device, and the cookie.
    var payload: [UInt8] = [UInt8(isIPv6 ? AF_INET6 : AF_INET), UInt8(IPPROTO_TCP), 1 << UInt8(information - 1), 0]
    payload.appendHostInteger(established)
    payload += [0, 0, UInt8(remotePort >> 8), UInt8(truncatingIfNeeded: remotePort)]
    payload += [UInt8](repeating: 0, count: 36)
    payload.appendHostInteger(UInt64.max)
    return NetlinkMessage.request(type: byFamily, flags: allOfThem, sequence: sequence, payload)
  }

  /// The connection that a message is about; nil for another message.
  static func connection(in message: NetlinkMessage) -> Connection? {
    guard message.type == byFamily, message.payload.count >= messageLength,
      let length = [UInt8(AF_INET): 4, UInt8(AF_INET6): 16][message.payload[message.payload.startIndex]]
    else { return nil }
    let octets = Array(message.payload.dropFirst(endsOffset).prefix(36))
    func end(port: Int, address: Int) -> End? {
      IPAddress(octets: octets[address..<address + length]).map {
        End(address: $0, port: UInt16(octets[port]) << 8 | UInt16(octets[port + 1]))
      }
    }
    guard let local = end(port: 0, address: 4), let remote = end(port: 2, address: 20) else { return nil }
    return Connection(local: local, remote: remote)
  }

  /// For how long no data has come over the connection; nil if the message does not tell.
  static func silence(in message: NetlinkMessage) -> Duration? {
    guard message.type == byFamily, let value = message.attributes(after: messageLength)?[information],
      value.count >= lastDataOffset + 4
    else { return nil }
    return .milliseconds(Int64(value.hostInteger(at: value.startIndex + lastDataOffset, as: UInt32.self)))
  }
}
