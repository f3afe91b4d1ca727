// SPDX-License-Identifier: Apache-2.0

/// A digest for PDU headers or data (RFC 7143, section 13.1).
public enum Digest: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// No digest.
  case none = "None"
  /// CRC32C.
  case crc32c = "CRC32C"

  /// The word on the wire.
  public var description: String { rawValue }
}

/// What we ask for in the operational stage of a login; the defaults are those that open-iscsi ships.
public struct OperationalParameters: Hashable, Sendable {
  /// HeaderDigest in order of preference; not empty.
  public var headerDigest: [Digest] = [.none]
  /// DataDigest in order of preference; not empty.
  public var dataDigest: [Digest] = [.none]
  /// InitialR2T: whether writes wait for a first R2T.
  public var initialR2T = false
  /// ImmediateData: whether writes may carry data in the command PDU.
  public var immediateData = true
  /// FirstBurstLength in octets, 512 to 16777215.
  public var firstBurstLength: UInt32 = 262_144
  /// MaxBurstLength in octets, 512 to 16777215.
  public var maxBurstLength: UInt32 = 16_776_192
  /// MaxRecvDataSegmentLength that we declare, in octets, 512 to 16777215.
  public var maxRecvDataSegmentLength: UInt32 = 262_144
  /// The most we send in one PDU in octets; 0 means what the target declares.
  public var maxXmitDataSegmentLength: UInt32 = 0
  /// MaxOutstandingR2T, 1 to 65535.
  public var maxOutstandingR2T: UInt16 = 1
  /// DefaultTime2Wait in seconds, 0 to 3600.
  public var defaultTime2Wait: UInt16 = 2
  /// DefaultTime2Retain in seconds, 0 to 3600.
  public var defaultTime2Retain: UInt16 = 0

  /// The defaults.
  public init() {}
}

/// What initiator and target agreed on (RFC 7143, section 13).
public struct NegotiatedParameters: Hashable, Sendable {
  /// HeaderDigest.
  public var headerDigest: Digest = .none
  /// DataDigest.
  public var dataDigest: Digest = .none
  /// InitialR2T (default Yes).
  public var initialR2T = true
  /// ImmediateData (default Yes).
  public var immediateData = true
  /// FirstBurstLength in octets (default 65536).
  public var firstBurstLength: UInt32 = 65_536
  /// MaxBurstLength in octets (default 262144).
  public var maxBurstLength: UInt32 = 262_144
  /// The most that the target may send us in one PDU, in octets: our MaxRecvDataSegmentLength.
  public var maxRecvDataSegmentLength: UInt32 = 8192
  /// The most that we may send in one PDU, in octets: the target's MaxRecvDataSegmentLength, or our lower limit.
  public var maxXmitDataSegmentLength: UInt32 = 8192
  /// MaxOutstandingR2T (default 1).
  public var maxOutstandingR2T: UInt16 = 1
  /// MaxConnections (always 1 with the kernel's initiator).
  public var maxConnections: UInt16 = 1
  /// DefaultTime2Wait in seconds (default 2).
  public var defaultTime2Wait: UInt16 = 2
  /// DefaultTime2Retain in seconds (default 20).
  public var defaultTime2Retain: UInt16 = 20
  /// ErrorRecoveryLevel (always 0 with the kernel's initiator).
  public var errorRecoveryLevel: UInt8 = 0
  /// DataPDUInOrder (default Yes).
  public var dataPDUInOrder = true
  /// DataSequenceInOrder (default Yes).
  public var dataSequenceInOrder = true

  /// The defaults of RFC 7143, which hold for a key that nobody sends.
  public init() {}
}

