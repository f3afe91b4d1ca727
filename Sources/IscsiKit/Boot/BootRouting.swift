// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// The routes that a plan needs, when it is known what network each of its links is on.
public struct BootRouting: Hashable, Sendable {
  /// The routes, in the order in which they are made; each destination once.
  public var routes: [BootRoute] = []
  /// The targets that can be reached, by the number of the link.
  public var targets: [Int: [IPAddress]] = [:]
  /// The targets to which nothing tells the way.
  public var lost: [IPAddress] = []

  /// Whether nothing of this may change any more: sessions go over it.
  public var isFixed = false

  /// None.
  public init() {}

  /// Takes out what the kernel has refused: it leads nowhere, and is to be made again.
  public mutating func drop(_ refused: [BootRoute]) {
    routes.removeAll { route in refused.contains { $0.hasDestination(of: route) } }
    for index in targets.keys {
      targets[index]?.removeAll { target in
        refused.contains { $0.leads(to: target) } && !routes.contains { $0.leads(to: target) }
      }
    }
  }

  /// The routes of this that are to be made, after others were.
  public func changes(after made: [BootRoute]) -> [BootRoute] {
    routes.filter { route in isFixed ? !made.contains { $0.hasDestination(of: route) } : !made.contains(route) }
  }

  fileprivate mutating func add(_ route: BootRoute) {
    if !routes.contains(where: { $0.hasDestination(of: route) }) {
      routes.append(route)
    }
  }

  /// The most specific of the routes that lead to a target, if it is more specific than that to a network.
  fileprivate func route(to target: IPAddress, beyond network: UInt8?) -> BootRoute? {
    routes.filter { $0.leads(to: target, beyond: network) }.max { $0.prefixLength < $1.prefixLength }
  }
}

extension BootRoute: CustomStringConvertible {
  /// `10.9.0.0/16 over 10.0.0.1 through eth0`.
  public var description: String {
    "\(network)/\(prefixLength)" + (gateway.map { " over \($0)" } ?? "") + (device.map { " through \($0)" } ?? "")
  }

  /// Whether it leads to the same as another.
  public func hasDestination(of other: BootRoute) -> Bool {
    network == other.network && prefixLength == other.prefixLength
  }

  /// Whether it leads to an address, and is more specific than the network that the address is on; nil for none.
  fileprivate func leads(to address: IPAddress, beyond network: UInt8?) -> Bool {
    leads(to: address) && network.map { prefixLength > $0 } ?? true
  }

  /// A route to one host.
  fileprivate init(to host: IPAddress, over gateway: IPAddress?, through device: String) {
    self.init(network: host, prefixLength: UInt8(8 * host.octets.count), gateway: gateway, device: device)
  }
}

extension BootPlan {
  /// The plan with what has become of its links: which addresses they have, over whom they lead elsewhere, and so which of them
  /// is for which target.
  ///
  /// - Parameters:
  ///   - reports: What has been set up, by the number of the link. Without one a link leads nowhere.
  ///   - isComplete: Whether no other link is to come.
  ///   - previous: The routes until now. When they are fixed each target stays with the link that it has.
  /// - Returns: The plan, in which links have the addresses that they have got.
  public func settled(
    _ reports: [Int: BootLinkReport], isComplete: Bool = true, after previous: BootRouting = BootRouting()
  ) -> BootPlan {
    var plan = self
    for index in links.indices {
      plan.links[index].settle(reports[index])
      guard previous.isFixed else { continue }
      for target in previous.targets[index] ?? [] { plan.links[index].addTarget(target) }
    }
    plan.spreadRoutes(isComplete: isComplete)
    plan.spreadTargets()
    // Sessions are bound to a device by the name that it has.
    for index in logins.indices {
      guard let name = logins[index].record.interface.networkDevice,
        let link = links.firstIndex(where: { $0.isCalled(name) }), let report = reports[link]
      else { continue }
      plan.logins[index].record.interface.networkDevice = report.device
    }
    return plan
  }

