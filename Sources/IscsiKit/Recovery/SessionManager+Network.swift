// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
public import SystemPackage

extension SessionManager {
  /// Watches the network until the task is cancelled: a link, address or route that comes makes waiting sessions try at
  /// once, and a link that goes is noted as the cause of what its sessions suffer.
  ///
  /// A report gives rise to a look, and what the look finds is told: reports can be lost, or have come before somebody was
  /// there to hear them.
  ///
  /// - Returns: Why the watch has ended before; nil if it was cancelled.
  public func watchNetwork() async -> Errno? {
    do throws(Errno) {
      let monitor = try NetworkMonitor()
      var carriers = Carriers()
      // The kernel reports changes, and what was so before the monitor began is none.
      lookAtDevices()
      while !Task.isCancelled {
        guard let change = try await monitor.next(until: nil) else { return nil }
        note(change, &carriers)
      }
      return nil
    } catch {
      return error
    }
  }

  /// Which devices have a carrier: the kernel reports a device for many reasons, and few of them are that it came up.
  struct Carriers {
    private var known: [UInt32: Bool] = [:]
    /// More devices than any machine has, or their names come and go.
    private static let limit = 4096

    /// Notes a device; whether it has a carrier that it was not known to have.
    mutating func comesUp(_ link: NetworkLink) -> Bool {
      if known.count > Self.limit { known = [:] }
      return (known.updateValue(link.hasCarrier, forKey: link.index) ?? false) != link.hasCarrier && link.hasCarrier
    }
  }

  /// Takes what the kernel reports.
  func note(_ change: NetworkChange, _ carriers: inout Carriers) {
    switch change {
    case .link(let link):
      let comesUp = carriers.comesUp(link)
      guard !link.hasCarrier else {
        if comesUp {
          look(at: link.name, told: .up)
          networkRestored()
        }
        return
      }
      look(
        at: link.name, told: link.isGone ? .noSuchDevice : link.isUp ? .noCarrier(nil) : .administrativelyDown)
    case .overrun:
      // What was lost may be that a device went, or came.
      carriers = Carriers()
      lookAtDevices()
      networkRestored()
    case .addressAdded, .routesAdded: networkRestored()
    case .addressRemoved: return
    }
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

  /// Finds out through which device a session that is up is reached, and what is wrong with that device: it may have been so
  /// before anybody watched. When the connection is lost, only the latter.
  func look(
    at notice: SessionMachine.Notice, of entry: SessionDirectory<SessionDriver>.Entry,
    _ ticket: SessionDirectory<SessionDriver>.Ticket
  ) {
    switch notice {
    case .loggedIn, .adopted, .recovered:
      guard entry.supervision?.phase == .up || entry.supervision?.phase == .recovering else { return }
      findDevice(of: ticket)
    case .lost: if let device = entry.device { look(at: device) }
    default: return
    }
  }

  /// Finds out through which device a session is reached. One is at it for all who ask: hundreds that come up at once have few
  /// ways, each of which is asked about once.
  private func findDevice(of ticket: SessionDirectory<SessionDriver>.Ticket) {
    guard wayLooks.withLock({ $0.request(ticket) }) else { return }
    // A network that is slow does not keep a manager that everybody else has let go of, and its sessions.
    Task { [weak self, network = self.network] in
      while let tickets = self?.wayLooks.withLock({ $0.take() }) {
        var (asked, devices): ([Way: Result<String?, WaitError>], Set<String>) = ([:], [])
        for ticket in tickets {
          guard let way = await self?.way(of: ticket) else { continue }
          if asked[way] == nil {
            do throws(WaitError) { asked[way] = .success(try await way.find(in: network)) } catch {
              asked[way] = .failure(error)
            }
          }
          // Nothing is known if the question is not answered, and what was known stays.
          guard case .success(let device) = asked[way] else { continue }
          self?.directory.withLock { $0.set(device: device, for: ticket) }
          if let device { devices.insert(device) }
        }
        for device in devices { self?.look(at: device) }
      }
    }
  }

  private func way(of ticket: SessionDirectory<SessionDriver>.Ticket) async -> Way? {
    guard let entry = directory.withLock({ $0[ticket] }) else { return nil }
    return await Way(of: entry, environment.sysfs)
  }

  // MARK: - Looks at devices

  /// Looks at each device that a session is reached through.
  private func lookAtDevices() {
    for device in directory.withLock({ Array($0.devices) }) { look(at: device) }
  }

  /// Looks at a device, and tells the sessions that are reached through it.
  func look(at device: String, told: LinkCause? = nil) {
    // A machine may have hundreds of devices that come and go. Who learns later that it uses one looks then.
    guard directory.withLock({ $0.isUsed(device) }),
      linkLooks.withLock({ $0.request(device, told: told) })
    else { return }
    Task { [weak self, network = self.network] in
      while case (true, let told)? = self?.takeLook(at: device) {
        let found = try? await network.linkCause(of: device, until: .now + .seconds(2))
        if let cause = found ?? told { await self?.tell(usersOf: device, cause) }
      }
    }
  }

  private func takeLook(at device: String) -> (isDue: Bool, told: LinkCause?) {
    linkLooks.withLock { $0.take(device) }
  }

  /// Tells the sessions that are reached through a device how it is.
  private func tell(usersOf device: String, _ cause: LinkCause) async {
    guard cause != .up else {
      // To hear that all is well is news to few.
      for driver in directory.withLock({ $0.troubledUsers(of: device) }) { await driver.networkFound(nil) }
      return
    }
    let users = directory.withLock { $0.users(of: device) }
    let finding = NetworkFinding(device: device, cause: cause)
    // Sessions of one portal go one way, and a kernel that does not answer is not asked again: nobody waits for the others.
    var (asked, isSilent): ([Way: String?], Bool) = ([:], false)
    for (ticket, entry) in users {
      let way = entry.supervision?.phase == .up && !isSilent ? await Way(of: entry, environment.sysfs) : nil
      if let way, asked[way] == nil {
        do throws(WaitError) {
          asked.updateValue(try await way.otherDevice(than: device, in: network), forKey: way)
        } catch {
          isSilent = true
        }
      }
      guard let way, case .some(.some(let other)) = asked[way] else {
        await entry.driver?.networkFound(finding)
        continue
      }
      // It may have been found to go elsewhere meanwhile.
      directory.withLock { if $0[ticket]?.device == device { $0.set(device: other, for: ticket) } }
      await entry.driver?.networkFound(nil)
      look(at: other)
    }
  }
}

/// Where a session's packets go, and what they are bound to.
private struct Way: Hashable {
  let address: IPAddress
  let scope: String?
  let binding: InterfaceBinding
  /// Our own address, while there is a connection.
  let local: IPAddress?

