// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A network device as the kernel reported it.
public struct NetworkLink: Hashable, Sendable {
  /// The device's name, such as `eth0`.
  public let name: String
  /// The kernel's number of the device.
  public let index: UInt32
  /// Whether the administrator has switched it on (`ip link set ... up`).
  public let isUp: Bool
  /// Whether it is on and has a carrier.
  public let hasCarrier: Bool
  /// Whether it was removed, or moved to another network namespace.
  public let isGone: Bool

  /// A device from its parts.
  public init(name: String, index: UInt32, isUp: Bool, hasCarrier: Bool, isGone: Bool = false) {
    self.name = name
    self.index = index
    self.isUp = isUp
    self.hasCarrier = hasCarrier
    self.isGone = isGone
  }
}

/// Something that changed in this network namespace.
///
/// The kernel also reports what is the same as before (a renewed address, a device whose counters were asked for), so a
/// value says what is now, not that it was different.
public enum NetworkChange: Hashable, Sendable {
  /// A device is there in this state, or gone.
  case link(NetworkLink)
  /// An address can be used. The device's name is nil if the device is gone again; the number is the kernel's.
  case addressAdded(device: String?, index: UInt32, IPAddress)
  /// An address is no longer there.
  case addressRemoved(device: String?, index: UInt32, IPAddress)
  /// Routes were added or replaced, however many.
  case routesAdded
  /// Changes were lost: what is needed must be read anew.
  case overrun
}

/// Reads the messages of rtnetlink's groups.
struct NetworkChangeDecoder {
  /// The numbers of rtnetlink (kernel: `linux/rtnetlink.h`, `if_link.h`, `if_addr.h`).
  private enum Wire {
    static let newLink: UInt16 = 16
    static let deleteLink: UInt16 = 17
    static let newAddress: UInt16 = 20
    static let deleteAddress: UInt16 = 21
    static let newRoute: UInt16 = 24
    static let linkName: UInt16 = 3
    static let address: UInt16 = 1
    static let localAddress: UInt16 = 2
    static let addressLabel: UInt16 = 3
    static let addressFlags: UInt16 = 8
    static let lowerUp: UInt32 = 1 << 16
    static let tentative: UInt32 = 0x40
    static let optimistic: UInt32 = 0x04
    static let clonedRoute: UInt32 = 0x200
    static let localTable: UInt8 = 255
  }

  /// The most devices whose names are kept; with more, an address may come without a name.
  private static let nameLimit = 4096

  /// What the devices were called when they were last heard of: a removed address of a removed device has only a number.
  private var names: [UInt32: String]

  /// A decoder that knows some devices already.
  init(names: [UInt32: String] = [:]) { self.names = names }

  /// What a datagram reports, in order. What is malformed or means nothing here is passed over.
  mutating func changes(in datagram: [UInt8]) -> [NetworkChange] {
    var changes: [NetworkChange] = []
    for message in NetlinkMessage.messages(in: datagram) {
      if let change = change(message) { changes.append(change) }
    }
    return changes
  }

  private mutating func change(_ message: NetlinkMessage) -> NetworkChange? {
    switch message.type {
    case Wire.newLink, Wire.deleteLink: link(message)
    case Wire.newAddress, Wire.deleteAddress: address(message)
    case Wire.newRoute: Self.isOfInterest(route: message) ? .routesAdded : nil
    default: nil
    }
  }

  private mutating func link(_ message: NetlinkMessage) -> NetworkChange? {
    // Other families report what a device is to them: a removed link of a bridge is a port that has left it.
    guard message.fixed(at: 0, as: UInt8.self) == UInt8(AF_UNSPEC), let index = message.fixed(at: 4, as: UInt32.self),
      let flags = message.fixed(at: 8, as: UInt32.self), let name = message.attributes(after: 16)?.text(Wire.linkName)
    else { return nil }
    let isGone = message.type == Wire.deleteLink
    if isGone {
      names[index] = nil
    } else if names[index] != nil || names.count < Self.nameLimit {
      names[index] = name
    }
    let isUp = !isGone && flags & UInt32(IFF_UP) != 0
    return .link(
      NetworkLink(
        name: name, index: index, isUp: isUp, hasCarrier: isUp && flags & Wire.lowerUp != 0, isGone: isGone))
  }

  private func address(_ message: NetlinkMessage) -> NetworkChange? {
    guard let shortFlags = message.fixed(at: 2, as: UInt8.self), let index = message.fixed(at: 4, as: UInt32.self),
      let attributes = message.attributes(after: 8),
      // The own end of a point-to-point link is local; without a peer IPv6 has `address` alone.
      let octets = attributes[Wire.localAddress] ?? attributes[Wire.address], let address = IPAddress(octets: octets)
    else { return nil }
    let label = attributes.text(Wire.addressLabel)?.split(separator: ":").first.map(String.init)
    let name = names[index] ?? label
    guard message.type == Wire.newAddress else { return .addressRemoved(device: name, index: index, address) }
    // An IPv6 address that is still checked for duplicates cannot be used; it is reported again when it can.
    let flags = attributes.number(Wire.addressFlags, as: UInt32.self) ?? UInt32(shortFlags)
    guard flags & Wire.tentative == 0 || flags & Wire.optimistic != 0 else { return nil }
    return .addressAdded(device: name, index: index, address)
  }

  /// Whether a route may lead somewhere else now: cached routes are copies, and those of local addresses come with them.
  private static func isOfInterest(route: NetlinkMessage) -> Bool {
    guard let table = route.fixed(at: 4, as: UInt8.self), let flags = route.fixed(at: 8, as: UInt32.self) else {
      return false
    }
    return table != Wire.localTable && flags & Wire.clonedRoute == 0
  }
}
