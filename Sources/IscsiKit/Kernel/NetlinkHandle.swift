// SPDX-License-Identifier: Apache-2.0

internal import CNetlink
internal import Glibc
internal import SystemPackage

/// A socket of rtnetlink or generic netlink that closes itself; never blocks, unless it is told to wait for an answer.
///
/// libnl makes, binds and joins it; why its receiving half is left alone, `NetlinkSocket` tells.
@safe final class NetlinkHandle: Sendable {
  /// The kernel's number of rtnetlink (`NETLINK_ROUTE`).
  static let route: Int32 = 0
  /// The kernel's number of generic netlink (`NETLINK_GENERIC`).
  static let generic: Int32 = 16
  /// More than the kernel puts into one datagram (`NLMSG_GOODSIZE` and, for dumps, 32 KiB).
  private static let longestDatagram = 32 << 10

  /// The descriptor; it belongs to this object.
  let descriptor: Int32
  // Nil for a descriptor that a test made. libnl gets the pointer in init and deinit only, when no other thread has it.
  private nonisolated(unsafe) let socket: OpaquePointer?

  /// Opens a socket of a protocol and joins groups of its events.
  init(protocol number: Int32, groups: [Int32] = []) throws(Errno) {
    guard let socket = unsafe nl_socket_alloc() else { throw .noMemory }
    do throws(Errno) {
      try Self.check(unsafe nl_connect(socket, number))
      for group in groups { try Self.check(unsafe nl_socket_add_membership(socket, group)) }
      unsafe self.socket = socket
      descriptor = unsafe nl_socket_get_fd(socket)
    } catch {
      unsafe nl_socket_free(socket)
      throw error
    }
  }

  /// Takes over a descriptor of another kind of socket, which tests put messages into.
  init(adopting descriptor: Int32) {
    self.descriptor = descriptor
    unsafe socket = nil
  }

  deinit {
    if let socket = unsafe socket { unsafe nl_socket_free(socket) } else { Glibc.close(descriptor) }
  }

  /// The kernel's number of a family of generic netlink; nil if this kernel has no such family. Waits for the kernel.
  func family(_ name: String) -> UInt16? {
    guard let socket = unsafe socket else { return nil }
    // The name is lent to the call. One thread has this object while it asks.
    let number = unsafe genl_ctrl_resolve(socket, name)
    return number > 0 ? UInt16(exactly: number) : nil
  }

  /// Takes the next datagram of the kernel; nil if none waits.
  ///
  /// - Throws: `.noBufferSpace` when the kernel had to drop some, `.messageTooLong` for one that is longer than any.
  func receive() throws(Errno) -> [UInt8]? {
    guard let datagram = try NetlinkDatagram.receive(from: descriptor, limit: Self.longestDatagram) else { return nil }
    guard !datagram.isTruncated else { throw .messageTooLong }
    return datagram.octets
  }

  /// Sends a request and waits for the message that answers it.
  ///
  /// - Throws: What the kernel answers, or `.timedOut` should it not answer within two seconds.
  func exchange(_ request: [UInt8], sequence: UInt32 = 1) throws(Errno) -> NetlinkMessage {
    let answer = try self.answer(to: request, sequence)
    guard let code = answer.errorCode else { return answer }
    throw Errno(rawValue: code == 0 ? EBADMSG : code)
  }

  /// Sends a request that changes something, with the flag for an acknowledgement, and waits for that.
  ///
  /// - Throws: What the kernel answers, or `.timedOut` should it not answer within two seconds.
  func perform(_ request: [UInt8], sequence: UInt32 = 1) throws(Errno) {
    guard let code = try answer(to: request, sequence).errorCode else { throw Errno(rawValue: EBADMSG) }
    guard code == 0 else { throw Errno(rawValue: code) }
  }

  /// Sends a request for all that there is of something, with the flags for that, and collects what comes until the end.
  ///
  /// - Throws: What the kernel answers, or `.timedOut` should the end not come within two seconds.
  func list(_ request: [UInt8], sequence: UInt32 = 1) throws(Errno) -> [NetlinkMessage] {
    var found: [NetlinkMessage] = []
    try send(request)
    let end = try receive { message in
      guard message.sequence == sequence else { return false }
      if message.type == NetlinkMessage.endType || message.errorCode != nil { return true }
      found.append(message)
      return false
    }
    if let code = end.errorCode, code != 0 { throw Errno(rawValue: code) }
    return found
  }

  private func answer(to request: [UInt8], _ sequence: UInt32) throws(Errno) -> NetlinkMessage {
    try send(request)
    return try receive { $0.sequence == sequence }
  }

  /// Waits for the message that is the last.
  private func receive(until isLast: (NetlinkMessage) -> Bool) throws(Errno) -> NetlinkMessage {
    let deadline = ContinuousClock.now + .seconds(2)
    while ContinuousClock.now < deadline {
      // The kernel has answered such requests before the call that sends them returns: the wait is for the odd case.
      guard let datagram = try receive() else {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        // One structure, a local variable; an early return is found out by the next receive.
        _ = unsafe poll(&waiting, 1, 100)
        continue
      }
      if let last = NetlinkMessage.messages(in: datagram).first(where: isLast) { return last }
    }
    throw .timedOut
  }

  private func send(_ octets: [UInt8]) throws(Errno) {
    // The array's storage is lent to the call. Without an address the kernel is the receiver.
    while unsafe octets.withUnsafeBytes({ unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }) < 0 {
      guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
  }

  /// Throws the error behind a code of libnl.
  private static func check(_ code: Int32) throws(Errno) {
    if code < 0 { throw Errno(libnl: code) }
  }
}

extension Errno {
  /// The error behind a negative code of libnl, which has none of its own for most.
  init(libnl code: Int32) {
    self =
      switch code {
      case -Int32(NLE_PERM): .notPermitted
      case -Int32(NLE_NOACCESS): .permissionDenied
      case -Int32(NLE_NOMEM): .noMemory
      case -Int32(NLE_AF_NOSUPPORT), -Int32(NLE_PROTO_MISMATCH): .addressFamilyNotSupported
      case -Int32(NLE_EXIST): .addressInUse
      default: .invalidArgument
      }
  }
}
