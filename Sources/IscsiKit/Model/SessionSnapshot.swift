// SPDX-License-Identifier: Apache-2.0

/// The kernel's word for a session's state (sysfs `iscsi_session/state`).
public enum KernelSessionState: String, Hashable, Sendable, CaseIterable {
  /// In full feature phase.
  case loggedIn = "LOGGED_IN"
  /// The connection failed; I/O waits for recovery until the replacement timeout runs out.
  case failed = "FAILED"
  /// Not logged in yet, or the replacement timeout ran out and I/O fails.
  case free = "FREE"
}

/// The kernel's word for a connection's state (sysfs `iscsi_connection/state`).
public enum KernelConnectionState: String, Hashable, Sendable, CaseIterable {
  /// In full feature phase.
  case up
  /// Created, or stopped for good.
  case down
  /// Failed or stopped for recovery.
  case failed
  /// A socket is bound, the login is not done.
  case bound
}

/// The kernel's word for what it knows of a session's target (sysfs `iscsi_session/target_state`, since Linux 6.3).
public enum KernelTargetState: String, Hashable, Sendable, CaseIterable {
  /// No SCSI target exists any more.
  case unbound = "UNBOUND"
  /// A target number is given, nothing is scanned yet.
  case allocated = "ALLOCATED"
  /// The target's logical units were scanned.
  case scanned = "SCANNED"
  /// The devices are being removed.
  case unbinding = "UNBINDING"
}

/// The kernel's word for a SCSI device's state (sysfs `scsi_device/state`; kernel: `enum scsi_device_state`).
public enum KernelDeviceState: String, Hashable, Sendable, CaseIterable {
  /// Made, and not looked at yet.
  case created
  /// In use.
  case running
  /// Being removed.
  case cancel
  /// Removed.
  case deleted
  /// Only commands of the kernel's own go through.
  case quiesce
  /// Given up by SCSI error handling; no relogin revives it.
  case offline
  /// Given up because its session was away for longer than the replacement timeout.
  case transportOffline = "transport-offline"
  /// Its session is away; commands wait.
  case blocked
  /// Made while its session was away.
  case createdBlocked = "created-blocked"
}

/// A SCSI device of a session.
public struct DeviceSnapshot: Hashable, Sendable {
  /// Its host, channel, target and LUN numbers, as in `/sys/bus/scsi/devices/H:C:T:L`.
  public var host: HostNumber
  /// Channel number.
  public var channel: UInt32
  /// Target number.
  public var target: UInt32
  /// LUN number as Linux shows it.
  public var lun: UInt64
  /// The SCSI device state (`running`, `blocked`, `transport-offline`, ...).
  public var state: String?
  /// The SCSI peripheral device type (0 is a disk).
  public var type: UInt8?
  /// INQUIRY vendor, blanks stripped.
  public var vendor: String?
  /// INQUIRY product, blanks stripped.
  public var model: String?
  /// INQUIRY revision, blanks stripped.
  public var revision: String?
  /// Name of the block device (`sda`), if it has one.
  public var blockDevice: String?
  /// Size in octets, if it has a block device.
  public var size: UInt64?
  /// Seconds that a command may take before error handling begins with its abort (sysfs `timeout`, 30 by default).
  public var timeout: UInt32?
  /// Seconds that each command of error handling's own may take (sysfs `eh_timeout`, 10 by default).
  public var errorHandlingTimeout: UInt32?
  /// How many commands may be under way at a time.
  public var queueDepth: UInt32?
  /// The block queue's I/O scheduler (`none`, `mq-deadline`, ...).
  public var scheduler: String?

  /// A device from its address; the rest is unknown.
  public init(host: HostNumber, channel: UInt32, target: UInt32, lun: UInt64) {
    self.host = host
    self.channel = channel
    self.target = target
    self.lun = lun
  }

  /// `H:C:T:L`.
  public var address: String { "\(host):\(channel):\(target):\(lun)" }

  /// The state; nil for a word that we do not know.
  public var kernelState: KernelDeviceState? { state.flatMap(KernelDeviceState.init) }

  /// Whether it was given up, by error handling or because its session was away for long, so that its I/O fails.
  public var isOffline: Bool { Self.isOffline(state) }

  /// Whether it is a disk, by its type or by its block device.
  var isDisk: Bool { type == 0 || blockDevice != nil }

  static func isOffline(_ state: String?) -> Bool { state == "offline" || state == "transport-offline" }
}

/// A kernel session as sysfs shows it at one moment. What sysfs does not tell is nil, never guessed.
public struct SessionSnapshot: Hashable, Sendable {
  /// The kernel's number.
  public var id: SessionID
  /// The transport (`tcp`, `iser`, ...).
  public var transport: String?
  /// The target's name as sysfs has it; unchecked text of another program is possible.
  public var targetName: String?
  /// Portal group tag.
  public var tag: PortalGroupTag?
  /// Our name in this session.
  public var initiatorName: String?
  /// The name of the `iface` record.
  public var interfaceName: String?
  /// The session's state; nil for a word that we do not know.
  public var state: KernelSessionState?
  /// What the kernel knows of the target; nil before Linux 6.3.
  public var targetState: KernelTargetState?
  /// The SCSI target number, 0 with `iscsi_tcp`; nil once the target is unbound.
  public var targetNumber: UInt32?
  /// Netlink port of the program that created the session; -1 for a session that the kernel or a card made.
  public var creator: Int32?
  /// CHAP name that we use.
  public var userName: String?
  /// CHAP name that the target uses.
  public var userNameIn: String?
  /// Replacement timeout in seconds; -1 is for ever (sysfs `off`).
  public var replacementTimeout: Int32?
  /// Abort timeout in seconds.
  public var abortTimeout: Int32?
  /// LU reset timeout in seconds.
  public var luResetTimeout: Int32?
  /// Target reset timeout in seconds.
  public var targetResetTimeout: Int32?
  /// The leading connection; nil if there is none.
  public var connection: ConnectionSnapshot?
  /// Whether the kernel lets R2Ts of a command that it aborts go unanswered.
  public var fastAbort: Bool?
  /// What the two sides agreed on, as far as the kernel shows it.
  public var negotiated = NegotiatedSnapshot()
  /// The SCSI host of the session.
  public var host: HostSnapshot?
  /// The SCSI devices, by LUN.
  public var devices: [DeviceSnapshot] = []