/// The timeouts of a session; the defaults are those that open-iscsi ships.
public struct SessionTimeouts: Hashable, Sendable {
  /// How long I/O waits for a lost session to come back before it fails; nil is for ever, zero fails at once.
  /// `node.session.timeo.replacement_timeout`, the kernel's `recovery_tmo`; whole seconds.
  public var replacement: Duration? = .seconds(120)
  /// `node.session.err_timeo.abort_timeout`: how long the kernel waits for an ABORT TASK; whole seconds.
  public var abort: Duration = .seconds(15)
  /// `node.session.err_timeo.lu_reset_timeout`: how long it waits for a LOGICAL UNIT RESET; whole seconds.
  public var luReset: Duration = .seconds(30)
  /// `node.session.err_timeo.tgt_reset_timeout`: how long it waits for a TARGET RESET; whole seconds.
  public var targetReset: Duration = .seconds(30)
  /// `noop_out_interval`: silence after which the kernel sends a NOP-Out; whole seconds. If this or `noopTimeout` is
  /// zero there is no check; the kernel is sent zero for both then, as it takes a single one for its default.
  public var noopInterval: Duration = .seconds(5)
  /// `noop_out_timeout`: how long it waits for the answer; zero turns the check off too; whole seconds.
  public var noopTimeout: Duration = .seconds(5)
  /// How long one login may take from the TCP connect on, redirects included.
  public var login: Duration = .seconds(15)
  /// For how long a first login that fails for now is tried again; zero makes one attempt. open-iscsi's
  /// `initial_login_retry_max` times `login_timeout`.
  public var loginRetryWindow: Duration = .zero

  /// The defaults.
  public init() {}
}

/// What a session's connection is bound to (the `iface` record of open-iscsi).
public enum InterfaceBinding: Hashable, Sendable {
  /// Nothing: routing decides.
  case automatic
  /// A network device by name (SO_BINDTODEVICE).
  case device(String)
  /// The network device that has this MAC address.
  case hardwareAddress(HardwareAddress)
  /// A local address to connect from.
  case sourceAddress(IPAddress)
}

/// An Ethernet MAC address.
public struct HardwareAddress: Hashable, Sendable, CustomStringConvertible {
  /// Six octets, most significant first, as a number.
  public let rawValue: UInt64

  /// Parses six hexadecimal octets separated by colons.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 6 else { return nil }
    var value: UInt64 = 0
    for part in parts {
      guard part.utf8.count == 2, part.utf8.allSatisfy(\.isHexDigit), let octet = UInt64(part, radix: 16) else {
        return nil
      }
      value = value << 8 | octet
    }
    rawValue = value
  }

  /// An address from its six octets; nil for another count.
  init?(octets: [UInt8]) {
    guard octets.count == 6 else { return nil }
    rawValue = octets.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Lower case, with colons, as sysfs writes it.
  public var description: String {
    (0..<6).map { UInt8(truncatingIfNeeded: rawValue >> (40 - 8 * UInt64($0))).hexadecimal }.joined(separator: ":")
  }
}

/// Which logical units a login makes visible.
public enum ScanMode: Hashable, Sendable {
  /// All that the target reports.
  case all
  /// Only these.
  case only([LUN])
  /// None: somebody scans later.
  case none
}

/// All that a login needs to know, beside where it goes.
public struct SessionOptions: Hashable, Sendable {
  /// How we and the target prove who we are.
  public var authentication = Authentication.none
  /// What we ask for.
  public var operational = OperationalParameters()
  /// How long things may take.
  public var timeouts = SessionTimeouts()
  /// What the connection is bound to.
  public var binding = InterfaceBinding.automatic
  /// The name of the `iface` record, shown by sysfs as `ifacename`.
  public var interfaceName = "default"
  /// `node.session.cmds_max`: commands in flight a session, 16 to 4096, a power of two.
  public var maxCommands: UInt16 = 128
  /// `node.session.queue_depth`: commands in flight a logical unit, 1 to 1024.
  public var queueDepth: UInt16 = 32
  /// `node.session.iscsi.FastAbort`: whether the kernel leaves R2Ts of a command that it aborts unanswered.
  public var fastAbort = true
  /// What to scan for after the login.
  public var scan = ScanMode.all
  /// What each disk is set to when a scan has found it.
  public var devices = DeviceSettings()
  /// `node.session.reopen_max`: how many attempts one recovery may take; nil (there: 0) is no limit.
  public var recoveryLimit: Int?
  /// `node.session.nr_sessions`: how many sessions of one target, portal and interface there may be, 1 or more.
  public var sessionCount = 1

  /// The defaults.
  public init() {}
}
