// SPDX-License-Identifier: Apache-2.0

/// A login as it is stored and sent: texts and numbers, of which all but target and portal may be missing.
///
/// Times are whole seconds. What is missing has the default of ``SessionOptions``.
public struct LoginDescription: Hashable, Sendable, Codable {
  /// The target's iSCSI name.
  public var target: String
  /// `host:port`, with `,tag` where it is known.
  public var portal: String
  /// Our iSCSI name; missing is that of the machine.
  public var initiator: String?
  /// How the two sides prove who they are; missing is not at all.
  public var authentication: AuthenticationDescription?
  /// What the connection is bound to; missing is nothing.
  public var interface: InterfaceDescription?
  /// How long things may take.
  public var timeouts: TimeoutsDescription?
  /// What we ask for in the negotiation.
  public var parameters: ParametersDescription?
  /// `all` or `none`; missing is `all`, unless `luns` are given.
  public var scan: String?
  /// The only logical units to make visible, by their numbers.
  public var luns: [UInt64]?
  /// What orders the I/O of the disks, as ``IOScheduler`` names it; missing is what the kernel has.
  public var scheduler: String?
  /// `node.session.cmds_max`.
  public var maxCommands: UInt16?
  /// `node.session.queue_depth`.
  public var queueDepth: UInt16?
  /// `node.session.iscsi.FastAbort`.
  public var fastAbort: Bool?
  /// How many sessions of this target, portal and interface there may be.
  public var sessionCount: Int?
  /// How many attempts one recovery may take; missing is no limit.
  public var recoveryLimit: Int?

  /// A login to a target at a portal, with the defaults.
  public init(target: String, portal: String) {
    self.target = target
    self.portal = portal
  }

  /// CHAP.
  public struct AuthenticationDescription: Hashable, Sendable, Codable, CustomReflectable {
    /// Our CHAP name.
    public var user: String
    /// Its secret.
    public var secret: String
    /// The target's CHAP name, for mutual CHAP.
    public var mutualUser: String?
    /// Its secret.
    public var mutualSecret: String?
    /// The digests to offer, best first, as open-iscsi writes them.
    public var algorithms: [String]?

    /// The names alone: no dump has a secret in it.
    public var customMirror: Mirror { Mirror(self, children: ["user": user]) }
  }

  /// What the connection is bound to.
  public struct InterfaceDescription: Hashable, Sendable, Codable {
    /// The name that sysfs shows; sessions of different names are different sessions.
    public var name: String?
    /// A network device.
    public var device: String?
    /// The MAC address of a network device.
    public var hardwareAddress: String?
    /// A local address.
    public var sourceAddress: String?

    /// An interface from its parts; at most one of the last three is allowed.
    public init(
      name: String? = nil, device: String? = nil, hardwareAddress: String? = nil, sourceAddress: String? = nil
    ) {
      self.name = name
      self.device = device
      self.hardwareAddress = hardwareAddress
      self.sourceAddress = sourceAddress
    }
  }

  /// Times in whole seconds.
  public struct TimeoutsDescription: Hashable, Sendable, Codable {
    /// How long I/O waits for a lost session; -1 is for ever.
    public var replacement: Int64?
    /// For an ABORT TASK.
    public var abort: Int64?
    /// For a LOGICAL UNIT RESET.
    public var luReset: Int64?
    /// For a TARGET RESET.
    public var targetReset: Int64?
    /// Silence before a NOP-Out; 0 is never.
    public var noopInterval: Int64?
    /// For the answer to a NOP-Out; 0 is no check.
    public var noopTimeout: Int64?
    /// For one login.
    public var login: Int64?
    /// For how long a first login is tried again; 0 makes one attempt.
    public var loginRetryWindow: Int64?
    /// For a command to a disk (`timeout`); missing is what the kernel has.
    public var device: Int64?
    /// For a command of error handling to a disk (`eh_timeout`); missing is what the kernel has.
    public var deviceErrorHandling: Int64?
    /// For error handling before it resets the host (`eh_deadline`); -1 is no limit. It can be set on a session, not by a login.
    public var hostErrorHandling: Int64?

    /// Times of which the most are left at their defaults.
    public init(replacement: Int64? = nil, noopInterval: Int64? = nil, noopTimeout: Int64? = nil) {
      self.replacement = replacement
      self.noopInterval = noopInterval
      self.noopTimeout = noopTimeout
    }
  }

  /// What we ask for in the negotiation (RFC 7143, section 13).
  public struct ParametersDescription: Hashable, Sendable, Codable {
    /// HeaderDigest, best first.
    public var headerDigest: [String]?
    /// DataDigest, best first.
    public var dataDigest: [String]?
    /// InitialR2T.
    public var initialR2T: Bool?
    /// ImmediateData.
    public var immediateData: Bool?
    /// FirstBurstLength in octets.
    public var firstBurstLength: UInt32?
    /// MaxBurstLength in octets.
    public var maxBurstLength: UInt32?
    /// MaxRecvDataSegmentLength in octets.
    public var maxRecvDataSegmentLength: UInt32?
    /// The most that we send in one PDU, in octets; 0 is what the target declares.
    public var maxXmitDataSegmentLength: UInt32?
    /// MaxOutstandingR2T.
    public var maxOutstandingR2T: UInt16?

    /// Parameters of which the most are left at their defaults.
    public init(headerDigest: [String]? = nil, dataDigest: [String]? = nil) {
      self.headerDigest = headerDigest
      self.dataDigest = dataDigest
    }
  }
}

/// Why a description of a login cannot be used.
public struct LoginDescriptionError: DiagnosableError, Hashable {
  /// The field, by its path.
  public let field: String
  /// What is wrong with it. No secret is quoted.
  public let reason: String
  /// What to do about it, where that does not follow from the reason.
  public var advice: String?

  /// Field and reason.
  public var description: String { "\(field): \(reason)" }
  /// 7.
  public var exitStatus: ExitStatus { .invalidArgument }
}
