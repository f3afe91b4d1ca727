// SPDX-License-Identifier: Apache-2.0

/// The types of the daemon's interface `io.iscsi-admin.Initiator`, as JSON has them.
///
/// Times are seconds since 1970, durations seconds, portals `host:port,tag`. What is not known is missing. Fields are
/// only ever added.
public enum InitiatorTypes {
  /// Something that failed.
  public struct Failure: DiagnosableError, Hashable, Codable {
    /// What failed, on what, and why: one sentence.
    public var message: String
    /// What to do about it.
    public var advice: String?
    /// The exit code of open-iscsi's table.
    public var exitCode: Int
    /// The target that it is about.
    public var target: String?
    /// The portal that it is about.
    public var portal: String?
    /// The session that it is about.
    public var session: UInt32?

    /// The sentence.
    public var description: String { message }
    /// The code, or 1 for one that this program does not know.
    public var exitStatus: ExitStatus { UInt8(exactly: exitCode).flatMap(ExitStatus.init) ?? .failure }
  }

  /// A SCSI device of a session.
  public struct Device: Hashable, Sendable, Codable {
    /// `H:C:T:L`.
    public var address: String
    /// The SCSI device state.
    public var state: String?
    /// The SCSI peripheral device type.
    public var type: UInt8?
    /// INQUIRY vendor.
    public var vendor: String?
    /// INQUIRY product.
    public var model: String?
    /// INQUIRY revision.
    public var revision: String?
    /// The name of the block device.
    public var blockDevice: String?
    /// Size in octets.
    public var sizeBytes: UInt64?
  }

  /// A session that a login made.
  public struct LoggedIn: Hashable, Sendable, Codable {
    /// The kernel's number of the session.
    public var session: UInt32
    /// The number of the SCSI host.
    public var host: UInt32
    /// The target's name.
    public var target: String
    /// Where the login ended.
    public var portal: String
    /// TargetAlias.
    public var targetAlias: String?
    /// The CHAP digest that was used.
    public var chapAlgorithm: String?
    /// What the scan found.
    public var devices: [Device]
  }

  /// How one login ended: `failure` alone if there is no session, both if the scan failed.
  public struct LoginResult: Hashable, Sendable, Codable {
    /// The session.
    public var session: LoggedIn?
    /// What failed.
    public var failure: Failure?
  }

  /// A step that one of several logins has come to.
  public struct LoginProgress: Hashable, Sendable, Codable {
    /// Which login, from 0.
    public var index: Int
    /// The step, as ``LoginStep`` names it.
    public var step: String
  }

  /// How one logout ended: the session is gone unless there is a failure.
  public struct LogoutResult: Hashable, Sendable, Codable {
    /// The number that the session had.
    public var session: UInt32
    /// The target's name.
    public var target: String?
    /// The portal that was configured.
    public var portal: String?
    /// What was passed over on the way.
    public var problems: [String]
    /// Why the session is still there, or was not there.
    public var failure: Failure?
  }

  /// How one rescan ended.
  public struct RescanResult: Hashable, Sendable, Codable {
    /// The session.
    public var session: UInt32
    /// All its devices after the scan.
    public var devices: [Device]
    /// What failed.
    public var failure: Failure?
  }

  /// What became of a setting at one place.
  public struct SetResult: Hashable, Sendable, Codable {
    /// The setting, as ``Timeout`` or ``IOScheduler/settingName`` has it.
    public var setting: String
    /// `session`, `connection`, `host` or `device`.
    public var place: String
    /// The device's `H:C:T:L`.
    public var device: String?
    /// The host's number.
    public var host: UInt32?
    /// What it was, as sysfs has it.
    public var old: String?
    /// What was wanted.
    public var new: String
    /// How it ended, as ``SettingOutcome/Result`` names it.
    public var outcome: String
    /// What has to be known of it, as ``SettingNote/word`` names it.
    public var note: String?
    /// The same in words.
    public var message: String?
  }

  /// An attempt to log in that failed.
  public struct Attempt: Hashable, Sendable, Codable {
    /// Which attempt, from 1.
    public var number: Int
    /// Where it went.
    public var portal: String
    /// Why it failed.
    public var cause: String
    /// When it failed.
    public var time: Double
    /// The exit code of open-iscsi's table.
    public var exitCode: Int?
    /// The status that the target refused the login with (RFC 7143, section 11.13.5), class in the upper octet.
    public var loginStatus: Int?
  }

  /// An outage of a session.
  public struct Outage: Hashable, Sendable, Codable {
    /// Why the connection was lost.
    public var cause: String
    /// The kernel's number of the error, if the kernel reported one.
    public var kernelError: UInt32?
    /// Its name.
    public var kernelErrorName: String?
    /// What the network shows on the way to the portal, if that explains the loss.
    public var network: String?
    /// When it was known.
    public var since: Double
    /// When it ended.
    public var end: Double?
    /// How many attempts have begun.
    public var attempts: Int
    /// The last attempt that failed.
    public var lastFailure: Attempt?
    /// When the next attempt is due; missing while one is under way.
    public var nextAttempt: Double?
    /// The replacement timeout that the kernel's timer was started with; -1 is for ever. Missing if it is not known when
    /// the timer was started.
    public var replacementTimeout: Int32?
    /// When I/O begins to fail; missing if that is not known, and if it waits for ever.
    public var deadline: Double?
  }

