// SPDX-License-Identifier: Apache-2.0

// What keeps a login from reaching the target, in the order in which a packet meets it.

extension DiagnosisRule {
  static let noDaemon = DiagnosisRule("no-daemon", "nobody recovers the session") { evidence in
    guard let session = evidence.session else { return nil }
    let severity: Finding.Severity = evidence.isUp ? .warning : .problem
    switch evidence.daemon {
    case .supervises, nil: return nil
    case .silent(let reason, let advice):
      let start = Finding.Remedy.command("systemctl start iscsi-admin", "starts the daemon, if it does not run")
      return Match(
        severity, "the daemon cannot be asked, and if it does not run nobody logs the session in again",
        evidence: [reason], remedy: advice.map { .advice($0) } ?? start)
    case .unconcerned:
      return Match(
        severity, "the daemon does not supervise the session, and does not log it in again",
        evidence: [session.transport.map { "its transport is \($0)" }],
        remedy: session.transport == "tcp"
          ? .command("systemctl restart iscsi-admin", "the daemon takes up what it finds when it starts") : nil)
    }
  }

  static let linkDown = DiagnosisRule("link-down", "the network device on the way to the portal is down") { evidence in
    guard case .through(let device, let cause, _, _)? = evidence.way, cause != .up else { return nil }
    let remedy: Finding.Remedy
    switch cause {
    case .administrativelyDown: remedy = .command("ip link set \(device.shellWord) up")
    case .noSuchDevice:
      remedy = .command(
        "ip link set OTHER name \(device.shellWord)",
        "if ip -brief link shows the device by another name; if not, load its driver, or look at the hardware")
    case .noCarrier, .up:
      remedy = .advice(
        "check the cable of \(device) and the port of the switch; ethtool \(device.shellWord) tells more")
    }
    return Match(
      evidence.isUp ? .warning : .problem, "the network device towards \(evidence.portalText), \(device), is \(cause)",
      evidence: ["packets to \(evidence.portalText) leave through \(device)", "\(device) is \(cause)"], remedy: remedy)
  }

  static let noRoute = DiagnosisRule("no-route", "there is no route to the portal") { evidence in
    guard evidence.way == Evidence.Way.none, let portal = evidence.portal else { return nil }
    // Routes go with their device, which the daemon has seen.
    if let network = evidence.recovery?.network ?? evidence.recovery?.outage?.network {
      return Match(
        evidence.isUp ? .warning : .problem, "there is no route to \(portal.host): \(network)",
        evidence: ["the kernel has no route to \(portal.host)", "the daemon has found that \(network)"],
        remedy: .advice(
          "bring that device back, by ip link set DEVICE up or its cable; its routes may have to be added again"))
    }
    return Match(
      evidence.isUp ? .warning : .problem, "there is no route to \(portal.host)",
      evidence: ["the kernel has no route to \(portal.host)"],
      remedy: .command(
        "ip route add \(portal.destination.shellWord) via ROUTER",
        "or, for a portal in the same network, ip address add ADDRESS/LENGTH dev DEVICE; ip -brief address shows what there is"
      ))
  }

  static let portalRefuses = DiagnosisRule("portal-refuses", "nothing listens at the portal") { evidence in
    guard evidence.probe == .failed(.refused), let portal = evidence.portal else { return nil }
    return Match(
      .problem, "nothing listens at \(portal.address)",
      evidence: ["a connection to \(portal.address) was refused just now", evidence.failureText],
      remedy: .advice(
        "start the target's service, or check the port: iscsi-admin discover \(portal.host.description.shellWord) shows "
          + "the target's portals"
      ))
  }

  static let portalSilent = DiagnosisRule("portal-silent", "no connection to the portal") { evidence in
    // Without a way there no connection can be made, whatever the host does.
    guard case .failed(let error)? = evidence.probe, error != .refused, let portal = evidence.portal, evidence.hasWay
    else { return nil }
    return Match(
      .problem, "\(portal.address) cannot be connected to: \(error)",
      evidence: ["a connection to \(portal.address) failed just now: \(error)", evidence.failureText],
      remedy: .advice(
        "start the target's host, or let its firewall pass TCP port \(portal.port); which of both, "
          + "ping -c 3 \(portal.host.description.shellWord) tells: a host that answers has a firewall"))
  }

  static let mtu = DiagnosisRule("mtu", "large packets may be lost on the way") { evidence in
    guard case .through(let device, _, let mtu?, let pathMTU)? = evidence.way, let portal = evidence.portal else {
      return nil
    }
    // Of a name ping takes the address that it likes best.
    let isIPv6 = (evidence.address ?? portal.host.address)?.isIPv6
    let family = portal.host.address == nil ? isIPv6.map { $0 ? " -6" : " -4" } ?? "" : ""
    // IP and ICMP headers: 20 or 40, and 8.
    let headers: UInt32 = isIPv6 == true ? 48 : 28
    let size = max(mtu, headers) - headers
    let remedy = Finding.Remedy.command(
      "ping\(family) -c 3 -M do -s \(size) \(portal.host.description.shellWord)",
      "must be answered; if not, give all devices on the way the same MTU")
    if let pathMTU, pathMTU < mtu {
      return Match(
        .warning, "the way to \(portal.host) takes smaller packets than \(device)",
        evidence: ["the MTU of \(device) is \(mtu)", "the kernel has learned that the way takes \(pathMTU) octets"],
        remedy: remedy)
    }
    // Silence in the midst of I/O with jumbo frames is what a switch with a smaller MTU looks like: logins are short.
    guard mtu > 1500, let error = evidence.lastLoss?.kernelError, [1021, 1022].contains(error) else { return nil }
    return Match(
      .note, "packets of \(mtu) octets may be lost on the way to \(portal.host)",
      evidence: ["the MTU of \(device) is \(mtu)", "the target fell silent: \(evidence.lastLoss?.cause ?? "")"],
      remedy: remedy)
  }
}

extension PortalHost {
  /// The address; nil for a name.
  fileprivate var address: IPAddress? { if case .address(let address, _) = self { address } else { nil } }
}

extension Portal {
  /// What a route to it is for: its address, or all if only a resolver knows that.
  fileprivate var destination: String {
    if case .address(let address, _) = host { address.description } else { "default" }
  }
}

extension Evidence {
  /// Whether packets can leave for the portal, as far as is known.
  fileprivate var hasWay: Bool {
    switch way {
    case Way.none?: false
    case .through(_, let cause, _, _)?: cause == .up
    case nil: true
    }
  }

  /// The last failure as a fact.
  var failureText: String? {
    failure.map { "attempt \($0.number) failed \(distance(to: $0.time)): \($0.cause)" }
  }

  /// The present outage, or else the last one.
  var lastLoss: InitiatorTypes.Outage? { recovery?.outage ?? recovery?.lastOutage }
}
