// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why the network could not be set up for a boot.
public enum BootNetworkError: DiagnosableError, Hashable {
  /// A field of the firmware is missing: its path and what it is.
  case missing(field: String, String)
  /// The card has no device in this network namespace.
  case noDevice(String)
  /// The kernel refused, or did not answer in time.
  case failed(device: String, Errno)
  /// The kernel refused a route.
  case refused(BootRoute, Errno)
  /// No DHCP server has given an address: why.
  case dhcp(DHCPError)
  /// No router has told the network of the device.
  case noAdvertisement(device: String)
  /// The task was cancelled.
  case cancelled

  /// Whether it may be otherwise some time later: somebody else has to answer, or a driver to be loaded.
  public var mayPass: Bool {
    switch self {
    case .dhcp(.noAnswer), .noAdvertisement, .noDevice, .failed(_, .timedOut): true
    default: false
    }
  }
  /// 13 for what only root may do, else 1, as open-iscsi's.
  public var exitStatus: ExitStatus {
    switch self {
    case .failed(_, let errno), .refused(_, let errno): errno.isDenial ? .access : .failure
    default: .failure
    }
  }
  /// The reason in words.
  public var description: String {
    switch self {
    case .missing(let field, let what): "\(field): the firmware has no \(what)"
    case .noDevice(let name): "there is no network device \(name)"
    case .dhcp(let error): error.description
    case .noAdvertisement(let device): "no IPv6 router has told an address for \(device)"
    case .failed(let device, let errno): "\(device) cannot be set up: \(errno)"
    case .refused(let route, let errno): "the route \(route) cannot be made: \(errno)"
    case .cancelled: "cancelled"
    }
  }
  /// What to do about it.
  public var advice: String? {
    switch self {
    case .dhcp(let error): error.advice
    case .noDevice: "see that the driver of the network card is part of the initramfs"
    case .noAdvertisement: "see that the network has an IPv6 router, or give the address with ip="
    case .failed(_, let errno) where errno.isDenial, .refused(_, let errno) where errno.isDenial: "do it as root"
    case .refused: "see that its gateway is on the network of the device"
    case .missing, .failed, .cancelled: nil
    }
  }
}

extension BootNetworkError {
  /// What became of a request to the kernel.
  init(_ error: WaitError, on device: String) {
    self =
      switch error {
      case .failed(let errno): .failed(device: device, errno)
      case .timedOut: .failed(device: device, .timedOut)
      case .cancelled: .cancelled
      }
  }
}

/// What has been set up.
public struct BootLinkReport: Hashable, Sendable {
  /// What has asked for it.
  public var source: String
  /// The device: that of the VLAN, if there is one.
  public var device: String
  /// Its address; nil if it has none.
  public var address: IPAddress?
  /// How much of the address is the network's, in bits.
  public var prefixLength: UInt8?
  /// Over whom other networks are reached.
  public var gateway: IPAddress?
  /// Who knows names.
  public var nameServers: [IPAddress] = []
  /// The targets that have a route.
  public var targets: [IPAddress] = []
  /// What a DHCP server has told of the root file system.
  public var rootPath: String?
  /// Whether the address was there, and nobody was asked for one.
  public var wasThere = false
  /// Whether the device has a carrier.
  public var hasCarrier = false
  /// What is odd without being a failure.
  public var warnings: [String] = []
}

/// Sets the network up for a boot: one mechanism for what firmware has, what parameters say and what a DHCP server gives.
///
/// This goes in two steps: first all devices get their addresses, and then, when it is known what network each of them is on,
/// routes to the targets are made, one after the other. A default route is made only if it is asked for, as a gateway in `ip=` does,
/// but for that of klibc's `ipconfig`, which makes one by itself. What is there already is taken as it is.
public struct BootNetwork: Sendable {
  /// How long things may take.
  public struct Patience: Hashable, Sendable {
    /// Until a device is there: its driver may be just being loaded.
    public var device = Duration.seconds(30)
    /// Until it has a carrier, which can be some seconds after it is switched on.
    public var carrier = Duration.seconds(10)
    /// Until a DHCP server or a router has told an address.
    public var address = Duration.seconds(60)
    /// The same for each of several devices.
    public var share = Duration.seconds(20)
    /// Until udev has given a device its name.
    public var name = Duration.seconds(5)

    /// What fits a boot.
    public init() {}
  }

  static let timeout = Duration.seconds(10)

  /// Whether a default route is made over the gateway, whoever has told that.
  public var makesDefaultRoute = false
  /// How long things may take.
  public var patience = Patience()

  let devices: NetworkDevices
  private let client: DHCPClient

  /// The network of this namespace.
  ///
  /// - Parameter client: Asks for addresses.
  public init(client: DHCPClient = DHCPClient()) { self.init(NetworkDevices(), client: client) }

  /// The network of these devices.
  init(_ devices: NetworkDevices, client: DHCPClient = DHCPClient()) {
    self.devices = devices
    self.client = client
  }

