// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension BootEvidenceCollector {
  /// Who manages a network device, and what becomes of it at the shutdown.
  func managers(of device: String) -> [BootEvidence.NetworkManager] {
    var found: [BootEvidence.NetworkManager] = []
    let index = text("sys/class/net/\(device)/ifindex").flatMap { UInt32($0.prefix { $0.isNumber }) }
    if let index, let link = text("run/systemd/netif/links/\(index)") {
      let lines = ShellAssignments(link)
      if let file = lines["NETWORK_FILE"], lines["ADMIN_STATE"] != "unmanaged" {
        let additions = (lines["NETWORK_FILE_DROPINS"] ?? "").split(separator: " ").map(String.init)
        let isLeased = text("run/systemd/netif/leases/\(index)").map { !$0.isEmpty } ?? false
        let texts = ([file] + additions).compactMap { text($0) }
        found.append(.networkd(keeps: Self.keepsConfiguration(texts, isLeased: isLeased)))
      }
    }
    if isThere("run/NetworkManager/devices") { found.append(.networkManager) }
    if isThere("run/network/ifstate") {
      let configuration = IfupdownConfiguration(of: device, below: sources.root)
      let state = text("run/network/ifstate.\(device)").map { String($0.prefix { !$0.isWhitespace }) }
      if configuration.isAutomatic {
        let isOurs = state == BootHandover.ifupdownState
        found.append(.ifupdown(switchesOff: configuration.switchesOff && !isOurs))
      }
    }
    return found + clients(of: device).map { .client($0) }
  }

  /// Whether systemd-networkd leaves a device what it has when it ends (`systemd.network(5)`).
  ///
  /// - Parameters:
  ///   - texts: The device's file, and what is dropped in beside it: the last word counts.
  ///   - isLeased: Whether the address is from its DHCP client, so that what holds for static ones does not.
  /// - Returns: Whether it does.
  static func keepsConfiguration(_ texts: [String], isLeased: Bool) -> Bool {
    let yes = ["yes", "true", "1", "on", "y", "t"]
    var (keeps, isUnmanaged) = (false, false)
    for line in texts.flatMap({ $0.split(separator: "\n") }) {
      let parts = line.filter { !$0.isWhitespace }.lowercased().split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { continue }
      switch parts[0] {
      case "keepconfiguration":
        let kept = yes + ["dhcp", "dhcp-on-stop", "dynamic", "dynamic-on-stop"] + (isLeased ? [] : ["static"])
        keeps = kept.contains(parts[1])
      case "unmanaged": isUnmanaged = yes.contains(parts[1])
      default: break
      }
    }
    return keeps || isUnmanaged
  }

  /// The DHCP clients that run for a device, and take its address with them.
  private func clients(of device: String) -> [String] {
    guard let processes = try? SysfsDirectory(path: place("proc")), let names = try? processes.names() else {
      return []
    }
    var found: [String] = []
    for process in names where process.utf8.allSatisfy(\.isDigit) {
      guard let command = try? processes.contents("\(process)/comm"),
        ["dhcpcd", "dhclient", "udhcpc"].contains(command),
        let line = try? processes.contents("\(process)/cmdline")
      else { continue }
      let words = line.split(separator: "\0")
      guard words.contains(where: { $0 == device }) || command == "dhcpcd", !found.contains(command) else { continue }
      // It says so itself, or its file does.
      if command == "dhcpcd", words.contains(where: Self.isPersistent) || isPersistentByFile { continue }
      found.append(command)
    }
    return found
  }

  /// Whether an argument tells dhcpcd to leave the address: `-p`, perhaps among other letters.
  private static func isPersistent(_ word: Substring) -> Bool {
    word == "--persistent" || (word.hasPrefix("-") && !word.hasPrefix("--") && word.contains("p"))
  }

  /// Whether dhcpcd's file does (`dhcpcd.conf(5)`).
  private var isPersistentByFile: Bool {
    (text("etc/dhcpcd.conf") ?? "").split(separator: "\n").contains { $0.split(separator: " ") == ["persistent"] }
  }
}