  /// A session of which only the number is known.
  public init(id: SessionID) { self.id = id }

  /// Whether the connection is up. Kernels before 5.7 do not show that, and the session's state has to stand for it.
  public var isConnectionUp: Bool {
    guard let connection else { return false }
    return connection.state.map { $0 == .up } ?? (state == .loggedIn)
  }
}

/// The negotiated parameters that sysfs shows (RFC 7143, section 13); nil for what it does not tell.
///
/// The kernel does not export MaxConnections, DefaultTime2Wait and DefaultTime2Retain.
public struct NegotiatedSnapshot: Hashable, Sendable {
  /// HeaderDigest.
  public var headerDigest: Digest?
  /// DataDigest.
  public var dataDigest: Digest?
  /// InitialR2T.
  public var initialR2T: Bool?
  /// ImmediateData.
  public var immediateData: Bool?
  /// FirstBurstLength in octets.
  public var firstBurstLength: UInt32?
  /// MaxBurstLength in octets.
  public var maxBurstLength: UInt32?
  /// The most that the target may send us in one PDU, in octets.
  public var maxRecvDataSegmentLength: UInt32?
  /// The most that we may send in one PDU, in octets.
  public var maxXmitDataSegmentLength: UInt32?
  /// MaxOutstandingR2T.
  public var maxOutstandingR2T: UInt16?
  /// ErrorRecoveryLevel.
  public var errorRecoveryLevel: UInt8?
  /// DataPDUInOrder.
  public var dataPDUInOrder: Bool?
  /// DataSequenceInOrder.
  public var dataSequenceInOrder: Bool?

  /// Nothing known.
  public init() {}
}

/// A kernel connection as sysfs shows it.
public struct ConnectionSnapshot: Hashable, Sendable {
  /// The kernel's number, 0 with `iscsi_tcp`.
  public var id: ConnectionID
  /// The connection's state; nil for a word that we do not know.
  public var state: KernelConnectionState?
  /// The peer's address, as text; nil without a socket.
  public var address: String?
  /// The peer's port.
  public var port: UInt16?
  /// Our port.
  public var localPort: UInt16?
  /// The address that was configured, before any redirect.
  public var persistentAddress: String?
  /// The port that was configured.
  public var persistentPort: UInt16?
  /// Seconds that a NOP-Out may go unanswered; 0 is off.
  public var noopTimeout: UInt32?
  /// Seconds of silence before a NOP-Out; 0 is off.
  public var noopInterval: UInt32?
  /// ExpStatSN.
  public var expStatSN: UInt32?

  /// A connection of which only the number is known.
  public init(id: ConnectionID) { self.id = id }

  /// Where the socket is connected to; nil without a socket.
  public var portal: Portal? { Self.portal(address, port) }
  /// What was configured, before any redirect; nil if it was not set or is not a portal.
  public var persistentPortal: Portal? { Self.portal(persistentAddress, persistentPort) }

  private static func portal(_ address: String?, _ port: UInt16?) -> Portal? {
    guard let address, let port, let host = try? PortalHost(address) else { return nil }
    return Portal(host: host, port: port)
  }
}

/// The SCSI host of a session as sysfs shows it.
public struct HostSnapshot: Hashable, Sendable {
  /// The kernel's number.
  public var number: HostNumber
  /// The driver's name (sysfs `proc_name`): `iscsi_tcp`, `iscsi_iser`, `qla4xxx`, ...
  public var driver: String?
  /// The SCSI host's state: `running`, `recovery`, ...
  public var state: String?
  /// The local address of the connection.
  public var ipAddress: String?
  /// The hardware address, if one was set.
  public var hardwareAddress: String?
  /// The network device, if one was set.
  public var networkDevice: String?
  /// The initiator name, if one was set on the host.
  public var initiatorName: String?
  /// Seconds after which SCSI error handling goes straight to the reset of the host, which loses the session; -1 is
  /// never (sysfs `off`).
  public var errorHandlingDeadline: Int32?

  /// A host of which only the number is known.
  public init(number: HostNumber) { self.number = number }

  /// Whether SCSI error handling is at work, during which no command goes to any device of the host (kernel:
  /// `scsi_host_in_recovery`).
  public var isHandlingErrors: Bool {
    state.map { $0.split(separator: "/").last == "recovery" } ?? false
  }

  /// The name of the iSCSI transport that the driver serves: the driver's name without `iscsi_`.
  public var transport: String? {
    driver.map { $0.hasPrefix("iscsi_") ? String($0.dropFirst(6)) : $0 }
  }
}

/// An iSCSI transport that the kernel offers (`/sys/class/iscsi_transport/NAME`).
public struct TransportSnapshot: Hashable, Sendable {
  /// Its name: `tcp`, `iser`, `bnx2i`, ...
  public var name: String
  /// Its capabilities, the CAP_* bits of the kernel's `iscsi_if.h`.
  public var capabilities: UInt32?

  /// A transport of which only the name is known.
  public init(name: String) { self.name = name }
}
