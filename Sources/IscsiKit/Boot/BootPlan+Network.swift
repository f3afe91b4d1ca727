// SPDX-License-Identifier: Apache-2.0

extension BootPlan {
  /// The links that firmware has, of those cards that a target is reached through.
  mutating func addFirmwareLinks(_ input: Input) {
    for boot in input.firmware where boot.transport == "tcp" {
      let used = boot.targets.map(\.ethernetIndex)
      for ethernet in boot.ethernets where used.contains(ethernet.index) {
        do throws(BootNetworkError) {
          var link = try BootLink(ethernet, of: boot.source)
          let targets = boot.targets.filter { $0.ethernetIndex == ethernet.index }
          for target in targets where input.usesFirmware { link.addTarget(target.address.value) }
          links.append(link)
        } catch {
          problems.append(BootProblem(parameter: "\(boot.source)/ethernet\(ethernet.index)", error))
        }
      }
    }
  }

  /// The link that an interface of the parameters is.
  func link(_ interface: BootInterface, _ parameters: BootParameters) -> BootLink {
    let called = interface.device ?? (parameters.bootDevice == nil ? interface.usualDevice : nil)
    let vlan = parameters.vlans.first { $0.name != nil && $0.name == called }
    let name = vlan?.link ?? called
    let named: BootDevice? = name.map { name in
      parameters.deviceNames[name].map(BootDevice.hardwareAddress) ?? .named(name)
    }
    let device = named ?? parameters.bootDevice.map(BootDevice.hardwareAddress) ?? .any
    var link = BootLink(source: "ip", device: device, addressing: interface.addressing)
    link.origin = interface.origin
    link.name = called
    link.isUsualDevice = interface.device == nil && named != nil
    link.vlan = vlan
    link.mtu = interface.mtu
    link.hardwareAddress = interface.hardwareAddress
    link.gateway = interface.gateway
    link.nameServers = interface.nameServers
    link.makesDefaultRoute = interface.gateway != nil
    return link
  }

  /// What is tried where nothing is said of the network, and there is no way to the targets yet: DHCP.
  mutating func addFallback(_ parameters: BootParameters) {
    // Who has told an address, and mistyped it, does not want one from somewhere else.
    guard !parameters.hasRefusedInterface || awaitsRootPath else { return }
    let addresses = logins.compactMap(\.record.portal.host.numeric)
    // Targets with IPv6 addresses alone need no IPv4.
    let isIPv6 = !addresses.isEmpty && addresses.allSatisfy(\.isIPv6)
    let addressing = isIPv6 ? BootAddressing.routerAdvertisement : .dhcp(isIPv6: false)
    let device = parameters.bootDevice.map(BootDevice.hardwareAddress) ?? .any
    var link = BootLink(source: "ip", device: device, addressing: addressing)
    link.origin = "as no ip= is told"
    if let usual = parameters.usualInterface {
      link = self.link(usual, parameters)
      guard usual.addressing == .dhcp(isIPv6: false) else { return links.append(link) }
      // Where only the device is told, all else is as without it.
      link.addressing = addressing
    }
    link.isFallback = !awaitsRootPath
    links.append(link)
  }

  /// Gives each target that none has to the link that reaches it best, those that are needed first.
  mutating func spreadTargets() {
    for login in logins.filter(\.isNeeded) + logins.filter({ !$0.isNeeded }) {
      guard let target = login.record.portal.host.numeric, !target.isLinkLocal else { continue }
      guard !links.contains(where: { $0.targets.contains(target) }) else { continue }
      let name = login.record.interface.networkDevice
      let ranks = links.indices.compactMap { index in
        links[index].rank(of: target, device: name).map { (rank: $0, index: index) }
      }
      guard let best = ranks.min(by: { $0.rank < $1.rank }) else { continue }
      links[best.index].addTarget(target)
    }
  }

  /// Gives each route to the link that it leads through; one that says of none which it is goes over the first, when it is known
  /// that no other has its gateway.
  mutating func spreadRoutes(isComplete: Bool = true) {
    for route in routes {
      let index = links.firstIndex { link in
        if let device = route.device { return link.isCalled(device) }
        return route.gateway.map(link.isNear) ?? false
      }
      if let index = index ?? (route.device == nil && isComplete ? links.indices.first : nil) {
        links[index].routes.append(route)
      } else if route.device != nil {
        let problem = BootProblem(parameter: "rd.route", reason: "no ip= is for its device")
        if !problems.contains(problem) { problems.append(problem) }
      }
    }
  }
}

extension BootLink {
  /// Adds a target once.
  mutating func addTarget(_ address: IPAddress) {
    if !targets.contains(address) { targets.append(address) }
  }
}

extension BootProblem {
  /// What the network of firmware lacks.
  fileprivate init(parameter: String, _ error: BootNetworkError) {
    if case .missing(let field, let what) = error {
      self.init(parameter: field, reason: "the firmware has no \(what)")
    } else {
      self.init(parameter: parameter, reason: error.description)
    }
  }
}
