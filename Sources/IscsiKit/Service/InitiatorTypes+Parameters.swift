// SPDX-License-Identifier: Apache-2.0

/// The parameters of the methods of `io.iscsi-admin.Initiator`.
extension InitiatorTypes {
  /// `Discover`.
  public struct DiscoverInput: Hashable, Sendable, Codable {
    /// The portal to ask.
    public var portal: String
    /// Our name; missing is that of the machine.
    public var initiator: String?
    /// How the two sides prove who they are.
    public var authentication: LoginDescription.AuthenticationDescription?
    /// What the connection goes out through.
    public var interface: LoginDescription.InterfaceDescription?
    /// How long it may take; missing is 30 seconds.
    public var timeout: Int?

    /// A discovery at a portal.
    public init(portal: String) { self.portal = portal }
  }

  /// `Login`.
  public struct LoginInput: Hashable, Sendable, Codable {
    /// What to log in to.
    public var logins: [LoginDescription]
    /// Whether to wait for the logins' ends; missing is yes.
    public var wait: Bool?
    /// What the client calls itself, kept with the sessions.
    public var label: String?

    /// Logins to wait for.
    public init(logins: [LoginDescription]) { self.logins = logins }
  }

  /// The replies to `Login`: progress if several are wanted, and the results in the last.
  public struct LoginOutput: Hashable, Sendable, Codable {
    /// How each login ended, in the order of the call; nothing for one that was begun and not waited for.
    public var results: [LoginResult]?
    /// A step.
    public var progress: LoginProgress?
  }

  /// `Logout`.
  public struct LogoutInput: Hashable, Sendable, Codable {
    /// The sessions.
    public var sessions: [UInt32]
    /// How long a target may take to answer; missing is 15 seconds.
    public var timeout: Int?
    /// Whether sessions go whose disks are in use.
    public var force: Bool?
    /// Whether sessions stay of whose disks something is made, such as a logical volume, also if it does not show that
    /// anybody uses that.
    public var spareHeld: Bool?

    /// A logout of these sessions.
    public init(sessions: [UInt32]) { self.sessions = sessions }
  }

  /// The reply to `Logout`.
  public struct LogoutOutput: Hashable, Sendable, Codable {
    /// How each logout ended.
    public var results: [LogoutResult]
  }

  /// `Rescan`.
  public struct RescanInput: Hashable, Sendable, Codable {
    /// The sessions.
    public var sessions: [UInt32]
  }

  /// The reply to `Rescan`.
  public struct RescanOutput: Hashable, Sendable, Codable {
    /// How each rescan ended.
    public var results: [RescanResult]
  }

  /// `ListSessions`.
  public struct ListInput: Hashable, Sendable, Codable {
    /// Whether to tell only the numbers of the sessions that the daemon supervises, and what it knows of them. The
    /// kernel is not asked then.
    public var onlyRecovery: Bool?
  }

  /// The reply to `ListSessions`.
  public struct ListOutput: Hashable, Sendable, Codable {
    /// All sessions by number.
    public var sessions: [Session]
  }

  /// The reply to `ListPhases`.
  public struct PhasesOutput: Hashable, Sendable, Codable {
    /// The sessions of each phase that any is in.
    public var groups: [PhaseGroup]
  }

  /// The sessions that are in a phase.
  public struct PhaseGroup: Hashable, Sendable, Codable {
    /// The phase, as ``SupervisionPhase`` names it.
    public var phase: String
    /// The sessions, by number.
    public var sessions: [UInt32]
  }

  /// `GetSession` and `Statistics`.
  public struct SessionInput: Hashable, Sendable, Codable {
    /// The session.
    public var session: UInt32
  }

  /// The reply to `GetSession`.
  public struct SessionOutput: Hashable, Sendable, Codable {
    /// The session.
    public var session: Session
  }

  /// The reply to `Statistics`.
  public struct StatisticsOutput: Hashable, Sendable, Codable {
    /// The counters, in open-iscsi's order.
    public var counters: [Counter]
  }

  /// `Set`.
  public struct SetInput: Hashable, Sendable, Codable {
    /// The session.
    public var session: UInt32
    /// What to change; what is missing stays.
    public var timeouts: LoginDescription.TimeoutsDescription
    /// What is to order the I/O of the disks, as ``IOScheduler`` names it, or `default` for what the kernel gives them; missing
    /// leaves it.
    public var scheduler: String?
    /// Whether nothing is changed, and the results are what would become of it; missing is no.
    public var trial: Bool?
  }

  /// The reply to `Set`.
  public struct SetOutput: Hashable, Sendable, Codable {
    /// What became of each setting at each place.
    public var results: [SetResult]?
  }

  /// `Monitor`.
  public struct MonitorInput: Hashable, Sendable, Codable {
    /// The number of the last event that the client knows; missing begins with the next one.
    public var after: UInt64?
  }

  /// A reply to `Monitor`.
  public struct MonitorOutput: Hashable, Sendable, Codable {
    /// What happened.
    public var event: Event
  }

  /// The parameters of the error `OperationFailed`.
  public struct FailureOutput: Hashable, Sendable, Codable {
    /// What failed.
    public var failure: Failure
  }
}
