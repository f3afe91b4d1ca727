// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import SystemPackage

extension NetworkDevices {
  /// Questions to the kernel's network side wait for a lock that a driver may hold for long: a pool of their own.
  private static let pool = BlockingWork(limit: 4, sharesFiles: false)

  /// The name of the device through which packets to an address leave.
  ///
  /// - Parameters:
  ///   - address: Where to.
  ///   - scope: The interface index of an IPv6 link-local address, else 0.
  ///   - source: The address that the packets come from, if it is fixed.
  ///   - deadline: When to give up.
  /// - Returns: The device's name; nil if there is no route.
  /// - Throws: `.failed` with what the kernel answers, `.timedOut`, `.cancelled`.
  public func device(
    towards address: IPAddress, scope: UInt32 = 0, from source: IPAddress? = nil,
    until deadline: ContinuousClock.Instant?
  ) async throws(WaitError) -> String? {
    try await route(towards: address, scope: scope, from: source, until: deadline)?.device
  }

  /// The way that packets to an address take: the device, and the MTU in octets of the way, if the kernel has learned that
  /// or it is configured.
  func route(
    towards address: IPAddress, scope: UInt32 = 0, from source: IPAddress? = nil,
    until deadline: ContinuousClock.Instant?
  ) async throws(WaitError) -> (device: String, mtu: UInt32?)? {
    let request = RouteQuery.request(towards: address, scope: scope, from: source)
    return try await Self.ask(until: deadline) { () throws(Errno) -> (device: String, mtu: UInt32?)? in
      do throws(Errno) {
        let answer = try NetlinkHandle(protocol: NetlinkHandle.route).exchange(request)
        let device = RouteQuery.device(in: answer).flatMap(name(ofIndex:))
        return device.map { ($0, RouteQuery.mtu(in: answer)) }
      } catch {
        if [.networkUnreachable, .noRouteToHost, .noSuchProcess].contains(error) { return nil }
        throw error
      }
    }
  }

  /// Whether a device can carry traffic, and if not, why.
  ///
  /// The driver's own reason is asked for by ethtool's netlink interface; where that is missing (Linux before 5.6, or a
  /// driver that does not know) the kernel's operational state has to do.
  ///
  /// - Throws: `.failed` with what the kernel answers, `.timedOut`, `.cancelled`.
  public func linkCause(
    of device: String, until deadline: ContinuousClock.Instant?
  ) async throws(WaitError) -> LinkCause {
    guard PortalHost.isInterfaceName(device) else { return .noSuchDevice }
    return try await Self.ask(until: deadline) { () throws(Errno) -> LinkCause in
      let link: NetlinkMessage
      do throws(Errno) {
        link = try NetlinkHandle(protocol: NetlinkHandle.route).exchange(LinkQuery.request(for: device))
      } catch {
        if error.rawValue == ENODEV { return .noSuchDevice }
        throw error
      }
      guard let cause = LinkQuery.cause(in: link) else { throw Errno(rawValue: EBADMSG) }
      // Nothing that goes wrong here hides what is known already.
      guard cause != .administrativelyDown, let ethtool = try? NetlinkHandle(protocol: NetlinkHandle.generic),
        let family = ethtool.family("ethtool"),
        let state = try? ethtool.exchange(LinkStateQuery.request(for: device, family: family))
      else { return cause }
      return LinkStateQuery.cause(in: state, otherwise: cause)
    }
  }

  /// The device of a VLAN on another device, whatever its name is.
  ///
  /// - Parameters:
  ///   - number: The VLAN, as 802.1Q has it.
  ///   - link: The kernel's number of the device below.
  ///   - deadline: When to give up.
  /// - Returns: The device's name; nil if there is none.
  /// - Throws: `.failed` with what the kernel answers, `.timedOut`, `.cancelled`.
  func vlan(
    _ number: UInt16, on link: UInt32, until deadline: ContinuousClock.Instant?
  ) async throws(WaitError) -> String? {
    // Sysfs shows what is made on another device, but not as what.
    let names = namesAbove(link)
    guard !names.isEmpty else { return nil }
    return try await Self.ask(until: deadline) { () throws(Errno) -> String? in
      let handle = try NetlinkHandle(protocol: NetlinkHandle.route)
      for name in names {
        do throws(Errno) {
          let answer = try handle.exchange(LinkQuery.request(for: name))
          if LinkQuery.vlan(in: answer) == LinkQuery.VLAN(number: number, link: link) { return name }
        } catch {
          // It is gone by now.
          guard error.rawValue == ENODEV else { throw error }
        }
      }
      return nil
    }
  }

  /// The addresses that a device has and that can be used, but those of the link alone.
  ///
  /// - Throws: `.failed` with what the kernel answers, `.timedOut`, `.cancelled`.
  func addresses(
    of index: UInt32, until deadline: ContinuousClock.Instant?
  ) async throws(WaitError) -> [InterfaceAddress] {
    try await Self.ask(until: deadline) { () throws(Errno) -> [InterfaceAddress] in
      try NetlinkHandle(protocol: NetlinkHandle.route).list(AddressQuery.request)
        .compactMap { AddressQuery.address(in: $0, of: index) }
    }
  }

