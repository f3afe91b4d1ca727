// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import SystemPackage

/// The address of a unix socket: a path, or an abstract name, which begins with a NUL and has no end but its length.
struct UnixAddress: Hashable, Sendable {
  /// The most octets of `sun_path`; a path must leave room for its NUL.
  static let limit = 108

  /// What goes into `sun_path`: a path without its NUL, or an abstract name with the NUL that it begins with.
  private let octets: [UInt8]

  /// An address from the octets of `sun_path`; those beyond the limit are dropped.
  init(octets: [UInt8]) { self.octets = Array(octets.prefix(Self.limit)) }

  /// The address of a name in the abstract namespace of this network namespace.
  init(abstract name: String) { self.init(octets: [0] + Array(name.utf8)) }

  /// The address of a path.
  init(path: String) { self.init(octets: Array(path.utf8)) }

  /// The address of a path of 1 to 107 octets; `fileNameTooLong` for another, which the kernel would cut.
  init(checking path: FilePath) throws(Errno) {
    let octets = Array(path.string.utf8)
    guard !octets.isEmpty, octets.count < Self.limit else { throw .fileNameTooLong }
    self.init(octets: octets)
  }

  /// The address that a socket is bound to; nil if it is no unix socket or has none.
  init?(of descriptor: Int32) {
    var raw = sockaddr_un()
    let family = MemoryLayout<sa_family_t>.size
    var length = socklen_t(MemoryLayout<sockaddr_un>.size)
    // The kernel fills the structure, which begins as sockaddr does, no further than its length.
    let status = unsafe withUnsafeMutablePointer(to: &raw) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(descriptor, $0, &length) }
    }
    guard status == 0, raw.sun_family == sa_family_t(AF_UNIX), Int(length) > family else { return nil }
    // All 108 octets are there; how many of them count is what the kernel says.
    let path = unsafe withUnsafeBytes(of: &raw.sun_path) { unsafe Array($0.prefix(Int(length) - family)) }
    self.init(octets: path.first == 0 ? path : Array(path.prefix { $0 != 0 }))
  }

  /// The path; nil if it is an abstract name, or no text.
  var path: FilePath? {
    guard let first = octets.first, first != 0, let text = String(validating: octets, as: UTF8.self) else { return nil }
    return FilePath(text)
  }

  /// Calls `body` with the C form of the address.
  func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var raw = sockaddr_un()
    raw.sun_family = sa_family_t(AF_UNIX)
    // At most 108 octets, the size of sun_path. Those after them are zero; a path's length counts the first of these.
    unsafe withUnsafeMutableBytes(of: &raw.sun_path) { unsafe $0.copyBytes(from: octets) }
    let isPath = octets.first != 0 && octets.count < Self.limit
    let length = MemoryLayout<sa_family_t>.size + octets.count + (isPath ? 1 : 0)
    // sockaddr_un begins as sockaddr does; the socket calls are declared with the latter.
    return unsafe withUnsafePointer(to: &raw) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(length)) }
    }
  }

  /// Sends a datagram to the address; nil if it went, else why not. Waits for room only if it may.
  func send(_ datagram: [UInt8], from descriptor: Int32, mayWait: Bool = false) -> Errno? {
    let flags = Int32(MSG_NOSIGNAL) | (mayWait ? 0 : Int32(MSG_DONTWAIT))
    while true {
      // The array's storage and the address are lent to the call.
      let sent = unsafe withSocketAddress { address, length in
        unsafe datagram.withUnsafeBytes {
          unsafe sendto(descriptor, $0.baseAddress, $0.count, flags, address, length)
        }
      }
      if sent >= 0 { return nil }
      guard errno == EINTR else { return Errno(rawValue: errno) }
    }
  }
}
