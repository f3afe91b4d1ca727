// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
package import SystemPackage

/// Something that takes connections of programs of this machine.
protocol LocalListener: Sendable {
  /// The next connection, as soon as there is one.
  func accept() async throws(LocalSocketError) -> LocalSocket
  /// Takes no more connections. No task may be in `accept` then.
  func close()
}

extension UnixListener: LocalListener {}

/// A TCP socket at an address that other machines cannot reach (127.0.0.0/8, ::1). It is closed with the object if not
/// before.
package final class LoopbackListener: LocalListener {
  private let descriptor: Mutex<Int32?>
  /// The port; the kernel's choice if 0 was asked for.
  package let port: UInt16

  /// Listens at `address`.
  ///
  /// - Throws: `addressNotAvailable` for an address that is none of the loopback device's own, `addressInUse`, or what else
  ///   the system says.
  package init(at address: SocketAddress) throws(Errno) {
    guard address.address.isLoopback else { throw .addressNotAvailable }
    let family = address.address.isIPv6 ? AF_INET6 : AF_INET
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let socket = Glibc.socket(family, type, 0)
    guard socket >= 0 else { throw Errno(rawValue: errno) }
    do throws(Errno) {
      // A port whose last connections are not forgotten yet is free for a listener.
      var reuse: Int32 = 1
      // The kernel copies the four octets, and then the address.
      guard
        unsafe setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size)) == 0,
        unsafe address.withSocketAddress({ unsafe bind(socket, $0, $1) }) == 0, listen(socket, 128) == 0
      else { throw Errno(rawValue: errno) }
      port = try Self.port(of: socket)
    } catch {
      _ = Glibc.close(socket)
      throw error
    }
    descriptor = Mutex(socket)
  }

  deinit { close() }

  package func close() {
    let taken = descriptor.withLock { descriptor in
      defer { descriptor = nil }
      return descriptor
    }
    if let taken { _ = Glibc.close(taken) }
  }

  func accept() async throws(LocalSocketError) -> LocalSocket {
    guard let descriptor = descriptor.withLock(\.self) else { throw .failed(.badFileDescriptor) }
    return try await LocalSocket.accept(from: descriptor)
  }

  private static func port(of socket: Int32) throws(Errno) -> UInt16 {
    var storage = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    // The kernel fills at most `length` octets, which both families' addresses have room in; the initializer looks at the
    // family and that length before it reads more.
    let address = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound -> SocketAddress? in
        guard unsafe getsockname(socket, rebound, &length) == 0 else { return nil }
        return unsafe SocketAddress(rebound, length: length)
      }
    }
    guard let address else { throw Errno(rawValue: errno) }
    return address.port
  }
}