  /// The way of a session; nil if it has no connection that anybody knows.
  init?(of entry: SessionDirectory<SessionDriver>.Entry, _ sysfs: Sysfs) async {
    guard let driver = entry.driver, let session = entry.session, let portal = entry.supervision?.portal else {
      return nil
    }
    if case .address(let address, let scope) = portal.host {
      (self.address, self.scope) = (address, scope)
    } else {
      // Of a name the one that the session is, or was, connected to.
      let snapshot = try? sysfs.session(session, .summary)
      guard let address = snapshot?.connection?.portal?.host.numeric else { return nil }
      (self.address, scope) = (address, nil)
    }
    let end = await driver.ownEnd
    binding = end.binding
    local = end.address ?? sysfs.connectionEnds(of: session)?.local.address
  }

  /// The address that packets come from, if it is fixed.
  var source: IPAddress? {
    if case .sourceAddress(let address) = binding { address } else { nil }
  }

  /// Whether the route decides the device.
  var isByRoute: Bool {
    switch binding {
    case .automatic, .sourceAddress: true
    case .device, .hardwareAddress: false
    }
  }

  /// Through which device a session is reached, or by which it suffers; nil if there is none.
  ///
  /// - Throws: Why the kernel's answer was not waited for.
  func find(in network: any NetworkSight) async throws(WaitError) -> String? {
    let patience = Duration.seconds(5)
    let device = try await device(in: network, from: source, until: .now + patience)
    return await failedOwner(in: network, besides: device, until: .now + patience) ?? device
  }

  /// Through which device a connection goes; nil if there is no route.
  ///
  /// - Throws: Why the kernel's answer was not waited for.
  func device(
    in network: any NetworkSight, from source: IPAddress?, until deadline: ContinuousClock.Instant
  ) async throws(WaitError) -> String? {
    switch binding {
    case .device(let name): return name
    case .hardwareAddress(let address): return network.name(of: address)
    case .automatic, .sourceAddress: break
    }
    let scope = self.scope.flatMap { UInt32($0) ?? network.index(of: $0) } ?? 0
    return try await network.device(towards: address, scope: scope, from: source, until: deadline)
  }

  /// Through which other device a session is reached by now; nil if it still depends on this one. So does one whose own address
  /// is on the failed device: another route, such as a default route, may take its packets, but answers go to that address.
  ///
  /// - Throws: Why the kernel's answer was not waited for.
  func otherDevice(than device: String, in network: any NetworkSight) async throws(WaitError) -> String? {
    let deadline = ContinuousClock.now + .seconds(2)
    guard isByRoute, let local,
      let other = try await self.device(in: network, from: local, until: deadline), other != device,
      let owner = try await network.owner(of: local, until: deadline), owner != device
    else { return nil }
    return other
  }

  /// The device that has our own address, if it is another one than packets leave through and is out of order: then the route is
  /// gone, or leads elsewhere, but answers go to that address all the same.
  func failedOwner(
    in network: any NetworkSight, besides device: String?, until deadline: ContinuousClock.Instant
  ) async -> String? {
    guard isByRoute, let local,
      case .some(.some(let owner)) = try? await network.owner(of: local, until: deadline), owner != device,
      let cause = try? await network.linkCause(of: owner, until: deadline), cause != .up
    else { return nil }
    return owner
  }
}