  /// Sets up what the way to one target of firmware takes.
  ///
  /// - Parameter entry: The target.
  /// - Throws: What is missing, or what the kernel refuses.
  public func setUp(_ entry: FirmwareEntry) async throws(BootNetworkError) {
    let link = try BootLink(entry)
    let plan = BootPlan(link)
    let routing = await routing(of: plan, over: [0: try await setUp(link)], after: BootRouting())
    if let failure = await make(routing.routes).first { throw .refused(failure.route, failure.reason) }
  }

  /// Gives one link its address, and waits for its carrier. One that stays away is no failure: it may come while the login is
  /// tried. The routes come later, when it is known what each link leads to.
  ///
  /// - Parameter link: What is wanted.
  /// - Returns: What there is now.
  /// - Throws: What is missing, what the kernel refuses, or that nobody gave an address.
  public func setUp(_ link: BootLink) async throws(BootNetworkError) -> BootLinkReport {
    if link.isFallback, let report = await reachable(link) { return report }
    // Before the device is switched on, so that its link is not missed.
    let monitor = try? NetworkMonitor()
    if link.device == .any { return try await setUpAny(link, by: monitor) }
    if link.isUsualDevice, await !comes(link.device, by: monitor) { return try await setUpAny(link, by: monitor) }
    return try await setUp(link, on: try await find(link.device, link.identity, by: monitor), by: monitor)
  }

  /// Sets the link up on one of all devices: on one with a carrier, and, should it want an address from elsewhere, on the first
  /// where it gets one, and is told where the root file system is if that is what it wants to know. Devices and carriers that
  /// come late are taken up.
  private func setUpAny(_ link: BootLink, by monitor: NetworkMonitor?) async throws(BootNetworkError) -> BootLinkReport
  {
    var deadline = ContinuousClock.now + patience.device
    var known: Set<String> = []
    var asked: Set<String> = []
    var failure: BootNetworkError?
    // With an address and without a root file system.
    var second: BootLinkReport?
    while true {
      let names = await settled(devices.bootable())
      for name in names where known.insert(name).inserted {
        if let index = devices.index(of: name) { try? await perform([NetworkChangeRequest.up(index)], on: name) }
      }
      for name in names where !asked.contains(name) {
        guard (try? await devices.linkCause(of: name, until: .now + Self.timeout)) == .up else { continue }
        asked.insert(name)
        var network = self
        // No device may keep the others waiting for long.
        if names.count > 1 { network.patience.address = min(patience.address, patience.share) }
        do throws(BootNetworkError) {
          let report = try await network.setUp(link, on: name, by: monitor)
          guard link.wantsRootPath, report.rootPath == nil else {
            if let second { await giveUp(second) }
            return report
          }
          if second == nil {
            second = report
            deadline = min(deadline, .now + patience.carrier)
          } else {
            await giveUp(report)
          }
        } catch {
          // What may pass is tried again.
          if failure.map({ !$0.mayPass && error.mayPass }) ?? true { failure = error }
        }
      }
      if Task.isCancelled { throw .cancelled }
      if let second, asked.isSuperset(of: names) { return second }
      guard let monitor, (try? await monitor.next(until: deadline)) ?? nil != nil else { break }
    }
    if let second { return second }
    // It may get its carrier later.
    if asked.isEmpty, let name = devices.bootable().first { return try await setUp(link, on: name, by: monitor) }
    throw failure ?? .noDevice("\(link.device)")
  }

  /// Takes an address away that a server has given to a device which is not used after all: nobody would renew it.
  private func giveUp(_ report: BootLinkReport) async {
    guard !report.wasThere, let address = report.address, let prefixLength = report.prefixLength,
      let index = devices.index(of: report.device)
    else { return }
    try? await perform(
      [NetworkChangeRequest.removal(of: address, prefixLength: prefixLength, on: index)], on: report.device)
  }

  private func setUp(
    _ link: BootLink, on card: String, by monitor: NetworkMonitor?
  ) async throws(BootNetworkError) -> BootLinkReport {
    let cardIndex = try index(of: card)
    var warnings: [String] = []
    if let address = link.hardwareAddress {
      try await perform(Self.changes(to: address, of: card, cardIndex, devices), on: card)
    }
    if let mtu = link.mtu, devices.mtu(of: card).map({ $0 < mtu }) ?? true || link.vlan == nil {
      warnings += await set(mtu: mtu, of: cardIndex, named: card)
    }
    try await perform([NetworkChangeRequest.up(cardIndex)], on: card)
    var name = card
    if let vlan = link.vlan {
      name = try await device(of: vlan, on: cardIndex, named: card)
      let index = try index(of: name)
      if let mtu = link.mtu { warnings += await set(mtu: mtu, of: index, named: name) }
      try await perform([NetworkChangeRequest.up(index)], on: name)
    }
    var report = try await address(link, on: name, by: monitor)
    report.hasCarrier = await waitForCarrier(of: name, by: monitor)
    report.warnings = warnings + report.warnings
    return report
  }

