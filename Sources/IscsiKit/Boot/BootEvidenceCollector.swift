// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import SystemPackage

/// Finds out what ``BootEvidence`` holds. It reads, and changes nothing. Blocks for as long as a large image takes to unpack.
public struct BootEvidenceCollector: Sendable {
  /// Where parameters and files of this machine are.
  public var sources: BootSources
  /// The image; nil looks for the one of the kernel.
  public var image: FilePath?
  /// The kernel that is to be booted; nil is the one that runs.
  public var kernel: String?

  /// A collector for this machine.
  public init(_ sources: BootSources = BootSources()) { self.sources = sources }

  /// What there is.
  ///
  /// - Parameter device: Finds the network device towards an address.
  /// - Returns: The evidence.
  public func evidence(towards device: (IPAddress) -> String?) -> BootEvidence {
    var evidence = BootEvidence(kernel: kernel ?? runningKernel ?? installedKernels.last ?? "")
    evidence.modules = modules(of: evidence.kernel)
    if kernel == nil { evidence.newerKernels = installedKernels.filter { evidence.kernel.isOlder(than: $0) } }
    evidence.daemonUnits = daemonUnits
    lookAtRoot(&evidence)
    do throws(InitramfsImageError) {
      let image = try readImage(of: evidence.kernel)
      evidence.image = image
      evidence.plan = plan(of: image)
    } catch {
      evidence.imageFailure = error
    }
    let portal = evidence.session?.connection.flatMap { $0.portal ?? $0.persistentPortal }
    let addresses = portal.map { [$0.host] } ?? evidence.plan?.logins.map(\.record.portal.host) ?? []
    if let name = addresses.lazy.compactMap(\.numeric).compactMap(device).first { lookAtDevice(name, &evidence) }
    evidence.machineName = try? sources.nameFile.read()
    return evidence
  }

  // MARK: - Kernel and image

  private var runningKernel: String? {
    text("proc/sys/kernel/osrelease").map { String($0.prefix { !$0.isWhitespace }) }
  }

  /// The kernels that have modules, from the oldest.
  private var installedKernels: [String] {
    let names = (try? SysfsDirectory(path: place("lib/modules")).names()) ?? []
    return names.filter { isThere("lib/modules/\($0)/modules.dep") }.sorted { $0.isOlder(than: $1) }
  }

  /// What is enabled that starts a daemon, ours or open-iscsi's.
  private var daemonUnits: [String]? {
    let folders = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"]
    var found: [String]?
    for folder in folders {
      guard let units = try? SysfsDirectory(path: place(folder)) else { continue }
      let wanted = ((try? units.names()) ?? []).filter { $0.hasSuffix(".wants") }.sorted()
      found =
        (found ?? [])
        + wanted.flatMap { wants in
          ["iscsi-admin.service", "iscsid.service"].map { "\(wants)/\($0)" }
        }.filter { units.linkTarget($0) != nil || units.exists($0) }.map { "/\(folder)/\($0)" }
    }
    return found
  }

  private func modules(of kernel: String) -> KernelModules? {
    guard !kernel.isEmpty, !kernel.contains("/"),
      let dependencies = text("lib/modules/\(kernel)/modules.dep", limit: 1 << 22)
    else { return nil }
    return KernelModules(
      dependencies: dependencies, builtIn: text("lib/modules/\(kernel)/modules.builtin", limit: 1 << 22) ?? "")
  }

  private func readImage(of kernel: String) throws(InitramfsImageError) -> InitramfsImage {
    let deadline = ContinuousClock.now + .seconds(120)
    if let image { return try InitramfsImage(reading: image, until: deadline) }
    guard !kernel.isEmpty, !kernel.contains("/") else { throw .notFound(kernel: kernel) }
    let package = text("lib/modules/\(kernel)/pkgbase").map { String($0.prefix { !$0.isWhitespace }) }
    let machine = text("etc/machine-id").map { String($0.prefix { !$0.isWhitespace }) }
    for path in InitramfsImage.candidates(kernel: kernel, package: package, machine: machine) {
      do throws(InitramfsImageError) { return try InitramfsImage(reading: place(path.string), until: deadline) } catch {
        if case .unreadable(_, .noSuchFileOrDirectory) = error { continue }
        throw error
      }
    }
    throw .notFound(kernel: kernel)
  }

  /// What a boot with an image would do, if the kernel's command line stays as it is.
  private func plan(of image: InitramfsImage) -> BootPlan {
    let carried = image.texts.filter { $0.key.hasPrefix("etc/cmdline") }.sorted { $0.key < $1.key }.map(\.value)
    let line = (carried + [sources.commandLine ?? text("proc/cmdline") ?? ""]).joined(separator: "\n")
    let file = ["etc/iscsi.initramfs", "etc/iscsi/iscsi.initramfs"].first { image.texts[$0] != nil }
    let settings =
      file.map { BootParameters(ShellAssignments(image.texts[$0] ?? ""), of: "/\($0)") } ?? BootParameters()
    var input = BootPlan.Input(parameters: BootParameters(KernelCommandLine(line)).over(settings))
    input.firmware = (try? FirmwareReader(sysfs: sources.sysfs).boots()) ?? []
    let name = image.texts["etc/iscsi/initiatorname.iscsi"] ?? image.texts["etc/initiatorname.iscsi"]
    input.machineName = name.flatMap(InitiatorNameFile.value).flatMap { try? InitiatorName($0) }
    return BootPlan(input)
  }

  // MARK: - The running system

