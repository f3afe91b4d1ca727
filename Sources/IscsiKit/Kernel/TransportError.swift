// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why the TCP transport to a portal failed.
public enum TransportError: DiagnosableError, Hashable {
  /// Nothing listens on the port.
  case refused
  /// The host or its network cannot be reached, or routing to it is forbidden.
  case unreachable(Errno)
  /// No answer in time.
  case timedOut
  /// The peer closed or reset the connection.
  case closedByPeer
  /// The host name has no address; the resolver's words.
  case unresolvable(String)
  /// An IPv6 link-local address needs `%interface`.
  case missingScope
  /// There is no network device of this name.
  case noSuchDevice(String)
  /// No network device has this MAC address.
  case noSuchHardwareAddress(HardwareAddress)
  /// The source address is not an address of this machine.
  case sourceNotLocal(IPAddress)
  /// The portal has no address of the family (IPv4, IPv6) of the source address.
  case sourceOfOtherFamily(IPAddress)
  /// The task was cancelled.
  case cancelled
  /// Another error of the operating system, and the call that it came from.
  case system(String, Errno)

  /// Codes 8 for a timeout, 7 for a binding that cannot be, 1 for a cancelled operation, else 4.
  public var exitStatus: ExitStatus {
    switch self {
    case .timedOut: .transportTimeout
    case .noSuchDevice, .noSuchHardwareAddress, .missingScope, .sourceNotLocal, .sourceOfOtherFamily: .invalidArgument
    case .cancelled: .failure
    case .refused, .unreachable, .closedByPeer, .unresolvable, .system: .transport
    }
  }

  /// The reason in words.
  public var description: String {
    switch self {
    case .refused: "connection refused"
    case .unreachable(let errno): "\(errno)".lowercasedFirst
    case .timedOut: "no answer in time"
    case .closedByPeer: "the target closed the connection"
    case .unresolvable(let reason): "the host name cannot be resolved (\(reason))"
    case .missingScope: "a link-local address needs its interface"
    case .noSuchDevice(let name): "there is no network device \(name)"
    case .noSuchHardwareAddress(let address): "no network device has the address \(address)"
    case .sourceNotLocal(let address): "\(address) is not an address of this machine"
    case .sourceOfOtherFamily(let address):
      "the portal has no \(address.isIPv6 ? "IPv6" : "IPv4") address to reach from \(address)"
    case .cancelled: "cancelled"
    case .system(let call, let errno): "\(call): \(errno)"
    }
  }

  /// What to do about it.
  public var advice: String? {
    switch self {
    case .refused: "check that the target's service runs and that the port is right"
    case .unreachable: "check the address and the route to it (ip route get)"
    case .timedOut: "check the address, the network and firewalls on the way"
    case .closedByPeer: "look into the target's log"
    case .unresolvable: "check the name and the resolver, or give the address"
    case .missingScope: "write it as fe80::1%eth0"
    case .noSuchDevice, .noSuchHardwareAddress: "ip link shows the devices of this network namespace"
    case .sourceNotLocal: "ip address shows the addresses of this network namespace"
    case .sourceOfOtherFamily: "bind to a source address of the portal's family"
    case .cancelled, .system: nil
    }
  }

  /// Sorts a system error of a connect or of later traffic into the cases.
  init(call: String, errno: Errno) {
    switch errno {
    case .connectionRefused: self = .refused
    case .timedOut: self = .timedOut
    case .networkUnreachable, .noRouteToHost, .hostIsDown, .networkDown, .permissionDenied, .notPermitted:
      self = .unreachable(errno)
    case .connectionReset, .brokenPipe, .connectionAbort: self = .closedByPeer
    default: self = .system(call, errno)
    }
  }

  /// A wait that ended without its event.
  init(_ error: WaitError) {
    switch error {
    case .timedOut: self = .timedOut
    case .cancelled: self = .cancelled
    case .failed(let errno): self = .system("epoll", errno)
    }
  }
}

extension String {
  /// The same text with a lower case first letter, to stand in a sentence.
  var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