  /// What gives a card a MAC address. Most drivers change it only of a device that is off, which it is not where all have been switched
  /// on to find one with a carrier.
  static func changes(
    to address: HardwareAddress, of card: String, _ index: UInt32, _ devices: NetworkDevices
  ) -> [[UInt8]] {
    guard devices.hardwareAddress(of: card) != address else { return [] }
    let change = NetworkChangeRequest.hardwareAddress(address, of: index)
    return devices.isUp(card) ? [NetworkChangeRequest.down(index), change] : [change]
  }

  /// Sets the MTU. One that the card does not take is no reason to go without an address.
  private func set(mtu: UInt32, of index: UInt32, named name: String) async -> [String] {
    do throws(BootNetworkError) {
      try await perform([NetworkChangeRequest.mtu(mtu, of: index)], on: name)
      return []
    } catch {
      return ["\(name) does not take an MTU of \(mtu) octets: \(error.description)"]
    }
  }

  // MARK: - Addresses

  private func address(
    _ link: BootLink, on name: String, by monitor: NetworkMonitor?
  ) async throws(BootNetworkError) -> BootLinkReport {
    let index = try index(of: name)
    var report = BootLinkReport(source: link.source, device: name)
    report.nameServers = link.nameServers
    report.gateway = link.gateway
    switch link.addressing {
    case .fixed(let address, let prefixLength, let peer):
      (report.address, report.prefixLength) = (address, prefixLength)
      try await perform(
        [NetworkChangeRequest.address(address, prefixLength: prefixLength, peer: peer, on: index)], on: name)
    case .dhcp(let isIPv6): try await lease(isIPv6: isIPv6, link, &report, index, by: monitor)
    case .routerAdvertisement:
      guard let found = await advertised(on: index, by: monitor) else { throw .noAdvertisement(device: name) }
      (report.address, report.prefixLength) = (found.address, found.prefixLength)
    case .firmware, .linkOnly: break
    }
    return report
  }

  /// Gets an address from a DHCP server, unless there is one already. Who has asked for that one may have kept what else the
  /// server has told; where the root file system is nobody else is asked for in vain.
  private func lease(
    isIPv6: Bool, _ link: BootLink, _ report: inout BootLinkReport, _ index: UInt32, by monitor: NetworkMonitor?
  ) async throws(BootNetworkError) {
    let present = await present(on: index, isIPv6: isIPv6)
    if let present {
      (report.address, report.prefixLength, report.wasThere) = (present.address, present.prefixLength, true)
      let kept = DHCPAnswer.kept(for: report.device, index: index).flatMap { $0.address == present.address ? $0 : nil }
      report.rootPath = kept?.rootPath
      if report.gateway == nil { report.gateway = kept?.routers.first { $0.isIPv6 == isIPv6 } }
      guard link.wantsRootPath, report.rootPath == nil else { return }
    }
    // A client that asks before there is a carrier waits longer than it has to.
    _ = await waitForCarrier(of: report.device, by: monitor)
    let answer: DHCPAnswer
    do throws(DHCPError) {
      answer = try await client.ask(on: report.device, isIPv6: isIPv6, until: .now + patience.address)
    } catch {
      throw error == .cancelled ? .cancelled : .dhcp(error)
    }
    report.rootPath = answer.rootPath
    if report.gateway == nil { report.gateway = answer.routers.first }
    report.nameServers += answer.nameServers.filter { !report.nameServers.contains($0) }
    guard present == nil else { return }
    (report.address, report.prefixLength) = (answer.address, answer.prefixLength)
    BootHandover.noteLease(of: answer.address, for: report.device)
    // Whether the client has done it or not: it may have done it for the time of the lease, which nobody will renew.
    try await perform(
      [NetworkChangeRequest.address(answer.address, prefixLength: answer.prefixLength, on: index)], on: report.device)
    if link.mtu == nil, let mtu = answer.mtu { report.warnings += await set(mtu: mtu, of: index, named: report.device) }
  }

  private func present(on index: UInt32, isIPv6: Bool) async -> InterfaceAddress? {
    let all = (try? await devices.addresses(of: index, until: .now + Self.timeout)) ?? []
    return all.first { $0.address.isIPv6 == isIPv6 }
  }

  /// The address that a router's advertisement has led to.
  private func advertised(on index: UInt32, by monitor: NetworkMonitor?) async -> InterfaceAddress? {
    let deadline = ContinuousClock.now + patience.address
    while true {
      if let found = await present(on: index, isIPv6: true) { return found }
      guard let monitor, (try? await monitor.next(until: deadline)) ?? nil != nil else { return nil }
    }
  }

  /// What there is of a link that nobody has asked for, if there is a way to its targets.
  private func reachable(_ link: BootLink) async -> BootLinkReport? {
    for target in link.targets {
      guard let name = try? await devices.device(towards: target, until: .now + Self.timeout) else { return nil }
      guard target == link.targets.last else { continue }
      var report = BootLinkReport(source: link.source, device: name)
      report.targets = link.targets
      report.wasThere = true
      return report
    }
    return nil
  }
}
