// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why the network could not be set up as firmware has it.
public enum BootNetworkError: DiagnosableError, Hashable {
  /// A field of the firmware is missing: its path and what it is.
  case missing(field: String, String)
  /// The card has no device in this network namespace.
  case noDevice(String)
  /// The kernel refused, or did not answer in time.
  case failed(device: String, Errno)
  /// The task was cancelled.
  case cancelled

  /// 1, as open-iscsi's.
  public var exitStatus: ExitStatus { .failure }
  /// The reason in words.
  public var description: String {
    switch self {
    case .missing(let field, let what): "\(field): the firmware has no \(what)"
    case .noDevice(let name): "there is no network device \(name)"
    case .failed(let device, let errno): "\(device) cannot be set up: \(errno)"
    case .cancelled: "cancelled"
    }
  }
}

extension BootNetworkError {
  /// What became of a request to the kernel.
  fileprivate init(_ error: WaitError, on device: String) {
    self =
      switch error {
      case .failed(let errno): .failed(device: device, errno)
      case .timedOut: .failed(device: device, .timedOut)
      case .cancelled: .cancelled
      }
  }
}

/// What has to be set up so that a target of firmware can be reached.
struct BootNetworkPlan: Hashable, Sendable {
  /// The device of the card.
  let device: String
  /// The VLAN on it; nil for none.
  let vlan: UInt16?
  /// Our address.
  let address: IPAddress
  /// How much of it is the network's.
  let prefixLength: UInt8
  /// The target.
  let target: IPAddress
  /// Over whom it is reached; nil if it is on the network itself.
  let gateway: IPAddress?

  /// The plan for an entry, or what the firmware does not tell.
  init(_ entry: FirmwareEntry) throws(BootNetworkError) {
    let ethernet = entry.ethernet
    let field = "\(entry.source)/ethernet\(ethernet.index)"
    guard let device = ethernet.device else { throw .missing(field: "\(field)/mac", "card that is here") }
    guard let address = ethernet.address, !address.isUnspecified else {
      throw .missing(field: "\(field)/ip-addr", "address")
    }
    let fromMask = ethernet.subnetMask.flatMap { mask in
      mask.value.isIPv6 == address.value.isIPv6 ? mask.value.octets.reduce(0) { $0 + UInt8($1.nonzeroBitCount) } : nil
    }
    // The kernel shows a mask of its own making for IPv6.
    guard let prefix = ethernet.prefixLength ?? fromMask, Int(prefix) <= 8 * address.value.octets.count else {
      throw .missing(field: "\(field)/prefix-len", "netmask")
    }
    self.device = device
    vlan = ethernet.vlan.flatMap { $0 == 0 ? nil : $0 }
    self.address = address.value
    prefixLength = prefix
    target = entry.target.address.value
    let gateway = ethernet.gateway.flatMap { $0.isUnspecified ? nil : $0.value }
    self.gateway = target.isIn(networkOf: self.address, prefix) || gateway?.isIPv6 != target.isIPv6 ? nil : gateway
  }

  /// The names that the device of the VLAN may get, the usual one first: those that are not too long for the kernel.
  var vlanNames: [String] {
    vlan.map { ["\(device).\($0)", "vlan\($0)"].filter(PortalHost.isInterfaceName) } ?? []
  }
}

extension IPAddress {
  /// Whether the address is in the network of another.
  fileprivate func isIn(networkOf other: IPAddress, _ prefixLength: UInt8) -> Bool {
    guard isIPv6 == other.isIPv6 else { return false }
    return zip(octets, other.octets).enumerated().allSatisfy { index, pair in
      let bits = min(max(Int(prefixLength) - 8 * index, 0), 8)
      return (pair.0 ^ pair.1) >> (8 - bits) == 0
    }
  }
}

/// Sets the network up as firmware has it: a card's device and address, and a route to the target, no more. There is no
/// default route, and nobody is asked for an address by DHCP; that the firmware was given one is enough for the boot.
public struct BootNetwork: Sendable {
  /// How long a card may take to find its link, which can be some seconds after it is switched on.
  private static let carrierTimeout = Duration.seconds(10)

  private static let timeout = Duration.seconds(10)

  private let devices: NetworkDevices

  /// The network of this namespace.
  public init() { devices = NetworkDevices() }

  /// Sets up what the way to one target takes, and waits for the link. A link that stays away is no failure: it may come
  /// while the login is tried.
  ///
  /// - Parameter entry: The target.
  /// - Throws: What is missing, or what the kernel refuses.
  public func setUp(_ entry: FirmwareEntry) async throws(BootNetworkError) {
    let plan = try BootNetworkPlan(entry)
    // Before the device is switched on, so that its link is not missed.
    let monitor = try? NetworkMonitor()
    let card = try index(of: plan.device)
    try await perform([NetworkChangeRequest.up(card)], on: plan.device)
    let name = if let vlan = plan.vlan { try await self.vlan(vlan, on: card, plan) } else { plan.device }
    let device = try index(of: name)
    var changes = plan.vlan == nil ? [] : [NetworkChangeRequest.up(device)]
    changes.append(NetworkChangeRequest.address(plan.address, prefixLength: plan.prefixLength, on: device))
    changes.append(NetworkChangeRequest.route(to: plan.target, over: plan.gateway, on: device))
    try await perform(changes, on: name)
    if let monitor { await waitForCarrier(of: name, by: monitor) }
  }

  /// The device of a VLAN, by whatever name; it is made if there is none.
  private func vlan(
    _ number: UInt16, on card: UInt32, _ plan: BootNetworkPlan
  ) async throws(BootNetworkError) -> String {
    if let name = try await existing(number, on: card, plan) { return name }
    // A device of that name is something else.
    guard let name = plan.vlanNames.first(where: { devices.index(of: $0) == nil }) else {
      throw .failed(device: plan.vlanNames.last ?? plan.device, .fileExists)
    }
    try await perform([NetworkChangeRequest.vlan(number, named: name, on: card)], on: name)
    // Somebody else may have been faster, by a name of his own.
    guard let made = try await existing(number, on: card, plan) else { throw .noDevice(name) }
    return made
  }

  private func existing(
    _ number: UInt16, on card: UInt32, _ plan: BootNetworkPlan
  ) async throws(BootNetworkError) -> String? {
    do throws(WaitError) {
      return try await devices.vlan(number, on: card, until: .now + Self.timeout)
    } catch {
      throw BootNetworkError(error, on: plan.device)
    }
  }

  private func index(of name: String) throws(BootNetworkError) -> UInt32 {
    guard let index = devices.index(of: name) else { throw .noDevice(name) }
    return index
  }

  private func perform(_ changes: [[UInt8]], on device: String) async throws(BootNetworkError) {
    do throws(WaitError) {
      try await NetworkSetup().perform(changes, until: .now + Self.timeout)
    } catch {
      throw BootNetworkError(error, on: device)
    }
  }

  private func waitForCarrier(of device: String, by monitor: NetworkMonitor) async {
    let deadline = ContinuousClock.now + Self.carrierTimeout
    while .now < deadline {
      guard let cause = try? await devices.linkCause(of: device, until: deadline), cause != .up else { return }
      guard (try? await monitor.next(until: deadline)) != nil else { return }
    }
  }
}
