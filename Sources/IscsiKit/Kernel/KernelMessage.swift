// SPDX-License-Identifier: Apache-2.0

/// The number of a request, an event or a reply of `NETLINK_ISCSI` (kernel: `enum iscsi_uevent_e`).
public struct KernelMessageType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The kernel's number.
  public let rawValue: UInt32

  /// A number as the kernel gave it; any number is possible.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// 11: makes a SCSI host and a session.
  public static let createSession = KernelMessageType(rawValue: 11)
  /// 12: removes a session and its host, and waits for it.
  public static let destroySession = KernelMessageType(rawValue: 12)
  /// 13: makes the connection of a session.
  public static let createConnection = KernelMessageType(rawValue: 13)
  /// 14: removes a connection.
  public static let destroyConnection = KernelMessageType(rawValue: 14)
  /// 15: gives a connected TCP socket to a connection.
  public static let bindConnection = KernelMessageType(rawValue: 15)
  /// 16: sets a parameter of a session or a connection.
  public static let setParameter = KernelMessageType(rawValue: 16)
  /// 17: enters the full feature phase.
  public static let startConnection = KernelMessageType(rawValue: 17)
  /// 18: stops a connection, for recovery or for good.
  public static let stopConnection = KernelMessageType(rawValue: 18)
  /// 19: sends a PDU.
  public static let sendPDU = KernelMessageType(rawValue: 19)
  /// 20: asks for a connection's counters; the answer is an event of the same number.
  public static let getStatistics = KernelMessageType(rawValue: 20)
  /// 21: reserved, and answered with `ENOSYS` by every kernel, after all checks of permission and handle.
  public static let getParameter = KernelMessageType(rawValue: 21)
  /// 26: sets a parameter of a SCSI host.
  public static let setHostParameter = KernelMessageType(rawValue: 26)
  /// 27: removes the SCSI devices of a session, flushing their caches.
  public static let unbindSession = KernelMessageType(rawValue: 27)
  /// 43: removes a session and its host in the background (since Linux 5.7).
  public static let destroySessionAsync = KernelMessageType(rawValue: 43)

  /// 101: a PDU that the kernel leaves to user space.
  public static let receivedPDU = KernelMessageType(rawValue: 101)
  /// 102: a connection failed.
  public static let connectionError = KernelMessageType(rawValue: 102)
  /// 103: in a reply: the request failed.
  public static let interfaceError = KernelMessageType(rawValue: 103)
  /// 104: a session is gone.
  public static let sessionDestroyed = KernelMessageType(rawValue: 104)
  /// 105: the SCSI devices of a session are gone.
  public static let sessionUnbound = KernelMessageType(rawValue: 105)
  /// 106: there is a new session.
  public static let sessionCreated = KernelMessageType(rawValue: 106)
  /// 109: the login state of a connection that a card logs in.
  public static let connectionLoginState = KernelMessageType(rawValue: 109)
  /// 110: the link of a card went up or down.
  public static let hostEvent = KernelMessageType(rawValue: 110)

  /// The kernel's name of the number, without its prefix.
  public var description: String { Self.names[self] ?? "message \(rawValue)" }

  private static let names: [KernelMessageType: String] = [
    .createSession: "CREATE_SESSION", .destroySession: "DESTROY_SESSION", .createConnection: "CREATE_CONN",
    .destroyConnection: "DESTROY_CONN", .bindConnection: "BIND_CONN", .setParameter: "SET_PARAM",
    .startConnection: "START_CONN", .stopConnection: "STOP_CONN", .sendPDU: "SEND_PDU", .getStatistics: "GET_STATS",
    .getParameter: "GET_PARAM", .setHostParameter: "SET_HOST_PARAM", .unbindSession: "UNBIND_SESSION",
    .destroySessionAsync: "DESTROY_SESSION_ASYNC", .receivedPDU: "RECV_PDU", .connectionError: "CONN_ERROR",
    .interfaceError: "IF_ERROR", .sessionDestroyed: "SESSION_DESTROYED", .sessionUnbound: "SESSION_UNBOUND",
    .sessionCreated: "SESSION_CREATED", .connectionLoginState: "CONN_LOGIN_STATE", .hostEvent: "HOST_EVENT",
  ]
}

/// The kernel pointer by which requests name the transport `tcp`; an opaque number.
public struct TransportHandle: RawRepresentable, Hashable, Sendable {
  /// The number in `/sys/class/iscsi_transport/tcp/handle`.
  public let rawValue: UInt64