  /// What the daemon knows of a session that it supervises.
  public struct Recovery: Hashable, Sendable, Codable {
    /// Where it is, as ``SupervisionPhase`` names it.
    public var phase: String
    /// Where it is connected to, or tries to.
    public var portal: String
    /// How many outages ended well.
    public var recoveries: Int
    /// What is wrong with the network device on the way to the portal, if that is known to be at fault.
    public var network: String?
    /// Since when that is known.
    public var networkSince: Double?
    /// Since when the target of a session that is up has answered nothing, a NOP-Out included.
    public var silentSince: Double?
    /// Whether the kernel may send no NOP-Outs before the next login although they are switched on; missing if not.
    public var noopsIdle: Bool?
    /// The present outage.
    public var outage: Outage?
    /// The last outage that ended.
    public var lastOutage: Outage?
    /// Who asked for the session.
    public var owner: SessionOwner?
    /// How many sessions of this target, portal and interface there are to be.
    public var sessionCount: Int?
    /// The timeouts that are to be set when the session is back.
    public var dueTimeouts: LoginDescription.TimeoutsDescription?
    /// The I/O scheduler that is to be set when the session is back, see ``IOScheduler``; `default` is what the kernel gives.
    public var dueScheduler: String?
    /// Since when a logout waits for the removal of the disks, whose data the target has to take first.
    public var removingSince: Double?
  }

  /// A session.
  public struct Session: Hashable, Sendable, Codable {
    /// The kernel's number.
    public var session: UInt32
    /// The target's name.
    public var target: String?
    /// The portal that is configured.
    public var portal: String?
    /// The portal that the connection has.
    public var currentPortal: String?
    /// The name of the interface.
    public var interface: String?
    /// Our name.
    public var initiator: String?
    /// The transport.
    public var transport: String?
    /// The kernel's words for the session's, the connection's and the target's state.
    public var state: String?
    /// The connection's state.
    public var connectionState: String?
    /// The target's state.
    public var targetState: String?
    /// The number of the SCSI host.
    public var host: UInt32?
    /// The host's state.
    public var hostState: String?
    /// The timeouts that the kernel has.
    public var timeouts: LoginDescription.TimeoutsDescription
    /// The devices.
    public var devices: [Device]
    /// What the daemon knows; missing for a session that it does not supervise.
    public var recovery: Recovery?
  }

  /// Something that happened to a session, or a word of events that are missed.
  public struct Event: Hashable, Sendable, Codable {
    /// The kind of an event that tells of others: there may have been some between the last one and this, and nobody can
    /// give them any more.
    public static let missedKind = "missed"

    /// Counts the events of a daemon from ``Identity/firstEvent`` on; the last one that is missed.
    public var sequence: UInt64
    /// When.
    public var time: Double
    /// What, as ``SessionEvent/Kind`` names it, or ``missedKind``.
    public var kind: String
    /// The session.
    public var session: UInt32?
    /// The target's name; nil if events are missed.
    public var target: String?
    /// Where it is connected to, or tries to; nil if events are missed.
    public var portal: String?
    /// What and why, in words.
    public var message: String
    /// The kernel's number of the error.
    public var kernelError: UInt32?
    /// Which attempt, or how many it took.
    public var attempt: Int?
    /// When the next attempt is due.
    public var nextAttempt: Double?
    /// How long the outage was.
    public var outageSeconds: Double?
  }

  /// A target that a discovery found.
  public struct Target: Hashable, Sendable, Codable {
    /// Its name.
    public var name: String
    /// Where it can be reached.
    public var portals: [String]
    /// What is odd about it.
    public var warnings: [String]
  }

  /// An entry of an answer that was left out.
  public struct Refusal: Hashable, Sendable, Codable {
    /// The entry, printable.
    public var text: String
    /// Why.
    public var reason: String
  }

  /// The answer to a discovery.
  public struct Discovery: Hashable, Sendable, Codable {
    /// The targets, in the order of the answer.
    public var targets: [Target]
    /// The first entries that were left out.
    public var refused: [Refusal]
    /// How many were left out.
    public var refusedCount: Int
  }

  /// A counter.
  public struct Counter: Hashable, Sendable, Codable {
    /// Its name, as open-iscsi prints it.
    public var name: String
    /// Its value.
    public var value: UInt64
  }

  /// What a daemon says of itself.
  public struct Identity: Hashable, Sendable, Codable {
    /// The version of the program.
    public var version: String
    /// Another one after each start.
    public var instance: String
    /// The process.
    public var processID: Int32
    /// How many sessions it supervises.
    public var sessions: Int
    /// The number of its first event. It grows from daemon to daemon, unless the clock is set back.
    public var firstEvent: UInt64
    /// The number of the last event; one less than the first's before that.
    public var lastEvent: UInt64

    /// How many events there were.
    public var eventCount: UInt64 { lastEvent < firstEvent ? 0 : lastEvent - firstEvent &+ 1 }
  }
}
