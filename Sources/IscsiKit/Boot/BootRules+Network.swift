// SPDX-License-Identifier: Apache-2.0

extension BootRule {
  static let networkCard = BootRule("network-card") { evidence in
    let devices = evidence.bootDevices
    guard !devices.isEmpty else {
      let reason = evidence.cards.isEmpty ? "no parameter names one, and this machine knows no way there" : nil
      return [
        Match(
          .warning, "it is not known which network card leads to the target, so that nobody has looked for its driver",
          evidence: [reason].compactMap(\.self),
          remedy: .advice(
            "name a card of the machine in ip=, check again while this machine has a route to the target, or see to the driver "
              + "yourself"))
      ]
    }
    guard evidence.unknownCards.isEmpty else {
      return [
        Match(
          .warning, "it is not known what drives \(evidence.unknownCards.list("and")) in kernel \(evidence.kernel)",
          evidence: ["no module of that kernel says that it is for the card, and none is called like its driver now"],
          remedy: .advice("see that the driver is part of that kernel, or make its module part of the image"))
      ]
    }
    // That is told with the modules that the kernel lacks.
    guard !evidence.drivers.contains(where: { evidence.modules?.place(of: $0) == .missing }) else { return [] }
    return [
      Match(
        .ok, "a boot reaches the target through \(devices.list("and"))",
        evidence: evidence.drivers.isEmpty
          ? ["driver: none that is a module"] : evidence.drivers.map { "driver: \($0)\(evidence.placeOf($0))" })
    ]
  }

  static let network = BootRule("network") { evidence in
    guard let plan = evidence.plan, !plan.isEmpty else { return [] }
    if let missing = missingNetwork(of: plan, evidence) { return [missing] }
    guard !(plan.links.isEmpty && evidence.cards.isEmpty) else { return [] }
    let missing = evidence.cards.filter { $0.device == nil }
    let found = missing.map { missingCard($0, evidence) } + ways(of: plan, evidence) + gateways(of: plan)
    let ways = plan.links.map { "\($0.device): \($0.origin ?? $0.source)" }
    return found.isEmpty ? [Match(.ok, "no mistake was found in the network of the boot", evidence: ways)] : found
  }

  /// Tells that a target needs a network and none is set up, as an `ip=` that cannot be understood is not replaced by a guess. The hooks of
  /// others have their own ways.
  private static func missingNetwork(of plan: BootPlan, _ evidence: BootEvidence) -> Match? {
    guard plan.links.isEmpty, plan.logins.contains(where: { !$0.isFirmware }), evidence.image?.ownHook != nil else {
      return nil
    }
    return Match(
      .problem, "a boot would set up no network", evidence: plan.problems.map(\.description),
      remedy: .advice("mend the parameter, such as ip=eth0:dhcp or ip=ADDRESS::GATEWAY:NETMASK::DEVICE:none"))
  }

  private static func missingCard(_ card: BootEvidence.Card, _ evidence: BootEvidence) -> Match {
    let cards = evidence.machineCards.isEmpty ? "none" : evidence.machineCards.joined(separator: ", ")
    if card.isMadeByDracut {
      return Match(
        .warning,
        "\(card.wanted) is no network card of this machine, but made by dracut's module network, if the image has it",
        evidence: ["asked for by \(card.origin)"],
        remedy: .advice("see that the image has that module and the drivers of the cards below \(card.wanted)"))
    }
    if evidence.isForeign {
      return Match(
        .warning,
        "\(card.wanted), which the boot is to use, is none of the network cards of the machine that runs this",
        evidence: ["asked for by \(card.origin)", "the cards here: \(cards)"],
        remedy: .advice(
          "if the system below --root is for this machine, name one of its cards; if it is for another one, see that it has that card"
        ))
    }
    let others = evidence.cards.contains { $0.device != nil }
    // The kernel's own names count where nothing gives devices others.
    let reason =
      evidence.keepsKernelNames
      ? "net.ifnames=0 is on the command line" : evidence.image?.hasUdev == false ? "the image has no udev" : nil
    let isKernels = reason != nil && isKernelName(card.name) && !evidence.machineCards.contains { $0.hasPrefix("eth") }
    let names = isKernels ? ["at the boot the kernel's own names count, as \(reason ?? "")"] : []
    return Match(
      others || isKernels ? .warning : .problem, "there is no network card \(card.wanted) in this machine",
      evidence: ["asked for by \(card.origin)", "the cards of the machine: \(cards)"] + names,
      remedy: .advice(
        "name one of these, or tie the name to a card by ifname=\(card.name ?? "NAME"):MAC on the kernel's command line"
      ))
  }