  /// The routes of a plan that is settled.
  ///
  /// - Parameters:
  ///   - reports: What has been set up, by the number of the link.
  ///   - present: The devices through which targets are reached as it is.
  ///   - makesDefaultRoute: Whether a default route is made, over the gateway of the first link that has one, and not only over
  ///     one that is meant for it.
  ///   - isComplete: Whether no other link is to come. Until then no way is made up to what a route is told for.
  /// - Returns: What has to be made. A route that is there is left alone where somebody else has set the link up: the root file
  ///   system may be at its end.
  public func routing(
    _ reports: [Int: BootLinkReport], present: [IPAddress: String] = [:], makesDefaultRoute: Bool = false,
    isComplete: Bool = true
  ) -> BootRouting {
    var routing = BootRouting()
    let ordered = order(reports)
    var devices: [String: Int] = [:]
    for (link, report, index) in ordered {
      devices[report.device] = index
      // A gateway that is not on the network is at the other end of the wire.
      if let gateway = link.gateway, !gateway.isLinkLocal, !link.isNear(gateway), !report.wasThere {
        routing.add(BootRoute(to: gateway, over: nil, through: report.device))
      }
      for var route in link.routes {
        route.gateway = route.gateway ?? link.gateway(for: route.network)
        route.device = report.device
        routing.add(route)
      }
    }
    let told = routing
    for (link, report, index) in ordered {
      for target in link.targets {
        // The kernel goes by the network that an address is on, unless a route is more specific.
        let network = link.network(of: target)
        if let route = told.route(to: target, beyond: network), let device = route.device {
          routing.targets[devices[device] ?? index, default: []].append(target)
          continue
        }
        if !isComplete, routes.contains(where: { $0.leads(to: target, beyond: network) }) { continue }
        let isNear = network != nil
        let gateway = isNear ? nil : link.gateway(for: target)
        if report.wasThere && present[target] == report.device {
          // It is reached as it is.
        } else if isNear || gateway != nil {
          routing.add(BootRoute(to: target, over: gateway, through: report.device))
        } else if present[target] == nil {
          // A route on the link to what is not there would lead nowhere, and hide the one that somebody makes.
          routing.lost.append(target)
          continue
        }
        routing.targets[index, default: []].append(target)
      }
    }
    for (link, report, _) in ordered where makesDefaultRoute || (link.makesDefaultRoute && !report.wasThere) {
      guard let gateway = link.gateway else { continue }
      routing.add(
        BootRoute(network: gateway.unspecified, prefixLength: 0, gateway: gateway, device: report.device))
    }
    return routing
  }

  /// The links that have an address: those with a carrier first, and of them those to targets that the boot needs.
  private func order(_ reports: [Int: BootLinkReport]) -> [(link: BootLink, report: BootLinkReport, index: Int)] {
    let needed = Set(logins.filter(\.isNeeded).compactMap(\.record.portal.host.numeric))
    func rank(_ index: Int) -> (Int, Int, Int) {
      (links[index].lacksCarrier ? 1 : 0, needed.isDisjoint(with: links[index].targets) ? 1 : 0, index)
    }
    return links.indices.sorted { rank($0) < rank($1) }.compactMap { index in
      guard case .fixed = links[index].addressing, let report = reports[index] else { return nil }
      return (links[index], report, index)
    }
  }
}

extension BootLink {
  /// Takes over what it has become.
  fileprivate mutating func settle(_ report: BootLinkReport?) {
    routes = []
    // Of the targets those stay that are the link's own.
    if !isFirmware, !isFallback || report?.address != nil { targets = [] }
    guard let report else {
      addressing = .linkOnly
      return
    }
    lacksCarrier = !report.hasCarrier && !report.wasThere
    gateway = report.gateway
    if case .fixed = addressing { return }
    guard let address = report.address, let prefixLength = report.prefixLength else {
      addressing = .linkOnly
      return
    }
    addressing = .fixed(address, prefixLength: prefixLength, peer: nil)
  }
}

extension BootNetwork {
  /// The routes that links need now, by what the kernel has already.
  ///
  /// - Parameters:
  ///   - plan: The plan.
  ///   - reports: What has become of its links, by their numbers.
  ///   - previous: The routes until now.
  ///   - hasDefaultRoute: Whether a default route is made, whatever ``makesDefaultRoute`` says.
  ///   - isComplete: Whether no other link is to come.
  /// - Returns: What is to be made.
  public func routing(
    of plan: BootPlan, over reports: [Int: BootLinkReport], after previous: BootRouting,
    withDefaultRoute hasDefaultRoute: Bool = false, isComplete: Bool = true
  ) async -> BootRouting {
    let plan = plan.settled(reports, isComplete: isComplete, after: previous)
    var present: [IPAddress: String] = [:]
    for target in plan.links.flatMap(\.targets) where present[target] == nil {
      present[target] = (try? await devices.device(towards: target, until: .now + Self.timeout)) ?? nil
    }
    var routing = plan.routing(
      reports, present: present, makesDefaultRoute: makesDefaultRoute || hasDefaultRoute, isComplete: isComplete)
    routing.isFixed = previous.isFixed
    return routing
  }

  /// Makes routes one after the other, in the place of those that are there.
  ///
  /// - Returns: Those that the kernel has refused, and why.
  public func make(_ routes: [BootRoute]) async -> [(route: BootRoute, reason: Errno)] {
    var refused: [(route: BootRoute, reason: Errno)] = []
    for route in routes {
      do throws(BootNetworkError) {
        let device = try index(of: route.device ?? "")
        try await perform(
          [
            NetworkChangeRequest.route(
              to: route.network, prefixLength: route.prefixLength, over: route.gateway, on: device)
          ], on: route.device ?? "")
      } catch {
        let errno: Errno = if case .failed(_, let errno) = error { errno } else { .operationNotSupportedByDevice }
        refused.append((route, errno))
      }
    }
    return refused
  }
}

extension IPAddress {
  /// The address of no host, of the same kind.
  fileprivate var unspecified: IPAddress { isIPv6 ? .v6([8 of UInt16](repeating: 0)) : .v4(0) }
}
