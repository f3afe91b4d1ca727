// SPDX-License-Identifier: Apache-2.0

public import IscsiKit

/// A request as `ScriptedKernel` received it, read by offsets of its own, so that an error of the codec shows.
public struct ScriptedRequest: Hashable, Sendable {
  /// The request's number.
  public let type: KernelMessageType
  /// The transport handle that it names.
  public let handle: TransportHandle
  /// The 24 octets of the request's union.
  public let arguments: [UInt8]
  /// What follows the fixed part.
  public let payload: [UInt8]

  /// A 32-bit argument by its offset in the union.
  func word(_ offset: Int) -> UInt32 { arguments.word(offset) }

  /// The session that the request names, except in requests that name none.
  public var session: SessionID { SessionID(rawValue: word(0)) }
  /// SET_PARAM: the parameter's number. SET_HOST_PARAM: the same.
  public var parameter: UInt32 { word(type == .setHostParameter ? 4 : 8) }
  /// SET_PARAM, SET_HOST_PARAM: the text, if it is one C string of the length that the request gives.
  public var text: String? {
    let length = Int(word(type == .setHostParameter ? 8 : 12))
    guard length == payload.count, length <= 4096, payload.firstIndex(of: 0) == length - 1 else { return nil }
    return String(decoding: payload.dropLast(), as: UTF8.self)
  }
  /// BIND_CONN: the socket's number.
  public var socket: Int32 { Int32(truncatingIfNeeded: word(8)) }
  /// STOP_CONN: 1 for good, 3 for recovery.
  public var stopFlag: UInt32 { word(16) }
  /// SEND_PDU: header and data, if the lengths fit.
  public var pdu: ScriptedPDU? {
    guard word(8) == 48, payload.count == 48 + Int(word(12)) else { return nil }
    return ScriptedPDU(header: Array(payload.prefix(48)), data: Array(payload.dropFirst(48)))
  }
}

/// A PDU on its way through `ScriptedKernel`.
public struct ScriptedPDU: Hashable, Sendable {
  /// The 48 octets of the basic header.
  public var header: [UInt8]
  /// The data without padding.
  public var data: [UInt8]

  /// A PDU from its parts; DataSegmentLength is set to the data's length.
  public init(header: [UInt8], data: [UInt8] = []) {
    self.header = header
    self.data = data
    guard header.count == 48 else { return }
    self.header[5] = UInt8(truncatingIfNeeded: data.count >> 16)
    self.header[6] = UInt8(truncatingIfNeeded: data.count >> 8)
    self.header[7] = UInt8(truncatingIfNeeded: data.count)
  }
}

/// The messages of the kernel, in octets.
enum ScriptedWire {
  /// The requests of a datagram, with the octets of their fixed part; nil where the kernel would drop the message.
  static func requests(in datagram: [UInt8]) -> [(request: ScriptedRequest, fixed: [UInt8])]? {
    var requests: [(ScriptedRequest, [UInt8])] = []
    var rest = datagram[...]
    while !rest.isEmpty {
      let message = Array(rest)
      let length = Int(message.count >= 72 ? message.word(0) : 0)
      guard length >= 72, length <= message.count else { return nil }
      let type = UInt32(message[4]) | UInt32(message[5]) << 8
      guard message.word(16) == type else { return nil }
      let handle = UInt64(message.word(24)) | UInt64(message.word(28)) << 32
      let request = ScriptedRequest(
        type: KernelMessageType(rawValue: type), handle: TransportHandle(rawValue: handle),
        arguments: Array(message[32..<56]), payload: Array(message[72..<length]))
      requests.append((request, Array(message[0..<72])))
      rest = rest.dropFirst((length + 3) / 4 * 4)
    }
    return requests
  }

  /// A reply in the memory of its request, as the kernel makes it.
  static func reply(to fixed: [UInt8], words: [UInt32] = [], error: Int32? = nil) -> KernelDatagram {
    var octets = fixed
    octets.set(0, to: 72)
    // Flags, sequence number and port are not echoed.
    for index in 6..<16 { octets[index] = 0 }
    if let error {
      octets.set(16, to: KernelMessageType.interfaceError.rawValue)
      octets.set(20, to: UInt32(bitPattern: -error))
    }
    for (index, word) in words.enumerated() { octets.set(56 + 4 * index, to: word) }
    return KernelDatagram(origin: .unicast, octets: octets)
  }

  /// An event. The error field holds noise, as it may in the kernel.
  static func event(
    _ type: KernelMessageType, words: [UInt32], arguments: [UInt32] = [], payload: [UInt8] = []
  ) -> KernelDatagram {
    var octets = [UInt8](repeating: 0, count: 72)
    octets.set(0, to: UInt32(72 + (payload.count + 3) / 4 * 4))
    octets.set(16, to: type.rawValue)
    octets.set(20, to: 0xA5A5_A5A5)
    for (index, word) in arguments.enumerated() { octets.set(32 + 4 * index, to: word) }
    for (index, word) in words.enumerated() { octets.set(56 + 4 * index, to: word) }
    octets += payload
    // The length counts the padding, which the kernel does not clear.
    while octets.count % 4 != 0 { octets.append(0xA5) }
    return KernelDatagram(origin: .multicast, octets: octets)
  }

  /// `struct iscsi_stats` with the counters that `iscsi_tcp` fills, and one custom counter.
  static func statistics(scsiCommands: UInt32) -> [UInt8] {
    var octets = [UInt8](repeating: 0, count: 96 + 72)
    octets.set(20, to: scsiCommands)
    octets.set(92, to: 1)
    octets.replaceSubrange(96..<(96 + 12), with: Array("eh_abort_cnt".utf8))
    octets.set(160, to: 7)
    return octets
  }
}

extension [UInt8] {
  /// A little-endian word: the test double knows only hosts of this order.
  fileprivate func word(_ offset: Int) -> UInt32 {
    guard offset + 4 <= count else { return 0 }
    return UInt32(self[offset]) | UInt32(self[offset + 1]) << 8 | UInt32(self[offset + 2]) << 16
      | UInt32(self[offset + 3]) << 24
  }

  fileprivate mutating func set(_ offset: Int, to word: UInt32) {
    for index in 0..<4 { self[offset + index] = UInt8(truncatingIfNeeded: word >> (8 * UInt32(index))) }
  }
}