  private func lookAtRoot(_ evidence: inout BootEvidence) {
    let mounts = text("proc/self/mounts", limit: 1 << 20) ?? text("proc/mounts", limit: 1 << 20) ?? ""
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      // What is mounted last is on top.
      if fields.count > 2, fields[1] == "/" { evidence.rootFileSystem = String(fields[2]) }
    }
    guard let users = try? DeviceUsers(proc: place("proc"), sysfs: place("sys")),
      let sessions = try? sources.sysfs.sessions()
    else {
      evidence.rootFileSystem = nil
      return
    }
    evidence.session = sessions.first { session in
      (try? users.uses(of: session))?.contains { $0.kind == .mounted(at: "/") } ?? false
    }
    // That of another disk says nothing of a boot from iSCSI.
    if evidence.session == nil { evidence.rootFileSystem = nil }
  }

  func lookAtDevice(_ name: String, _ evidence: inout BootEvidence) {
    // A system that is only installed yet has no sysfs, and will have this machine's card.
    guard
      let devices = (try? SysfsDirectory(path: place("sys/class/net"))) ?? (try? SysfsDirectory(path: "/sys/class/net"))
    else { return }
    var pending = [name]
    while let next = pending.popLast(), evidence.networkDevices.count < 16 {
      guard PortalHost.isInterfaceName(next), !evidence.networkDevices.contains(next) else { continue }
      evidence.networkDevices.append(next)
      let lower = ((try? devices.names(in: next)) ?? []).filter { $0.hasPrefix("lower_") }.map {
        String($0.dropFirst(6))
      }
      pending += lower.sorted()
      // The card's driver, and those of the buses that it is on.
      var path = "\(next)/device"
      for step in 0..<8 where devices.exists(path) {
        let module = devices.linkTarget("\(path)/driver/module")?.split(separator: "/").last.map(String.init)
        if let module, !(evidence.drivers + evidence.busDrivers).contains(module) {
          if step == 0 { evidence.drivers.append(module) } else { evidence.busDrivers.append(module) }
        }
        path += "/.."
      }
    }
    evidence.managers = managers(of: name)
  }

  private func managers(of device: String) -> [BootEvidence.NetworkManager] {
    var found: [BootEvidence.NetworkManager] = []
    let index = text("sys/class/net/\(device)/ifindex").flatMap { UInt32($0.prefix { $0.isNumber }) }
    if let index, let link = text("run/systemd/netif/links/\(index)") {
      let lines = ShellAssignments(link)
      if let file = lines["NETWORK_FILE"], lines["ADMIN_STATE"] != "unmanaged" {
        found.append(.networkd(keeps: text(file).map(Self.keepsConfiguration) ?? false))
      }
    }
    if isThere("run/NetworkManager/devices") { found.append(.networkManager) }
    if let interfaces = text("etc/network/interfaces"), isThere("run/network/ifstate") {
      let lines = interfaces.split(separator: "\n").map { $0.split { $0 == " " || $0 == "\t" } }
      let isAutomatic = lines.contains {
        ["auto", "allow-hotplug"].contains($0.first) && $0.dropFirst().contains { $0 == device }
      }
      let isManual = lines.contains {
        $0.first == "iface" && $0.dropFirst().first.map { $0 == device } ?? false && $0.last == "manual"
      }
      if isAutomatic { found.append(.ifupdown(switchesOff: !isManual)) }
    }
    return found + clients(of: device).map { .client($0) }
  }

  private static func keepsConfiguration(_ text: String) -> Bool {
    text.split(separator: "\n").contains { line in
      let plain = line.filter { !$0.isWhitespace }.lowercased()
      return ["keepconfiguration=yes", "keepconfiguration=static", "keepconfiguration=true", "unmanaged=yes"].contains(
        plain)
    }
  }

  /// The DHCP clients that run for a device.
  private func clients(of device: String) -> [String] {
    guard let processes = try? SysfsDirectory(path: place("proc")), let names = try? processes.names() else {
      return []
    }
    var found: [String] = []
    for process in names where process.utf8.allSatisfy(\.isDigit) {
      guard let command = try? processes.contents("\(process)/comm"),
        ["dhcpcd", "dhclient", "udhcpc"].contains(command),
        let line = try? processes.contents("\(process)/cmdline"),
        line.split(separator: "\0").contains(where: { $0 == device }) || command == "dhcpcd", !found.contains(command)
      else { continue }
      found.append(command)
    }
    return found
  }

  // MARK: - Files

  private func place(_ path: String) -> FilePath { sources.root.appending(FilePath(path).removingRoot().components) }

  private func isThere(_ path: String) -> Bool { (try? FileDescriptor.open(place(path), .readOnly).close()) != nil }

  private func text(_ path: String, limit: Int = 1 << 16) -> String? {
    guard let contents = try? FileContents(of: place(path), limit: limit) else { return nil }
    return String(decoding: contents.octets, as: UTF8.self)
  }
}

extension String {
  /// Whether a version is older than another: runs of digits are compared as numbers.
  func isOlder(than other: String) -> Bool {
    var (mine, others) = (self[...], other[...])
    while let first = mine.first, let second = others.first {
      let areDigits = first.isASCIIDigit && second.isASCIIDigit
      let (left, right) =
        areDigits
        ? (mine.prefix(while: \.isASCIIDigit), others.prefix(while: \.isASCIIDigit))
        : (mine.prefix(1), others.prefix(1))
      let (plainLeft, plainRight) = (left.drop { $0 == "0" }, right.drop { $0 == "0" })
      if areDigits, plainLeft.count != plainRight.count { return plainLeft.count < plainRight.count }
      if areDigits ? plainLeft != plainRight : left != right {
        return areDigits ? plainLeft < plainRight : left < right
      }
      mine = mine.dropFirst(left.count)
      others = others.dropFirst(right.count)
    }
    return mine.isEmpty && !others.isEmpty
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
