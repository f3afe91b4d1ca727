// SPDX-License-Identifier: Apache-2.0

/// Gathers what rules want to know: from sysfs, the daemon, the network, and a portal itself if its session is not up.
///
/// Nothing that is asked has to answer: each question has a deadline, and what stays open is not in the evidence.
public struct EvidenceCollector: Sendable {
  /// How many portals are looked at at the same time.
  private static let width = 16

  let sysfs: Sysfs
  private let initiator: Initiator
  private let patience: Duration
  private let inventory: DiskInventory?

  /// A collector.
  ///
  /// - Parameters:
  ///   - sysfs: Where the kernel's view is.
  ///   - initiator: The daemon, which need not be there.
  ///   - inventory: The surroundings of disks; nil if they cannot be read.
  ///   - patience: How long the daemon, and then each portal, may take.
  public init(sysfs: Sysfs, initiator: Initiator, inventory: DiskInventory?, patience: Duration = .seconds(2)) {
    self.sysfs = sysfs
    self.initiator = initiator
    self.inventory = inventory
    self.patience = patience
  }

  /// A portal where there should be a session.
  public struct Place: Hashable, Sendable {
    /// The target.
    public var target: TargetName
    /// The portal.
    public var portal: Portal
    /// The name of the interface that the session would be over; nil for the default one.
    public var interface: String?
    /// What the connection would go out through.
    public var binding: InterfaceBinding
    /// Whether the session is to be there whenever the machine is up.
    public var isAutomatic: Bool

    /// A place by its parts.
    public init(
      target: TargetName, portal: Portal, interface: String? = nil, binding: InterfaceBinding = .automatic,
      isAutomatic: Bool = false
    ) {
      self.target = target
      self.portal = portal
      self.interface = interface
      self.binding = binding
      self.isAutomatic = isAutomatic
    }
  }

  /// What the record of a session says that the kernel does not show.
  public struct Recorded: Hashable, Sendable {
    /// What the connection is bound to.
    public var binding: InterfaceBinding
    /// How many such sessions there are to be.
    public var sessionCount: Int

    /// What a record says.
    public init(binding: InterfaceBinding, sessionCount: Int) {
      self.binding = binding
      self.sessionCount = sessionCount
    }
  }

  /// The evidence about some sessions, in their order, and then about some places without one.
  ///
  /// - Parameters:
  ///   - sessions: The sessions, in full.
  ///   - places: The places.
  ///   - all: All sessions of the machine.
  ///   - recorded: What records say of the sessions.
  /// - Returns: As many as there are sessions and places.
  public func evidence(
    about sessions: [SessionSnapshot], and places: [Place] = [], among all: [SessionSnapshot],
    by recorded: [SessionID: Recorded] = [:]
  ) async -> [Evidence] {
    let daemon = await askDaemon()
    let now = WallClock.now
    var found = sessions.map { session in
      var evidence = Evidence(session, now: now)
      evidence.daemon = daemon.answer(about: session.id)
      evidence.losses = daemon.losses[session.id] ?? []
      evidence.others = all.filter { $0.id != session.id }
      evidence.devices = session.devices.map(device)
      // One that was made by a program of its own has no record, and one of open-iscsi's making the daemon takes for single.
      evidence.sessionCount = max(
        1, recorded[session.id]?.sessionCount ?? 1, evidence.recovery?.sessionCount ?? 1)
      return evidence
    }
    found += places.map { place in
      var evidence = Evidence(target: place.target.description, portal: place.portal, now: now)
      evidence.others = all
      evidence.interface = place.interface
      evidence.isAutomatic = place.isAutomatic
      return evidence
    }
    let (start, busy) = (ContinuousClock.now, busyDisks(of: found))
    let bindings = sessions.map { recorded[$0.id]?.binding ?? $0.shownBinding } + places.map(\.binding)
    await lookAtPortals(of: &found, through: bindings)
    await findStalls(in: &found, since: busy, from: start)
    return found
  }

  private func device(_ snapshot: DeviceSnapshot) -> Evidence.Device {
    var device = Evidence.Device(snapshot)
    guard let disk = snapshot.blockDevice, let context = try? inventory?.context(of: disk) else { return device }
    device.uses = context.uses
    device.multipath = context.multipathMap.map { map in
      let name = map.mapping ?? map.name
      return Evidence.Multipath(map: name, queues: MapperTable.queuesWithoutPath(name))
    }
    return device
  }

  // MARK: - The daemon

  private struct DaemonAnswer {
    var silence: Evidence.Daemon?
    var recoveries: [SessionID: InitiatorTypes.Recovery] = [:]
    var losses: [SessionID: [Evidence.Loss]] = [:]

