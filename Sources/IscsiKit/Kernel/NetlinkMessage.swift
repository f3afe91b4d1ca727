// SPDX-License-Identifier: Apache-2.0

/// One message of rtnetlink or generic netlink as it lies in a datagram: `nlmsghdr` (16 octets) and what follows it.
///
/// All lengths are checked before they are used, so no octets can trap. The sockets are libnl's; its functions that read
/// take pointers, which a slice is safer than.
struct NetlinkMessage {
  /// The kernel's number of a message that ends a request, with an errno or with 0.
  static let errorType: UInt16 = 2
  /// The kernel's number of the message that ends a list.
  static let endType: UInt16 = 3
  /// The octets of `nlmsghdr`.
  private static let headerLength = 16

  /// `nlmsg_type`: what the message is.
  let type: UInt16
  /// `nlmsg_seq`: the number of the request that it answers.
  let sequence: UInt32
  /// What follows the header.
  let payload: ArraySlice<UInt8>

  /// The messages of a datagram, as far as it can be trusted.
  static func messages(in datagram: [UInt8]) -> [NetlinkMessage] {
    ranges(in: datagram, shortest: headerLength).map { range in
      NetlinkMessage(
        type: datagram.hostInteger(at: range.lowerBound + 4, as: UInt16.self),
        sequence: datagram.hostInteger(at: range.lowerBound + 8, as: UInt32.self),
        payload: datagram[range].dropFirst(headerLength))
    }
  }

  /// Where the messages of a datagram lie, headers included. Stops at the first one whose length is impossible, or less than
  /// what each one has: nothing after it can be trusted.
  static func ranges(in datagram: [UInt8], shortest: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var start = 0
    while datagram.count - start >= shortest {
      guard let length = Int(exactly: datagram.hostInteger(at: start, as: UInt32.self)), length >= shortest,
        length <= datagram.count - start
      else { break }
      ranges.append(start..<(start + length))
      start += (length + 3) & ~3
    }
    return ranges
  }

  /// A request with flags and a sequence number, ready to be sent.
  static func request(type: UInt16, flags: UInt16 = 0, sequence: UInt32 = 1, _ payload: [UInt8]) -> [UInt8] {
    var octets: [UInt8] = []
    octets.appendHostInteger(UInt32(clamping: headerLength + payload.count))
    octets.appendHostInteger(type)
    // NLM_F_REQUEST
    octets.appendHostInteger(flags | 1)
    octets.appendHostInteger(sequence)
    octets.appendHostInteger(UInt32(0))
    return octets + payload
  }

  /// An integer of the fixed structure with which the payload begins; nil if the payload ends before it does.
  func fixed<Number: FixedWidthInteger & UnsignedInteger>(at offset: Int, as _: Number.Type) -> Number? {
    guard offset + Number.bitWidth / 8 <= payload.count else { return nil }
    return payload.hostInteger(at: payload.startIndex + offset, as: Number.self)
  }

  /// The errno of a message that ends a request, 0 where that was done, or with which a list ended early; nil for another
  /// message.
  var errorCode: Int32? {
    let code = Int32(truncatingIfNeeded: Int32(bitPattern: fixed(at: 0, as: UInt32.self) ?? 0).magnitude)
    return switch type {
    case Self.errorType: code
    case Self.endType where code != 0: code
    default: nil
    }
  }

  /// The attributes after a fixed structure of this length; nil if the payload is shorter than that.
  func attributes(after fixedLength: Int) -> NetlinkAttributes? {
    guard payload.count >= fixedLength else { return nil }
    return NetlinkAttributes(payload.dropFirst((fixedLength + 3) & ~3))
  }
}

/// A row of attributes, each a length, a type and a value, padded to four octets (kernel: `struct nlattr`).
struct NetlinkAttributes {
  /// The bits of the type that tell nesting and byte order.
  private static let typeMask: UInt16 = 0x3FFF

  private var values: [UInt16: ArraySlice<UInt8>] = [:]

  /// Reads a row up to its end, or to the first attribute whose length is impossible. Of two of one type the last counts.
  init(_ octets: ArraySlice<UInt8>) {
    var rest = octets
    while rest.count >= 4 {
      let length = Int(rest.hostInteger(at: rest.startIndex, as: UInt16.self))
      guard length >= 4, length <= rest.count else { return }
      let type = rest.hostInteger(at: rest.startIndex + 2, as: UInt16.self) & Self.typeMask
      values[type] = rest.prefix(length).dropFirst(4)
      rest = rest.dropFirst((length + 3) & ~3)
    }
  }

  /// The octets of an attribute; nil if it is missing.
  subscript(type: UInt16) -> ArraySlice<UInt8>? { values[type] }

  /// An attribute as a number in host byte order; nil if it is missing or of another length.
  func number<Number: FixedWidthInteger & UnsignedInteger>(_ type: UInt16, as _: Number.Type) -> Number? {
    guard let value = values[type], value.count == Number.bitWidth / 8 else { return nil }
    return value.hostInteger(at: value.startIndex, as: Number.self)
  }

  /// An attribute as text up to its NUL; nil if it is missing, empty or not UTF-8.
  func text(_ type: UInt16) -> String? {
    guard let value = values[type]?.prefix(while: { $0 != 0 }), !value.isEmpty else { return nil }
    return String(validating: value, as: UTF8.self)
  }
}

extension [UInt8] {
  /// Appends an attribute and its padding.
  mutating func appendAttribute(_ type: UInt16, _ value: some Collection<UInt8>) {
    appendHostInteger(UInt16(clamping: 4 + value.count))
    appendHostInteger(type)
    append(contentsOf: value)
    append(contentsOf: repeatElement(0, count: -count & 3))
  }

  /// Appends an attribute that is a number in host byte order.
  mutating func appendAttribute(_ type: UInt16, number: UInt32) {
    var value: [UInt8] = []
    value.appendHostInteger(number)
    appendAttribute(type, value)
  }
}