  /// The name of the device that has an address which can be used; nil if none has it. It may be switched off.
  ///
  /// - Throws: `.failed` with what the kernel answers, `.timedOut`, `.cancelled`.
  func owner(of address: IPAddress, until deadline: ContinuousClock.Instant?) async throws(WaitError) -> String? {
    try await Self.ask(until: deadline) { () throws(Errno) -> String? in
      for message in try NetlinkHandle(protocol: NetlinkHandle.route).list(AddressQuery.request) {
        guard let index = AddressQuery.owner(in: message),
          AddressQuery.address(in: message, of: index)?.address == address
        else { continue }
        return name(ofIndex: index)
      }
      return nil
    }
  }

  private static func ask<Answer: Sendable>(
    until deadline: ContinuousClock.Instant?, _ body: @escaping @Sendable () throws(Errno) -> Answer
  ) async throws(WaitError) -> Answer {
    let result = try await pool.run(until: deadline) { () -> Result<Answer, Errno> in
      do throws(Errno) { return .success(try body()) } catch { return .failure(error) }
    }
    switch result {
    case .success(let answer): return answer
    case .failure(let errno): throw .failed(errno)
    }
  }

  private func name(ofIndex index: UInt32) -> String? {
    // The call writes no more than IF_NAMESIZE octets, which the buffer has, and ends them with NUL.
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) { buffer in
      guard let start = buffer.baseAddress, let name = unsafe if_indextoname(index, start) else { return nil }
      return unsafe String(cString: name)
    }
  }
}

/// The question for a route (`RTM_GETROUTE`).
enum RouteQuery {
  private static let getRoute: UInt16 = 26
  private static let newRoute: UInt16 = 24
  private static let destination: UInt16 = 1
  private static let source: UInt16 = 2
  private static let device: UInt16 = 4
  private static let metrics: UInt16 = 8

  static func request(towards address: IPAddress, scope: UInt32, from source: IPAddress?) -> [UInt8] {
    let octets = address.octets
    let source = source.flatMap { $0.isIPv6 == address.isIPv6 ? $0.octets : nil }
    // struct rtmsg: family, lengths of destination and source in bits, and nothing else.
    var payload: [UInt8] = [UInt8(address.isIPv6 ? AF_INET6 : AF_INET), UInt8(8 * octets.count)]
    payload.append(UInt8(8 * (source?.count ?? 0)))
    payload.append(contentsOf: repeatElement(0, count: 9))
    payload.appendAttribute(destination, octets)
    if let source { payload.appendAttribute(Self.source, source) }
    if scope != 0 { payload.appendAttribute(device, number: scope) }
    return NetlinkMessage.request(type: getRoute, payload)
  }

  /// The number of the device that the route leads through; nil if it leads nowhere (an unreachable route).
  static func device(in answer: NetlinkMessage) -> UInt32? {
    // RTN_UNICAST, RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST; those that follow refuse packets.
    guard answer.type == newRoute, let type = answer.fixed(at: 7, as: UInt8.self), (1...5).contains(type) else {
      return nil
    }
    return answer.attributes(after: 12)?.number(device, as: UInt32.self)
  }

  /// The MTU of the way, among the metrics of the route (RTAX_MTU); nil if there is none but the device's.
  static func mtu(in answer: NetlinkMessage) -> UInt32? {
    answer.attributes(after: 12)?[metrics].map { NetlinkAttributes($0) }?.number(2, as: UInt32.self)
  }
}

/// An address of a device.
struct InterfaceAddress: Hashable, Sendable {
  /// The address.
  let address: IPAddress
  /// How much of it is the network's.
  let prefixLength: UInt8
}

/// The question for all addresses (`RTM_GETADDR`).
enum AddressQuery {
  private static let getAddress: UInt16 = 22
  private static let newAddress: UInt16 = 20
  private static let address: UInt16 = 1
  private static let localAddress: UInt16 = 2
  private static let flags: UInt16 = 8
  /// IFA_F_TENTATIVE and IFA_F_DADFAILED.
  private static let unusable: UInt32 = 0x48
  /// NLM_F_DUMP.
  private static let all: UInt16 = 0x300

  /// struct ifaddrmsg: of all families and devices.
  static let request = NetlinkMessage.request(type: getAddress, flags: all, [0, 0, 0, 0, 0, 0, 0, 0])

  /// The number of the device that an address is told of.
  static func owner(in message: NetlinkMessage) -> UInt32? {
    message.type == newAddress ? message.fixed(at: 4, as: UInt32.self) : nil
  }

  /// An address of a device that others can be reached from; nil for another.
  static func address(in message: NetlinkMessage, of index: UInt32) -> InterfaceAddress? {
    guard message.type == newAddress, message.fixed(at: 4, as: UInt32.self) == index,
      let prefixLength = message.fixed(at: 1, as: UInt8.self), let attributes = message.attributes(after: 8),
      let octets = attributes[localAddress] ?? attributes[address], let address = IPAddress(octets: octets)
    else { return nil }
    let short = message.fixed(at: 2, as: UInt8.self).map(UInt32.init) ?? 0
    guard (attributes.number(flags, as: UInt32.self) ?? short) & unusable == 0, !address.isLinkLocal else { return nil }
    return InterfaceAddress(address: address, prefixLength: prefixLength)
  }
}

