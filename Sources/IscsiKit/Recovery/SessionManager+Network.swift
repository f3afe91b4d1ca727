// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
public import SystemPackage

extension SessionManager {
  /// Watches the network until the task is cancelled: a link, address or route that comes makes waiting sessions try at
  /// once, and a link that goes is noted as the cause of what its sessions suffer.
  ///
  /// - Returns: Why the watch has ended before; nil if it was cancelled.
  public func watchNetwork() async -> Errno? {
    do throws(Errno) {
      let monitor = try NetworkMonitor()
      var carriers = Carriers()
      while !Task.isCancelled {
        guard let change = try await monitor.next(until: nil) else { return nil }
        await network(change, &carriers)
      }
      return nil
    } catch {
      return error
    }
  }

  /// Which devices have a carrier: the kernel reports a device for many reasons, and few of them are that it came up.
  private struct Carriers {
    private var known: [UInt32: Bool] = [:]
    /// More devices than any machine has, or their names come and go.
    private static let limit = 4096

    /// Notes a device; whether it has a carrier that it was not known to have.
    mutating func comesUp(_ link: NetworkLink) -> Bool {
      if known.count > Self.limit { known = [:] }
      return (known.updateValue(link.hasCarrier, forKey: link.index) ?? false) != link.hasCarrier && link.hasCarrier
    }
  }

  private func network(_ change: NetworkChange, _ carriers: inout Carriers) async {
    switch change {
    case .link(let link):
      let comesUp = carriers.comesUp(link)
      guard !link.hasCarrier else {
        if comesUp {
          await tell(usersOf: link.name, nil)
          networkRestored()
        }
        return
      }
      let cause: LinkCause = link.isGone ? .noSuchDevice : !link.isUp ? .administrativelyDown : await reason(of: link)
      await tell(usersOf: link.name, cause)
    case .overrun:
      // What was lost may be that a device went.
      carriers = Carriers()
      networkRestored()
    case .addressAdded, .routesAdded: networkRestored()
    case .addressRemoved: return
    }
  }

  /// Why a device that is on has no carrier, as far as its driver tells in time.
  private func reason(of link: NetworkLink) async -> LinkCause {
    let cause = try? await devices.linkCause(of: link.name, until: .now + .seconds(1))
    guard case .noCarrier? = cause else { return .noCarrier(nil) }
    return cause ?? .noCarrier(nil)
  }

  private var devices: NetworkDevices { NetworkDevices(sysfs: environment.sysfs.root) }

  /// Through which device a connection goes that is bound so.
  private func device(towards address: IPAddress, _ scope: String?, bound binding: InterfaceBinding) async -> String? {
    var source: IPAddress?
    switch binding {
    case .device(let name): return name
    case .hardwareAddress(let address): return devices.name(of: address)
    case .sourceAddress(let address): source = address
    case .automatic: break
    }
    let index = scope.flatMap { UInt32($0) ?? devices.index(of: $0) } ?? 0
    return try? await devices.device(towards: address, scope: index, from: source, until: .now + .seconds(5))
  }

  /// Tells the sessions whose portal is reached through a device what is wrong with it.
  private func tell(usersOf device: String, _ cause: LinkCause?) async {
    let finding = cause.map { NetworkFinding(device: device, cause: $0) }
    let drivers = directory.withLock { directory in
      directory.all.filter { $0.device == device }.compactMap(\.driver)
    }
    // One after the other: of two findings the later one has to be the last.
    for driver in drivers { await driver.networkFound(finding) }
  }

  /// The network has something that it did not have: who waits for a next attempt makes it now, and who waits for a connection
  /// makes it anew.
  public func networkRestored() {
    let waiting = directory.withLock { directory in
      directory.all.filter { entry in
        // Of a login that has just begun nothing is known yet.
        guard let phase = entry.supervision?.phase else { return true }
        return phase == .recovering || phase == .loggingIn
      }.compactMap(\.driver)
    }
    for driver in waiting { Task { await driver.networkRestored() } }
  }

  /// Finds out through which device a session that is up is reached, and what is wrong with that device when the
  /// connection is lost.
  func look(
    at notice: SessionMachine.Notice, of entry: SessionDirectory<SessionDriver>.Entry,
    _ ticket: SessionDirectory<SessionDriver>.Ticket
  ) {
    switch notice {
    case .loggedIn, .adopted, .recovered:
      guard let driver = entry.driver, let session = entry.session, let portal = entry.supervision?.portal else {
        return
      }
      Task {
        guard let (address, scope) = address(of: portal, session) else { return }
        let device = await device(towards: address, scope, bound: await driver.binding)
        let isLost = directory.withLock { directory in
          directory.set(device: device, for: ticket)
          return directory[ticket]?.supervision?.phase == .recovering
        }
        // The loss was before the device was known.
        if isLost, let device { await find(causeOn: device, of: driver) }
      }
    case .lost:
      guard let device = entry.device, let driver = entry.driver else { return }
      Task { await find(causeOn: device, of: driver) }
    default: return
    }
  }

  private func find(causeOn device: String, of driver: SessionDriver) async {
    guard let cause = try? await devices.linkCause(of: device, until: .now + .seconds(5)), cause != .up else { return }
    await driver.networkFound(NetworkFinding(device: device, cause: cause))
  }

  /// The address behind a portal: of a name the one that the session is, or was, connected to.
  private func address(of portal: Portal, _ session: SessionID) -> (IPAddress, scope: String?)? {
    if case .address(let address, let scope) = portal.host { return (address, scope) }
    let snapshot = try? environment.sysfs.session(session, .summary)
    return snapshot?.connection?.portal?.host.numeric.map { ($0, nil) }
  }
}