  /// Whether a name is one that the kernel itself gives a card.
  private static func isKernelName(_ name: String?) -> Bool {
    guard let name, name.hasPrefix("eth") else { return false }
    return name.utf8.count > 3 && name.utf8.dropFirst(3).allSatisfy(\.isDigit)
  }

  /// What is wrong with the ways to the targets. One portal will do, as the boot goes on with it.
  private static func ways(of plan: BootPlan, _ evidence: BootEvidence) -> [Match] {
    let needed = plan.logins.filter(\.isNeeded).filter { $0.record.portal.host.numeric?.isLinkLocal == false }
    let lost = needed.filter { login in
      let device = login.record.interface.networkDevice
      guard let target = login.record.portal.host.numeric else { return false }
      return !plan.links.contains { $0.leads(to: target, device: device) }
    }
    guard !lost.isEmpty else { return [] }
    let links = plan.links.map { link in
      let gateway = link.gateway.map { ", gateway \($0)" } ?? ", no gateway"
      let network =
        if case .fixed(let own, let length, _) = link.addressing { "\(own)/\(length)\(gateway)" } else { "no address" }
      return "\(link.device) has \(network) (\(link.origin ?? link.source))"
    }
    return [
      Match(
        lost.count == needed.count ? .problem : .warning,
        "nothing leads to \(Set(lost.map(\.record.portal.address)).sorted().list("and"))", evidence: links,
        remedy: .advice(
          "give an address on the target's network, or a gateway: ip=ADDRESS::GATEWAY:NETMASK::DEVICE:none, or rd.route="
        ))
    ]
  }

  /// The gateways that targets are reached over, and that are not on the network of their device.
  private static func gateways(of plan: BootPlan) -> [Match] {
    plan.links.compactMap { link in
      guard case .fixed(let own, let length, let peer) = link.addressing, let gateway = link.gateway,
        !gateway.isLinkLocal, gateway.isIPv6 == own.isIPv6, peer == nil, Int(length) < 8 * own.octets.count,
        !link.isNear(gateway), link.targets.contains(where: { !link.isNear($0) })
      else { return nil }
      return Match(
        .warning, "the gateway \(gateway) of \(link.device) is not on its network, \(own)/\(length)",
        evidence: [link.origin ?? link.source, "it is asked for on the wire all the same, where it need not be"],
        remedy: .advice("see that address, netmask and gateway belong together"))
    }
  }
}

extension BootLink {
  /// Whether it can be expected to lead to a target: by its network, by a gateway or a route, or by what somebody has yet to tell.
  fileprivate func leads(to target: IPAddress, device: String?) -> Bool {
    // What is taken where no device is named may be the one that a login names.
    guard rank(of: target, device: self.device == .any ? nil : device) != nil else { return false }
    guard case .fixed(let own, _, _) = addressing else { return addressing != .linkOnly }
    guard own != target, own.isIPv6 == target.isIPv6 else { return false }
    return isNear(target) || gateway(for: target) != nil
      || routes.contains { $0.leads(to: target) || $0.prefixLength == 0 }
  }
}

extension BootEvidence {
  /// The network devices that a boot uses: those that it is told to use, or else the one on the way to the target now.
  var bootDevices: [String] {
    guard !cards.isEmpty else { return Array(networkDevices.prefix(1)) }
    return cards.compactMap(\.device).reduce(into: []) { found, name in
      if !found.contains(name) { found.append(name) }
    }
  }

  /// Where the kernel has a driver, in words.
  fileprivate func placeOf(_ driver: String) -> String {
    switch modules?.place(of: driver) {
    case .builtIn: ", which is built into kernel \(kernel)"
    case .file: ", a module, which the image must hold"
    case .missing, nil: ""
    }
  }
}