    func answer(about id: SessionID) -> Evidence.Daemon {
      if let silence { return silence }
      return recoveries[id].map { .supervises($0) } ?? .unconcerned
    }
  }

  private func askDaemon() async -> DaemonAnswer {
    var answer = DaemonAnswer()
    let deadline = ContinuousClock.now + patience
    do throws(InitiatorError) { answer.recoveries = try await initiator.recoveries(until: deadline) } catch {
      // Where no daemon runs, the rule knows better what starts it.
      answer.silence = .silent(error.description, advice: error.exitStatus == .access ? error.advice : nil)
      return answer
    }
    // Without its events only one rule has nothing to go by.
    for event in (try? await initiator.keptEvents(until: deadline)) ?? [] {
      guard event.kind == SessionEvent.Kind.lost.rawValue, let session = event.session else { continue }
      let loss = Evidence.Loss(time: event.time, kernelError: event.kernelError)
      answer.losses[SessionID(rawValue: session), default: []].append(loss)
    }
    return answer
  }

  // MARK: - The network

  private func lookAtPortals(of evidence: inout [Evidence], through bindings: [InterfaceBinding]) async {
    let jobs = Array(zip(evidence, bindings))
    var next = 0
    let found = await withTaskGroup(of: (Int, Path?, Evidence.Probe?).self) { group in
      var found: [(Int, Path?, Evidence.Probe?)] = []
      while next < jobs.count || !group.isEmpty {
        if next < jobs.count, found.count + Self.width > next {
          let (index, job) = (next, jobs[next])
          group.addTask { [self] in
            let isUp = job.0.isUp
            guard let portal = job.0.portal?.reachable(through: job.1) else { return (index, nil, nil) }
            let local = isUp ? job.0.session?.host?.ipAddress.flatMap { IPAddress($0) } : nil
            return (index, await way(to: portal, job.1, from: local), isUp ? nil : await probe(portal, job.1))
          }
          next += 1
        } else if let result = await group.next() {
          found.append(result)
        }
      }
      return found
    }
    for (index, path, probe) in found {
      evidence[index].way = path?.way
      evidence[index].address = path?.address
      evidence[index].probe = probe
    }
  }

  /// The way to one of the addresses of a portal.
  private struct Path {
    let way: Evidence.Way
    let address: IPAddress
  }

  /// The way to a portal. `local` is our end of a connection that is up, by which its packets find their way too.
  private func way(to portal: Portal, _ binding: InterfaceBinding, from local: IPAddress?) async -> Path? {
    let deadline = ContinuousClock.now + patience
    let devices = NetworkDevices()
    let bound: String? =
      switch binding {
      case .device(let name): name
      case .hardwareAddress(let address): devices.name(of: address)
      case .automatic, .sourceAddress: nil
      }
    var source = local
    if case .sourceAddress(let address) = binding { source = address }
    do {
      guard let found = try await portal.resolve(until: deadline).first else { return nil }
      let route = try await Self.route(
        towards: found, from: source, isOptional: source == local, by: devices, until: deadline)
      guard let device = bound ?? route?.device else { return Path(way: .none, address: found.address) }
      let way = Evidence.Way.through(
        device: device, try await devices.linkCause(of: device, until: deadline), mtu: devices.mtu(of: device),
        pathMTU: bound == nil || bound == route?.device ? route?.mtu : nil)
      return Path(way: way, address: found.address)
    } catch {
      return nil
    }
  }

  /// The route from an address; or from any, if that one is gone and packets need not come from it.
  private static func route(
    towards destination: SocketAddress, from source: IPAddress?, isOptional: Bool, by devices: NetworkDevices,
    until deadline: ContinuousClock.Instant
  ) async throws(WaitError) -> (device: String, mtu: UInt32?)? {
    do throws(WaitError) {
      return try await devices.route(
        towards: destination.address, scope: destination.scope, from: source, until: deadline)
    } catch {
      guard isOptional, source != nil, case .failed = error else { throw error }
    }
    return try await devices.route(towards: destination.address, scope: destination.scope, until: deadline)
  }

  private func probe(_ portal: Portal, _ binding: InterfaceBinding) async -> Evidence.Probe? {
    do throws(TransportError) {
      _ = try await TCPSocket.connect(to: portal, through: binding, sysfs: sysfs.root, until: .now + patience)
      return .accepted
    } catch {
      return error == .cancelled ? nil : .failed(error)
    }
  }
}

extension Portal {
  /// The portal with the scope that a link-local address needs, which sysfs does not show; nil if nobody knows it.
  fileprivate func reachable(through binding: InterfaceBinding) -> Portal? {
    guard case .address(let address, nil) = host, address.isLinkLocal else { return self }
    guard case .device(let name) = binding else { return nil }
    return Portal(host: .address(address, scope: name), port: port)
  }
}
