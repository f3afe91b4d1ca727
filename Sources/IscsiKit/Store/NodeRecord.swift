// SPDX-License-Identifier: Apache-2.0

/// A record of a node: a target at a portal over an interface, and how to log in to it
/// (`nodes/TARGET/ADDRESS,PORT,TPGT/INTERFACE`).
public struct NodeRecord: Hashable, Sendable {
  /// When a node is logged in to.
  public enum Startup: String, Hashable, Sendable, CaseIterable {
    /// When somebody asks.
    case manual
    /// When the machine starts.
    case automatic
    /// In the initramfs, before the root file system is there.
    case onboot
  }

  /// How a record came about.
  public enum DiscoveryKind: String, Hashable, Sendable, CaseIterable {
    /// By SendTargets.
    case sendTargets = "send_targets"
    /// By an iSNS server.
    case isns
    /// By SendTargets that a card sent.
    case offloadSendTargets = "offload_send_targets"
    /// By hand.
    case byHand = "static"
    /// From the boot firmware.
    case firmware = "fw"
  }

  /// Whether a login authenticates.
  public enum AuthenticationMethod: String, Hashable, Sendable, CaseIterable {
    /// It does not, unless there is a password.
    case none = "None"
    /// With CHAP.
    case chap = "CHAP"
  }

  /// Which logical units a login makes visible.
  public enum Scan: String, Hashable, Sendable, CaseIterable {
    /// None: somebody scans.
    case manual
    /// All.
    case auto
  }

  /// `node.name`.
  public var target: TargetName
  /// `node.conn[0].address`, `.port` and `node.tpgt`.
  public var portal: Portal
  /// `node.startup`.
  public var startup = Startup.manual
  /// `node.leading_login`: whether one of the target's portals is enough.
  public var leadingLogin = false
  /// `iface.*`: the interface as it was when the record was made.
  public var interface = InterfaceRecord.standard
  /// `node.discovery_address`.
  public var discoveryAddress: String?
  /// `node.discovery_port`.
  public var discoveryPort: UInt16 = 0
  /// `node.discovery_type`.
  public var discoveryKind = DiscoveryKind.byHand
  /// `node.session.initial_cmdsn`.
  public var initialCommandSN: UInt32 = 0
  /// `node.session.initial_login_retry_max`: with `timeouts.login`, for how long a first login is tried.
  public var initialLoginRetryLimit: UInt32 = 4
  /// `node.session.xmit_thread_priority`, which kernels since 5.5 have no thread for.
  public var transmitThreadPriority: Int32 = -20
  /// `node.session.cmds_max`: commands in flight a session.
  public var maxCommands: UInt16 = 128
  /// `node.session.queue_depth`: commands in flight a logical unit.
  public var queueDepth: UInt16 = 32
  /// `node.session.nr_sessions`: how many sessions there are to be.
  public var sessionCount: UInt16 = 1
  /// `node.session.auth.*`.
  public var authentication = RecordAuthentication()
  /// `node.session.timeo.*`, `node.session.err_timeo.*` and `node.conn[0].timeo.*` as far as a session goes by them; its
  /// window for a first login is not among them.
  public var timeouts = SessionTimeouts()
  /// `node.session.err_timeo.host_reset_timeout`, which is kept and not used.
  public var hostResetTimeout = Duration.seconds(60)
  /// `node.session.iscsi.FastAbort`.
  public var fastAbort = true
  /// `node.session.iscsi.*` and `node.conn[0].iscsi.*`.
  public var operational = OperationalParameters()
  /// `node.session.iscsi.MaxConnections`; the kernel's initiator has one.
  public var maxConnections: UInt16 = 1
  /// `node.session.iscsi.ERL`; the kernel's initiator does 0.
  public var errorRecoveryLevel: UInt8 = 0
  /// `node.session.scan`.
  public var scan = Scan.auto
  /// `node.session.reopen_max`: how many attempts a recovery may take; 0 is no limit.
  public var reopenLimit: UInt32 = 0
  /// `node.session.sess_reopen_log_freq`: of how many failed attempts one is told; nil where the record has no such key.
  public var reopenLogInterval: UInt32?
  /// `node.conn[0].startup`, the older place of `startup`.
  public var connectionStartup = Startup.manual
  /// `node.conn[0].tcp.window_size`: the socket's buffers in octets.
  public var windowSize: UInt32 = 524_288
  /// `node.conn[0].tcp.type_of_service`, which is kept and not used.
  public var typeOfService: UInt32 = 0
  /// `node.conn[0].tcp.congestion_control`: TCP's algorithm; nil is the system's.
  public var congestionControl: String?
  /// `node.conn[0].timeo.logout_timeout`.
  public var logoutTimeout = Duration.seconds(15)
  /// `node.conn[0].timeo.auth_timeout`, which is kept and not used.
  public var authenticationTimeout = Duration.seconds(45)
  /// `node.conn[0].iscsi.IFMarker`, which RFC 7143 has made obsolete.
  public var initiatorMarkers = false
  /// `node.conn[0].iscsi.OFMarker` likewise.
  public var targetMarkers = false
  /// `node.boot_lun`, of boot firmware.
  public var bootLUN: String?

  /// A record with what holds where nothing is configured.
  public init(target: TargetName, portal: Portal) {
    self.target = target
    self.portal = portal
    timeouts.login = .seconds(30)
  }
}

/// How a record says that a login authenticates. Names and secrets may be there one without the other.
public struct RecordAuthentication: Hashable, Sendable {
  /// `authmethod`.
  public var method = NodeRecord.AuthenticationMethod.none
  /// `username`.
  public var name: String?
  /// `password`.
  public var secret: Secret?
  /// `username_in`: the name that the target must prove.
  public var targetName: String?
  /// `password_in`.
  public var targetSecret: Secret?
  /// `chap_algs`, best first.
  public var algorithms: [CHAPAlgorithm] = [.md5]

  /// None.
  public init() {}

  /// What about its secrets works but should not be.
  var warnings: [CHAPWarning] {
    let short = { (secret: Secret?) in
      secret.map(\.octets.count).flatMap { $0 < CHAP.recommendedSecretLength ? $0 : nil }
    }
    return [
      secret != nil && name == nil ? .nameless : nil,
      secret != nil && targetSecret != nil && targetName == nil ? .namelessTarget : nil,
      short(secret).map(CHAPWarning.shortOutgoingSecret),
      short(targetSecret).map(CHAPWarning.shortIncomingSecret),
    ].compactMap(\.self)
  }
}
