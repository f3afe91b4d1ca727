// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A numeric TCP address, ready for the socket calls.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  /// The IP address.
  public let address: IPAddress
  /// The TCP port; 0 lets the kernel choose one.
  public let port: UInt16
  /// The interface index of an IPv6 link-local address, else 0.
  public let scope: UInt32

  /// An address from its parts.
  public init(_ address: IPAddress, port: UInt16, scope: UInt32 = 0) {
    self.address = address
    self.port = port
    self.scope = scope
  }

  /// As in a portal.
  public var description: String {
    let scopeText = scope == 0 ? "" : "%\(scope)"
    return address.isIPv6 ? "[\(address)\(scopeText)]:\(port)" : "\(address):\(port)"
  }

  /// Calls `body` with the C form of the address.
  func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    switch address {
    case .v4(let value):
      var raw = sockaddr_in()
      raw.sin_family = sa_family_t(AF_INET)
      raw.sin_port = port.bigEndian
      raw.sin_addr = in_addr(s_addr: value.bigEndian)
      return unsafe Self.rebound(&raw, body)
    case .v6:
      var raw = sockaddr_in6()
      raw.sin6_family = sa_family_t(AF_INET6)
      raw.sin6_port = port.bigEndian
      raw.sin6_scope_id = scope
      // `octets` has 16 octets for IPv6, the size of sin6_addr.
      unsafe withUnsafeMutableBytes(of: &raw.sin6_addr) { unsafe $0.copyBytes(from: address.octets) }
      return unsafe Self.rebound(&raw, body)
    }
  }

  /// Reads an address that a C call filled in; nil for another family or a short one.
  init?(_ storage: UnsafePointer<sockaddr>, length: socklen_t) {
    // The family, with which every address begins, says which structure it is; its size is checked before it is read.
    // Not by the name sa_family: which module declares it depends on the order in which C modules are loaded.
    guard Int(length) >= MemoryLayout<sa_family_t>.size else { return nil }
    switch unsafe Int32(UnsafeRawPointer(storage).loadUnaligned(as: sa_family_t.self)) {
    case AF_INET where Int(length) >= MemoryLayout<sockaddr_in>.size:
      let raw = unsafe UnsafeRawPointer(storage).loadUnaligned(as: sockaddr_in.self)
      self.init(.v4(UInt32(bigEndian: raw.sin_addr.s_addr)), port: UInt16(bigEndian: raw.sin_port))
    case AF_INET6 where Int(length) >= MemoryLayout<sockaddr_in6>.size:
      let raw = unsafe UnsafeRawPointer(storage).loadUnaligned(as: sockaddr_in6.self)
      let octets = unsafe withUnsafeBytes(of: raw.sin6_addr) { unsafe Array($0) }
      guard let address = IPAddress(octets: octets) else { return nil }
      self.init(address, port: UInt16(bigEndian: raw.sin6_port), scope: raw.sin6_scope_id)
    default:
      return nil
    }
  }

  private static func rebound<Raw, Result>(
    _ raw: inout Raw, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    // sockaddr_in and sockaddr_in6 begin as sockaddr does; the socket calls are declared with the latter.
    unsafe withUnsafePointer(to: &raw) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
        unsafe body(rebound, socklen_t(MemoryLayout<Raw>.size))
      }
    }
  }
}

extension Portal {
  /// The numeric addresses of this portal in the order to try them; names are resolved off the cooperative threads.
  func resolve(until deadline: ContinuousClock.Instant) async throws(TransportError) -> [SocketAddress] {
    switch host {
    case .address(let address, let scope):
      guard let scope else {
        if address.isLinkLocal { throw .missingScope }
        return [SocketAddress(address, port: port)]
      }
      guard let index = UInt32(scope) ?? NetworkDevices().index(of: scope), index != 0 else {
        throw .noSuchDevice(scope)
      }
      return [SocketAddress(address, port: port, scope: index)]
    case .name(let name): return try await NameResolver.shared.addresses(of: name, port: port, until: deadline)
    }
  }
}