/// The question for a device (`RTM_GETLINK`).
enum LinkQuery {
  private static let getLink: UInt16 = 18
  private static let newLink: UInt16 = 16
  private static let name: UInt16 = 3
  private static let operationalState: UInt16 = 16
  private static let extendedMask: UInt16 = 29
  /// `RTEXT_FILTER_SKIP_STATS`: no counters.
  private static let withoutStatistics: UInt32 = 8

  static func request(for device: String) -> [UInt8] {
    // struct ifinfomsg: all zero, the name says which.
    var payload = [UInt8](repeating: 0, count: 16)
    payload.appendAttribute(name, Array(device.utf8) + [0])
    payload.appendAttribute(extendedMask, number: withoutStatistics)
    return NetlinkMessage.request(type: getLink, payload)
  }

  /// What rtnetlink alone tells; nil if the answer is none.
  static func cause(in answer: NetlinkMessage) -> LinkCause? {
    guard answer.type == newLink, let flags = answer.fixed(at: 8, as: UInt32.self),
      let attributes = answer.attributes(after: 16)
    else { return nil }
    guard flags & UInt32(IFF_UP) != 0 else { return .administrativelyDown }
    let fault = attributes.number(operationalState, as: UInt8.self).flatMap(LinkFault.init(operationalState:))
    // IFF_LOWER_UP is the carrier; a device may have one and still wait to be allowed to use it.
    let hasCarrier = flags & (1 << 16) != 0
    return hasCarrier && fault == nil ? .up : .noCarrier(fault)
  }
}

extension LinkQuery {
  private static let linkBelow: UInt16 = 5
  private static let linkInformation: UInt16 = 18
  private static let namespaceBelow: UInt16 = 37
  private static let kind: UInt16 = 1
  private static let data: UInt16 = 2
  private static let vlanNumber: UInt16 = 1
  private static let vlanProtocol: UInt16 = 5
  /// ETH_P_8021Q, in network byte order.
  private static let standardProtocol: [UInt8] = [0x81, 0x00]

  /// A VLAN on a device (kernel: `linux/if_link.h`).
  struct VLAN: Hashable {
    /// `IFLA_VLAN_ID`.
    let number: UInt16
    /// `IFLA_LINK`: the kernel's number of the device below.
    let link: UInt32
  }

  /// The VLAN that a device is for; nil if it is for none of 802.1Q, or for one on a device of another namespace.
  static func vlan(in answer: NetlinkMessage) -> VLAN? {
    guard answer.type == newLink, let attributes = answer.attributes(after: 16), attributes[namespaceBelow] == nil,
      let link = attributes.number(linkBelow, as: UInt32.self),
      let information = attributes[linkInformation].map(NetlinkAttributes.init), information.text(kind) == "vlan",
      let settings = information[data].map(NetlinkAttributes.init),
      let number = settings.number(vlanNumber, as: UInt16.self),
      settings[vlanProtocol].map({ Array($0) == standardProtocol }) ?? true
    else { return nil }
    return VLAN(number: number, link: link)
  }
}

/// The question for a link's state (`ETHTOOL_MSG_LINKSTATE_GET`; kernel: `linux/ethtool_netlink.h`).
enum LinkStateQuery {
  private static let getLinkState: UInt8 = 6
  private static let header: UInt16 = 1
  private static let headerDeviceName: UInt16 = 2
  private static let nested: UInt16 = 0x8000
  private static let link: UInt16 = 2
  private static let extendedState: UInt16 = 5
  private static let extendedSubstate: UInt16 = 6

  static func request(for device: String, family: UInt16) -> [UInt8] {
    // struct genlmsghdr: command, version, reserved.
    var payload: [UInt8] = [getLinkState, 1, 0, 0]
    var name: [UInt8] = []
    name.appendAttribute(headerDeviceName, Array(device.utf8) + [0])
    payload.appendAttribute(header | nested, name)
    return NetlinkMessage.request(type: family, payload)
  }

  /// What the driver tells, or what is known otherwise if it tells nothing.
  static func cause(in answer: NetlinkMessage, otherwise cause: LinkCause) -> LinkCause {
    guard let attributes = answer.attributes(after: 4), let isLinked = attributes.number(link, as: UInt8.self) else {
      return cause
    }
    // A device below, or a wait to be allowed, keeps a linked device from being used; the driver does not know of that.
    guard isLinked == 0 else { return cause }
    guard let state = attributes.number(extendedState, as: UInt8.self) else {
      return cause == .up ? .noCarrier(nil) : cause
    }
    return .noCarrier(
      LinkFault(extendedState: state, substate: attributes.number(extendedSubstate, as: UInt8.self)))
  }
}
