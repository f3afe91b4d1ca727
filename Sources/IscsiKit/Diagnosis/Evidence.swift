// SPDX-License-Identifier: Apache-2.0

/// What is known of a session, or of a portal where there should be one, when it is diagnosed.
///
/// What is not known is nil or empty, and no rule guesses it.
public struct Evidence: Sendable {
  /// What the daemon has to do with it.
  public enum Daemon: Hashable, Sendable {
    /// It cannot be asked: why, and what to do about it if that is known.
    case silent(String, advice: String? = nil)
    /// It does not supervise the session.
    case unconcerned
    /// What it knows of the session.
    case supervises(InitiatorTypes.Recovery)
  }

  /// How packets get to the portal.
  public enum Way: Hashable, Sendable {
    /// There is no route.
    case none
    /// Through a network device: its name, whether it can carry traffic, its MTU in octets, and the smallest MTU on the
    /// way as far as the kernel has learned it.
    case through(device: String, LinkCause, mtu: UInt32? = nil, pathMTU: UInt32? = nil)
  }

  /// Whether the portal takes TCP connections.
  public enum Probe: Hashable, Sendable {
    /// It does.
    case accepted
    /// It does not: why.
    case failed(TransportError)
  }

  /// A device, and what it is used for.
  public struct Device: Hashable, Sendable {
    /// The device.
    public var snapshot: DeviceSnapshot
    /// Its uses.
    public var uses: [DeviceUse]
    /// The multipath map that it is a path of.
    public var multipath: Multipath?
    /// The requests of which none has ended while it was looked at; nil if one has, if there are none, or if nobody looked.
    public var stall: Stall?

    /// A device and what is known of its use.
    public init(_ snapshot: DeviceSnapshot, uses: [DeviceUse] = [], multipath: Multipath? = nil) {
      self.snapshot = snapshot
      self.uses = uses
      self.multipath = multipath
    }

    /// The name of the block device, or else the address.
    public var name: String { snapshot.blockDevice ?? snapshot.address }
  }

  /// Requests that are with a device of which none has ended in a time.
  public struct Stall: Hashable, Sendable {
    /// How many.
    public var requests: UInt64
    /// How long was looked, in seconds.
    public var seconds: Double

    /// A stall from its parts.
    public init(requests: UInt64, seconds: Double) {
      self.requests = requests
      self.seconds = seconds
    }
  }

  /// A multipath map.
  public struct Multipath: Hashable, Sendable {
    /// Its name: `mpatha`.
    public var map: String
    /// Whether it queues I/O while it has no path (`queue_if_no_path`); nil if that is not known.
    public var queues: Bool?

    /// A map by its name.
    public init(map: String, queues: Bool? = nil) {
      self.map = map
      self.queues = queues
    }
  }

  /// A loss of the connection that the daemon tells of.
  public struct Loss: Hashable, Sendable {
    /// When, in seconds since 1970.
    public var time: Double
    /// The kernel's number of the error.
    public var kernelError: UInt32?

    /// A loss.
    public init(time: Double, kernelError: UInt32?) {
      self.time = time
      self.kernelError = kernelError
    }
  }

  /// The time of day, in seconds since 1970.
  public var now: Double
  /// The session; nil if there is none.
  public var session: SessionSnapshot?
  /// The target's name.
  public var target: String?
  /// Where the session is, or should be.
  public var portal: Portal?
  /// The name of the interface that a session would be over where there is none; nil for the default one.
  public var interface: String?
  /// What the daemon knows.
  public var daemon: Daemon?
  /// The way to the portal; nil if it was not looked for or found out.
  public var way: Way?
  /// The address that the way was found for; nil if none was.
  public var address: IPAddress?
  /// Whether the portal takes connections; nil if it was not tried, as for a session that is up.
  public var probe: Probe?
  /// The session's devices.
  public var devices: [Device] = []
  /// All other sessions of this machine.
  public var others: [SessionSnapshot] = []
  /// How many sessions of this target, portal and interface there are to be, by the record and by the daemon.
  public var sessionCount = 1
  /// Whether the session is to be there whenever the machine is up, by its record.
  public var isAutomatic = false
  /// The losses that the daemon has kept, oldest first.
  public var losses: [Loss] = []

  /// Evidence about a session.
  public init(_ session: SessionSnapshot, now: Double) {
    self.now = now
    self.session = session
    target = session.targetName
    portal = session.connection?.portal ?? session.connection?.persistentPortal
    devices = session.devices.map { Device($0) }
  }

  /// Evidence about a portal where there is no session.
  public init(target: String, portal: Portal, now: Double) {
    self.now = now
    self.target = target
    self.portal = portal
  }
}

extension Evidence {
  /// Whether the session is in full feature phase and its connection up.
  var isUp: Bool { session.map { $0.state == .loggedIn && $0.isConnectionUp } ?? false }

  /// What the daemon knows of the session.
  var recovery: InitiatorTypes.Recovery? {
    if case .supervises(let recovery)? = daemon { recovery } else { nil }
  }

  /// The present outage.
  var outage: InitiatorTypes.Outage? { recovery?.outage }
  /// The last attempt of this outage that failed; an older one says nothing any more.
  var failure: InitiatorTypes.Attempt? { isUp ? nil : outage?.lastFailure }

  /// The interface for a sentence: ` over storage`; nothing for the default one.
  public var interfaceText: String { interface.map { " over \($0)" } ?? "" }

  /// The portal for a sentence and a command.
  var portalText: String { portal?.address ?? "the portal" }

  /// The devices that are paths of a multipath map.
  var paths: [Device] { devices.filter { $0.multipath != nil } }

  /// The uses that the machine does not survive without: the root file system and swap space, by paths of their own.
  var vitalUses: [DeviceUse] {
    devices.filter { $0.multipath == nil }.flatMap(\.uses).filter { use in
      switch use.kind {
      case .mounted(let path): path == "/"
      case .swap: true
      }
    }
  }

  /// How far a moment is from now, to the second.
  func distance(to time: Double) -> String {
    let seconds = Int(max(-1e9, min(1e9, (time - now).rounded())))
    return time < now ? "\(-seconds) s ago" : "in \(seconds) s"
  }
}

extension String {
  /// The text as one word of a shell: in quotes if anything in it means something there.
  var shellWord: String {
    let isPlain = utf8.allSatisfy { octet in
      (0x30...0x39).contains(octet) || (0x41...0x5A).contains(octet) || (0x61...0x7A).contains(octet)
        || [0x25, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F, 0x3A, 0x40, 0x5F].contains(octet)
    }
    return isPlain && !isEmpty
      ? self : "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
  }
}
