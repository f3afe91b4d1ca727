// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
public import SystemPackage

/// A connected TCP socket that closes itself; non-blocking, awaited through the reactor.
public struct TCPSocket: ~Copyable, Sendable {
  /// The descriptor. It belongs to this value.
  public let descriptor: Int32
  /// The address that it is connected to, of those of the portal.
  public let peer: SocketAddress

  /// Our own address; nil if the kernel does not tell.
  var localAddress: IPAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // The kernel fills in as much of `storage` as it has, and says how much that is; every address begins as sockaddr does.
    return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
        guard unsafe getsockname(descriptor, rebound, &length) == 0 else { return nil }
        return unsafe SocketAddress(rebound, length: length)?.address
      }
    }
  }

  /// The same descriptor, for the kernel to bind.
  public var fileDescriptor: FileDescriptor { FileDescriptor(rawValue: descriptor) }

  private init(descriptor: Int32, peer: SocketAddress) {
    self.descriptor = descriptor
    self.peer = peer
  }

  deinit { _ = Glibc.close(descriptor) }

  /// Connects to a portal: each of its addresses in turn, until one answers.
  ///
  /// - Parameters:
  ///   - portal: Where to; a name is resolved first.
  ///   - binding: What the connection goes out through.
  ///   - sysfs: Where to look a MAC address up.
  ///   - deadline: When to give up. A portal of several addresses gives each its share of the time that is left.
  ///   - addressLimit: The most that one address may take; nil is all of its share.
  /// - Returns: The connected socket.
  /// - Throws: `TransportError` of the last address that was tried.
  public static func connect(
    to portal: Portal, through binding: InterfaceBinding = .automatic, sysfs: FilePath = "/sys",
    until deadline: ContinuousClock.Instant, addressLimit: Duration? = nil
  ) async throws(TransportError) -> TCPSocket {
    var addresses = try await portal.resolve(until: deadline)
    var failure = TransportError.unresolvable("no address")
    if case .sourceAddress(let source) = binding {
      // An address that cannot be reached from the source must not hide why the others failed.
      addresses.removeAll { $0.address.isIPv6 != source.isIPv6 }
      failure = .sourceOfOtherFamily(source)
    }
    for (index, address) in addresses.enumerated() {
      let share = (deadline - .now) / (addresses.count - index)
      do throws(TransportError) {
        let socket = try open(for: address, through: binding, sysfs: sysfs)
        try await socket.connect(until: .now + min(share, addressLimit ?? share))
        return socket
      } catch {
        if error == .cancelled { throw error }
        failure = error
      }
    }
    throw failure
  }

  /// Reads up to `limit` octets as soon as there are some.
  ///
  /// - Throws: `.closedByPeer` at the end of the stream.
  public func read(upTo limit: Int, until deadline: ContinuousClock.Instant) async throws(TransportError) -> [UInt8] {
    while true {
      let octets: [UInt8]?
      do throws(Errno) {
        octets = try StreamSocket.receive(from: descriptor, upTo: limit)
      } catch {
        throw TransportError(call: "recv", errno: error)
      }
      guard let octets else {
        try await ready(.read, until: deadline)
        continue
      }
      guard !octets.isEmpty else { throw .closedByPeer }
      return octets
    }
  }

  /// Writes all of `octets`.
  public func write(_ octets: [UInt8], until deadline: ContinuousClock.Instant) async throws(TransportError) {
    var rest = octets[...]
    while !rest.isEmpty {
      do throws(Errno) {
        rest = rest.dropFirst(try StreamSocket.send(rest, to: descriptor))
      } catch {
        throw TransportError(call: "send", errno: error)
      }
      if !rest.isEmpty { try await ready(.write, until: deadline) }
    }
  }

  private func ready(
    _ interest: Reactor.Interest, until deadline: ContinuousClock.Instant
  ) async throws(TransportError) {
    do throws(WaitError) {
      _ = try await Reactor.shared.wait(for: descriptor, interest, until: deadline)
    } catch {
      throw TransportError(error)
    }
  }

  private static func open(
    for address: SocketAddress, through binding: InterfaceBinding, sysfs: FilePath
  ) throws(TransportError) -> TCPSocket {
    let family = address.address.isIPv6 ? AF_INET6 : AF_INET
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = Glibc.socket(family, type, 0)
    guard descriptor >= 0 else { throw TransportError(call: "socket", errno: Errno(rawValue: errno)) }
    let socket = TCPSocket(descriptor: descriptor, peer: address)
    // iSCSI sends short requests and waits for the answer. The kernel does not set this when it takes the socket over.
    try socket.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    try socket.bind(through: binding, sysfs: sysfs)
    return socket
  }

  private func bind(through binding: InterfaceBinding, sysfs: FilePath) throws(TransportError) {
    switch binding {
    case .automatic: return
    case .device(let name): try bind(toDevice: name)
    case .hardwareAddress(let address):
      guard let name = NetworkDevices(sysfs: sysfs).name(of: address) else { throw .noSuchHardwareAddress(address) }
      try bind(toDevice: name)
    case .sourceAddress(let source):
      // A link-local source is on the link of the destination.
      let address = SocketAddress(source, port: 0, scope: source.isLinkLocal ? peer.scope : 0)
      // The kernel copies the address.
      guard unsafe address.withSocketAddress({ unsafe Glibc.bind(descriptor, $0, $1) }) == 0 else {
        let failure = Errno(rawValue: errno)
        throw failure == .addressNotAvailable ? .sourceNotLocal(source) : .system("bind", failure)
      }
    }
  }

  private func bind(toDevice name: String) throws(TransportError) {
    guard PortalHost.isInterfaceName(name) else { throw .noSuchDevice(name) }
    // The option takes the name's octets; the kernel copies them.
    let status = unsafe name.withCString { text in
      unsafe setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, text, socklen_t(name.utf8.count))
    }
    guard status == 0 else {
      let failure = Errno(rawValue: errno)
      throw failure.rawValue == ENODEV ? .noSuchDevice(name) : .system("SO_BINDTODEVICE", failure)
    }
  }

  private func setOption(_ level: Int32, _ option: Int32, _ value: Int32) throws(TransportError) {
    var value = value
    // The kernel copies the four octets of `value`.
    guard unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw .system("setsockopt", Errno(rawValue: errno))
    }
  }

  private func connect(until deadline: ContinuousClock.Instant) async throws(TransportError) {
    // The kernel copies the address.
    let status = unsafe peer.withSocketAddress { unsafe Glibc.connect(descriptor, $0, $1) }
    if status == 0 { return }
    let failure = Errno(rawValue: errno)
    guard failure == .nowInProgress || failure == .interrupted else {
      throw TransportError(call: "connect", errno: failure)
    }
    try await ready(.write, until: deadline)
    var result: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // Four octets are asked for and `result` has four.
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &result, &length) == 0 else {
      throw .system("SO_ERROR", Errno(rawValue: errno))
    }
    if result != 0 { throw TransportError(call: "connect", errno: Errno(rawValue: result)) }
  }
}
