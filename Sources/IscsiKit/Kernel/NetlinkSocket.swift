// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import CNetlink
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// The real channel: a `NETLINK_ISCSI` socket of libnl, and an eventfd to wake its thread.
///
/// libnl makes, binds, joins and sends. Its receiving half is left alone: `nl_recv` takes one datagram by a call, or by two
/// as it peeks for the length, allocates for each, and maps both `ENOBUFS` and `ENOMEM` to `NLE_NOMEM`, so that lost events
/// could not be told from lack of memory; `nl_recvmsgs` checks sequence numbers, which this protocol does not have.
@safe final class NetlinkSocket: KernelChannel {
  /// The kernel's number of the protocol (`NETLINK_ISCSI`).
  private static let protocolNumber: Int32 = 8
  /// The group that the kernel sends its events to (`ISCSI_NL_GRP_ISCSID`).
  private static let eventGroup: Int32 = 1
  /// When this many octets wait unread the kernel starts to lose events, and to fail connections for that.
  private static let receiveBuffer: Int32 = 4 << 20
  /// More than `RequestBatch.datagramLimit`, whatever the system's default is.
  private static let sendBuffer: Int32 = 256 << 10
  /// More than the longest message for this transport: a PDU of 8312 octets.
  private static let longestDatagram = 16 << 10

  // The pointer is made in init, freed in deinit, and used by one thread between; libnl keeps no other reference.
  private nonisolated(unsafe) let socket: OpaquePointer
  private let descriptor: Int32
  private let wakeDescriptor: Int32
  private let inbox: Mutex<NetlinkInbox>
  let port: UInt32?
  /// Of `/proc/self/stat`, or -1 where there is no procfs.
  private let statDescriptor: Int32
  /// Milliseconds to the next look whether the process has died (see `ProcessDeath`); -1 for none.
  private let nextLook = Atomic<Int32>(-1)

  /// Opens the socket and joins the event group.
  init() throws(KernelError) {
    guard let socket = unsafe nl_socket_alloc() else { throw .system(.open, .noMemory) }
    // Flags are ours alone to set: the kernel gives no acks, and counts no sequence.
    unsafe nl_socket_disable_auto_ack(socket)
    unsafe nl_socket_disable_seq_check(socket)
    do throws(KernelError) {
      try unsafe Self.connect(socket)
      let descriptor = unsafe nl_socket_get_fd(socket)
      // First: from the moment of joining the kernel fills the buffer.
      try Self.enlargeBuffers(of: descriptor)
      try unsafe Self.join(socket)
      let wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
      guard wakeDescriptor >= 0 else { throw .system(.open, Errno(rawValue: errno)) }
      // libnl asks the kernel for it, and gives 0 if there is none.
      let port = unsafe nl_socket_get_local_port(socket)
      self.port = port == 0 ? nil : port
      unsafe self.socket = socket
      self.descriptor = descriptor
      inbox = Mutex(NetlinkInbox(of: descriptor, limit: Self.longestDatagram))
      self.wakeDescriptor = wakeDescriptor
      statDescriptor = clinux_open_stat()
    } catch {
      unsafe nl_socket_free(socket)
      throw error
    }
  }

  deinit {
    Glibc.close(wakeDescriptor)
    if statDescriptor >= 0 { Glibc.close(statDescriptor) }
    unsafe nl_socket_free(socket)
  }

  private static func connect(_ socket: OpaquePointer) throws(KernelError) {
    // The pointer is valid: it comes from nl_socket_alloc, and its owner frees it after this call.
    let connected = unsafe nl_connect(socket, protocolNumber)
    guard connected >= 0 else {
      throw connected == -Int32(NLE_PROTO_MISMATCH) ? .transportMissing : Self.failure(.open, connected)
    }
    let nonblocking = unsafe nl_socket_set_nonblocking(socket)
    guard nonblocking >= 0 else { throw Self.failure(.open, nonblocking) }
  }

  private static func join(_ socket: OpaquePointer) throws(KernelError) {
    // The pointer is valid, as in `connect`.
    let joined = unsafe nl_socket_add_membership(socket, eventGroup)
    guard joined >= 0 else { throw Self.failure(.join, joined) }
  }

  /// The error behind a code of libnl.
  private static func failure(_ operation: KernelError.Operation, _ code: Int32) -> KernelError {
    let error = Errno(libnl: code)
    return error == .notPermitted || error == .permissionDenied
      ? .notPermitted(operation, error) : .system(operation, error)
  }

  /// Beyond the system's limit first, which root may, else up to it.
  ///
  /// `nl_socket_set_buffer_size` knows the second way only.
  private static func enlargeBuffers(of descriptor: Int32) throws(KernelError) {
    for (forced, plain, size) in [
      (SO_RCVBUFFORCE, SO_RCVBUF, receiveBuffer), (SO_SNDBUFFORCE, SO_SNDBUF, sendBuffer),
    ] {
      var size = size
      let length = socklen_t(MemoryLayout<Int32>.size)
      // The pointer is to a local variable and not kept.
      if unsafe setsockopt(descriptor, SOL_SOCKET, forced, &size, length) == 0 { continue }
      guard unsafe setsockopt(descriptor, SOL_SOCKET, plain, &size, length) == 0 else {
        throw .system(.setBuffer, Errno(rawValue: errno))
      }
    }
  }

  func send(_ datagram: [UInt8]) throws(Errno) {
    var octets = datagram
    nextLook.store(ProcessDeath.firstLook, ordering: .relaxed)
    while true {
      // libnl does not keep the pointer, nor write to it. Its code for the error has less than errno, which it keeps.
      let (sent, number) = unsafe octets.withUnsafeMutableBytes { buffer in
        unsafe (nl_sendto(socket, buffer.baseAddress, buffer.count), errno)
      }
      if sent >= 0 {
        if ProcessDeath.canFollow(octets.span) { ProcessDeath.follow(by: statDescriptor) }
        // The answers are here by now.
        expectMore()
        return
      }
      // The kernel executes a datagram before sendto returns; a signal can interrupt only before it starts.
      guard number == EINTR else { throw Errno(rawValue: number) }
    }
  }

  func receive() throws(Errno) -> KernelDatagram? {
    while let datagram = try inbox.withLock({ (inbox) throws(Errno) in try inbox.next() }) {
      // No message for us is longer than the limit, so a longer one cannot be read anyway.
      if datagram.isTruncated { continue }
      return KernelDatagram(origin: datagram.groups == 0 ? .unicast : .multicast, octets: datagram.octets)
    }
    return nil
  }

  func wait() {
    // The socket has nothing of what was taken off it.
    guard !inbox.withLock({ $0.hasMore }) else { return }
    var descriptors = [
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0),
    ]
    let look = nextLook.load(ordering: .relaxed)
    // The array lives through the call. An interruption is an early return, which callers expect.
    let ready = unsafe poll(&descriptors, nfds_t(descriptors.count), look)
    if ready == 0 {
      ProcessDeath.follow(by: statDescriptor)
      nextLook.store(ProcessDeath.nextLook(after: look), ordering: .relaxed)
    }
    if descriptors[0].revents != 0 { expectMore() }
    if descriptors[1].revents != 0 {
      var count: eventfd_t = 0
      _ = unsafe eventfd_read(wakeDescriptor, &count)
    }
  }

  func expectMore() { inbox.withLock { $0.expectMore() } }

  func wake() {
    _ = eventfd_write(wakeDescriptor, 1)
  }
}
