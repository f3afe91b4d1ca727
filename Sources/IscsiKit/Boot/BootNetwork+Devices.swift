// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension BootNetwork {
  /// The name of the device that is meant, waiting until there is one.
  func find(
    _ device: BootDevice, _ identity: HardwareAddress? = nil, by monitor: NetworkMonitor?
  ) async throws(BootNetworkError) -> String {
    let deadline = ContinuousClock.now + patience.device
    while true {
      let found = device.name(among: devices, identity)
      // The kernel's name is that of another device by then, perhaps.
      let isByName = device == found.map(BootDevice.named) && identity.flatMap(devices.name(of:)) != found
      if let found, let name = await settled([found]).first, !isByName || name == found { return name }
      guard let monitor, .now < deadline else { break }
      guard (try? await monitor.next(until: deadline)) ?? nil != nil else { break }
    }
    if Task.isCancelled { throw .cancelled }
    throw .noDevice("\(device)")
  }

  /// Whether a device is there, or comes in time, which need not be that one.
  func comes(_ device: BootDevice, by monitor: NetworkMonitor?) async -> Bool {
    (try? await find(device, by: monitor)) != nil
  }

  /// The names that devices have when udev, if it runs, is done with them: it gives most of them another name, which it cannot
  /// any more when they are switched on.
  func settled(_ names: [String]) async -> [String] {
    guard Udev.isRunning else { return names }
    var found: [String] = []
    for index in names.compactMap(devices.index) {
      await Udev.wait(for: index, until: .now + patience.name)
      if let name = devices.namesByIndex()[index] { found.append(name) }
    }
    return found
  }

  /// The device of a VLAN, by whatever name; it is made if there is none.
  func device(
    of vlan: BootVLAN, on card: UInt32, named cardName: String
  ) async throws(BootNetworkError) -> String {
    if let name = try await existing(vlan, on: card, cardName) { return name }
    let names = vlan.names(on: cardName)
    // A device of that name is something else.
    guard let name = names.first(where: { devices.index(of: $0) == nil }) else {
      throw .failed(device: names.last ?? cardName, .fileExists)
    }
    try await perform([NetworkChangeRequest.vlan(vlan.number, named: name, on: card)], on: name)
    // Somebody else may have been faster, by a name of his own.
    guard let made = try await existing(vlan, on: card, cardName) else { throw .noDevice(name) }
    return made
  }

  private func existing(
    _ vlan: BootVLAN, on card: UInt32, _ cardName: String
  ) async throws(BootNetworkError) -> String? {
    do throws(WaitError) {
      return try await devices.vlan(vlan.number, on: card, until: .now + Self.timeout)
    } catch {
      throw BootNetworkError(error, on: cardName)
    }
  }

  func index(of name: String) throws(BootNetworkError) -> UInt32 {
    guard let index = devices.index(of: name) else { throw .noDevice(name) }
    return index
  }

  func perform(_ changes: [[UInt8]], on device: String) async throws(BootNetworkError) {
    guard !changes.isEmpty else { return }
    do throws(WaitError) {
      try await NetworkSetup().perform(changes, until: .now + Self.timeout)
    } catch {
      throw BootNetworkError(error, on: device)
    }
  }

  /// Waits for the carrier of a device, as long as that may take; whether there is one.
  func waitForCarrier(of device: String, by monitor: NetworkMonitor?) async -> Bool {
    let deadline = ContinuousClock.now + patience.carrier
    while let cause = try? await devices.linkCause(of: device, until: deadline) {
      if cause == .up { return true }
      guard let monitor, (try? await monitor.next(until: deadline)) ?? nil != nil else { return false }
    }
    return false
  }
}

extension BootDevice {
  /// Its name among the devices that there are by now; nil if it is not there.
  ///
  /// - Parameters:
  ///   - devices: The devices.
  ///   - identity: The MAC address that goes before the name, by which another device may be called meanwhile.
  /// - Returns: The name.
  func name(among devices: NetworkDevices, _ identity: HardwareAddress?) -> String? {
    if let name = identity.flatMap(devices.name(of:)) { return name }
    return switch self {
    case .named(let name): devices.index(of: name) == nil ? nil : name
    case .hardwareAddress(let address): devices.name(of: address)
    case .any: devices.bootable().first
    }
  }
}

/// What udev tells of its work.
private enum Udev {
  /// Whether it runs.
  static var isRunning: Bool {
    guard let directory = try? SysfsDirectory(path: "/run/udev") else { return false }
    return directory.exists("control")
  }

  /// Waits until it has dealt with a network device.
  static func wait(for index: UInt32, until deadline: ContinuousClock.Instant) async {
    while .now < deadline, (try? FileContents(of: FilePath("/run/udev/data/n\(index)"), limit: 1)) == nil {
      guard (try? await Reactor.shared.sleep(until: .now + .milliseconds(50))) != nil else { return }
    }
  }
}

extension BootVLAN {
  /// The names that its device may get, the best first: those that are not too long for the kernel.
  func names(on device: String) -> [String] {
    (name.map { [$0] } ?? ["\(device).\(number)", "vlan\(number)"]).filter(PortalHost.isInterfaceName)
  }
}
