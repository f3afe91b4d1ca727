// SPDX-License-Identifier: Apache-2.0
import Glibc
public import IscsiKit
import SystemPackage

/// A listening socket on 127.0.0.1 that takes connections and never says a word, as a hung target does.
public final class TestListener: Sendable {
  /// The TCP port, chosen by the kernel.
  public let port: UInt16
  private let descriptor: Int32

  /// The portal.
  public var portal: Portal { Portal(host: .address(.v4(0x7F00_0001), scope: nil), port: port) }

  /// Starts to listen.
  ///
  /// - Parameter backlog: How many connections may wait, but for one: whoever comes then gets no answer, as over a silent path.
  /// - Throws: `Errno` if there is no socket to be had.
  public init(backlog: Int = 16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let socket = descriptor
    // sockaddr_in is one of the structures that sockaddr stands for; both calls stay within `length`.
    let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe bind(socket, address, length) == 0 && getsockname(socket, address, &length) == 0
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    guard status, listen(descriptor, CInt(clamping: backlog)) == 0 else { throw Errno(rawValue: errno) }
  }

  deinit { close(descriptor) }

  /// Waits until somebody has connected.
  public func waitForConnection(until deadline: ContinuousClock.Instant) async throws {
    _ = try await Reactor.shared.wait(for: descriptor, .read, until: deadline)
  }

  /// How many sockets of this process are connected to `port` on this machine.
  public static func connections(to port: UInt16) -> Int {
    (0..<Int32(4096)).count { peerPort(of: $0) == port }
  }

  /// The TCP port that a descriptor is connected to; nil if it is no connected socket of IPv4.
  static func peerPort(of descriptor: Int32) -> UInt16? {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // The kernel fills at most `length` octets.
    let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getpeername(descriptor, $0, &length) }
    }
    return status == 0 && address.sin_family == AF_INET ? UInt16(bigEndian: address.sin_port) : nil
  }
}
