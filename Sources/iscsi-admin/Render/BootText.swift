// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What `boot show` says: the parts of a plan with what asks for them.
func bootPlanText(_ input: BootPlan.Input, _ plan: BootPlan) -> String {
  var lines: [String] = []
  for boot in input.firmware {
    let maker = [boot.header?.oemID, boot.header?.oemTableID].compactMap { $0 }.joined(separator: " ")
    let use = input.usesFirmware ? "" : ", not used: parameters name the target"
    lines.append("Firmware   \(boot.source)" + (maker.isEmpty ? "" : " (\(maker))") + use)
  }
  if let file = input.parameters.settingsFile {
    lines.append("Settings   \(file.path): \(file.names.joined(separator: ", "))")
  }
  for link in plan.links { lines.append("Network    \(link.words)") }
  for login in plan.logins {
    lines.append(
      "Login      \(login.record.target) at \(login.record.portal.address) (\(login.origin ?? login.source))")
    lines += login.details.map { "           \($0)" }
  }
  if plan.awaitsRootPath { lines.append("Login      to the target that the DHCP server names (root-path)") }
  return lines.map { $0.printable + "\n" }.joined()
}

extension BootLink {
  /// The link in words: `san0: 10.0.0.2/24, gateway 10.0.0.1 (ibft/ethernet0)`.
  fileprivate var words: String {
    var parts = [addressing.words]
    if let vlan { parts.append("VLAN \(vlan.number)") }
    if let mtu { parts.append("MTU \(mtu)") }
    if let gateway { parts.append("gateway \(gateway)") }
    if !nameServers.isEmpty { parts.append("DNS " + nameServers.map(\.description).joined(separator: " ")) }
    let condition = isFallback ? ", unless there is a way to the targets already" : ""
    return "\(device): " + parts.joined(separator: ", ") + condition + " (\(origin ?? source))"
  }
}

extension BootAddressing {
  fileprivate var words: String {
    switch self {
    case .fixed(let address, let prefixLength, nil): "\(address)/\(prefixLength)"
    case .fixed(let address, let prefixLength, let peer?): "\(address)/\(prefixLength) to \(peer)"
    case .dhcp(false): "DHCP"
    case .dhcp(true): "DHCPv6"
    case .routerAdvertisement: "what IPv6 routers tell"
    case .firmware: "as firmware says"
    case .linkOnly: "no address"
    }
  }
}

extension BootLogin {
  /// How the login is made.
  fileprivate var details: [String] {
    let times = record.timeouts
    let noops = times.noopInterval == .zero || times.noopTimeout == .zero
    let replacement = times.replacement.map { "\($0.components.seconds) s" } ?? "for ever"
    var lines = ["as \(record.interface.initiatorName ?? "-")"]
    if let name = record.authentication.name, record.authentication.secret != nil {
      lines.append("with CHAP as \(name)" + (record.authentication.targetName.map { ", the target as \($0)" } ?? ""))
    }
    if let lun { lines.append("logical unit \(lun)" + (isOnlyUnit ? " alone" : "")) }
    if !isNeeded { lines.append("the boot goes on without it") }
    lines.append(
      "replacement timeout \(replacement), NOP-Outs "
        + (noops ? "off" : "every \(times.noopInterval.components.seconds) s")
        + (devices.timeout.map { ", device timeout \($0) s" } ?? ""))
    return lines
  }
}

extension BootLinkReport {
  /// The link in words: `san0: 10.0.0.2/24, gateway 10.0.0.1`.
  var line: String {
    var parts = [address.map { address in "\(address)" + (prefixLength.map { "/\($0)" } ?? "") } ?? "on"]
    if let gateway { parts.append("gateway \(gateway)") }
    if !nameServers.isEmpty { parts.append("DNS " + nameServers.map(\.description).joined(separator: " ")) }
    return "\(device): " + parts.joined(separator: ", ") + (wasThere ? " (was there)" : "")
  }
}

/// A login that ended with a session; nil for one without.
func bootLine(_ login: BootConnectOutcome.Login) -> String? {
  let place = "\(login.login.record.target) at \(login.login.record.portal.address)"
  if case .success(let report) = login.result {
    return "session \(report.session): logged in to \(place): \(deviceList(report.devices))".printable
  }
  return login.result.isThere
    ? (login.result.existing.map { "session \($0): " } ?? "") + "is logged in to \(place) already" : nil
}

/// What has gone wrong and is tried again, and for how long; nil for what is no news.
func bootProgress(_ event: SessionEvent, left: Duration?) -> String? {
  let place = "\(event.target) at \(event.portal.address)"
  switch event.kind {
  case .redirected: return "login to \(place): \(event.message)"
  case .loginDelayed:
    let opening = "login attempt \(event.attempt ?? 0) failed: "
    let cause = event.message.hasPrefix(opening) ? String(event.message.dropFirst(opening.count)) : event.message
    var facts = ["attempt \(event.attempt ?? 0)"]
    if let next = event.nextAttempt {
      facts.append(next - event.time < 1 ? "next at once" : "next in \(seconds(.seconds(next - event.time)))")
    }
    if let left { facts.append("gives up in \(seconds(max(left, .zero)))") }
    return "login to \(place) failed: \(cause) (\(facts.joined(separator: ", ")))"
  default: return nil
  }
}

/// A time as people read it: seconds, or minutes if there are several.
private func seconds(_ duration: Duration) -> String {
  let seconds = duration.components.seconds + (duration.components.attoseconds >= 500_000_000_000_000_000 ? 1 : 0)
  return seconds < 120 ? "\(seconds) s" : "\(seconds / 60) min"
}