  /// A handle as sysfs gave it.
  public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One message as it lies in a datagram: `nlmsghdr` (16 octets), `iscsi_uevent` (56 octets), payload.
///
/// Everything is in host byte order. `iscsi_uevent` has the same 56 octets on x86-64, arm and riscv64; only a 32-bit
/// x86 kernel differs, which is not supported.
struct KernelMessage {
  /// Offsets from the start of the message (kernel: `struct nlmsghdr`, `struct iscsi_uevent`).
  enum Offset {
    static let headerType = 4
    static let type = 16
    static let interfaceError = 20
    static let handle = 24
    /// The union that requests fill: 24 octets.
    static let request = 32
    /// The union that replies and events fill: 16 octets.
    static let response = 56
    static let payload = 72
  }

  /// `nlmsg_type`: the request's number in a reply, 0 in an event.
  let headerType: KernelMessageType
  /// `type` of the `iscsi_uevent`: what the message is.
  let type: KernelMessageType
  /// The datagram, and where this message lies in it.
  private let octets: [UInt8]
  private let start: Int
  private let end: Int

  /// The messages of a datagram, as far as it can be trusted.
  static func messages(in datagram: [UInt8]) -> [KernelMessage] {
    NetlinkMessage.ranges(in: datagram, shortest: Offset.payload).map { range in
      KernelMessage(octets: datagram, start: range.lowerBound, end: range.upperBound)
    }
  }

  private init(octets: [UInt8], start: Int, end: Int) {
    self.octets = octets
    self.start = start
    self.end = end
    headerType = KernelMessageType(rawValue: UInt32(octets.hostInteger(at: start + Offset.headerType, as: UInt16.self)))
    type = KernelMessageType(rawValue: octets.hostInteger(at: start + Offset.type, as: UInt32.self))
  }

  /// The kernel's negative errno as a positive number; meaningful only when `type` is `interfaceError`.
  var interfaceErrorNumber: Int32 {
    Int32(bitPattern: 0 &- octets.hostInteger(at: start + Offset.interfaceError, as: UInt32.self))
  }

  /// A 32-bit word of the union that a request fills and a reply echoes, by its index from 0 to 5.
  func requestWord(_ index: Int) -> UInt32 {
    octets.hostInteger(at: start + Offset.request + 4 * index, as: UInt32.self)
  }

  /// A 32-bit word of the union that a reply or an event fills, by its index from 0 to 3.
  func responseWord(_ index: Int) -> UInt32 {
    octets.hostInteger(at: start + Offset.response + 4 * index, as: UInt32.self)
  }

  /// What follows the `iscsi_uevent`, with up to three octets of padding that mean nothing.
  var payload: ArraySlice<UInt8> { octets[(start + Offset.payload)..<end] }

  /// The union that a request fills and the kernel echoes, as three words to compare.
  var echo: KernelRequestEcho {
    KernelRequestEcho(
      octets.hostInteger(at: start + Offset.request, as: UInt64.self),
      octets.hostInteger(at: start + Offset.request + 8, as: UInt64.self),
      octets.hostInteger(at: start + Offset.request + 16, as: UInt64.self))
  }
}

/// The 24 octets by which a reply repeats its request's arguments: the kernel answers in the request's own memory.
///
/// Replies have no sequence number; with the request's number and these octets, a late reply is told from the next one.
struct KernelRequestEcho: Hashable, Sendable {
  let first: UInt64
  let second: UInt64
  let third: UInt64

  init(_ first: UInt64, _ second: UInt64, _ third: UInt64) {
    self.first = first
    self.second = second
    self.third = third
  }
}

extension RandomAccessCollection<UInt8> where Index == Int {
  /// The integer at an index, in host byte order; octets beyond the end count as zero, so that no length can trap.
  func hostInteger<Number: FixedWidthInteger & UnsignedInteger>(at index: Int, as _: Number.Type) -> Number {
    var value: Number = 0
    for offset in 0..<(Number.bitWidth / 8) {
      let position = index + offset
      guard position >= startIndex, position < endIndex else { break }
      value |= Number(self[position]) << Number(8 * offset)
    }
    return Number(littleEndian: value)
  }
}

extension [UInt8] {
  /// Appends an integer in host byte order.
  mutating func appendHostInteger(_ number: some FixedWidthInteger & UnsignedInteger) {
    let value = number.littleEndian
    for offset in 0..<(value.bitWidth / 8) { append(UInt8(truncatingIfNeeded: value >> (8 * offset))) }
  }
}
