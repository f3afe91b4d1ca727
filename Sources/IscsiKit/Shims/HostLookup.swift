// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Name resolution by the system's resolver.
enum HostLookup {
  /// Why a name has no address, in the resolver's words.
  struct Failure: Error, Hashable, Sendable {
    let reason: String
  }

  /// The numeric addresses of a host, in the order in which they should be tried; at most 16. Blocks.
  static func addresses(of name: String) -> Result<[String], Failure> {
    // The hints have no pointers set.
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    // getaddrinfo allocates the list, which is freed below.
    let status = unsafe getaddrinfo(name, nil, &hints, &list)
    guard status == 0 else {
      // gai_strerror returns a constant text.
      return .failure(Failure(reason: unsafe gai_strerror(status).map { unsafe String(cString: $0) } ?? "unknown"))
    }
    defer { unsafe freeaddrinfo(list) }
    var addresses: [String] = []
    var next = unsafe list
    while let entry = unsafe next, addresses.count < 16 {
      // NI_MAXHOST octets are more than any numeric address with its scope needs; getnameinfo ends the text with NUL.
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let failure = unsafe getnameinfo(
        entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
      let address = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      if failure == 0, !addresses.contains(address) { addresses.append(address) }
      unsafe next = unsafe entry.pointee.ai_next
    }
    return addresses.isEmpty ? .failure(Failure(reason: "the name has no address")) : .success(addresses)
  }
}
