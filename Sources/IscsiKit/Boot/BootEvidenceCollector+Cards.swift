// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension BootEvidenceCollector {
  /// The sysfs of the machine that is to boot: that below the root, or else, as a system that is only installed yet has none, this machine's.
  var machineSysfs: (root: FilePath, isOfRoot: Bool) {
    let own = place("sys")
    let isOfRoot = (try? SysfsDirectory(path: own.appending("class/net"))) != nil
    return isOfRoot ? (own, true) : (machineRoot.appending("sys"), sources.root == machineRoot)
  }

  /// The kernel that drives the devices of that sysfs now.
  private var drivingKernel: String? {
    Self.runningKernel(below: machineSysfs.isOfRoot ? sources.root : machineRoot)
  }

  /// Compares the network devices that a boot is told to use with those of the machine.
  func lookAtCards(_ evidence: inout BootEvidence) {
    let (root, isOfRoot) = machineSysfs
    let devices = NetworkDevices(sysfs: root)
    evidence.isForeign = !isOfRoot
    // systemd-udevd looks at no other place, and takes the last.
    evidence.keepsKernelNames = commandLine.words.last { $0.name == "net.ifnames" }?.value == "0"
    evidence.machineCards = devices.bootable().map { name in
      name + (devices.hardwareAddress(of: name).map { " (\($0))" } ?? "")
    }
    // What is tried in the absence of a word, or is one of all, is not missed.
    let links = evidence.plan?.links ?? []
    let named = links.filter { !$0.isFallback && !$0.isUsualDevice && $0.device != .any }
    evidence.cards = named.map { link in
      BootEvidence.Card(
        wanted: link.device, name: link.name, origin: link.origin ?? link.source,
        device: link.device.name(among: devices, link.identity))
    }
    // A login may be bound to a device that no link is for.
    for login in evidence.plan?.logins ?? [] {
      guard let name = login.record.interface.networkDevice, !links.contains(where: { $0.isCalled(name) }) else {
        continue
      }
      let card = BootEvidence.Card(
        wanted: .named(name), name: name, origin: login.origin ?? login.source,
        device: BootDevice.named(name).name(among: devices, nil))
      if !evidence.cards.contains(card) { evidence.cards.append(card) }
    }
    for index in evidence.cards.indices {
      // Below a VLAN it goes by the name of the device that this is on.
      let name = evidence.cards[index].wanted.description
      evidence.cards[index].isMadeByDracut = evidence.plan?.devicesOfDracut.contains(name) ?? false
    }
  }

  /// Notes the device on the way to the target now, with those below it, and who manages it.
  func lookAtWay(_ name: String, _ evidence: inout BootEvidence) {
    evidence.networkDevices = parts(of: name)
    evidence.managers = managers(of: name)
  }

  /// A network device and those that it is made of: itself first.
  private func parts(of name: String) -> [String] {
    let found = NetworkDevices(sysfs: machineSysfs.root).parts(of: name)
    return found.isEmpty && PortalHost.isInterfaceName(name) ? [name] : found
  }

  /// Finds out what drives a network device in the kernel that is to be booted: its cards, and the buses that these are on.
  func lookAtDrivers(of name: String, _ evidence: inout BootEvidence) {
    guard let devices = try? SysfsDirectory(path: machineSysfs.root.appending("class/net")) else { return }
    for part in parts(of: name) {
      var path = "\(part)/device"
      for step in 0..<8 where devices.exists(path) {
        let device = DrivenDevice(
          modalias: (try? devices.contents("\(path)/modalias")) ?? nil,
          driver: devices.linkTarget("\(path)/driver").flatMap(Self.lastPart),
          module: devices.linkTarget("\(path)/driver/module").flatMap(Self.lastPart))
        if step == 0 {
          lookAtCard(device, named: part, &evidence)
        } else {
          for module in buses(device, evidence) where !(evidence.drivers + evidence.busDrivers).contains(module) {
            evidence.busDrivers.append(module)
          }
        }
        path += "/.."
      }
    }
  }

  /// What sysfs shows of a device and its driver.
  private struct DrivenDevice {
    var modalias: String?
    /// The driver's name; nil if nothing drives it.
    var driver: String?
    /// The module that the driver is in; nil if it is in the running kernel.
    var module: String?
  }

  private static func lastPart(_ path: String) -> String? { path.split(separator: "/").last.map(String.init) }

  private func lookAtCard(_ card: DrivenDevice, named name: String, _ evidence: inout BootEvidence) {
    func add(_ module: String) {
      if !evidence.drivers.contains(module) { evidence.drivers.append(module) }
    }
    if let known = known(card, evidence) {
      add(known)
    } else if let fitting = fitting(card, evidence) {
      add(fitting)
    } else if let module = card.module {
      add(KernelModules.normal(module))
    } else if card.driver == nil || evidence.kernel != drivingKernel {
      // What has no alias, and is a part of another kernel, is nothing to guess at.
      evidence.unknownCards.append(name + (card.modalias.map { " (\($0))" } ?? ""))
    }
  }

  /// The modules for what is between the card and the kernel.
  private func buses(_ bus: DrivenDevice, _ evidence: BootEvidence) -> [String] {
    // The kernel's own driver of PCI bridges is never a module, but others say that they are for those, too.
    guard let driver = bus.driver, driver != "pcieport" else { return [] }
    let known = known(bus, evidence)
    if let known, bus.module != nil { return [known] }
    if evidence.modules == nil { return [bus.module].compactMap(\.self).map(KernelModules.normal) }
    guard bus.module != nil || evidence.kernel != drivingKernel else { return [] }
    return [known, fitting(bus, evidence)].compactMap(\.self)
  }

  /// What drives a device now, if the kernel that is to be booted has it too.
  private func known(_ device: DrivenDevice, _ evidence: BootEvidence) -> String? {
    guard let name = (device.module ?? device.driver).map(KernelModules.normal), let modules = evidence.modules else {
      return nil
    }
    return modules.place(of: name) == .missing ? nil : name
  }

  /// What that kernel has for a device by its alias. Of several one will do: what is built in, or in the image.
  private func fitting(_ device: DrivenDevice, _ evidence: BootEvidence) -> String? {
    guard let alias = device.modalias, let modules = evidence.modules else { return nil }
    let all = modules.modules(driving: alias)
    let present = evidence.image?.modules(of: evidence.kernel) ?? []
    return all.first { modules.place(of: $0) == .builtIn || present.contains($0) } ?? all.first
  }
}
