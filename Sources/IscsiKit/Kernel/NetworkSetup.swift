// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import SystemPackage

/// Sets up devices, addresses and routes of this network namespace. Needs CAP_NET_ADMIN.
///
/// What is there already is no error, so that it can be done again; but for a MAC address, which most drivers change only of
/// a device that is off.
struct NetworkSetup: Sendable {
  /// The kernel's network side may hold a lock for long: a thread of its own.
  private static let pool = BlockingWork(limit: 1, sharesFiles: false)

  /// Makes changes in their order.
  ///
  /// - Parameters:
  ///   - changes: Requests of ``NetworkChangeRequest``.
  ///   - deadline: When to give up.
  /// - Throws: `.failed` with what the kernel answers to the first that it refuses, `.timedOut`, `.cancelled`.
  func perform(_ changes: [[UInt8]], until deadline: ContinuousClock.Instant) async throws(WaitError) {
    let failure = try await Self.pool.run(until: deadline) { () -> Errno? in
      do throws(Errno) {
        let handle = try NetlinkHandle(protocol: NetlinkHandle.route)
        for change in changes {
          do throws(Errno) { try handle.perform(change) } catch .fileExists { continue }
        }
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw .failed(failure) }
  }
}

/// Requests that change the network (`linux/rtnetlink.h`, `linux/if_link.h`, `linux/if_addr.h`), ready to be sent.
enum NetworkChangeRequest {
  private static let newLink: UInt16 = 16
  private static let newAddress: UInt16 = 20
  private static let removeAddress: UInt16 = 21
  private static let newRoute: UInt16 = 24
  /// NLM_F_ACK.
  private static let acknowledge: UInt16 = 0x4
  /// NLM_F_CREATE.
  private static let create: UInt16 = 0x400
  /// NLM_F_REPLACE.
  private static let replace: UInt16 = 0x100
  /// IFA_F_NODAD.
  private static let noDuplicateDetection: UInt8 = 2
  /// IFF_UP.
  private static let up: UInt32 = 1

  /// Switches a device on.
  static func up(_ index: UInt32) -> [UInt8] {
    NetlinkMessage.request(type: newLink, flags: acknowledge, link(index: index, flags: up, mask: up))
  }

  /// Switches a device off.
  static func down(_ index: UInt32) -> [UInt8] {
    NetlinkMessage.request(type: newLink, flags: acknowledge, link(index: index, flags: 0, mask: up))
  }

  /// Sets the MTU of a device, in octets.
  static func mtu(_ octets: UInt32, of index: UInt32) -> [UInt8] {
    var payload = link(index: index, flags: 0, mask: 0)
    payload.appendAttribute(4, number: octets)  // IFLA_MTU
    return NetlinkMessage.request(type: newLink, flags: acknowledge, payload)
  }

  /// Gives a device, which most drivers want to be off, another MAC address.
  static func hardwareAddress(_ address: HardwareAddress, of index: UInt32) -> [UInt8] {
    var payload = link(index: index, flags: 0, mask: 0)
    let octets = (0..<6).map { UInt8(truncatingIfNeeded: address.rawValue >> (40 - 8 * UInt64($0))) }
    payload.appendAttribute(1, octets)  // IFLA_ADDRESS
    return NetlinkMessage.request(type: newLink, flags: acknowledge, payload)
  }

  /// Makes a VLAN's device on another.
  static func vlan(_ number: UInt16, named name: String, on index: UInt32) -> [UInt8] {
    var payload = link(index: 0, flags: 0, mask: 0)
    payload.appendAttribute(3, Array(name.utf8) + [0])  // IFLA_IFNAME
    payload.appendAttribute(5, number: index)  // IFLA_LINK
    var tag: [UInt8] = []
    tag.appendHostInteger(number)
    var data: [UInt8] = []
    data.appendAttribute(1, tag)  // IFLA_VLAN_ID
    var information: [UInt8] = []
    information.appendAttribute(1, Array("vlan".utf8))  // IFLA_INFO_KIND
    information.appendAttribute(2, data)  // IFLA_INFO_DATA
    payload.appendAttribute(18, information)  // IFLA_LINKINFO
    return NetlinkMessage.request(type: newLink, flags: acknowledge | create, payload)
  }

  /// Gives a device an address, with the route to its network, or to the other end of a link that has but two.
  ///
  /// An IPv6 address can be used at once: who boots from a target has nothing to do but to use it, whoever else may have it.
  static func address(
    _ address: IPAddress, prefixLength: UInt8, peer: IPAddress? = nil, on index: UInt32
  ) -> [UInt8] {
    // struct ifaddrmsg: family, prefix, flags, scope (the whole world), index.
    var payload: [UInt8] = [family(address), prefixLength, address.isIPv6 ? noDuplicateDetection : 0, 0]
    payload.appendHostInteger(index)
    payload.appendAttribute(2, address.octets)  // IFA_LOCAL
    payload.appendAttribute(1, (peer ?? address).octets)  // IFA_ADDRESS
    if case .v4(let number) = address, prefixLength < 31, peer == nil {
      // IFA_BROADCAST
      payload.appendAttribute(4, IPAddress.v4(number | UInt32.max >> UInt32(prefixLength)).octets)
    }
    return NetlinkMessage.request(type: newAddress, flags: acknowledge | create | replace, payload)
  }

  /// Takes an address away from a device.
  static func removal(of address: IPAddress, prefixLength: UInt8, on index: UInt32) -> [UInt8] {
    var payload: [UInt8] = [family(address), prefixLength, 0, 0]
    payload.appendHostInteger(index)
    payload.appendAttribute(2, address.octets)  // IFA_LOCAL
    return NetlinkMessage.request(type: removeAddress, flags: acknowledge, payload)
  }

  /// A route to one host: over a gateway, or on the link.
  static func route(to host: IPAddress, over gateway: IPAddress?, on index: UInt32) -> [UInt8] {
    route(to: host, prefixLength: UInt8(8 * host.octets.count), over: gateway, on: index)
  }

  /// A route to a network; a prefix of no bits is the default route.
  static func route(
    to network: IPAddress, prefixLength: UInt8, over gateway: IPAddress?, on index: UInt32
  ) -> [UInt8] {
    // struct rtmsg: family, lengths of destination and source in bits, type of service; the main table, from the boot, the
    // whole world or the link, unicast; no flags.
    var payload: [UInt8] = [family(network), prefixLength, 0, 0, 254, 3, gateway == nil ? 253 : 0, 1, 0, 0, 0, 0]
    if prefixLength > 0 { payload.appendAttribute(1, network.octets) }  // RTA_DST
    if let gateway { payload.appendAttribute(5, gateway.octets) }  // RTA_GATEWAY
    payload.appendAttribute(4, number: index)  // RTA_OIF
    return NetlinkMessage.request(type: newRoute, flags: acknowledge | create | replace, payload)
  }

  private static func family(_ address: IPAddress) -> UInt8 { UInt8(address.isIPv6 ? AF_INET6 : AF_INET) }

  /// struct ifinfomsg: family and padding, type, index, flags, and which of them are meant.
  private static func link(index: UInt32, flags: UInt32, mask: UInt32) -> [UInt8] {
    var payload: [UInt8] = [0, 0, 0, 0]
    payload.appendHostInteger(index)
    payload.appendHostInteger(flags)
    payload.appendHostInteger(mask)
    return payload
  }
}
